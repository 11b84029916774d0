/**
 * Spreads packets over the round trip instead of sending a window at once (RFC 9002 §7.7).
 *
 * Theory of operation. A token bucket fills at the pacing rate and is emptied by what is sent. Timers have a resolution of
 * 1 ms and fire late, so single packets cannot be paced; bursts are: the bucket holds 2 ms of the rate, but at least ten
 * packets and at most 256. When the owner had to wait, what accrued between the promised time and its coming counts beyond
 * the bucket's size, so that a late timer does not lower the rate: the first 8 ms at once, what is beyond that in arrears,
 * which are made good by twice the rate. Packets that need not ask (probes, pure acknowledgements) may leave a debt.
 *
 * @module
 */
import { after, type Duration, type Instant } from "../util/time.ts";

// Implementation

/** Packets that may leave at once: the initial window of RFC 9002 §7.2, which RFC 9002 §7.7 suggests as limit. */
const BURST_PACKETS = 10;

/** Time whose worth of bytes may leave at once, in ms: two turns of a timer with 1 ms of resolution. */
const BURST_TIME: Duration = 2;

/** Most packets that may leave at once, but for a late timer: what one pump of a driver takes to send in a few ms. */
const MAX_BURST_PACKETS = 256;

/** Shortest wait, in ms: what a timer can do. */
const TIMER_RESOLUTION: Duration = 1;

/** Lateness of a timer that is made good at once, in ms: a busy event loop; more would be a burst that queues do not take. */
const MAX_LATENESS: Duration = 8;

/** Lateness that is made good at all, in ms: a collection of garbage, a busy neighbour. A longer pause was one. */
const MAX_ARREARS: Duration = 100;

/** N of RFC 9002 §7.7: the window is sent in 4/5 of a round trip, so that variations of the latter leave no gap. */
const WINDOW_GAIN = 1.25;

/**
 * Smallest round-trip time below which nothing is paced, in ms. A window then leaves within one turn of any timer, so
 * waiting for the timer would limit the rate to one burst per ms, while acknowledgements space packets well by themselves.
 */
const MIN_PACED_RTT: Duration = 1;

/** What two busy hosts make of such a round trip by taking turns, in ms; more is a queue on the way. */
const MAX_HOST_DELAY: Duration = 8;

/** What the pacer looks at in a path's round trips, in ms. */
export interface PacedRtt {
  readonly hasSample: boolean;
  readonly min: Duration;
  readonly smoothed: Duration;
}

/** Tolerance for sums of fractions of bytes. */
const ROUNDING = 1e-3;

/** What the pacer asks of a congestion controller. */
export interface PacingSource {
  readonly congestionWindow: number;
  /** Bytes per ms; `undefined` means the window spread over the round trip. */
  readonly pacingRate: number | undefined;
}

/** Says how many bytes may leave now; see the module's theory of operation. */
export class Pacer {
  #mtu: number;
  /** Bytes per ms; Infinity for no pacing. */
  #rate = Number.POSITIVE_INFINITY;
  #credit: number;
  #filledAt = 0 as Instant;
  /** When the owner was told to come again, until it did. */
  #promisedAt: Instant | undefined;
  /** Bytes beyond the bucket's size that a late timer is owed, and until when. */
  #owed = 0;
  #owedUntil = 0 as Instant;
  /** Bytes that late timers have cost and that are not made good yet. */
  #arrears = 0;

  constructor(mtu: number) {
    this.#mtu = mtu;
    this.#credit = mtu * BURST_PACKETS;
  }

  /** Input: the congestion window, the controller's rate or the round-trip time changed. */
  update(source: PacingSource, { hasSample, min, smoothed }: PacedRtt, now: Instant): void {
    const isNear = hasSample && min < MIN_PACED_RTT && smoothed < MAX_HOST_DELAY;
    if (isNear) this.setRate(Number.POSITIVE_INFINITY, now);
    else this.setRate(source.pacingRate ?? (WINDOW_GAIN * source.congestionWindow) / smoothed, now);
  }

  /** Input: the rate in bytes per ms; Infinity for no pacing. */
  setRate(rate: number, now: Instant): void {
    if (rate === this.#rate) return;
    this.#fill(now);
    this.#rate = rate;
  }

  /** Input: the path's packet size changed. */
  onMtuChange(mtu: number): void {
    this.#mtu = mtu;
  }

  /** Input: `bytes` were sent, whether or not there was budget for them. */
  onSent(bytes: number, now: Instant): void {
    this.#fill(now);
    this.#credit -= bytes;
    this.#owed = Math.max(0, this.#owed - bytes);
  }

  /** Output: bytes that may leave now; Infinity when nothing is paced. */
  budget(now: Instant): number {
    if (this.#rate === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    this.#fill(now);
    return Math.max(0, Math.floor(this.#credit + ROUNDING));
  }

  /**
   * Output: when to ask again for at least `wanted` bytes, which the bucket must be able to hold; `undefined` if they may
   * leave now. Later than `now`.
   */
  nextTimeout(now: Instant, wanted: number): Instant | undefined {
    const missing = wanted - this.budget(now);
    if (missing <= 0) return undefined;
    const wait = Math.max((wanted - this.#credit) / this.#rate, TIMER_RESOLUTION);
    this.#promisedAt = after(now, wait);
    return this.#promisedAt;
  }

  /** Bytes per ms; Infinity when nothing is paced. */
  get rate(): number {
    return this.#rate;
  }

  #fill(now: Instant): void {
    const elapsed = now - this.#filledAt;
    this.#filledAt = now;
    if (this.#rate === Number.POSITIVE_INFINITY) {
      this.#credit = this.#mtu * BURST_PACKETS;
      this.#arrears = 0;
      return;
    }
    const earned = elapsed * this.#rate;
    const repaid = Math.min(this.#arrears, earned, this.#rate * BURST_TIME);
    this.#arrears -= repaid;
    this.#owed += repaid;
    const isLate = this.#promisedAt !== undefined && now >= this.#promisedAt;
    if (isLate) {
      this.#owed += this.#rate * Math.min(now - this.#promisedAt!, MAX_LATENESS);
      this.#owedUntil = after(now, BURST_TIME);
      this.#promisedAt = undefined;
    }
    // An owner that had nothing to send after all is owed nothing.
    if (now > this.#owedUntil) {
      this.#owed = 0;
      this.#arrears = 0;
    }
    const packets = this.#mtu * BURST_PACKETS;
    const size = Math.max(packets, Math.min(this.#rate * BURST_TIME, this.#mtu * MAX_BURST_PACKETS)) + this.#owed;
    const credit = this.#credit + earned + repaid;
    this.#credit = Math.min(credit, size);
    if (isLate) this.#arrears = Math.min(this.#arrears + credit - this.#credit, this.#rate * MAX_ARREARS);
  }
}
