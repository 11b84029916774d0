/**
 * Which first messages a server works on: a policy without state of its own beyond rates.
 *
 * A server's pin is public, so unlike a listener's ticket it keeps nobody away. What protects the server is that a source
 * has to prove its address by a cookie as soon as handshakes become many, and that proven sources have rates of their own.
 * A first message from a forged address leaves a half-open session that nobody finishes, so those without a cookie fill
 * only a part of the places, of all and of the source that they name: forgers keep out nobody who proves his address.
 *
 * @module
 */
import type { Admission, AdmissionPolicy, Arrival } from "../connection/admission.ts";
import type { Rate } from "../connection/rate-limit.ts";
import type { Instant } from "../util/time.ts";
import { SourceLimiter } from "./source-limiter.ts";
import { TokenBucket } from "./token-bucket.ts";

// Specification

/** Limits of spec/rendezvous.md#limits. */
export interface AdmissionLimits {
  /** Handshakes of one source that has proven its address, or need not. */
  readonly perSource: Rate;
  /** Handshakes of one source, and of all, that are worked on without a cookie. */
  readonly unprovenPerSource: Rate;
  readonly unprovenTotal: Rate;
  /** Half-open sessions at once; of one source as many as its burst. */
  readonly maxHalfOpen: number;
}

/** Part of the half-open sessions, of all and of one source, that may be there without a cookie. */
const UNPROVEN_SHARE = 1 / 2;

export const DEFAULT_ADMISSION: AdmissionLimits = {
  perSource: { perSecond: 100, burst: 400 },
  unprovenPerSource: { perSecond: 50, burst: 50 },
  unprovenTotal: { perSecond: 500, burst: 500 },
  maxHalfOpen: 4_096,
};

/** See the module. */
export class HandshakeAdmission implements AdmissionPolicy {
  readonly #maxHalfOpen: number;
  readonly #maxHalfOpenOfSource: number;
  readonly #perSource: SourceLimiter;
  readonly #unproven: SourceLimiter;
  readonly #unprovenTotal: TokenBucket;

  constructor(now: Instant, limits: Partial<AdmissionLimits> = {}) {
    const { perSource, unprovenPerSource, unprovenTotal, maxHalfOpen } = { ...DEFAULT_ADMISSION, ...limits };
    this.#maxHalfOpen = maxHalfOpen;
    this.#maxHalfOpenOfSource = perSource.burst;
    this.#perSource = new SourceLimiter({ perSource }, now);
    this.#unproven = new SourceLimiter({ perSource: unprovenPerSource }, now);
    this.#unprovenTotal = new TokenBucket(unprovenTotal, now);
  }

  judge(arrival: Arrival, now: Instant): Admission {
    const { host, hasCookie } = arrival;
    // Nobody carries calls to a server.
    if (host === undefined) return "rate-limit";
    if (hasCookie) {
      if (!this.#hasRoom(arrival, 1)) return "half-open-limit";
      return this.#perSource.take(host, now) ? "accept" : "rate-limit";
    }
    // No cookie for those who would not be let in with it.
    if (arrival.halfOpen >= this.#maxHalfOpen) return "half-open-limit";
    if (!this.#hasRoom(arrival, UNPROVEN_SHARE)) return "cookie";
    // Who writes another's address on his messages must not use up the rate of that source: it is not touched here.
    return this.#unproven.take(host, now) && this.#unprovenTotal.take(now) ? "accept" : "cookie";
  }

  /** Whether no more than `share` of the half-open sessions are there. */
  #hasRoom({ halfOpen, halfOpenOfSource }: Arrival, share: number): boolean {
    return halfOpen < share * this.#maxHalfOpen && halfOpenOfSource < share * this.#maxHalfOpenOfSource;
  }
}
