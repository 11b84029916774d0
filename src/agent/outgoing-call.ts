/**
 * A call to a listener by way of servers: the invitation, its answer, and the rounds of hole punching that follow.
 *
 * Theory of operation. While the endpoint dials whatever addresses the ticket has, sessions with all servers of the ticket
 * are opened, and servers are asked where they see us. As soon as one session is open and one address is known, the first
 * message of the handshake goes to the listener as an envelope; the answer brings the keys and the listener's candidates,
 * and both sides punch at the moment that the server tells. The first path that is proven ends it all, on whatever way
 * it was found.
 *
 * @module
 */
import type { ConnectionMachine } from "../connection/connection.ts";
import type { ConnectionEvent, UnreachableCause } from "../connection/events.ts";
import { NO_SITUATION, type Situation } from "../connection/situation.ts";
import { planOf } from "../path/punch/plan.ts";
import type { Envelope } from "../signal/envelope.ts";
import { Failover } from "../signal/failover.ts";
import { after, type Duration, earliest, type Instant } from "../util/time.ts";
import { UNKNOWN_NAT } from "../wire/nat-profile.ts";
import type { AgentContext } from "./context.ts";
import { Rounds } from "./rounds.ts";
import type { LinkEvent, ServerLink } from "./server-link.ts";

// Implementation

/** How long an invitation waits for an address of ours once a server can take it, in ms: longer, and a lost answer costs more. */
const GATHER_PATIENCE: Duration = 100;

/** Servers that all have failed are asked again so much later, in ms: a listener whose server has restarted is back soon. */
const RETRY_DELAY: Duration = 1_000;

/** After this round a pair that looks hopeless is given up: one more attempt than the plan allows, as plans may be wrong. */
const HOPELESS_ROUND = 2;

/** Whoever only asks is nowhere to be reached; a listener does not answer with its own situation unless it is told one. */
const NOWHERE: Situation = { ...NO_SITUATION, generation: 1 };

/** What the answer of a listener tells. */
export interface PeerAnswer {
  readonly situation: Situation;
  /** Round-trip time between the server and the listener, in ms; 0 if the server does not know. */
  readonly rtt: Duration;
}

/** What a call needs. */
export interface OutgoingCallOptions {
  readonly connection: ConnectionMachine;
  /**
   * Takes the answer of a call that is a question only: the listener is not told where we are, nothing is punched, and the
   * call ends with the answer, or with the first refusal of all servers.
   */
  readonly onAnswer?: ((answer: PeerAnswer, now: Instant) => void) | undefined;
  /** Slot of the ticket at each server. */
  readonly routes: readonly { readonly link: ServerLink; readonly slot: Uint8Array }[];
  /** Whether the addresses of our interfaces are told, whatever the peer is. */
  readonly tellsHosts: boolean;
}

/** See the module. */
export class OutgoingCall {
  readonly connection: ConnectionMachine;
  readonly #context: AgentContext;
  readonly #options: OutgoingCallOptions;
  /** Numbers of the calls, by route. */
  readonly #calls: (number | undefined)[];
  /** Servers that the failover has named and that were not asked yet. */
  readonly #due: number[] = [];
  #failover: Failover;
  #core1: Uint8Array | undefined;
  /** When the invitation goes, whatever is known of us. */
  #inviteAt: Instant | undefined;
  #retryAt: Instant | undefined;
  #answeredBy: number | undefined;
  #rounds: Rounds | undefined;
  #cause: UnreachableCause | undefined;
  #isOver = false;

  constructor(context: AgentContext, options: OutgoingCallOptions, now: Instant) {
    this.#context = context;
    this.#options = options;
    this.connection = options.connection;
    this.#calls = options.routes.map(() => undefined);
    this.#failover = new Failover(options.routes.length);
    for (const { link } of options.routes) {
      link.hold(now);
      this.#note({ type: "server", address: link.target.addresses[0]!, state: "asked" }, now);
    }
    this.#greet(now);
  }

  // Inputs

