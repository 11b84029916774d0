/**
 * HyStart++: leaves slow start when round trips take longer, before the queue overflows (RFC 9406 §4).
 *
 * Theory of operation. Slow start is cut into rounds: one ends when a packet that was sent in it is acknowledged. Where
 * the shortest round trip of a round exceeds that of the round before by an eighth, a queue is building up. Growth then
 * slows down to a quarter (conservative slow start, CSS). If the round trip becomes shorter again, it was jitter, and slow
 * start goes on; if that does not happen for five rounds, slow start is over.
 *
 * Bursts are the pacer's business, so growth is not limited for each acknowledgement (L = infinity, RFC 9406 §4.3). One
 * acknowledgement gives one sample at most, however many packets it covers; whoever lowers the number of acknowledgements
 * must leave eight for each round.
 *
 * @module
 */
import type { Duration } from "../util/time.ts";

// Specification

/** Increase of the round-trip time that always counts as jitter, in ms (RFC 9406 §4.3). */
const MIN_RTT_THRESHOLD: Duration = 4;

/** Increase that never does, in ms (RFC 9406 §4.3). */
const MAX_RTT_THRESHOLD: Duration = 16;

/** In between, this part of the round trip is tolerated (RFC 9406 §4.3). */
const MIN_RTT_DIVISOR = 8;

/** Samples after which the minimum of a round is believed (RFC 9406 §4.3). */
const SAMPLES_NEEDED = 8;

/** Conservative slow start grows by this part of what slow start would (RFC 9406 §4.3). */
const CSS_GROWTH_DIVISOR = 4;

/** Rounds of conservative slow start, the one in which it begins included (RFC 9406 §4.3). */
const CSS_ROUNDS = 5;

/** Watches the initial slow start; see the module's theory of operation. */
export class HyStart {
  /** Number of the next packet: SND.NXT. */
  #nextNumber = 0;
  /** The round ends when a packet with this number or a later one is acknowledged. */
  #roundEnd = 0;
  #lastMin: Duration = Number.POSITIVE_INFINITY;
  #currentMin: Duration = Number.POSITIVE_INFINITY;
  #samples = 0;
  /** The round's minimum when conservative slow start began; `undefined` outside of it. */
  #baseline: Duration | undefined;
  #conservativeRounds = 0;
  #isDone = false;

  /** Input: a packet left. */
  onPacketSent(packetNumber: number): void {
    this.#nextNumber = packetNumber + 1;
  }

  /** Input: an acknowledgement that is new up to this number, and the sample it gave, if any, in ms. */
  onAck(largestAcked: number, rtt: Duration | undefined): void {
    if (largestAcked >= this.#roundEnd) this.#beginRound();
    if (rtt === undefined || this.#isDone) return;
    // RFC 9406 §4.2: the minimum of the round, and the number of samples that it is out of.
    this.#currentMin = Math.min(this.#currentMin, rtt);
    this.#samples += 1;
    if (this.#samples < SAMPLES_NEEDED) return;
    if (this.#baseline === undefined) this.#checkIncrease();
    // RFC 9406 §4.2: a shorter round trip than at the beginning shows that there was no reason to slow down.
    else if (this.#currentMin < this.#baseline) this.#baseline = undefined;
  }

  /** Output: what the window grows by for so many acknowledged bytes. */
  growth(bytes: number): number {
    // RFC 9406 §4.2.
    return this.isConservative ? bytes / CSS_GROWTH_DIVISOR : bytes;
  }

  /** Whether a queue seems to build up. */
  get isConservative(): boolean {
    return this.#baseline !== undefined;
  }

  /** Whether slow start is over. */
  get isDone(): boolean {
    return this.#isDone;
  }

  #beginRound(): void {
    this.#roundEnd = this.#nextNumber;
    this.#lastMin = this.#currentMin;
    this.#currentMin = Number.POSITIVE_INFINITY;
    this.#samples = 0;
    if (this.#baseline === undefined) return;
    // RFC 9406 §4.2: the part of a round in which it began counts as one.
    this.#conservativeRounds += 1;
    this.#isDone = this.#conservativeRounds >= CSS_ROUNDS;
  }

  #checkIncrease(): void {
    if (this.#lastMin === Number.POSITIVE_INFINITY) return;
    // RFC 9406 §4.2: RttThresh, and the comparison with the round before.
    const tolerated = Math.min(this.#lastMin / MIN_RTT_DIVISOR, MAX_RTT_THRESHOLD);
    if (this.#currentMin < this.#lastMin + Math.max(MIN_RTT_THRESHOLD, tolerated)) return;
    this.#baseline = this.#currentMin;
    this.#conservativeRounds = 0;
  }
}
