/**
 * Paste mode of an endpoint: a listener that is told by hand who calls, and calls that are told so (spec/paste.md).
 *
 * @module
 */
import type { CarrierRef } from "../connection/acceptor.ts";
import type { ConnectionMachine } from "../connection/connection.ts";
import type { EndpointEvent } from "../connection/endpoint-events.ts";
import type { ConnectionEvent } from "../connection/events.ts";
import { Deque } from "../util/deque.ts";
import type { Address, Transmit } from "../util/machine.ts";
import { after, earliest, type Instant } from "../util/time.ts";
import { BindingKeeper } from "./binding-keeper.ts";
import type { AgentContext } from "./context.ts";
import { PastedAnswer } from "./pasted-answer.ts";
import { GATHER_LIMIT, PastedCall, type PastedInvitation } from "./pasted-call.ts";
import type { MainSocket } from "./surroundings.ts";

/** What the owner is told of paste mode. */
export type PastingEvent =
  /** A message is to be given to the listener by hand. */
  | ({ readonly type: "pasting-invitation" } & PastedInvitation)
  /** The listener can be reached at these addresses, which go into its ticket. */
  | { readonly type: "pasting-ready"; readonly addresses: readonly Address[] }
  /** No server tells the listener where it is. */
  | { readonly type: "pasting-blocked" }
  /** The listener's addresses are others now: its ticket leads nowhere. */
  | { readonly type: "pasting-moved" };

/** What paste mode needs. */
export interface PastingOptions {
  readonly sockets: readonly MainSocket[];
  readonly random: (size: number) => Uint8Array;
  readonly tellsHosts: boolean;
}

/** The listener's own part, from the first question to servers on. */
interface Waiting {
  readonly servers: readonly Address[];
  /** `undefined` once the owner has been told. */
  readyAt: Instant | undefined;
  keeper: BindingKeeper | undefined;
  told: readonly Address[];
  isMoved: boolean;
}

/** See the module. */
export class Pasting {
  readonly #context: AgentContext;
  readonly #options: PastingOptions;
  readonly #events = new Deque<PastingEvent>();
  readonly #calls = new Map<ConnectionMachine, PastedCall>();
  readonly #answers = new Map<ConnectionMachine, PastedAnswer>();
  /** Messages whose answer the endpoint owes. */
  readonly #expected = new Set<CarrierRef>();
  #waiting: Waiting | undefined;
  #isRefused = false;

  constructor(context: AgentContext, options: PastingOptions) {
    this.#context = context;
    this.#options = options;
  }

  // Inputs

