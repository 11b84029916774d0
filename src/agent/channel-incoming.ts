/**
 * A call that a channel of the application has brought to a listener, from the answer on
 * (spec/rendezvous.md#a-channel-of-ones-own).
 *
 * @module
 */
import type { ConnectionMachine } from "../connection/connection.ts";
import type { ConnectionEvent } from "../connection/events.ts";
import { after, type Duration, earliest, type Instant } from "../util/time.ts";
import type { ChannelCallOptions } from "./channel-outgoing.ts";
import type { AgentContext } from "./context.ts";
import { Rounds } from "./rounds.ts";

// Specification

/** A listener that hears nothing of the initiator begins so long after its answer, in ms: the channel may be slow, or lossy. */
const START_PATIENCE: Duration = 1_500;

// Implementation

/** A call is forgotten after this, in ms: longer than a half-open connection lives. */
export const CALL_LIFETIME: Duration = 30_000;

/** See the module. */
export class ChannelIncoming {
  readonly connection: ConnectionMachine;
  readonly #rounds: Rounds | undefined;
  readonly #expiresAt: Instant;
  /** Whether the initiator was told of our interfaces, as one behind the same NAT. */
  #hasToldNeighbour: boolean;
  #isOver = false;

  constructor(context: AgentContext, options: ChannelCallOptions, now: Instant) {
    const { connection, tellsHosts, send } = options;
    this.connection = connection;
    this.#hasToldNeighbour = tellsHosts;
    this.#expiresAt = after(now, CALL_LIFETIME);
    const budget = context.budget.invite();
    // Too many at once: this one may still come to us.
    if (budget === undefined) return;
    this.#rounds = new Rounds(context, {
      ...{ connection, budget, attestedHosts: [], serverRtt: undefined, roundTrip: undefined, answeredAt: now },
      ...{ tellsHosts, signal: (envelope) => send(envelope) },
    });
    // The initiator may begin at any moment: it must not come before our NATs are open.
    this.#rounds.open(after(now, START_PATIENCE), now);
  }

  /** Input: an envelope of the initiator: it has the answer, and has begun. */
  onHeard(now: Instant): void {
    if (this.#isOver || this.#rounds === undefined) return;
    this.#rounds.onPeerBegun(now);
    if (this.#hasToldNeighbour || !this.#rounds.sharesNat) return;
    this.#hasToldNeighbour = true;
    this.#rounds.tellNow(now);
  }

  /** Input: an event of the connection. */
  onConnectionEvent(event: ConnectionEvent): void {
    if (event.type === "connected" || event.type === "closed") this.#end();
  }

  /** Input: more is known of where we are. */
  onNews(now: Instant): void {
    if (!this.#isOver) this.#rounds?.onNews(now);
  }

  /** Input: samples of fresh sockets have changed. */
  onSamples(now: Instant): void {
    this.#rounds?.onSamples(now);
  }

  /** Input: time has passed. */
  handleTimeout(now: Instant): void {
    if (this.#isOver) return;
    // A connection that never opened ends without a word.
    if (this.connection.state === "closed" || now >= this.#expiresAt) this.#end();
    else this.#rounds?.handleTimeout(now);
  }

  /** Output: when to call {@link handleTimeout}. */
  nextTimeout(): Instant | undefined {
    return this.#isOver ? undefined : earliest(this.#rounds?.nextTimeout(), this.#expiresAt);
  }

  /** Whether nothing more will come of it. */
  get isOver(): boolean {
    return this.#isOver;
  }

  #end(): void {
    this.#isOver = true;
    this.#rounds?.end();
  }
}
