/**
 * Which ephemeral keys of initiators have been answered, so that a replayed first message opens nothing.
 *
 * Two generations: when the younger is full or ten minutes old it becomes the older, and the older is forgotten. No
 * clock of the peer is involved, so no clock can lock a peer out.
 *
 * @module
 */
import type { Duration, Instant } from "../util/time.ts";

// Specification

/** Keys in one generation (spec/handshake.md): an hour at the sustained rate that one source is allowed. */
const GENERATION_SIZE = 16_384;

/** Longest time that a generation stays the younger one, in ms. */
const GENERATION_LIFETIME: Duration = 600_000;

/** A bounded memory of 48-bit fingerprints. */
export class SeenHandshakes {
  #young = new Set<number>();
  #old = new Set<number>();
  #turnedAt: Instant | undefined;

  /** Command: remembers a fingerprint. */
  add(fingerprint: number, now: Instant): void {
    this.#turnedAt ??= now;
    if (this.#young.size >= GENERATION_SIZE || now - this.#turnedAt >= GENERATION_LIFETIME) {
      this.#old = this.#young;
      this.#young = new Set();
      this.#turnedAt = now;
    }
    this.#young.add(fingerprint);
  }

  /** Whether the fingerprint is remembered. */
  has(fingerprint: number): boolean {
    return this.#young.has(fingerprint) || this.#old.has(fingerprint);
  }
}