  /** Input: the endpoint's answer to a message. False if it is to one that did not come by hand. */
  onAnswer({ ref, core, connection }: Extract<EndpointEvent, { type: "answer" }>, now: Instant): boolean {
    if (!this.#expected.delete(ref)) return false;
    if (connection === undefined) this.#isRefused = true;
    else if (!this.#answers.has(connection)) this.#answer(connection, core, now);
    return true;
  }

  /** Input: an event of any connection. */
  onConnectionEvent(connection: ConnectionMachine, event: ConnectionEvent, now: Instant): void {
    this.#calls.get(connection)?.onConnectionEvent(event, now);
    this.#answers.get(connection)?.onConnectionEvent(event);
  }

  /** Input: more is known of where we are. */
  onNews(now: Instant): void {
    for (const call of this.#calls.values()) call.onNews(now);
    this.#lookAround(now);
  }

  /** Input: samples have changed. */
  onSamples(now: Instant): void {
    for (const call of this.#calls.values()) call.onSamples(now);
    for (const answer of this.#answers.values()) answer.onSamples(now);
    const waiting = this.#waiting;
    if (waiting?.keeper === undefined || waiting.isMoved) return;
    if (waiting.keeper.movedFrom(waiting.told) === undefined) return;
    waiting.isMoved = true;
    this.#events.push({ type: "pasting-moved" });
  }

  /** Input: time has passed. */
  handleTimeout(now: Instant): void {
    for (const call of this.#calls.values()) call.handleTimeout(now);
    for (const answer of this.#answers.values()) answer.handleTimeout(now);
    this.#waiting?.keeper?.handleTimeout(now);
    this.#lookAround(now);
  }

  // Commands

  /** Command: finds out where the listener is; `pasting-ready` follows, or `pasting-blocked`. */
  listen(servers: readonly Address[], now: Instant): void {
    this.#waiting = {
      ...{ servers, readyAt: after(now, GATHER_LIMIT), keeper: undefined, told: [], isMoved: false },
    };
    this.#context.surroundings.gather(
      servers.map((address) => ({ address })),
      now,
    );
    this.#lookAround(now);
  }

  /** Command: calls by hand: `pasting-invitation` follows. `addresses` are those of the ticket. */
  call(connection: ConnectionMachine, addresses: readonly Address[], servers: readonly Address[], now: Instant): void {
    const { sockets, random, tellsHosts } = this.#options;
    const { sampler, surroundings } = this.#context;
    surroundings.gather(
      servers.map((address) => ({ address })),
      now,
    );
    const keeper = new BindingKeeper({ sampler, random, sockets, servers, openTo: addresses }, now);
    const onInvitation = (invitation: PastedInvitation): void => {
      this.#events.push({ type: "pasting-invitation", ...invitation });
    };
    const call = new PastedCall(this.#context, { connection, keeper, tellsHosts, onInvitation }, now);
    this.#calls.set(connection, call);
  }

  /** Command: the endpoint is about to be given a message that came by hand. */
  expect(ref: CarrierRef): void {
    this.#isRefused = false;
    this.#expected.add(ref);
  }

  /** Command: the endpoint has dropped it. */
  forget(ref: CarrierRef): void {
    this.#expected.delete(ref);
  }

  /** Command: nobody is let in any more. */
  stopAccepting(): void {
    this.#waiting?.keeper?.end();
    this.#waiting = undefined;
  }

  // Outputs

  /** Output: part of the machine's contract. */
  pollTransmit(now: Instant): Transmit | undefined {
    for (const call of this.#calls.values()) {
      const transmit = call.pollTransmit();
      if (transmit !== undefined) return transmit;
    }
    for (const answer of this.#answers.values()) {
      const transmit = answer.pollTransmit(now);
      if (transmit !== undefined) return transmit;
    }
    return undefined;
  }

  /** Output: the next thing that the owner should know. */
  pollEvent(): PastingEvent | undefined {
    return this.#events.shift();
  }

  /** Output: part of the machine's contract. */
  nextTimeout(): Instant | undefined {
    let next = earliest(this.#waiting?.readyAt, this.#waiting?.keeper?.nextTimeout());
    for (const call of this.#calls.values()) next = earliest(next, call.nextTimeout());
    for (const answer of this.#answers.values()) next = earliest(next, answer.nextTimeout());
    return next;
  }

  /** Output: forgets what is over; returns whether that was the last that anybody waited for. */
  sweep(): boolean {
    const wasActive = this.isActive;
    for (const [connection, call] of this.#calls) if (call.isOver) this.#calls.delete(connection);
    for (const [connection, answer] of this.#answers) {
      if (!answer.isOver) continue;
      this.#answers.delete(connection);
      // Nobody hears of a connection that never opened.
      if (connection.state === "closed") this.#context.desk.prune(connection, undefined);
    }
    return wasActive && !this.isActive;
  }

  // Getters

  /** Whether the message that was given last has been refused. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  /** Whether it matters where servers see us. */
  get isActive(): boolean {
    return this.#waiting !== undefined || this.#calls.size > 0 || this.#answers.size > 0;
  }

  #answer(connection: ConnectionMachine, core2: Uint8Array, now: Instant): void {
    const { random, tellsHosts } = this.#options;
    const budget = this.#context.budget.invite();
    if (budget === undefined) {
      this.#isRefused = true;
      connection.abort();
      return;
    }
    const options = { connection, core2, budget, random, tellsHosts };
    this.#answers.set(connection, new PastedAnswer(this.#context, options, now));
  }

  /** The listener tells where it is once all is known, or once something is and time has passed. */
  #lookAround(now: Instant): void {
    const waiting = this.#waiting;
    if (waiting?.readyAt === undefined) return;
    const { surroundings, sampler } = this.#context;
    if (surroundings.isBlocked) {
      waiting.readyAt = undefined;
      this.#events.push({ type: "pasting-blocked" });
      return;
    }
    const isLate = waiting.readyAt <= now;
    if (isLate) waiting.readyAt = after(now, GATHER_LIMIT);
    if (surroundings.reflexive.length === 0 || !(isLate || surroundings.isSettled)) return;
    waiting.readyAt = undefined;
    waiting.told = surroundings.reflexive;
    const { sockets, random, tellsHosts } = this.#options;
    const { candidates } = surroundings.announce({ withHosts: tellsHosts }).situation;
    const addresses = candidates.filter(({ kind }) => kind !== "predicted").map(({ address }) => address);
    waiting.keeper = new BindingKeeper({ sampler, random, sockets, servers: waiting.servers, openTo: [] }, now);
    this.#events.push({ type: "pasting-ready", addresses });
  }
}
