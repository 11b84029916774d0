/**
 * When one request is sent, sent again, and given up (RFC 8489 §6.2.1).
 *
 * @module
 */
import { after, type Duration, type Instant } from "../util/time.ts";

/** How patient a transaction is. */
export interface TransactionTiming {
  /** From the first request to the second, in ms, at least 1; each further pause is twice the one before. */
  readonly rto: Duration;
  /** Requests in all, Rc in RFC 8489 §6.2.1; at least 1. */
  readonly requests: number;
  /** From the last request to the end, in units of `rto`: Rm in RFC 8489 §6.2.1. */
  readonly lastWait: number;
}

// Specification

/** RFC 8489 §6.2.1: requests at 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s, the end at 39.5 s. */
export const STANDARD_TIMING: TransactionTiming = { rto: 500, requests: 7, lastWait: 16 };

/** The clock of one transaction, from its first request on. */
export class StunTransaction {
  readonly #timing: TransactionTiming;
  readonly #startedAt: Instant;
  #requests = 0;
  #deadline: Instant;

  constructor(timing: TransactionTiming, now: Instant) {
    this.#timing = timing;
    this.#startedAt = now;
    this.#deadline = now;
  }

  /** Input: what is to be done now, if anything; it counts as done. */
  advance(now: Instant): "send" | "failed" | undefined {
    if (now < this.#deadline) return undefined;
    const { rto, requests, lastWait } = this.#timing;
    if (this.#requests >= requests) return "failed";
    this.#deadline = after(now, this.#requests + 1 === requests ? lastWait * rto : rto * 2 ** this.#requests);
    this.#requests += 1;
    return "send";
  }

  /** The time from the request to an answer now; `undefined` if nobody can tell which request it answers (Karn). */
  roundTrip(now: Instant): Duration | undefined {
    return this.#requests === 1 ? now - this.#startedAt : undefined;
  }

  /** When the first request was sent. */
  get startedAt(): Instant {
    return this.#startedAt;
  }

  /** When {@link advance} has something to do. */
  get deadline(): Instant {
    return this.#deadline;
  }

  /** Requests so far. */
  get requests(): number {
    return this.#requests;
  }
}
