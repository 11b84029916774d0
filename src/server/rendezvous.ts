/**
 * The rendezvous server: brings two clients together that have no path yet (spec/rendezvous.md).
 *
 * Theory of operation. A session is an ordinary connection, made by somebody else; its first stream carries control
 * messages both ways. The machine knows sessions, the slots that they hold, and calls between two of them. A call is an
 * invitation to a slot, its answer, and what the two say to each other for a minute after; the machine forwards sealed
 * envelopes under the number that each side knows the call by, says where it sees the other side, and tells both when
 * to begin, so that they begin together. It can read none of the envelopes, and keeps none.
 *
 * Whatever a client may cause is bounded (`limits.ts`), by a count, a rate, or the bytes that wait for a slow reader. A
 * client that breaks the rules loses its session, and with it its slots and calls.
 *
 * @module
 */
import { verifyKeyProof } from "../crypto/key-proof.ts";
import type { KeyPair } from "../crypto/primitives.ts";
import { BLIND_SIZE, connectionSlot, ticketSlot } from "../crypto/slots.ts";
import {
  type Message,
  type MessageOf,
  type ProbeSource,
  type RegisterResult,
  WELCOME_FLAG,
} from "../signal/messages.ts";
import type { Address } from "../util/machine.ts";
import { Tally } from "../util/tally.ts";
import { after, type Duration, earliest, type Instant } from "../util/time.ts";
import { Reader } from "../wire/reader.ts";
import { encodeWitness } from "../wire/witness.ts";
import { greaseMessage } from "./grease.ts";
import { DEFAULT_LIMITS, type ServerLimits } from "./limits.ts";
import { Outbox, type ServerCloseReason, type ServerCounters, type ServerOutput } from "./outbox.ts";
import { Session, type SessionFacts, type SessionId } from "./session.ts";
import { SlotTable } from "./slots.ts";
import { Switchboard } from "./switchboard.ts";

// Implementation

/** Seconds between two signs of life that clients are asked for: a restarted server has its listeners back within 8 s. */
const ALIVE_INTERVAL = 5;

/** What a server needs of its owner. */
export interface RendezvousHost {
  readonly random: (size: number) => Uint8Array;
  /** Milliseconds since 1970. */
  readonly unixMillis: () => number;
  /** Bytes that have been sent to a session and not been acknowledged. */
  readonly backlogOf: (session: SessionId) => number;
}

/** How a server works. */
export interface RendezvousOptions {
  /** The key whose pin is in the tickets. */
  readonly identity: KeyPair;
  readonly limits?: Partial<ServerLimits>;
  /** From where it can send beside the place that a client talks to. */
  readonly hasOtherPort?: boolean;
  readonly hasOtherAddress?: boolean;
}

/** How a server is at a moment. */
export interface ServerHealth {
  readonly sessions: number;
  /** Addresses and networks that they come from. */
  readonly sources: number;
  readonly slots: number;
  readonly calls: number;
  readonly isDraining: boolean;
  readonly counters: Readonly<ServerCounters>;
}

/** See the module. */
export class RendezvousServer {
  readonly #host: RendezvousHost;
  readonly #identity: KeyPair;
  readonly #limits: ServerLimits;
  readonly #canSendFrom: Readonly<Record<ProbeSource, boolean>>;
  readonly #sessions = new Map<SessionId, Session>();
  readonly #sessionsOfSource = new Tally<string>();
  readonly #slots: SlotTable;
  readonly #switchboard: Switchboard;
  readonly #outbox: Outbox;
  #drainedAt: Instant | undefined;

