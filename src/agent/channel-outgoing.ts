/**
 * A call to a listener by a channel of the application (spec/rendezvous.md#a-channel-of-ones-own).
 *
 * @module
 */
import type { ConnectionMachine } from "../connection/connection.ts";
import type { ConnectionEvent, UnreachableCause } from "../connection/events.ts";
import type { Envelope } from "../signal/envelope.ts";
import { after, type Duration, earliest, type Instant } from "../util/time.ts";
import type { Candidate } from "../wire/candidate.ts";
import type { AgentContext } from "./context.ts";
import { Rounds } from "./rounds.ts";

// Specification

/** How long a first message waits for an address of ours, in ms: longer, and a server that does not answer costs too much. */
export const GATHER_PATIENCE: Duration = 500;

/** From the first message to its first repetition, in ms; each further pause is twice as long as the one before. */
const FIRST_PAUSE: Duration = 1_000;

/** A first message that is older than this, in ms, is replaced: a listener that has answered it may have given it up. */
const MESSAGE_LIFETIME: Duration = 20_000;

// Implementation

/** After this round a pair that looks hopeless is given up: one more attempt than the plan allows, as plans may be wrong. */
const HOPELESS_ROUND = 2;

/** What a call by a channel needs, on either side. */
export interface ChannelCallOptions {
  readonly connection: ConnectionMachine;
  /** Whether the addresses of our interfaces are told, whatever the peer is. */
  readonly tellsHosts: boolean;
  readonly send: (envelope: Envelope) => void;
}

/** See the module. */
export class ChannelOutgoing {
  readonly connection: ConnectionMachine;
  readonly #context: AgentContext;
  readonly #options: ChannelCallOptions;
  #core1: Uint8Array | undefined;
  #renewedAt = 0 as Instant;
  /** When the first message goes, or goes again; `undefined` once it was answered. */
  #sendAt: Instant | undefined;
  #pause = FIRST_PAUSE;
  #rounds: Rounds | undefined;
  #isOver = false;

  constructor(context: AgentContext, options: ChannelCallOptions, now: Instant) {
    this.#context = context;
    this.#options = options;
    this.connection = options.connection;
    this.#sendAt = after(now, GATHER_PATIENCE);
    this.onNews(now);
  }

  /** Input: a second message. False if it is no answer to ours, or an answer that we have already. */
  onAnswer(core2: Uint8Array, now: Instant): boolean {
    if (this.#isOver || this.#rounds !== undefined || this.#core1 === undefined) return false;
    const { connection } = this;
    if (connection.onAnswer(core2, now) !== undefined) return false;
    this.#sendAt = undefined;
    // The answer may be a refusal.
    if (connection.state !== "connecting") return true;
    const budget = this.#context.budget.invite();
    if (budget === undefined) {
      connection.giveUp("busy", now);
      return true;
    }
    const journal = this.#context.journal(connection);
    journal?.add({ type: "note", text: "the listener has answered by the channel" }, now);
    for (const { kind, address } of connection.peerSituation.candidates) {
      journal?.add({ type: "candidate", side: "peer", kind, address }, now);
    }
    const { tellsHosts, send } = this.#options;
    this.#rounds = new Rounds(this.#context, {
      ...{ connection, budget, attestedHosts: [], serverRtt: undefined, roundTrip: undefined, answeredAt: now },
      ...{ tellsHosts, signal: (envelope) => send(envelope) },
    });
    this.#rounds.onGo(now, now);
    // It also tells the listener to begin.
    this.#rounds.tellNow(now);
    return true;
  }

  /** Input: an event of the connection. */
  onConnectionEvent(event: ConnectionEvent, now: Instant): void {
    switch (event.type) {
      case "connected":
      case "closed":
        this.#finish();
        return;
      case "exhausted": {
        const isHopeless = event.reason === "hopeless" && (this.#rounds?.begun ?? 0) >= HOPELESS_ROUND;
        if (this.#rounds?.isLast === true || isHopeless) this.connection.giveUp(event.reason, now);
        return;
      }
      default:
        return;
    }
  }

  /** Input: more is known of where we are. */
  onNews(now: Instant): void {
    if (this.#isOver) return;
    this.#rounds?.onNews(now);
    const { surroundings } = this.#context;
    if (this.#core1 === undefined && (surroundings.reflexive.length > 0 || surroundings.isSettled)) this.#invite(now);
  }

  /** Input: samples of fresh sockets have changed. */
  onSamples(now: Instant): void {
    this.#rounds?.onSamples(now);
  }

  /** Input: time has passed. */
  handleTimeout(now: Instant): void {
    if (this.#isOver) return;
    this.#rounds?.handleTimeout(now);
    if (this.#sendAt !== undefined && this.#sendAt <= now) this.#invite(now);
  }

  /** Output: when to call {@link handleTimeout}. */
  nextTimeout(): Instant | undefined {
    return this.#isOver ? undefined : earliest(this.#sendAt, this.#rounds?.nextTimeout());
  }

  /** Why the call has failed, as far as the channel tells: for a connection that has run out of time. */
  get cause(): UnreachableCause | undefined {
    if (this.#context.surroundings.isBlocked) return "udp-blocked";
    return this.#rounds === undefined ? undefined : "silent";
  }

  /** Whether nothing more will come of it. */
  get isOver(): boolean {
    return this.#isOver;
  }

  #invite(now: Instant): void {
    if (this.#core1 === undefined) {
      const journal = this.#context.journal(this.connection);
      for (const { kind, address } of this.#renew(now)) {
        journal?.add({ type: "candidate", side: "own", kind, address }, now);
      }
      journal?.add({ type: "note", text: "the listener is called by the channel" }, now);
    } else {
      this.#pause *= 2;
      // Until then it is the same each time: a listener knows it again.
      if (now - this.#renewedAt >= MESSAGE_LIFETIME) this.#renew(now);
    }
    this.#sendAt = this.#core1 === undefined ? undefined : after(now, this.#pause);
    if (this.#core1 !== undefined) this.#options.send({ kind: "core1", content: this.#core1 });
  }

  /** Makes a first message of what is known now. Returns what it says of us. */
  #renew(now: Instant): readonly Candidate[] {
    const { situation } = this.#context.surroundings.announce({ withHosts: this.#options.tellsHosts });
    this.#core1 = this.connection.invite(situation);
    this.#renewedAt = now;
    return situation.candidates;
  }

  #finish(): void {
    this.#isOver = true;
    this.#rounds?.end();
  }
}
