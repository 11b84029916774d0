/**
 * A client of one rendezvous server: registers the slots of a listener, and makes and takes calls (spec/rendezvous.md).
 *
 * Theory of operation. The machine stands above one session at a time, which its owner opens, and opens anew when it has
 * died. What is to be registered is a wish that outlives sessions: each new one begins with HELLO and REGISTER for all of
 * it. Calls live and die with their session. An invitation that is made while there is no session waits for the next.
 *
 * The server is trusted with nothing: what it says about addresses and times is handed on as its word, what it sends
 * that makes no sense ends the session, and the calls that it can make us remember are bounded.
 *
 * @module
 */
import { Deque } from "../util/deque.ts";
import type { Address } from "../util/machine.ts";
import { type Duration, earliest, type Instant } from "../util/time.ts";
import { ClientCalls } from "./client-calls.ts";
import { ClientSlots, type ServerSession, SLOTS_PER_MESSAGE, type SlotOwner, type WantedSlot } from "./client-slots.ts";
import { decodeEnvelope, type Envelope, encodeEnvelope } from "./envelope.ts";
import { encodeMessage } from "./message-codec.ts";
import { MessageDecoder } from "./message-decoder.ts";
import {
  CALL_FLAG,
  type Failure,
  type Message,
  type MessageOf,
  type ProbeSource,
  type RegisterResult,
  SIGNAL_FLAG,
  WELCOME_FLAG,
} from "./messages.ts";

// Specification

/** Longest time to wait on the word of a server, in µs (RDV-19). */
const MAX_WAIT = 2_000_000;

// Implementation

/** Invitations that wait for a session; more are refused at once. */
const MAX_WAITING = 64;

/** When to try an invitation again that found no room to wait, in ms. */
const WAITING_RETRY: Duration = 2_000;

/** Who the client is. */
export interface RendezvousClientOptions extends SlotOwner {
  /** Asks the server not to tell our address to those whom we call or answer. */
  readonly concealsAddress?: boolean;
}

/** What the server says about the other side of a call. */
export interface PeerFacts {
  /** Round-trip time between the server and the other side, in ms; 0 if it does not know. */
  readonly rtt: Duration;
  /** IP address at which the server sees the other side; `undefined` if that conceals it. */
  readonly seen: string | undefined;
}

/** What the owner learns. Calls are named by numbers that are unique for this client. */
export type RendezvousEvent =
  | {
      readonly type: "welcome";
      /** Where the server sees us. */
      readonly address: Address;
      /** How often the server wishes for a sign of life, in ms. */
      readonly aliveInterval: Duration;
      readonly hasOtherPort: boolean;
      readonly hasOtherAddress: boolean;
      /** The server's clock, in ms since 1970. */
      readonly clock: number;
    }
  | { readonly type: "registered"; readonly slots: readonly Uint8Array[] }
  /** The server will not have them: for lack of room, for now, or because the proof was not right. */
  | {
      readonly type: "registration-failed";
      readonly slots: readonly Uint8Array[];
      readonly result: Exclude<RegisterResult, "registered">;
    }
  /** Another session with our key holds them now. They are no longer wished for. */
  | { readonly type: "displaced"; readonly slots: readonly Uint8Array[] }
  | ({
      readonly type: "invited";
      readonly call: number;
      readonly slot: Uint8Array;
      readonly envelope: Envelope;
    } & PeerFacts)
  | ({
      readonly type: "answered";
      readonly call: number;
      readonly envelope: Envelope;
      /** Begin so many ms after this event. */
      readonly wait: Duration;
    } & PeerFacts)
  | { readonly type: "go"; readonly call: number; readonly wait: Duration }
  | { readonly type: "signal"; readonly call: number; readonly envelope: Envelope }
  /** A call or request is over; `retry` is the server's advice, in ms. */
  | { readonly type: "failed"; readonly id: number; readonly failure: Failure; readonly retry: Duration }
  | { readonly type: "goaway"; readonly drain: Duration }
  /** The server broke the rules: close the session. */
  | { readonly type: "violation" };

/** An invitation on its way. */
export interface Invitation {
  readonly slot: Uint8Array;
  readonly envelope: Envelope;
}

/** See the module. */
export class RendezvousClient {
  readonly #options: RendezvousClientOptions;
  readonly #slots: ClientSlots;
  readonly #writes = new Deque<Uint8Array>();
  readonly #events = new Deque<RendezvousEvent>();
  readonly #calls = new ClientCalls();
  /** Invitations that wait for a session, by the number that we know them by. */
  readonly #waiting = new Map<number, Invitation>();
  #session: ServerSession | undefined;
  #decoder = new MessageDecoder();

