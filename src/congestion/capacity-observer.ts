/**
 * How much a path delivers in a round trip (RFC 9959 §3.1, §4.1).
 *
 * Counted is what was acknowledged, for as long as a smoothed round trip each time, and put in proportion to the shortest
 * one: what a queue adds to the round trip is no capacity, and an overshoot of slow start is not delivered. Spans in which the
 * sender had too little to send say nothing. The best of the last spans is the result, because what competes comes and goes.
 *
 * @module
 */
import type { Instant } from "../util/time.ts";
import { WindowedFilter } from "../util/windowed-filter.ts";
import type { AckEvent } from "./controller.ts";

// Implementation

/** Spans of which the best counts. */
const MAX_SPANS = 10;

/** Measures the capacity of a path; see the module. */
export class CapacityObserver {
  /** Bytes per ms. */
  readonly #rates = new WindowedFilter("max", MAX_SPANS);
  #spans = 0;
  #startedAt: Instant | undefined;
  #bytes = 0;
  #isLimited = false;

  /** Input: packets were acknowledged. Returns the bytes per shortest round trip whenever they are known anew. */
  onAck({ now, bytes, isAppLimited, rtt }: AckEvent): number | undefined {
    if (this.#startedAt === undefined) {
      // What arrives first took no part of the span that begins with it.
      this.#startedAt = now;
      return undefined;
    }
    this.#bytes += bytes;
    this.#isLimited ||= isAppLimited;
    const elapsed = now - this.#startedAt;
    if (elapsed < rtt.smoothed || elapsed === 0) return undefined;
    const rate = this.#isLimited ? undefined : this.#bytes / elapsed;
    this.#startedAt = now;
    this.#bytes = 0;
    this.#isLimited = false;
    if (rate === undefined) return undefined;
    this.#spans += 1;
    this.#rates.update(rate, this.#spans);
    return (this.#rates.value ?? 0) * rtt.min;
  }
}
