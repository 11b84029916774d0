/**
 * What a rendezvous server knows about one session, and about a call between two.
 *
 * @module
 */
import { sourceKey } from "../connection/rate-limit.ts";
import { MessageDecoder } from "../signal/message-decoder.ts";
import type { Address } from "../util/machine.ts";
import type { Duration, Instant } from "../util/time.ts";
import type { ServerLimits } from "./limits.ts";
import { TokenBucket } from "./token-bucket.ts";

/** Names a session; chosen by the owner of the machine. */
export type SessionId = number;

/** A session that has been opened. */
export interface SessionFacts {
  readonly id: SessionId;
  /** Of its handshake, so that proofs of keys are bound to it. */
  readonly handshakeHash: Uint8Array;
  /** Validated address of the client. */
  readonly remote: Address;
  /** Smoothed round-trip time at the moment, in ms; `undefined` until there is a sample. */
  readonly rtt: () => Duration | undefined;
}

/** One session; fields that change are written by the server alone. */
export class Session {
  readonly id: SessionId;
  readonly handshakeHash: Uint8Array;
  readonly decoder = new MessageDecoder();
  readonly control: TokenBucket;
  readonly registers: TokenBucket;
  readonly invites: TokenBucket;
  readonly probes: TokenBucket;
  /** Names of the slots that it holds. */
  readonly slots = new Set<string>();
  /** Calls by the number that this side knows them by: even if it began them, odd if it was invited. */
  readonly calls = new Map<number, Call>();
  /** How many of them it began. */
  callsBegun = 0;
  /** Whether HELLO has come. */
  isGreeted = false;
  isClosed = false;
  readonly #rtt: SessionFacts["rtt"];
  #remote: Address;
  #source: string;
  #lastNumber = -1;
  #nextInvitation = 1;

  constructor(facts: SessionFacts, limits: ServerLimits, now: Instant) {
    this.id = facts.id;
    this.handshakeHash = facts.handshakeHash;
    this.#rtt = facts.rtt;
    this.#remote = facts.remote;
    this.#source = sourceKey(facts.remote.host);
    this.control = new TokenBucket(limits.controlRate, now);
    this.registers = new TokenBucket(limits.registerRate, now);
    this.invites = new TokenBucket(limits.inviteRate, now);
    this.probes = new TokenBucket(limits.probeRate, now);
  }

  /** Command: uses up a number that the client chose; false if it may not use this one (RDV-10). */
  useNumber(number: number): boolean {
    if (number % 2 !== 0 || number <= this.#lastNumber) return false;
    this.#lastNumber = number;
    return true;
  }

  /** Command: a number for a call that this session is invited to. */
  nextInvitation(): number {
    const number = this.#nextInvitation;
    this.#nextInvitation += 2;
    return number;
  }

  /** Smoothed round-trip time, in ms; `undefined` until there is a sample. */
  get rtt(): Duration | undefined {
    return this.#rtt();
  }

  /** Where the client is. */
  get remote(): Address {
    return this.#remote;
  }

  set remote(remote: Address) {
    this.#remote = remote;
    this.#source = sourceKey(remote.host);
  }

  /** Under which the client's host is limited. */
  get source(): string {
    return this.#source;
  }

  /** Calls to which it was invited. */
  get callsInvited(): number {
    return this.calls.size - this.callsBegun;
  }
}

/** One side of a call. */
export interface CallSide {
  readonly session: Session;
  /** By which this session knows the call. */
  readonly number: number;
}

/** A call between two sessions, which may be one and the same. */
export interface Call {
  readonly inviter: CallSide;
  readonly invited: CallSide;
  isAnswered: boolean;
  usedAt: Instant;
}
