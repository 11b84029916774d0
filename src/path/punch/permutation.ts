/**
 * A random order of the ports of a pool, drawn one by one and without repetition.
 *
 * Theory of operation. This is the shuffle of Fisher and Yates, which exchanges the next element with a random later one,
 * on a sparse array: only positions that an exchange has changed are stored, so it costs what is drawn, not what there is.
 *
 * @module
 */
import type { PortPool } from "./plan.ts";

// Implementation

/** Bytes asked of the generator at a time: one draw takes four. */
const RANDOM_BATCH = 256;

/** See the module. */
export class PortPermutation {
  readonly #pool: PortPool;
  readonly #random: (size: number) => Uint8Array;
  /** Positions whose port is not the one that it began with. */
  readonly #moved = new Map<number, number>();
  #drawn = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #used = 0;

  constructor(pool: PortPool, random: (size: number) => Uint8Array) {
    this.#pool = pool;
    this.#random = random;
  }

  /** The next port, `undefined` when all have been drawn. */
  next(): number | undefined {
    const { first, size } = this.#pool;
    if (this.#drawn >= size) return undefined;
    const position = this.#drawn;
    const other = position + Math.floor(this.#fraction() * (size - position));
    const offset = this.#moved.get(other) ?? other;
    this.#moved.set(other, this.#moved.get(position) ?? position);
    this.#moved.delete(position);
    this.#drawn += 1;
    return first + offset;
  }

  /** A number in [0, 1) with 32 random bits: the pool is so small beside them that no port is favoured noticeably. */
  #fraction(): number {
    if (this.#used + 4 > this.#bytes.length) {
      this.#bytes = this.#random(RANDOM_BATCH);
      this.#used = 0;
    }
    const [a, b, c, d] = this.#bytes.subarray(this.#used, this.#used + 4) as unknown as [
      number,
      number,
      number,
      number,
    ];
    this.#used += 4;
    return (((a << 24) | (b << 16) | (c << 8) | d) >>> 0) / 2 ** 32;
  }
}
