/**
 * How long to wait for which server: round-trip times of earlier transactions (RFC 8489 §6.2.1, RFC 6298 §2).
 *
 * @module
 */
import type { Duration, Instant } from "../util/time.ts";

// Specification

/** RFC 6298 §2.3. */
const GAIN = 1 / 8;
const VARIANCE_GAIN = 1 / 4;
const VARIANCE_FACTOR = 4;

/** An estimate that is older is worth nothing, in ms (RFC 8489 §6.2.1). */
const LIFETIME: Duration = 600_000;

// Implementation

/** Smallest timeout, in ms: below it a busy moment of this machine would look like a loss. */
const MIN_RTO: Duration = 100;

/** Hosts that are remembered; a connection asks three or four. */
const MAX_HOSTS = 16;

interface Estimate {
  readonly smoothed: Duration;
  readonly variance: Duration;
  readonly at: Instant;
}

/** Estimates by host, the one that was renewed last at the end. */
export class RtoCache {
  readonly #estimates = new Map<string, Estimate>();

  /** Input: an answer of `host` has taken `rtt`, without any repetition. */
  onSample(host: string, rtt: Duration, now: Instant): void {
    const old = this.#fresh(host, now);
    this.#estimates.delete(host);
    this.#estimates.set(host, old === undefined ? first(rtt, now) : next(old, rtt, now));
    if (this.#estimates.size <= MAX_HOSTS) return;
    for (const oldest of this.#estimates.keys()) {
      this.#estimates.delete(oldest);
      return;
    }
  }

  /** How long to wait for `host` before the second request; `initial` if nothing is known. */
  rto(host: string, initial: Duration, now: Instant): Duration {
    const estimate = this.#fresh(host, now);
    if (estimate === undefined) return initial;
    return Math.max(MIN_RTO, estimate.smoothed + VARIANCE_FACTOR * estimate.variance);
  }

  #fresh(host: string, now: Instant): Estimate | undefined {
    const estimate = this.#estimates.get(host);
    return estimate === undefined || now - estimate.at >= LIFETIME ? undefined : estimate;
  }
}

/** RFC 6298 §2.2. */
function first(rtt: Duration, at: Instant): Estimate {
  return { smoothed: rtt, variance: rtt / 2, at };
}

/** RFC 6298 §2.3: the variance is taken against the old average. */
function next({ smoothed, variance }: Estimate, rtt: Duration, at: Instant): Estimate {
  return {
    variance: (1 - VARIANCE_GAIN) * variance + VARIANCE_GAIN * Math.abs(smoothed - rtt),
    smoothed: (1 - GAIN) * smoothed + GAIN * rtt,
    at,
  };
}