  constructor(host: RendezvousHost, options: RendezvousOptions) {
    const { identity, limits, hasOtherPort = false, hasOtherAddress = false } = options;
    this.#host = host;
    this.#identity = identity;
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
    this.#canSendFrom = {
      "other-port": hasOtherPort,
      "other-address": hasOtherAddress,
      both: hasOtherPort && hasOtherAddress,
    };
    this.#slots = new SlotTable(this.#limits);
    this.#outbox = new Outbox({ backlogOf: host.backlogOf, maxBacklog: this.#limits.maxBacklog });
    this.#switchboard = new Switchboard(this.#limits, this.#slots, this.#outbox);
  }

  // Inputs

  /** Input: a client's session is open, its keys are confirmed and its address is validated. */
  onSessionOpened(facts: SessionFacts, now: Instant): void {
    const session = new Session(facts, this.#limits, now);
    const ofSource = this.#sessionsOfSource.of(session.source);
    const { maxSessions, maxSessionsPerSource } = this.#limits;
    if (this.#drainedAt !== undefined || this.#sessions.size >= maxSessions || ofSource >= maxSessionsPerSource) {
      this.#outbox.counters.sessionsRefused += 1;
      const reason = this.#drainedAt === undefined ? "limit" : "draining";
      this.#outbox.push({ type: "close", session: facts.id, reason });
      return;
    }
    this.#sessions.set(facts.id, session);
    this.#sessionsOfSource.add(session.source);
    this.#outbox.counters.sessionsOpened += 1;
  }

  /** Input: the next bytes of a session's control stream. */
  onMessageBytes(id: SessionId, bytes: Uint8Array, now: Instant): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    if (!session.control.take(now, bytes.length)) {
      this.#closeSession(session, "limit");
      this.#closeOverflowing();
      return;
    }
    session.decoder.push(bytes);
    for (let each = session.decoder.next(); each !== undefined; each = session.decoder.next()) {
      this.#handle(session, each, now);
      if (session.isClosed) break;
    }
    if (session.decoder.failed) this.#closeSession(session, "protocol");
    this.#closeOverflowing();
  }

  /** Input: a session is over. */
  onSessionClosed(id: SessionId): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    this.#forget(session);
    this.#closeOverflowing();
  }

  /** Input: a session's client has moved, and has proven it. */
  onAddressChanged(id: SessionId, remote: Address): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    this.#sessionsOfSource.remove(session.source);
    session.remote = remote;
    this.#sessionsOfSource.add(session.source);
  }

  /** Input: time has passed. */
  handleTimeout(now: Instant): void {
    this.#switchboard.handleTimeout(now);
    if (this.#drainedAt === undefined || now < this.#drainedAt) return;
    for (const session of this.#sessions.values()) this.#closeSession(session, "draining");
  }

  // Commands

  /** Command: tells all clients to leave, and closes what is left after `lifetime` (RDV-23). */
  drain(lifetime: Duration, now: Instant): void {
    if (this.#drainedAt !== undefined) return;
    this.#drainedAt = after(now, lifetime);
    for (const session of this.#sessions.values()) {
      if (session.isGreeted) this.#outbox.send(session, { type: "goaway", drain: Math.ceil(lifetime) });
    }
    this.#closeOverflowing();
  }

  // Outputs

  /** Output: what to do next; call until `undefined`. */
  pollOutput(): ServerOutput | undefined {
    return this.#outbox.poll();
  }

  /** Output: when to call {@link handleTimeout}. */
  nextTimeout(): Instant | undefined {
    return earliest(this.#switchboard.nextTimeout(), this.#sessions.size > 0 ? this.#drainedAt : undefined);
  }

  // Getters

  /** How the server is now. */
  get health(): ServerHealth {
    return {
      sessions: this.#sessions.size,
      sources: this.#sessionsOfSource.size,
      slots: this.#slots.size,
      calls: this.#switchboard.size,
      isDraining: this.#drainedAt !== undefined,
      counters: { ...this.#outbox.counters },
    };
  }

  #handle(session: Session, message: Message, now: Instant): void {
    // RDV-11: HELLO comes first, and once.
    if (session.isGreeted === (message.type === "hello")) {
      this.#closeSession(session, "protocol");
      return;
    }
    switch (message.type) {
      case "hello":
        this.#onHello(session);
        return;
      case "register":
        this.#onRegister(session, message, now);
        return;
      case "unregister":
        for (const slot of message.slots) this.#slots.unregister(slot, session);
        return;
      case "invite":
        if (this.#takeNumber(session, message.call)) this.#switchboard.invite(session, message, now);
        return;
      case "answer":
        this.#switchboard.answer(session, message, now);
        return;
      case "signal":
        this.#switchboard.signal(session, message, now);
        return;
      case "cancel":
        this.#switchboard.cancel(session, message.call);
        return;
      case "probe":
        this.#onProbe(session, message, now);
        return;
      case "release":
        // Nothing is relayed, so there is nothing to release.
        return;
      case "welcome":
      case "registered":
      case "invited":
      case "answered":
      case "go":
      case "failed":
      case "goaway":
        // RDV-11: only servers say these.
        this.#closeSession(session, "protocol");
    }
  }

  #onHello(session: Session): void {
    session.isGreeted = true;
    let flags = 0;
    if (this.#canSendFrom["other-port"]) flags |= WELCOME_FLAG.OTHER_PORT;
    if (this.#canSendFrom["other-address"]) flags |= WELCOME_FLAG.OTHER_ADDRESS;
    this.#outbox.send(session, {
      type: "welcome",
      flags,
      alive: ALIVE_INTERVAL,
      maxSlots: this.#limits.maxSlotsPerSession,
      address: session.remote,
      clock: this.#host.unixMillis(),
    });
    this.#outbox.sendBytes(session, greaseMessage(this.#host.random));
  }

  #onRegister(session: Session, message: MessageOf<"register">, now: Instant): void {
    if (!this.#takeNumber(session, message.request)) return;
    const { request, preimages, proof } = message;
    const results: RegisterResult[] = [];
    if (this.#drainedAt !== undefined || !session.registers.take(now)) {
      const result = this.#drainedAt === undefined ? "too-fast" : "full";
      // One for each preimage, and one for all blinds, which nobody has counted.
      for (let i = 0; i < preimages.length + (proof.length > 0 ? 1 : 0); i++) results.push(result);
      this.#outbox.send(session, { type: "registered", request, results });
      return;
    }
    const displaced = new Map<Session, Uint8Array[]>();
    const register = (slot: Uint8Array, key: Uint8Array | undefined): void => {
      const registration = this.#slots.register(slot, session, key, now);
      results.push(registration.isRegistered ? "registered" : "full");
      this.#outbox.counters[registration.isRegistered ? "registered" : "registrationsRefused"] += 1;
      const old = registration.displaced;
      if (old !== undefined) displaced.set(old, [...(displaced.get(old) ?? []), slot]);
    };
    for (const preimage of preimages) register(connectionSlot(preimage), undefined);
    if (proof.length > 0) {
      const proven = this.#readProof(session, proof);
      if (proven === undefined) results.push("bad-proof");
      else for (const blind of proven.blinds) register(ticketSlot(proven.key, blind), proven.key);
    }
    this.#outbox.send(session, { type: "registered", request, results });
    for (const [old, slots] of displaced) {
      this.#outbox.counters.displaced += slots.length;
      this.#outbox.send(old, { type: "unregister", slots });
    }
  }

  #onProbe(session: Session, message: MessageOf<"probe">, now: Instant): void {
    const { request, which, token } = message;
    if (!this.#takeNumber(session, request)) return;
    if (!this.#canSendFrom[which]) {
      this.#outbox.fail(session, request, "unsupported", 0);
    } else if (!session.probes.take(now)) {
      this.#outbox.fail(session, request, "limit", session.probes.waitFor(now));
    } else {
      this.#outbox.counters.witnesses += 1;
      // RDV-20: to the session's own address; the client can name no other.
      this.#outbox.push({
        type: "witness",
        session: session.id,
        which,
        to: session.remote,
        payload: encodeWitness(token),
      });
    }
  }

  /** The key that is proven, and the blinds to be registered under it. */
  #readProof(session: Session, proof: Uint8Array): { key: Uint8Array; blinds: Uint8Array[] } | undefined {
    const { handshakeHash } = session;
    const proven = verifyKeyProof(proof, { identity: this.#identity, handshakeHash });
    const blinds = proven === undefined ? undefined : readBlinds(proven.payload);
    if (proven === undefined || blinds === undefined) {
      this.#outbox.counters.badProofs += 1;
      return undefined;
    }
    return { key: proven.key, blinds };
  }

  /** Uses up a number that the client chose, or ends the session over it (RDV-10). */
  #takeNumber(session: Session, number: number): boolean {
    if (session.useNumber(number)) return true;
    this.#closeSession(session, "protocol");
    return false;
  }

  /** Closes the sessions that read too slowly for what they are told; closing one may tell others something. */
  #closeOverflowing(): void {
    for (let each = this.#outbox.pollOverflow(); each !== undefined; each = this.#outbox.pollOverflow())
      this.#closeSession(each, "limit");
  }

  #closeSession(session: Session, reason: ServerCloseReason): void {
    if (session.isClosed) return;
    if (reason !== "draining") this.#outbox.counters.sessionsBroken += 1;
    this.#outbox.push({ type: "close", session: session.id, reason });
    this.#forget(session);
  }

  /** Everything that a session held is gone; who had calls with it is told. */
  #forget(session: Session): void {
    session.isClosed = true;
    this.#sessions.delete(session.id);
    this.#sessionsOfSource.remove(session.source);
    this.#slots.dropSession(session);
    this.#switchboard.dropSession(session);
  }
}

/** The blinds in the payload of a proof; `undefined` if it holds anything else. */
function readBlinds(payload: Uint8Array): Uint8Array[] | undefined {
  const reader = new Reader(payload);
  const count = reader.varint();
  if (reader.failed || count * BLIND_SIZE !== reader.remaining) return undefined;
  return Array.from({ length: count }, () => reader.bytes(BLIND_SIZE));
}
