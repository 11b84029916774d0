/**
 * When to probe, and how often (RFC 9002 §6.2).
 *
 * The loss detector decides whether the timer runs at all, and says what an expiry means.
 *
 * @module
 */
import { after, type Duration, type Instant } from "../util/time.ts";

// Specification

/** Packets that may be sent at a probe timeout whatever the congestion window says (RFC 9002 §6.2.4). */
export const MAX_PROBES = 2;

// Implementation

/**
 * Longest pause between probes, in ms. Backoff without end would leave a path that comes back after a long outage unused
 * for as long as it was gone; two packets in 2 s are no load, and at 30 % loss fifteen probes within the linger
 * time of 30 s all fail less often than once in a million.
 */
export const MAX_PROBE_INTERVAL: Duration = 2_000;

/** Doublings that are counted: 2^16 times the smallest possible probe timeout is above the longest pause. */
const MAX_BACKOFF_EXPONENT = 16;

/** The probe timer of one path. */
export class ProbeTimer {
  /** The newest ack-eliciting packet or the last expiry. */
  #startedAt = 0 as Instant;
  #count = 0;
  #pending = 0;

  /** Input: an ack-eliciting packet was sent. */
  onElicitingSent(now: Instant): void {
    // RFC 9002 §6.2.1: the timer restarts with every ack-eliciting packet.
    this.#startedAt = now;
    if (this.#pending > 0) this.#pending -= 1;
  }

  /** Input: something was acknowledged for the first time. */
  onAcked(): void {
    // RFC 9002 §6.2.1: an acknowledgement ends the backoff.
    this.#count = 0;
    this.#pending = 0;
  }

  /** Input: the peer was heard after a silence: the path is there again, and the next probe need not wait for its turn. */
  onSilenceBroken(): void {
    // Deviates from RFC 9002 §6.2.1: the backoff ends although nothing was acknowledged.
    this.#count = 0;
  }

  /** Input: the timer has expired. */
  onExpired(now: Instant): void {
    this.#count += 1;
    this.#pending = MAX_PROBES;
    this.#startedAt = now;
  }

  /** Command: starts the timer over, without an expiry. */
  restart(now: Instant): void {
    this.#startedAt = now;
  }

  /** Output: when the timer expires. `delay` is without backoff. */
  expiresAt(delay: Duration): Instant {
    // Deviates from RFC 9002 §6.2.1: the pause between probes stops doubling at MAX_PROBE_INTERVAL.
    const longest = Math.max(delay, MAX_PROBE_INTERVAL);
    return after(this.#startedAt, Math.min(delay * 2 ** Math.min(this.#count, MAX_BACKOFF_EXPONENT), longest));
  }

  /** Expiries since the last acknowledgement. */
  get count(): number {
    return this.#count;
  }

  /** Probes that are still to be sent. */
  get pending(): number {
    return this.#pending;
  }
}
