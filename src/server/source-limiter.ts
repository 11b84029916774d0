/**
 * How often strangers are answered, by where they are: for what is answered without a session, above all STUN.
 *
 * A source is an IPv4 address or the /64 of an IPv6 address. Buckets live in two generations: when the younger one is
 * full, or as old as an empty bucket needs to fill up, it becomes the older one, and the older one is forgotten. Who comes
 * back is moved to the younger one. So what is forgotten with age was full anyway; only more sources at once than fit
 * into a generation are given tokens too early, and the rate of all together bounds that.
 *
 * @module
 */
import { type Rate, sourceKey } from "../connection/rate-limit.ts";
import type { Duration, Instant } from "../util/time.ts";
import { TokenBucket } from "./token-bucket.ts";

// Implementation

/** Buckets in one generation: some 10 MiB in two of them, and more sources than answer honestly in seconds. */
const MAX_SOURCES = 32_768;

/** How fast answers may go. */
export interface SourceRates {
  readonly perSource: Rate;
  /** Of all together; `undefined` if each is bounded elsewhere. */
  readonly total?: Rate;
}

/** A limiter for one kind of answer. */
export class SourceLimiter {
  readonly #perSource: Rate;
  readonly #total: TokenBucket | undefined;
  readonly #maxSources: number;
  /** How long an empty bucket takes to fill. */
  readonly #generation: Duration;
  #young = new Map<string, TokenBucket>();
  #old = new Map<string, TokenBucket>();
  #turnedAt: Instant;

  constructor(rates: SourceRates, now: Instant, options: { readonly maxSources?: number } = {}) {
    const { perSource, total } = rates;
    this.#perSource = perSource;
    this.#total = total === undefined ? undefined : new TokenBucket(total, now);
    this.#maxSources = options.maxSources ?? MAX_SOURCES;
    this.#generation = (perSource.burst * 1000) / perSource.perSecond;
    this.#turnedAt = now;
  }

  /** Command: whether `host`, a literal address, is answered once more. */
  take(host: string, now: Instant): boolean {
    // The source first: who is beyond his own rate must not use up that of all.
    return this.#bucket(sourceKey(host), now).take(now) && (this.#total?.take(now) ?? true);
  }

  /** Sources remembered; at most twice as many as a generation holds. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  #bucket(key: string, now: Instant): TokenBucket {
    if (now - this.#turnedAt >= this.#generation) this.#turn(now);
    const known = this.#young.get(key);
    if (known !== undefined) return known;
    const bucket = this.#old.get(key) ?? new TokenBucket(this.#perSource, now);
    this.#old.delete(key);
    if (this.#young.size >= this.#maxSources) this.#turn(now);
    this.#young.set(key, bucket);
    return bucket;
  }

  #turn(now: Instant): void {
    this.#old = this.#young;
    this.#young = new Map();
    this.#turnedAt = now;
  }
}
