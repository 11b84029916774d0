/**
 * One token bucket: so much at once, so much a second.
 *
 * @module
 */
import type { Rate } from "../connection/rate-limit.ts";
import type { Duration, Instant } from "../util/time.ts";

/** Tokens of one source of work. It begins full. */
export class TokenBucket {
  readonly #rate: Rate;
  #tokens: number;
  #filledAt: Instant;

  constructor(rate: Rate, now: Instant) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#filledAt = now;
  }

  /** Command: takes `count` tokens; false, and nothing taken, if there are fewer. */
  take(now: Instant, count = 1): boolean {
    this.#refill(now);
    if (this.#tokens < count) return false;
    this.#tokens -= count;
    return true;
  }

  /** How long until `count` tokens will be there, in whole ms. */
  waitFor(now: Instant, count = 1): Duration {
    this.#refill(now);
    return Math.ceil((Math.max(0, count - this.#tokens) * 1000) / this.#rate.perSecond);
  }

  #refill(now: Instant): void {
    const elapsed = Math.max(0, now - this.#filledAt);
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + (elapsed * this.#rate.perSecond) / 1000);
    this.#filledAt = now;
  }
}