  /** Input: something about a server, or about a call there. */
  onLinkEvent(link: ServerLink, event: LinkEvent, now: Instant): void {
    const index = this.#options.routes.findIndex((route) => route.link === link);
    if (index === -1 || this.#isOver) return;
    switch (event.type) {
      case "up":
        this.#note({ type: "server", address: event.address, state: "answered" }, now);
        this.#failover.onReady(index, now);
        break;
      case "down":
        this.#note({ type: "server", address: link.target.addresses[0]!, state: "silent" }, now);
        if (!event.wasUp) this.#cause ??= "no-server";
        this.#onFailed(index, now);
        break;
      case "answered":
        if (event.call === this.#calls[index]) this.#onAnswered(index, event, now);
        break;
      case "go":
        if (event.call === this.#calls[index]) this.#rounds?.onGo(after(now, event.wait), now);
        break;
      case "signal":
        if (event.call === this.#calls[index]) this.#onEnvelope(event.envelope, now);
        break;
      case "failed":
        if (event.id !== this.#calls[index]) break;
        this.#calls[index] = undefined;
        if (index === this.#answeredBy) break;
        this.#note({ type: "note", text: `the server says: ${FAILURE_TEXTS[event.failure]}` }, now);
        this.#cause = event.failure === "not-here" ? "not-there" : (this.#cause ?? "no-server");
        this.#onFailed(index, now);
        break;
      default:
        break;
    }
    this.#proceed(now);
  }

  /** Input: an event of the connection. */
  onConnectionEvent(event: ConnectionEvent, now: Instant): void {
    switch (event.type) {
      case "connected":
      case "closed":
        this.#finish(now);
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
    this.#proceed(now);
  }

  /** Input: samples of fresh sockets have changed. */
  onSamples(now: Instant): void {
    this.#rounds?.onSamples(now);
  }

  /** Input: time has passed. */
  handleTimeout(now: Instant): void {
    if (this.#isOver) return;
    this.#failover.handleTimeout(now);
    this.#rounds?.handleTimeout(now);
    if (this.#retryAt !== undefined && this.#retryAt <= now) {
      this.#retryAt = undefined;
      this.#failover = new Failover(this.#options.routes.length);
      this.#greet(now);
    }
    this.#proceed(now);
  }

  // Outputs

  /** Output: when to call {@link handleTimeout}. */
  nextTimeout(): Instant | undefined {
    if (this.#isOver) return undefined;
    const due = this.#due.length > 0 ? this.#inviteAt : undefined;
    const next = earliest(earliest(this.#failover.nextTimeout(), this.#rounds?.nextTimeout()), this.#retryAt);
    return earliest(next, due);
  }

  // Getters

  /** Why the call has failed, as far as servers tell: for a connection that has run out of time. */
  get cause(): UnreachableCause | undefined {
    return this.#answeredBy === undefined ? this.#cause : "silent";
  }

  /** Whether the listener has answered, and a port may have to be guessed: then it matters how our NAT filters. */
  get needsGuess(): boolean {
    if (this.#rounds === undefined || this.#isOver) return false;
    const { profile = UNKNOWN_NAT } = this.connection.peerSituation;
    const { rungs, isHopeless } = planOf(this.#context.surroundings.profile, profile, "initiator");
    return rungs.length > 0 || isHopeless;
  }

  /** Whether nothing more will come of it. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get #isQuestion(): boolean {
    return this.#options.onAnswer !== undefined;
  }

  get #ownSituation(): Situation {
    return this.#context.surroundings.announce({ withHosts: this.#options.tellsHosts }).situation;
  }

  /** Tells the failover of the sessions that there are already. */
  #greet(now: Instant): void {
    for (const [index, { link }] of this.#options.routes.entries()) {
      if (link.isUp) this.#failover.onReady(index, now);
      else if (link.hasFailed) this.#failover.onFailed(index, now);
    }
    if (this.#failover.isExhausted) this.#retryAt = after(now, RETRY_DELAY);
    this.#proceed(now);
  }

  #onFailed(index: number, now: Instant): void {
    this.#failover.onFailed(index, now);
    if (!this.#failover.isExhausted || this.#answeredBy !== undefined) return;
    if (this.#isQuestion) this.connection.giveUp(this.#cause ?? "no-server", now);
    else this.#retryAt ??= after(now, RETRY_DELAY);
  }

  /** Asks the servers whose turn it is, once there is something to say. */
  #proceed(now: Instant): void {
    const { surroundings } = this.#context;
    if (
      this.#answeredBy === undefined &&
      surroundings.isBlocked &&
      !this.#options.routes.some(({ link }) => link.isUp)
    ) {
      this.connection.giveUp("udp-blocked", now);
      return;
    }
    for (let index = this.#failover.pollServer(); index !== undefined; index = this.#failover.pollServer()) {
      this.#due.push(index);
      this.#inviteAt ??= after(now, GATHER_PATIENCE);
    }
    if (this.#due.length === 0 || this.#answeredBy !== undefined) return;
    const isUnknown = surroundings.reflexive.length === 0 && !this.#isQuestion;
    if (isUnknown && this.#inviteAt !== undefined && now < this.#inviteAt) return;
    for (const index of this.#due.splice(0)) this.#invite(index, now);
  }

  #invite(index: number, now: Instant): void {
    const { link, slot } = this.#options.routes[index]!;
    // All servers bring the same message: a copy is known for one (RDV-25).
    if (this.#core1 === undefined) {
      const situation = this.#isQuestion ? NOWHERE : this.#ownSituation;
      this.#core1 = this.connection.invite(situation);
      for (const { kind, address } of situation.candidates) {
        this.#note({ type: "candidate", side: "own", kind, address }, now);
      }
    }
    if (this.#core1 === undefined) return;
    this.#calls[index] = link.client.invite({ slot, envelope: { kind: "core1", content: this.#core1 } }, now);
    link.flush(now);
  }

  #onAnswered(index: number, event: Extract<LinkEvent, { type: "answered" }>, now: Instant): void {
    if (this.#answeredBy !== undefined || event.envelope.kind !== "core2") return;
    if (this.connection.onAnswer(event.envelope.content, now) !== undefined) return;
    if (this.connection.state !== "connecting") return;
    const { onAnswer } = this.#options;
    if (onAnswer !== undefined) {
      this.#answeredBy = index;
      onAnswer({ situation: this.connection.peerSituation, rtt: event.rtt }, now);
      this.connection.abort();
      return;
    }
    const budget = this.#context.budget.invite();
    if (budget === undefined) return;
    this.#answeredBy = index;
    this.#failover.onAnswered();
    const { link } = this.#options.routes[index]!;
    const serverRtt = link.rtt;
    for (const { kind, address } of this.connection.peerSituation.candidates) {
      this.#note({ type: "candidate", side: "peer", kind, address }, now);
    }
    this.#rounds = new Rounds(this.#context, {
      connection: this.connection,
      budget,
      attestedHosts: event.seen === undefined ? [] : [event.seen],
      serverRtt,
      roundTrip: serverRtt === undefined ? undefined : serverRtt + event.rtt,
      answeredAt: now,
      tellsHosts: this.#options.tellsHosts,
      signal: (envelope, options, at) => this.#signal(envelope, options, at),
    });
    this.#rounds.onGo(after(now, event.wait), now);
    // It proves that we hold our key: only then does the listener guess ports.
    this.#rounds.tellNow(now);
    for (const other of this.#options.routes.keys()) if (other !== index) this.#cancel(other, now);
  }

  #onEnvelope(envelope: Envelope, now: Instant): void {
    if (envelope.kind === "probe") this.connection.onEnvelope(envelope.content, now);
  }

  #signal(envelope: Envelope, options: { readonly wantsGo: boolean }, now: Instant): void {
    if (this.#answeredBy === undefined) return;
    const call = this.#calls[this.#answeredBy];
    const { link } = this.#options.routes[this.#answeredBy]!;
    if (call === undefined) return;
    link.client.signal(call, envelope, options, now);
    link.flush(now);
  }

  /** Servers are of no more use. */
  #finish(now: Instant): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#rounds?.end();
    for (const [index, { link }] of this.#options.routes.entries()) {
      this.#cancel(index, now);
      link.release(now);
    }
  }

  #cancel(index: number, now: Instant): void {
    const call = this.#calls[index];
    if (call === undefined) return;
    this.#calls[index] = undefined;
    const { link } = this.#options.routes[index]!;
    link.client.cancel(call);
    link.flush(now);
  }

  #note(...[event, now]: Parameters<NonNullable<ReturnType<AgentContext["journal"]>>["add"]>): void {
    this.#context.journal(this.connection)?.add(event, now);
  }
}

const FAILURE_TEXTS = {
  "not-here": "nobody is registered by this ticket",
  limit: "a limit is reached",
  gone: "the call is over",
  malformed: "the message makes no sense",
  unsupported: "it cannot do that",
} as const;
