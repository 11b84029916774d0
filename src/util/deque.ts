/**
 * A queue with two ends, in one ring that grows and shrinks with its contents.
 *
 * @module
 */

// Implementation

/** Places in a new ring; small, because most queues of an idle connection are empty. */
const MIN_CAPACITY = 8;

/** Items in order; both ends are reached in O(1), amortised. */
export class Deque<Item> {
  /** Length is a power of two, so that an index is wrapped by a mask. */
  #ring: (Item | undefined)[] = [];
  #head = 0;
  #length = 0;

  /** Command: appends at the end. */
  push(item: Item): void {
    if (this.#length === this.#ring.length) this.#resize(this.#length * 2);
    this.#ring[(this.#head + this.#length) & (this.#ring.length - 1)] = item;
    this.#length += 1;
  }

  /** Command: inserts before the first item. */
  unshift(item: Item): void {
    if (this.#length === this.#ring.length) this.#resize(this.#length * 2);
    this.#head = (this.#head - 1) & (this.#ring.length - 1);
    this.#ring[this.#head] = item;
    this.#length += 1;
  }

  /** Command: removes the first item and returns it. */
  shift(): Item | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#ring[this.#head];
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#length -= 1;
    this.#shrink();
    return item;
  }

  /** Command: removes the last item and returns it. */
  pop(): Item | undefined {
    if (this.#length === 0) return undefined;
    this.#length -= 1;
    const index = (this.#head + this.#length) & (this.#ring.length - 1);
    const item = this.#ring[index];
    this.#ring[index] = undefined;
    this.#shrink();
    return item;
  }

  /** Command: removes all items and gives back the memory. */
  clear(): void {
    this.#ring = [];
    this.#head = 0;
    this.#length = 0;
  }

  /** The item at `index`, counted from the first; `undefined` outside. */
  at(index: number): Item | undefined {
    if (index < 0 || index >= this.#length) return undefined;
    return this.#ring[(this.#head + index) & (this.#ring.length - 1)];
  }

  /** The first item. */
  get first(): Item | undefined {
    return this.at(0);
  }

  /** The last item. */
  get last(): Item | undefined {
    return this.at(this.#length - 1);
  }

  /** Number of items. */
  get length(): number {
    return this.#length;
  }

  /** Halves a ring that is an eighth full: growing again costs no more than what was removed. */
  #shrink(): void {
    const capacity = this.#ring.length;
    if (capacity > MIN_CAPACITY && this.#length <= capacity / 8) this.#resize(capacity / 2);
  }

  #resize(capacity: number): void {
    const old = this.#ring;
    const ring: (Item | undefined)[] = new Array(Math.max(capacity, MIN_CAPACITY)).fill(undefined);
    for (let i = 0; i < this.#length; i++) ring[i] = old[(this.#head + i) & (old.length - 1)];
    this.#ring = ring;
    this.#head = 0;
  }
}
