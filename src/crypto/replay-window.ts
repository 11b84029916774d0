/**
 * Which packet numbers have been accepted (RFC 6479 §2).
 *
 * A bitmap of the newest numbers, in blocks of 32. Numbers beyond the window are taken as seen. The map starts with one
 * block and grows only while numbers are missing in its oldest block: a connection without loss stays at the smallest
 * size, one with much reordering reaches the whole window.
 *
 * @module
 */

// Implementation

/** Numbers in one block: what one element of the map holds. */
const BLOCK_BITS = 32;

const FULL_BLOCK = 0xffff_ffff;

/** Blocks at the start: enough for ordinary reordering of a few packets. */
const INITIAL_BLOCKS = 2;

/** Accepts each number once, as long as it is less than `size` below the highest. */
export class ReplayWindow {
  readonly #size: number;
  readonly #maxBlocks: number;
  /** A ring of blocks; the block of the lowest numbers is at `#head`. */
  #ring: Uint32Array;
  #head = 0;
  /** Blocks in use. */
  #count = 1;
  /** Index of the block at `#head`: it begins with number `#firstBlock * BLOCK_BITS`. */
  #firstBlock: number;
  #highest: number;

  /** Takes numbers from `first` on. `size` is a multiple of 32. */
  constructor(size: number, first = 0) {
    this.#size = size;
    this.#highest = first - 1;
    this.#firstBlock = Math.floor(first / BLOCK_BITS);
    // One more than the size: the window seldom begins and ends on the border of a block.
    this.#maxBlocks = size / BLOCK_BITS + 1;
    this.#ring = new Uint32Array(Math.min(INITIAL_BLOCKS, this.#maxBlocks));
  }

  /** Whether {@link accept} would take `number`. */
  isFresh(number: number): boolean {
    if (number > this.#highest) return true;
    if (number <= this.#highest - this.#size) return false;
    const block = Math.floor(number / BLOCK_BITS) - this.#firstBlock;
    return block >= 0 && (this.#ring[this.#slot(block)]! & (1 << (number % BLOCK_BITS))) === 0;
  }

  /** Command: marks `number` as seen. False if it already was, or is too old to tell. */
  accept(number: number): boolean {
    if (!this.isFresh(number)) return false;
    if (number > this.#highest) this.#advance(number);
    const slot = this.#slot(Math.floor(number / BLOCK_BITS) - this.#firstBlock);
    this.#ring[slot] = this.#ring[slot]! | (1 << (number % BLOCK_BITS));
    return true;
  }

  /** Highest number accepted; one below the first expected before that, so −1 as a rule. */
  get highest(): number {
    return this.#highest;
  }

  /** Bytes of the map. */
  get byteLength(): number {
    return this.#ring.byteLength;
  }

  /** Makes room for `number`, the new highest. */
  #advance(number: number): void {
    this.#highest = number;
    const block = Math.floor(number / BLOCK_BITS);
    const oldest = Math.max(0, Math.floor((number - this.#size + 1) / BLOCK_BITS));
    while (this.#count > 0 && this.#firstBlock < oldest) this.#drop();
    if (this.#count === 0) this.#firstBlock = oldest;
    while (this.#firstBlock + this.#count <= block) {
      if (this.#count === this.#ring.length) {
        // A block without a missing number says no more than a block that is gone.
        if (this.#ring[this.#head] === FULL_BLOCK) this.#drop();
        else this.#grow();
      }
      this.#ring[this.#slot(this.#count)] = 0;
      this.#count += 1;
    }
  }

  #drop(): void {
    this.#head = this.#slot(1);
    this.#firstBlock += 1;
    this.#count -= 1;
  }

  #grow(): void {
    const ring = new Uint32Array(Math.min(this.#maxBlocks, 2 * this.#ring.length));
    for (let i = 0; i < this.#count; i++) ring[i] = this.#ring[this.#slot(i)]!;
    this.#ring = ring;
    this.#head = 0;
  }

  /** Place in the ring of the block `index` places after the first. */
  #slot(index: number): number {
    const slot = this.#head + index;
    return slot < this.#ring.length ? slot : slot - this.#ring.length;
  }
}
