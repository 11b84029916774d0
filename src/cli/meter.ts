/**
 * Counts payload and its timing for progress and summary.
 *
 * @module
 */
import { epochNow } from "./events.ts";

/** What went through one connection so far. */
export class Meter {
  #sent = 0;
  #received = 0;
  #firstByteAt: number | undefined;
  #lastByteAt: number | undefined;
  #longestPause = 0;
  #sampledAt = epochNow();
  #sampledBytes = 0;

  /** Input: the transport took payload bytes from us. */
  onSent(bytes: number): void {
    this.#sent += bytes;
    this.#onMoved();
  }

  /** Input: payload bytes came from the peer. */
  onReceived(bytes: number): void {
    this.#received += bytes;
    this.#onMoved();
  }

  /** Output: bytes per second in both directions since the last call. */
  takeRate(): number {
    const now = epochNow();
    const elapsed = now - this.#sampledAt;
    const bytes = this.#sent + this.#received;
    const rate = elapsed > 0 ? ((bytes - this.#sampledBytes) * 1000) / elapsed : 0;
    this.#sampledAt = now;
    this.#sampledBytes = bytes;
    return rate;
  }

  get sent(): number {
    return this.#sent;
  }

  get received(): number {
    return this.#received;
  }

  /** When payload moved first, in milliseconds since the Unix epoch. */
  get firstByteAt(): number | undefined {
    return this.#firstByteAt;
  }

  /** When payload moved last. */
  get lastByteAt(): number | undefined {
    return this.#lastByteAt;
  }

  /** Longest time between two moves of payload, in milliseconds. */
  get longestPause(): number {
    return this.#longestPause;
  }

  #onMoved(): void {
    const now = epochNow();
    this.#firstByteAt ??= now;
    if (this.#lastByteAt !== undefined) this.#longestPause = Math.max(this.#longestPause, now - this.#lastByteAt);
    this.#lastByteAt = now;
  }
}
