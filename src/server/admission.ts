/**
 * Which first messages a server works on: a policy without state of its own beyond rates.
 *
 * A server's pin is public, so unlike a listener's ticket it keeps nobody away. What protects the server is that a source
 * has to prove its address by a cookie as soon as handshakes become many, and that proven sources have rates of their own.
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
  /** Half-open sessions at once. */
  readonly maxHalfOpen: number;
}

export const DEFAULT_ADMISSION: AdmissionLimits = {
  perSource: { perSecond: 100, burst: 400 },
  unprovenPerSource: { perSecond: 50, burst: 50 },
  unprovenTotal: { perSecond: 500, burst: 500 },
  maxHalfOpen: 4_096,
};

/** See the module. */
export class HandshakeAdmission implements AdmissionPolicy {
  readonly #maxHalfOpen: number;
  readonly #perSource: SourceLimiter;
  readonly #unproven: SourceLimiter;
  readonly #unprovenTotal: TokenBucket;

  constructor(now: Instant, limits: Partial<AdmissionLimits> = {}) {
    const { perSource, unprovenPerSource, unprovenTotal, maxHalfOpen } = { ...DEFAULT_ADMISSION, ...limits };
    this.#maxHalfOpen = maxHalfOpen;
    this.#perSource = new SourceLimiter({ perSource }, now);
    this.#unproven = new SourceLimiter({ perSource: unprovenPerSource }, now);
    this.#unprovenTotal = new TokenBucket(unprovenTotal, now);
  }

  judge({ host, hasCookie, halfOpen }: Arrival, now: Instant): Admission {
    if (halfOpen >= this.#maxHalfOpen) return "half-open-limit";
    // Nobody carries calls to a server.
    if (host === undefined) return "rate-limit";
    if (hasCookie) return this.#perSource.take(host, now) ? "accept" : "rate-limit";
    // Who writes another's address on his messages must not use up the rate of that source: it is not touched here.
    return this.#unproven.take(host, now) && this.#unprovenTotal.take(now) ? "accept" : "cookie";
  }
}
