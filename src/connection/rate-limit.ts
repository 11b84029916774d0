/**
 * Token buckets, one for each source of work that strangers can cause.
 *
 * @module
 */
import { toHex } from "../util/bytes.ts";
import type { Instant } from "../util/time.ts";
import { parseHost } from "../wire/address.ts";

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
  const bytes = host.includes(":") ? parseHost(host) : undefined;
  if (bytes === undefined) return host;
  // IPv4 in the guise of IPv6 (RFC 4291 §2.5.5.2) is one host, not a network of all of them.
  if (isMapped(bytes)) return bytes.subarray(12).join(".");
  return toHex(bytes.subarray(0, 8));
}

function isMapped(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
}
