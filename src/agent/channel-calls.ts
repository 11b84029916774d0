/**
 * Calls by a channel of the application, which brings envelopes from one peer to another and knows nothing of them
 * (spec/rendezvous.md#a-channel-of-ones-own).
 *
 * Theory of operation. The channel may reach one peer or many, and anybody may write to it. Whom an envelope concerns shows
 * when it is opened: a first message by the hint of its ticket, a second one by being the answer to our own, a packet by
 * the connection id in its header. Whatever else comes is dropped. Since envelopes are lost, a first message is repeated
 * until it is answered, and a listener answers each repetition with the same bytes.
 *
 * Nothing keeps a listener's mapping alive while nobody calls. So STUN servers are asked anew when somebody does and the
 * last answers are old, and the first message waits for that.
 *
 * @module
 */
import type { CarrierRef } from "../connection/acceptor.ts";
import type { ConnectionMachine } from "../connection/connection.ts";
import type { EndpointEvent } from "../connection/endpoint-events.ts";
import type { ConnectionEvent, UnreachableCause } from "../connection/events.ts";
import { type Rate, RateLimiter } from "../connection/rate-limit.ts";
import { sha256 } from "../crypto/primitives.ts";
import { decodeEnvelope, type Envelope, encodeEnvelope, MAX_ENVELOPE_SIZE } from "../signal/envelope.ts";
import { toHex } from "../util/bytes.ts";
import { Deque } from "../util/deque.ts";
import type { Address } from "../util/machine.ts";
import { after, type Duration, earliest, type Instant } from "../util/time.ts";
import { CALL_LIFETIME, ChannelIncoming } from "./channel-incoming.ts";
import { ChannelOutgoing, GATHER_PATIENCE } from "./channel-outgoing.ts";
import type { AgentContext } from "./context.ts";

// Specification

/** Messages that are taken from a channel: anybody may write to it, and some cost a Diffie-Hellman. */
const MESSAGE_RATE: Rate = { perSecond: 100, burst: 100 };

/** Fastest repetition of an answer, in ms: initiators are slower, but a channel may repeat what it brings. */
const ANSWER_INTERVAL: Duration = 500;

/** What servers said longer ago than this, in ms, may be wrong: impatient NATs forget a mapping after 30 s (RFC 4787 §4.3). */
const FRESHNESS: Duration = 20_000;

// Implementation

/** Calls that a listener remembers, each of some 1,300 bytes: no more can be half open. */
const MAX_INVITATIONS = 256;

/** First messages that wait for the answers of STUN servers: more than come by the rate. */
const MAX_HELD = 128;

/** What calls by a channel need. */
export interface ChannelCallsOptions {
  readonly tellsHosts: boolean;
  /** A name for an answer's way back that nobody else has. */
  readonly newRef: () => CarrierRef;
  /** Called when a first message was found to be for us. */
  readonly onInvited: () => void;
}

/** A first message that the endpoint has accepted. */
interface Accepted {
  readonly ref: CarrierRef;
  readonly expiresAt: Instant;
  core2: Uint8Array | undefined;
  answeredAt: Instant;
  call: ChannelIncoming | undefined;
}

/** See the module. */
export class ChannelCalls {
  readonly #context: AgentContext;
  readonly #options: ChannelCallsOptions;
  readonly #rate = new RateLimiter(MESSAGE_RATE);
  readonly #messages = new Deque<Uint8Array>();
  readonly #outgoing = new Map<ConnectionMachine, ChannelOutgoing>();
  /** By the hash of the first message, the oldest first. */
  readonly #accepted = new Map<string, Accepted>();
  /** First messages that wait until it is known where we are, by their hashes. */
  readonly #held = new Map<string, Uint8Array>();
  /** The STUN servers of a listener; `undefined` for whoever does not listen. */
  #servers: readonly Address[] | undefined;
  #gatheredAt = 0 as Instant;

