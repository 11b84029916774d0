/**
 * A call that a server has brought to a listener: the answer, and the rounds of hole punching that follow.
 *
 * @module
 */
import type { ConnectionMachine } from "../connection/connection.ts";
import type { ConnectionEvent } from "../connection/events.ts";
import type { Envelope } from "../signal/envelope.ts";
import { after, type Duration, earliest, type Instant } from "../util/time.ts";
import type { AgentContext } from "./context.ts";
import { Rounds } from "./rounds.ts";
import type { LinkEvent, ServerLink } from "./server-link.ts";

// Implementation

/** A call is forgotten after this, in ms: longer than a half-open connection lives. */
const CALL_LIFETIME: Duration = 30_000;

/** An invitation as the server has brought it. */
export interface Invitation {
  readonly link: ServerLink;
  /** The number of the call there. */
  readonly call: number;
  /** IP address at which the server sees the inviter, if it does not conceal it. */
  readonly seen: string | undefined;
  /** Round-trip time between the server and the inviter, in ms; 0 if unknown. */
  readonly rtt: number;
}

/** See the module. It exists from the answer on. */
export class IncomingCall {
  readonly connection: ConnectionMachine;
  /** By which servers the inviter may be heard: those that have brought the invitation (four at most), while they know the call. */
  readonly #ways: Invitation[];
  readonly #rounds: Rounds | undefined;
  readonly #expiresAt: Instant;
  /** Whether the inviter has shown by a signal that it holds its key. */
  #isConfirmed = false;
  #isOver = false;

  constructor(
    context: AgentContext,
    options: {
      readonly invitation: Invitation;
      readonly connection: ConnectionMachine;
      readonly tellsHosts: boolean;
    },
    now: Instant,
  ) {
    const { invitation, connection, tellsHosts } = options;
    this.connection = connection;
    this.#ways = [invitation];
    this.#expiresAt = after(now, CALL_LIFETIME);
    const budget = context.budget.invite();
    // Too many at once: this one may still come to us.
    if (budget === undefined) return;
    const { seen, link, rtt } = invitation;
    const serverRtt = link.rtt;
    this.#rounds = new Rounds(context, {
      ...{ connection, budget, serverRtt, tellsHosts, answeredAt: now },
      attestedHosts: seen === undefined ? [] : [seen],
      roundTrip: serverRtt === undefined ? undefined : serverRtt + rtt,
      signal: (envelope, signalOptions, now) => this.#signal(envelope, signalOptions, now),
    });
  }

  /** Input: another server has brought the same invitation, and has taken the answer. */
  onCopy(invitation: Invitation): void {
    this.#ways.push(invitation);
  }

  /** Input: something about a call, this one's or another's. */
  onLinkEvent(link: ServerLink, event: LinkEvent, now: Instant): void {
    if (this.#isOver || !("call" in event || "id" in event)) return;
    const number = "call" in event ? event.call : event.id;
    const way = this.#ways.find((each) => each.link === link && each.call === number);
    if (way === undefined) return;
    if (event.type === "go") this.#rounds?.onGo(after(now, event.wait), now);
    if (event.type === "signal" && event.envelope.kind === "probe") {
      const dropped = this.connection.onEnvelope(event.envelope.content, now);
      if (dropped === undefined) this.#isConfirmed = true;
    }
    if (event.type === "failed") this.#onWayLost(way, now);
  }

  /** Input: an event of the connection. */
  onConnectionEvent(event: ConnectionEvent): void {
    if (event.type === "connected" || event.type === "closed") this.end();
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
    if (this.connection.state === "closed" || now >= this.#expiresAt) this.end();
    else this.#rounds?.handleTimeout(now);
  }

  /** Command: the connection is open, or over. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#rounds?.end();
  }

  /** Output: when to call {@link handleTimeout}. */
  nextTimeout(): Instant | undefined {
    return this.#isOver ? undefined : earliest(this.#rounds?.nextTimeout(), this.#expiresAt);
  }

  /** Whether nothing more will come of it. */
  get isOver(): boolean {
    return this.#isOver;
  }

  #onWayLost(way: Invitation, now: Instant): void {
    this.#ways.splice(this.#ways.indexOf(way), 1);
    if (this.#ways.length > 0) return;
    // The session lives, so the inviter has left: it only asked, or has found another way.
    if (way.link.isUp && !this.#isConfirmed && !this.connection.isConfirmed) {
      this.connection.abort();
      this.end();
      return;
    }
    // Nobody will say when to begin.
    if (this.#rounds?.begun === 0) this.#rounds.onGo(now, now);
  }

  #signal(envelope: Envelope, options: { readonly wantsGo: boolean }, now: Instant): void {
    const [way] = this.#ways;
    if (way === undefined) return;
    const { link, call } = way;
    link.client.signal(call, envelope, options, now);
    link.flush(now);
  }
}
