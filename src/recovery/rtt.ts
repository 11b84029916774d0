/**
 * Round-trip time of one path: minimum, smoothed value and variation (RFC 9002 §5).
 *
 * @module
 */
import type { Duration } from "../util/time.ts";

// Specification

/** Round-trip time that is assumed before the first sample, in ms (RFC 9002 §6.2.2). */
export const INITIAL_RTT: Duration = 333;

/** Resolution of timers, in ms (RFC 9002 §6.1.2); also what Node's timers can do. */
export const GRANULARITY: Duration = 1;

// Implementation

/** Mean deviations that an acknowledgement may be late before it is asked for; a probe too early costs two packets. */
const PROBE_VARIANCE_WEIGHT = 2;

/** Estimates the round-trip time of one path from samples; see RFC 9002 §5. */
export class RttEstimator {
  #hasSample = false;
  #latest: Duration = 0;
  #adjusted: Duration = 0;
  #min: Duration = 0;
  #smoothed: Duration = INITIAL_RTT;
  #variance: Duration = INITIAL_RTT / 2;

  /**
   * Input: a measured round trip and the part of it that the peer says it held the acknowledgement back, already limited
   * to the peer's longest ack delay. What may have overtaken others took a shorter way than most (`"overtaking"`); it
   * says nothing about the minimum.
   */
  onSample(sample: Duration, ackDelay: Duration, order: "in-order" | "overtaking" = "in-order"): void {
    this.#latest = sample;
    this.#adjusted = sample;
    if (!this.#hasSample) {
      // RFC 9002 §5.3: the first sample replaces the assumption.
      this.#hasSample = true;
      this.#min = sample;
      this.#smoothed = sample;
      this.#variance = sample / 2;
      return;
    }
    // RFC 9002 §5.2: min_rtt ignores the ack delay.
    if (sample < this.#min && order === "in-order") this.#min = sample;
    // RFC 9002 §5.3: the ack delay is subtracted only while the result stays at or above min_rtt.
    const adjusted = sample >= this.#min + ackDelay ? sample - ackDelay : sample;
    this.#adjusted = adjusted;
    // RFC 9002 §5.3: the variation is taken against the old smoothed value, so it goes first (order of the pseudocode).
    this.#variance = 0.75 * this.#variance + 0.25 * Math.abs(this.#smoothed - adjusted);
    this.#smoothed = 0.875 * this.#smoothed + 0.125 * adjusted;
  }

  /** Input: persistent congestion was established, so an older minimum may belong to a path that is gone. */
  onPersistentCongestion(): void {
    // RFC 9002 §5.2: min_rtt is set to the newest sample.
    this.#min = this.#latest;
  }

  /** Command: forgets the path. `initialRtt` is what is assumed until the next sample, in ms. */
  reset(initialRtt: Duration = INITIAL_RTT): void {
    this.#hasSample = false;
    this.#latest = 0;
    this.#adjusted = 0;
    this.#min = 0;
    this.#smoothed = initialRtt;
    this.#variance = initialRtt / 2;
  }

  /** The probe timeout of RFC 9002 §6.2.1, by which all that waits for the peer to fall silent is measured. */
  probeTimeout(maxAckDelay: Duration): Duration {
    return this.#smoothed + Math.max(4 * this.#variance, GRANULARITY) + maxAckDelay;
  }

  /** How long to wait for an acknowledgement before probing, without backoff. */
  probeDelay(maxAckDelay: Duration): Duration {
    // Before anything is measured, the assumption needs all the room that it gives.
    if (!this.#hasSample) return this.probeTimeout(maxAckDelay);
    // Deviates from RFC 9002 §6.2.1: twice the variation, so that the end of a transfer is probed after two round trips
    // even when only one was measured; RFC 8985 §7.2 waits as long.
    return this.#smoothed + Math.max(PROBE_VARIANCE_WEIGHT * this.#variance, GRANULARITY) + maxAckDelay;
  }

  /** Whether anything was measured yet; before that the smoothed value is an assumption. */
  get hasSample(): boolean {
    return this.#hasSample;
  }

  /** The newest sample, 0 before the first. */
  get latest(): Duration {
    return this.#latest;
  }

  /** The newest sample without the time for which the peer held the acknowledgement back (adjusted_rtt). */
  get adjusted(): Duration {
    return this.#adjusted;
  }

  /** The smallest sample, 0 before the first. */
  get min(): Duration {
    return this.#min;
  }

  /** The moving average. */
  get smoothed(): Duration {
    return this.#smoothed;
  }

  /** The mean deviation from the moving average. */
  get variance(): Duration {
    return this.#variance;
  }
}
