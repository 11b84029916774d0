/**
 * Persistent congestion: everything that was sent over a long enough time is lost (RFC 9002 §7.6).
 *
 * @module
 */
import type { Duration, Instant } from "../util/time.ts";

// Specification

/** Probe timeouts that a period of total loss must last (RFC 9002 §7.6.1). */
export const PERSISTENT_CONGESTION_THRESHOLD = 3;

/**
 * Follows runs of lost packets. The owner reports the fate of every packet once, in the order of sending; a run may
 * therefore stretch over several rounds of loss detection.
 */
export class PersistentCongestion {
  #runStartedAt: Instant | undefined;
  #longestRun: Duration = 0;

  /** Input: a new round of loss detection begins. */
  onRoundStart(): void {
    this.#longestRun = 0;
  }

  /** Input: the next packet was acknowledged, or a packet of the run arrived after all. */
  onAcked(): void {
    // RFC 9002 §7.6.2: none of the packets sent between the two lost ones is acknowledged.
    this.#runStartedAt = undefined;
  }

  /** Input: the next packet is lost. It makes the peer acknowledge, and was sent after the first round-trip sample. */
  onLost(sentAt: Instant): void {
    if (this.#runStartedAt === undefined) this.#runStartedAt = sentAt;
    else this.#longestRun = Math.max(this.#longestRun, sentAt - this.#runStartedAt);
  }

  /** Input: the run has led to the reaction that it calls for; the next begins with the next lost packet. */
  onDeclared(): void {
    this.#runStartedAt = undefined;
    this.#longestRun = 0;
  }

  /** Whether this round established persistent congestion. `probeTimeout` is without backoff, with max_ack_delay. */
  isEstablished(probeTimeout: Duration): boolean {
    // RFC 9002 §7.6.1: the duration is exceeded, not just reached.
    return this.#longestRun > probeTimeout * PERSISTENT_CONGESTION_THRESHOLD;
  }
}
