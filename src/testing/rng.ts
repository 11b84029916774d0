/**
 * The one source of chance in a simulation: a seeded generator with named sub-streams.
 *
 * The generator is xoshiro128** (Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators"), which is fast
 * on 32-bit integers and passes the usual statistical batteries. A sub-stream depends only on the seed and on its label,
 * never on how much was drawn before: a new draw in one place leaves all others as they were.
 *
 * Not for secrets.
 *
 * @module
 */

/** A seeded generator of numbers and bytes. */
export class Rng {
  readonly #path: string;
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** The same `seed` gives the same sequence, forever and everywhere. */
  constructor(seed: number | string) {
    this.#path = String(seed);
    [this.#a, this.#b, this.#c, this.#d] = stateFrom(this.#path);
  }

  /** The sub-stream named `label`: independent of this one and of everything drawn from it. */
  fork(label: string): Rng {
    return new Rng(`${this.#path}/${label}`);
  }

  /** The next `size` bytes. Bound, so that it can be handed to a machine as its `random`. */
  readonly random = (size: number): Uint8Array => {
    const bytes = new Uint8Array(size);
    let word = 0;
    for (let i = 0; i < size; i++) {
      if ((i & 3) === 0) word = this.u32();
      bytes[i] = word;
      word >>>= 8;
    }
    return bytes;
  };

  /** The next integer in [0, 2^32). */
  u32(): number {
    const result = Math.imul(rotateLeft(Math.imul(this.#b, 5), 7), 9);
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = rotateLeft(this.#d, 11);
    return result >>> 0;
  }

  /** The next number in [0, 1). */
  float(): number {
    return this.u32() / 2 ** 32;
  }

  /** Whether an event of this `probability` happens. */
  chance(probability: number): boolean {
    return this.float() < probability;
  }

  /** The next number in [low, high). */
  between(low: number, high: number): number {
    return low + this.float() * (high - low);
  }

  /** The next integer in [low, high). */
  integer(low: number, high: number): number {
    return low + Math.floor(this.float() * (high - low));
  }

  /** One of `items`, each with the same probability. @throws RangeError if there is none. */
  pick<Item>(items: readonly Item[]): Item {
    if (items.length === 0) throw new RangeError("nothing to pick from");
    return items[this.integer(0, items.length)] as Item;
  }
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

/** Four well-mixed words from a text: FNV-1a, then four steps of splitmix32. */
function stateFrom(text: string): [number, number, number, number] {
  let hash = 0x811c9dc5;
  let second = 0x9747b28c;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    second = rotateLeft(Math.imul(second ^ text.charCodeAt(i), 0x5bd1e995), 13);
  }
  const state: [number, number, number, number] = [0, 0, 0, 0];
  for (let i = 0; i < 4; i++) {
    hash = (hash + 0x9e3779b9) | 0;
    let word = hash ^ rotateLeft(second, 8 * i);
    word = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
    state[i] = word ^ (word >>> 15);
  }
  // The all-zero state is the only one that the generator never leaves.
  if ((state[0] | state[1] | state[2] | state[3]) === 0) state[0] = 1;
  return state;
}
