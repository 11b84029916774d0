/**
 * Token buckets, one for each source of work that strangers can cause.
 *
 * @module
 */
import type { Instant } from "../util/time.ts";

/** How fast something may happen. */
export interface Rate {
  /** Sustained, per second. */
  readonly perSecond: number;
  /** At once, after a pause. */
  readonly burst: number;
}

// Implementation

/** Buckets remembered in one table: bounds what an attacker with many source addresses can make us store. */
const MAX_BUCKETS = 4_096;

interface Bucket {
  tokens: number;
  filledAt: Instant;
}

/** A bounded table of token buckets by key. */
export class RateLimiter {
  readonly #rate: Rate;
  readonly #buckets = new Map<string, Bucket>();

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /** Takes one token of `key`; false if there is none left. */
  take(key: string, now: Instant): boolean {
    const bucket = this.#refilled(key, now);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  #refilled(key: string, now: Instant): Bucket {
    const known = this.#buckets.get(key);
    if (known !== undefined) {
      const elapsed = Math.max(0, now - known.filledAt);
      known.tokens = Math.min(this.#rate.burst, known.tokens + (elapsed * this.#rate.perSecond) / 1000);
      known.filledAt = now;
      return known;
    }
    // The oldest key goes first: a Map iterates in order of insertion.
    if (this.#buckets.size >= MAX_BUCKETS) {
      const oldest = this.#buckets.keys().next();
      if (!oldest.done) this.#buckets.delete(oldest.value);
    }
    const fresh = { tokens: this.#rate.burst, filledAt: now };
    this.#buckets.set(key, fresh);
    return fresh;
  }
}

/** The key under which one household or one host is limited: an IPv4 address, or the /64 of an IPv6 address. */
export function sourceKey(host: string): string {
  if (!host.includes(":")) return host;
  // An abbreviated address is cut at the same place whenever it is written in canonical form.
  const head = host.split("::")[0]!;
  return head.split(":").slice(0, 4).join(":");
}