  constructor(options: RendezvousClientOptions) {
    this.#options = options;
    this.#slots = new ClientSlots(options);
  }

  // Inputs

  /** Input: a session with the server is open. It takes the place of an earlier one, whose calls are gone. */
  onConnected(session: ServerSession, now: Instant): void {
    this.onDisconnected();
    this.#session = session;
    this.#send({ type: "hello", flags: 0, token: new Uint8Array(0) });
    this.#slots.restart();
    this.#flushSlots();
    for (const [id, invitation] of this.#waiting) this.#sendInvitation(id, invitation, now);
    this.#waiting.clear();
  }

  /** Input: the session is over. */
  onDisconnected(): void {
    if (this.#session === undefined) return;
    this.#session = undefined;
    this.#decoder = new MessageDecoder();
    this.#writes.clear();
    for (const id of this.#calls.clear()) this.#events.push({ type: "failed", id, failure: "gone", retry: 0 });
  }

  /** Input: the next bytes of the control stream. */
  onBytes(bytes: Uint8Array, now: Instant): void {
    if (this.#session === undefined || this.#decoder.failed) return;
    this.#decoder.push(bytes);
    for (let each = this.#decoder.next(); each !== undefined; each = this.#decoder.next()) {
      if (!this.#handle(each, now)) {
        this.#break();
        return;
      }
    }
    if (this.#decoder.failed) this.#break();
  }

  /** Input: time has passed. */
  handleTimeout(now: Instant): void {
    this.#calls.expire(now);
    this.#slots.handleTimeout(now);
    this.#flushSlots();
  }

  // Commands

  /**
   * Command: wishes to hold slots, now and in every later session. Returns their names.
   *
   * @throws RangeError beyond 1,024 slots, or if a ticket's is among them and there is no key.
   */
  register(slots: readonly WantedSlot[]): Uint8Array[] {
    const names = this.#slots.want(slots);
    this.#flushSlots();
    return names;
  }

  /** Command: gives slots back. */
  unregister(slots: readonly Uint8Array[]): void {
    const held = this.#slots.drop(slots);
    for (let i = 0; i < held.length; i += SLOTS_PER_MESSAGE)
      this.#send({ type: "unregister", slots: held.slice(i, i + SLOTS_PER_MESSAGE) });
  }

  /** Command: calls who holds a slot. Returns the number of the call. */
  invite(invitation: Invitation, now: Instant): number {
    const id = this.#calls.nextId();
    if (this.#session !== undefined) this.#sendInvitation(id, invitation, now);
    else if (this.#waiting.size < MAX_WAITING) this.#waiting.set(id, invitation);
    else this.#events.push({ type: "failed", id, failure: "limit", retry: WAITING_RETRY });
    return id;
  }

  /** Command: answers an invitation. Nothing if the call is over. */
  answer(call: number, envelope: Envelope, now: Instant): void {
    const number = this.#calls.use(call, now);
    if (number === undefined) return;
    this.#send({ type: "answer", call: number, flags: this.#callFlags(), envelope: encodeEnvelope(envelope) });
  }

  /** Command: says more to the other side; with `wantsGo` both sides are told to begin again. */
  signal(call: number, envelope: Envelope, options: { readonly wantsGo: boolean }, now: Instant): void {
    const number = this.#calls.use(call, now);
    if (number === undefined) return;
    const flags = options.wantsGo ? SIGNAL_FLAG.GO_WANTED : 0;
    this.#send({ type: "signal", call: number, flags, envelope: encodeEnvelope(envelope) });
  }

  /** Command: ends a call. */
  cancel(call: number): void {
    this.#waiting.delete(call);
    const number = this.#calls.close(call);
    if (number !== undefined) this.#send({ type: "cancel", call: number });
  }

  /**
   * Command: asks for a WITNESS from elsewhere with this token, 8 bytes. Returns the number under which it may fail, or
   * `undefined` if there is no session.
   */
  probe(which: ProbeSource, token: Uint8Array, now: Instant): number | undefined {
    if (this.#session === undefined) return undefined;
    const id = this.#calls.nextId();
    const request = this.#calls.begin(id, now);
    this.#send({ type: "probe", request, which, token });
    return id;
  }

  // Outputs

  /** Output: the next bytes for the control stream; call until `undefined`. */
  pollWrite(): Uint8Array | undefined {
    return this.#writes.shift();
  }

  /** Output: the next thing that the owner should know; call until `undefined`. */
  pollEvent(): RendezvousEvent | undefined {
    return this.#events.shift();
  }

  /** Output: when to call {@link handleTimeout}. */
  nextTimeout(): Instant | undefined {
    const retryAt = this.#session === undefined ? undefined : this.#slots.nextTimeout();
    return earliest(this.#calls.nextExpiry(), retryAt);
  }

  /** Handles a message; false if a server may not say it. */
  #handle(message: Message, now: Instant): boolean {
    switch (message.type) {
      case "welcome":
        this.#onWelcome(message);
        return true;
      case "registered":
        return this.#onRegistered(message, now);
      case "unregister":
        this.#onDisplaced(message.slots);
        return true;
      case "invited":
        this.#onInvited(message, now);
        return true;
      case "answered":
        this.#onAnswered(message, now);
        return true;
      case "go": {
        const call = this.#calls.heard(message.call, now);
        if (call !== undefined) this.#events.push({ type: "go", call, wait: boundedWait(message.wait) });
        return true;
      }
      case "signal": {
        const call = this.#calls.heard(message.call, now);
        const envelope = ownEnvelope(message.envelope);
        if (call !== undefined && envelope !== undefined) this.#events.push({ type: "signal", call, envelope });
        return true;
      }
      case "failed": {
        const id = this.#calls.fail(message.id);
        const { failure, retry } = message;
        if (id !== undefined) this.#events.push({ type: "failed", id, failure, retry });
        return true;
      }
      case "goaway":
        this.#events.push({ type: "goaway", drain: message.drain });
        return true;
      case "hello":
      case "register":
      case "invite":
      case "answer":
      case "cancel":
      case "release":
      case "probe":
        return false;
    }
  }

  #onWelcome(message: MessageOf<"welcome">): void {
    const { flags, alive, address, clock } = message;
    this.#events.push({
      type: "welcome",
      address,
      aliveInterval: alive * 1000,
      hasOtherPort: (flags & WELCOME_FLAG.OTHER_PORT) !== 0,
      hasOtherAddress: (flags & WELCOME_FLAG.OTHER_ADDRESS) !== 0,
      clock,
    });
  }

  #onRegistered(message: MessageOf<"registered">, now: Instant): boolean {
    const outcomes = this.#slots.onRegistered(message, now);
    for (const { slots, result } of outcomes ?? []) {
      if (result === "registered") this.#events.push({ type: "registered", slots });
      else this.#events.push({ type: "registration-failed", slots, result });
    }
    return outcomes !== undefined;
  }

  #onDisplaced(slots: readonly Uint8Array[]): void {
    const lost = this.#slots.drop(slots);
    if (lost.length > 0) this.#events.push({ type: "displaced", slots: lost });
  }

  #onInvited(message: MessageOf<"invited">, now: Instant): void {
    const envelope = ownEnvelope(message.envelope);
    const call = envelope === undefined ? undefined : this.#calls.invited(message.call, now);
    // Without a place for it the call is not remembered, and the inviter's time will run out.
    if (call === undefined || envelope === undefined) return;
    this.#events.push({ type: "invited", call, slot: message.slot.slice(), envelope, ...factsOf(message) });
  }

  #onAnswered(message: MessageOf<"answered">, now: Instant): void {
    const call = this.#calls.heard(message.call, now);
    const envelope = ownEnvelope(message.envelope);
    if (call === undefined || envelope === undefined) return;
    this.#events.push({ type: "answered", call, envelope, wait: boundedWait(message.wait), ...factsOf(message) });
  }

  /** Registers what is due, if there is a session. */
  #flushSlots(): void {
    const session = this.#session;
    if (session === undefined) return;
    const number = (): number => this.#calls.nextNumber();
    for (
      let each = this.#slots.pollRegister(session, number);
      each !== undefined;
      each = this.#slots.pollRegister(session, number)
    )
      this.#send(each);
  }

  #sendInvitation(id: number, invitation: Invitation, now: Instant): void {
    const { slot, envelope } = invitation;
    const call = this.#calls.begin(id, now);
    this.#send({ type: "invite", call, slot, flags: this.#callFlags(), envelope: encodeEnvelope(envelope) });
  }

  #callFlags(): number {
    return this.#options.concealsAddress ? CALL_FLAG.CONCEAL_ADDRESS : 0;
  }

  #send(message: Message): void {
    if (this.#session !== undefined) this.#writes.push(encodeMessage(message));
  }

  #break(): void {
    this.onDisconnected();
    this.#events.push({ type: "violation" });
  }
}

/** A copy of the envelope in a message; `undefined` if it is none that we know. */
function ownEnvelope(bytes: Uint8Array): Envelope | undefined {
  return decodeEnvelope(bytes.slice());
}

function factsOf(message: MessageOf<"invited" | "answered">): PeerFacts {
  return { rtt: message.rtt / 1000, seen: message.seen };
}

/** Microseconds on the wire as milliseconds, and no more than we are ready to wait. */
function boundedWait(wait: number): Duration {
  return Math.min(wait, MAX_WAIT) / 1000;
}
