/**
 * Which packet numbers are given up on purpose, so that a peer which acknowledges what it cannot have received is caught
 * (RFC 9000 §21.4).
 *
 * Theory of operation. A receiver that acknowledges ahead of what arrives makes the sender go faster than the path. It
 * cannot know which numbers were never sent, and in the long run acknowledges one of them. Each gap costs the honest peer
 * a range in its acknowledgements and one acknowledgement at once, so gaps are rare: the first within some hundred
 * packets, later ones twice as far apart each time. A probe timeout gives up a number as well (RFC 9002 §6.2.4): a peer
 * that falls silent and then acknowledges at a guess is caught by it.
 *
 * @module
 */

// Implementation

/** Packets until the first number is given up, at least; at most twice as many. A short exchange has no gap. */
const FIRST_INTERVAL = 256;

/** Packets between two gaps at most, doubled at random: a second at 1 Gbit/s, ten at 100 Mbit/s. */
const LAST_INTERVAL = 65_536;

/** Says when to give up a number; see the module's theory of operation. */
export class SkippedNumbers {
  readonly #random: () => number;
  #interval = FIRST_INTERVAL;
  /** Chosen when it is first asked for. */
  #nextAt: number | undefined;
  #isProbing = false;

  /** `random` yields numbers in [0, 1) that the peer cannot guess. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Input: a probe timeout has passed. */
  onProbeTimeout(): void {
    this.#isProbing = true;
  }

  /** Output: whether `packetNumber`, which would be the next, should be given up. True once for each gap. */
  takeDue(packetNumber: number): boolean {
    this.#nextAt ??= packetNumber + this.#draw();
    if (this.#isProbing) {
      this.#isProbing = false;
      return true;
    }
    if (packetNumber < this.#nextAt) return false;
    this.#interval = Math.min(this.#interval * 2, LAST_INTERVAL);
    this.#nextAt = packetNumber + this.#draw();
    return true;
  }

  #draw(): number {
    return this.#interval + Math.floor(this.#random() * this.#interval);
  }
}