  constructor(context: AgentContext, options: ChannelCallsOptions) {
    this.#context = context;
    this.#options = options;
  }

  // Inputs

  /** Input: a message of the channel. It may be anything, and remains the channel's. */
  onMessage(bytes: Uint8Array, now: Instant): void {
    if (!this.isActive || bytes.length > MAX_ENVELOPE_SIZE || !this.#rate.take("", now)) return;
    // A copy, because packets are opened in place, and others may read the same bytes.
    const envelope = decodeEnvelope(Uint8Array.from(bytes));
    if (envelope === undefined) return;
    const { kind, content } = envelope;
    if (kind === "core1") this.#onInvitation(content, now);
    else if (kind === "core2") this.#onCore2(content, now);
    else this.#onPacket(content, now);
  }

  /** Input: the endpoint's answer to a first message. False if it is to one that came otherwise. */
  onAnswer({ ref, core, connection }: Extract<EndpointEvent, { type: "answer" }>, now: Instant): boolean {
    const accepted = [...this.#accepted.values()].find((each) => each.ref === ref);
    if (accepted === undefined) return false;
    accepted.core2 = core;
    accepted.answeredAt = now;
    this.#send({ kind: "core2", content: core });
    if (connection !== undefined) {
      const { tellsHosts } = this.#options;
      const send = (envelope: Envelope): void => this.#send(envelope);
      accepted.call = new ChannelIncoming(this.#context, { connection, tellsHosts, send }, now);
    }
    return true;
  }

  /** Input: an event of any connection. */
  onConnectionEvent(connection: ConnectionMachine, event: ConnectionEvent, now: Instant): void {
    this.#outgoing.get(connection)?.onConnectionEvent(event, now);
    this.#callOf(connection)?.onConnectionEvent(event);
  }

  /** Input: more is known of where we are. */
  onNews(now: Instant): void {
    for (const call of this.#outgoing.values()) call.onNews(now);
    for (const { call } of this.#accepted.values()) call?.onNews(now);
    this.#release(now);
  }

  /** Input: samples of fresh sockets have changed. */
  onSamples(now: Instant): void {
    for (const call of this.#outgoing.values()) call.onSamples(now);
    for (const { call } of this.#accepted.values()) call?.onSamples(now);
  }

  /** Input: time has passed. */
  handleTimeout(now: Instant): void {
    for (const call of this.#outgoing.values()) call.handleTimeout(now);
    for (const [key, { call, expiresAt }] of this.#accepted) {
      call?.handleTimeout(now);
      if (call === undefined && expiresAt <= now) this.#accepted.delete(key);
    }
    this.#release(now);
  }

  // Commands

  /** Command: calls by the channel. Once for a connection, while it is calling. */
  call(connection: ConnectionMachine, servers: readonly Address[], now: Instant): void {
    if (connection.state !== "connecting" || this.#outgoing.has(connection)) return;
    this.#gather(servers, now);
    const { tellsHosts } = this.#options;
    const send = (envelope: Envelope): void => this.#send(envelope);
    this.#outgoing.set(connection, new ChannelOutgoing(this.#context, { connection, tellsHosts, send }, now));
  }

  /** Command: answers who calls by the channel, from now on. */
  listen(servers: readonly Address[], now: Instant): void {
    this.#servers = servers;
    this.#gather(servers, now);
  }

  /** Command: nobody is let in any more. */
  stopAccepting(): void {
    this.#servers = undefined;
    this.#held.clear();
  }

  // Outputs

  /** Output: the next message for the channel. */
  pollMessage(): Uint8Array | undefined {
    return this.#messages.shift();
  }

  /** Output: part of the machine's contract. */
  nextTimeout(): Instant | undefined {
    let next = this.#held.size > 0 ? after(this.#gatheredAt, GATHER_PATIENCE) : undefined;
    for (const call of this.#outgoing.values()) next = earliest(next, call.nextTimeout());
    for (const { call, expiresAt } of this.#accepted.values()) {
      next = earliest(next, call === undefined ? expiresAt : call.nextTimeout());
    }
    return next;
  }

  /** Output: forgets what is over; returns whether that was the last that anybody waited for. */
  sweep(): boolean {
    const wasActive = this.isActive;
    for (const [connection, call] of this.#outgoing) if (call.isOver) this.#outgoing.delete(connection);
    for (const [key, { call }] of this.#accepted) {
      if (call?.isOver !== true) continue;
      this.#accepted.delete(key);
      // Nobody hears of a connection that never opened.
      if (call.connection.state === "closed") this.#context.desk.prune(call.connection, undefined);
    }
    return wasActive && !this.isActive;
  }

  // Getters

  /** Whether the channel is of use to anybody. */
  get isActive(): boolean {
    return this.#servers !== undefined || this.#outgoing.size > 0 || this.#accepted.size > 0;
  }

  /** Why a call of ours has failed, as far as the channel tells. */
  causeOf(connection: ConnectionMachine): UnreachableCause | undefined {
    return this.#outgoing.get(connection)?.cause;
  }

  #onInvitation(core1: Uint8Array, now: Instant): void {
    if (this.#servers === undefined) return;
    const key = toHex(sha256(core1));
    const known = this.#accepted.get(key);
    if (known !== undefined) {
      this.#answerAgain(known, now);
      return;
    }
    if (this.#held.size < MAX_HELD) this.#held.set(key, core1);
    const isBusy = this.#accepted.size > 0 || this.#outgoing.size > 0;
    if (!isBusy && now - this.#gatheredAt > FRESHNESS) {
      this.#context.surroundings.stop();
      this.#gather(this.#servers, now);
    }
    this.#release(now);
  }

  #answerAgain(known: Accepted, now: Instant): void {
    if (known.core2 === undefined || now - known.answeredAt < ANSWER_INTERVAL) return;
    known.answeredAt = now;
    this.#send({ kind: "core2", content: known.core2 });
  }

  /** Gives the endpoint what has waited, once it is known where we are, or nobody will say so in time. */
  #release(now: Instant): void {
    if (this.#held.size === 0) return;
    const { surroundings } = this.#context;
    const isKnown = surroundings.reflexive.length > 0 || surroundings.isSettled;
    if (!isKnown && now < after(this.#gatheredAt, GATHER_PATIENCE)) return;
    const held = [...this.#held];
    this.#held.clear();
    for (const [key, core1] of held) this.#invite(key, core1, now);
  }

  #invite(key: string, core1: Uint8Array, now: Instant): void {
    if (this.#accepted.size >= MAX_INVITATIONS) return;
    const ref = this.#options.newRef();
    const expiresAt = after(now, CALL_LIFETIME);
    const accepted: Accepted = { ref, expiresAt, core2: undefined, answeredAt: now, call: undefined };
    this.#accepted.set(key, accepted);
    if (this.#context.endpoint.onInvitation(core1, ref, now) !== undefined) this.#accepted.delete(key);
    else this.#options.onInvited();
  }

  #onCore2(core2: Uint8Array, now: Instant): void {
    for (const call of this.#outgoing.values()) if (call.onAnswer(core2.slice(), now)) return;
  }

  #onPacket(packet: Uint8Array, now: Instant): void {
    const connection = this.#context.endpoint.onEnvelope(packet, now);
    if (connection !== undefined) this.#callOf(connection)?.onHeard(now);
  }

  #callOf(connection: ConnectionMachine): ChannelIncoming | undefined {
    for (const { call } of this.#accepted.values()) if (call?.connection === connection) return call;
    return undefined;
  }

  #gather(servers: readonly Address[], now: Instant): void {
    this.#gatheredAt = now;
    this.#context.surroundings.gather(
      servers.map((address) => ({ address })),
      now,
    );
  }

  #send(envelope: Envelope): void {
    this.#messages.push(encodeEnvelope(envelope));
  }
}
