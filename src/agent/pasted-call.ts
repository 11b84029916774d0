/**
 * A call whose first message goes to the listener by hand (spec/paste.md).
 *
 * Theory of operation. As soon as it is known where servers see us, the message that says so is given to the application.
 * Then nothing happens for minutes, but for what keeps our bindings alive: the addresses of the ticket are not dialled, since
 * a datagram that arrives before the listener has opened its NAT may close that for good. The listener's answer comes by
 * datagram and brings the keys; holes are punched from then on, as after any handshake by a carrier.
 *
 * @module
 */
import type { ConnectionMachine } from "../connection/connection.ts";
import type { ConnectionEvent } from "../connection/events.ts";
import type { Address, Transmit } from "../util/machine.ts";
import { after, type Duration, earliest, type Instant } from "../util/time.ts";
import type { BindingKeeper } from "./binding-keeper.ts";
import type { AgentContext } from "./context.ts";
import { Rounds } from "./rounds.ts";

// Implementation

/** How long the rest of what servers tell is awaited once one address is known, in ms: people take longer by far. */
export const GATHER_LIMIT: Duration = 1_500;

/** How long one address is awaited after a change, in ms. */
const CHANGE_DELAY: Duration = 1_000;

/** Times that another message is made because our address has changed: a NAT that changes it all the time is no use. */
const MAX_CHANGES = 8;

/** A message for the listener. */
export interface PastedInvitation {
  readonly connection: ConnectionMachine;
  readonly core1: Uint8Array;
  /** Whether it replaces an earlier one: our address has changed. */
  readonly isChanged: boolean;
}

/** What a call needs. */
export interface PastedCallOptions {
  readonly connection: ConnectionMachine;
  readonly keeper: BindingKeeper;
  readonly tellsHosts: boolean;
  readonly onInvitation: (invitation: PastedInvitation) => void;
}

/** See the module. */
export class PastedCall {
  readonly connection: ConnectionMachine;
  readonly #context: AgentContext;
  readonly #options: PastedCallOptions;
  /** When a message is made of what is known then. */
  #inviteAt: Instant | undefined;
  /** Where the message says that we are; `undefined` before there is one. */
  #told: readonly Address[] | undefined;
  #changes = 0;
  #rounds: Rounds | undefined;
  #isOver = false;

  constructor(context: AgentContext, options: PastedCallOptions, now: Instant) {
    this.#context = context;
    this.#options = options;
    this.connection = options.connection;
    this.#inviteAt = after(now, GATHER_LIMIT);
    this.onNews(now);
  }

  /** Input: more is known of where we are. */
  onNews(now: Instant): void {
    if (this.#isOver || this.#rounds !== undefined) return;
    const { surroundings } = this.#context;
    if (this.#told === undefined && surroundings.isBlocked) {
      this.connection.giveUp("udp-blocked", now);
      return;
    }
    const isDue = surroundings.isSettled || (this.#inviteAt !== undefined && this.#inviteAt <= now);
    if (this.#inviteAt !== undefined && isDue && surroundings.reflexive.length > 0) this.#invite(now);
  }

  /** Input: samples have changed. */
  onSamples(now: Instant): void {
    this.#rounds?.onSamples(now);
    if (this.#told === undefined || this.#inviteAt !== undefined || this.#changes >= MAX_CHANGES) return;
    const moved = this.#options.keeper.movedFrom(this.#told);
    if (moved === undefined) return;
    this.#changes += 1;
    this.#inviteAt = after(now, CHANGE_DELAY);
    this.#context.surroundings.onSeen(moved, now);
  }

  /** Input: an event of the connection. */
  onConnectionEvent(event: ConnectionEvent, now: Instant): void {
    switch (event.type) {
      case "answered":
        this.#onAnswered(now);
        return;
      case "exhausted":
        if (this.#rounds?.isLast === true) this.connection.giveUp(event.reason, now);
        return;
      case "connected":
      case "closed":
        this.#finish();
        return;
      default:
        return;
    }
  }

  /** Input: time has passed. */
  handleTimeout(now: Instant): void {
    if (this.#isOver) return;
    this.#options.keeper.handleTimeout(now);
    this.#rounds?.handleTimeout(now);
    if (this.#inviteAt === undefined || this.#inviteAt > now) return;
    this.onNews(now);
    // Nothing is known yet: it comes as news.
    if (this.#inviteAt !== undefined && this.#told === undefined) this.#inviteAt = after(now, GATHER_LIMIT);
    else this.#inviteAt = undefined;
  }

  /** Output: the next opener. */
  pollTransmit(): Transmit | undefined {
    return this.#options.keeper.pollTransmit();
  }

  /** Output: when to call {@link handleTimeout}. */
  nextTimeout(): Instant | undefined {
    if (this.#isOver) return undefined;
    return earliest(earliest(this.#options.keeper.nextTimeout(), this.#inviteAt), this.#rounds?.nextTimeout());
  }

  /** Whether nothing more will come of it. */
  get isOver(): boolean {
    return this.#isOver;
  }

  #invite(now: Instant): void {
    const { surroundings } = this.#context;
    const { situation } = surroundings.announce({ withHosts: this.#options.tellsHosts });
    const core1 = this.connection.invite(situation, { isPasted: true });
    this.#inviteAt = undefined;
    if (core1 === undefined) return;
    const isChanged = this.#told !== undefined;
    this.#told = surroundings.reflexive;
    const journal = this.#context.journal(this.connection);
    for (const { kind, address } of situation.candidates) {
      journal?.add({ type: "candidate", side: "own", kind, address }, now);
    }
    this.#options.onInvitation({ connection: this.connection, core1, isChanged });
  }

  /** The keys are there: whoever has read the message has opened its NAT by now. */
  #onAnswered(now: Instant): void {
    if (this.#isOver || this.#rounds !== undefined) return;
    this.#options.keeper.end();
    this.#inviteAt = undefined;
    const { connection } = this;
    const budget = this.#context.budget.invite();
    if (budget === undefined) {
      connection.giveUp("busy", now);
      return;
    }
    const journal = this.#context.journal(connection);
    for (const { kind, address } of connection.peerSituation.candidates) {
      journal?.add({ type: "candidate", side: "peer", kind, address }, now);
    }
    this.#rounds = new Rounds(this.#context, {
      ...{ connection, budget, attestedHosts: [], serverRtt: undefined, roundTrip: undefined, answeredAt: now },
      ...{ tellsHosts: this.#options.tellsHosts, signal: undefined },
    });
    this.#rounds.onGo(now, now);
  }

  #finish(): void {
    this.#isOver = true;
    this.#options.keeper.end();
    this.#rounds?.end();
  }
}
