/**
 * How long packets wait in queues: the round trip now against the shortest of the last minutes (RFC 6817 §2.4.2).
 *
 * It is measured in round trips, as LEDBAT++ does, so that clocks need not agree; a queue on the way back counts, too.
 * What counts as now is the shortest sample of the last one to two round trips, so that the jitter of single packets is none.
 *
 * @module
 */
import { after, type Duration, type Instant } from "../util/time.ts";

// Specification

/** Minutes whose minima are kept (RFC 6817 §2.4.2: BASE_HISTORY); routes may change. */
const BASE_HISTORY = 10;

/** Samples of which the smallest is the delay of the moment (RFC 6817 §2.4.2: CURRENT_FILTER). */
const CURRENT_FILTER = 4;

const MINUTE: Duration = 60_000;

/** Estimates the delay by queues from samples of the round-trip time. */
export class QueueDelay {
  /** The smallest sample of each minute, the newest last. */
  readonly #minima: number[] = [];
  #minuteEndsAt = 0 as Instant;
  #base: Duration = Number.POSITIVE_INFINITY;
  /** The smallest sample of this round trip and of the one before. */
  #currentMin: Duration = Number.POSITIVE_INFINITY;
  #lastMin: Duration = Number.POSITIVE_INFINITY;
  #roundEndsAt = 0 as Instant;
  readonly #samples: number[] = new Array(CURRENT_FILTER).fill(0);
  #next = 0;

  /** Input: a sample of the round-trip time, and its average, in ms. */
  onSample(rtt: Duration, smoothedRtt: Duration, now: Instant): void {
    if (now >= this.#roundEndsAt) {
      this.#lastMin = this.#currentMin;
      this.#currentMin = rtt;
      this.#roundEndsAt = after(now, smoothedRtt);
    } else if (rtt < this.#currentMin) {
      this.#currentMin = rtt;
    }
    this.#samples[this.#next] = rtt;
    this.#next = (this.#next + 1) % CURRENT_FILTER;
    this.#updateBase(rtt, now);
  }

  /** The shortest round trip of the last minutes, in ms; Infinity before the first sample. */
  get base(): Duration {
    return this.#base;
  }

  /** The delay by queues now, in ms; 0 before the first sample. */
  get current(): Duration {
    if (this.#base === Number.POSITIVE_INFINITY) return 0;
    return Math.min(this.#currentMin, this.#lastMin) - this.#base;
  }

  /** The delay by queues of the last samples: sooner than {@link current}, but jitter counts more. */
  get momentary(): Duration {
    return Math.max(0, Math.min(...this.#samples) - this.#base);
  }

  #updateBase(rtt: Duration, now: Instant): void {
    const newest = this.#minima.length - 1;
    if (newest < 0 || now >= this.#minuteEndsAt) {
      this.#minuteEndsAt = after(now, MINUTE);
      if (this.#minima.length === BASE_HISTORY) this.#minima.shift();
      this.#minima.push(rtt);
      this.#base = Math.min(...this.#minima);
      return;
    }
    if (rtt >= this.#minima[newest]!) return;
    this.#minima[newest] = rtt;
    if (rtt < this.#base) this.#base = rtt;
  }
}
