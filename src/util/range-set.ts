/**
 * A set of non-negative integers, kept as few half-open ranges.
 *
 * Acknowledgements, send buffers and reassembly all keep such sets. Ranges lie ascending in one flat array
 * `[start0, end0, start1, end1, …]`; they never touch, overlap or are empty. Look-ups are a binary search.
 *
 * @module
 */

/** A set of integers as sorted, disjoint ranges `[start, end)`. */
export class RangeSet {
  readonly #bounds: number[] = [];
  readonly #maxRanges: number;

  /** `maxRanges` bounds the memory: beyond it the lowest range is forgotten. */
  constructor(maxRanges = Number.POSITIVE_INFINITY) {
    this.#maxRanges = maxRanges;
  }

  /** Command: adds all integers in `[start, end)`; nothing if that is empty. */
  add(start: number, end: number): void {
    if (start >= end) return;
    const bounds = this.#bounds;
    const length = bounds.length;
    // Fast path: numbers mostly arrive in order, so they start or extend the highest range.
    if (length === 0 || start > bounds[length - 1]!) {
      bounds.push(start, end);
      this.#enforceCap();
      return;
    }
    if (start >= bounds[length - 2]!) {
      if (end > bounds[length - 1]!) bounds[length - 1] = end;
      return;
    }
    this.#merge(start, end);
  }

  /** Command: removes all integers in `[start, end)`. This may split a range, and so reach `maxRanges`. */
  remove(start: number, end: number): void {
    const bounds = this.#bounds;
    if (start >= end) return;
    const from = this.#firstEndingAfter(start);
    const to = this.#firstStartingAtOrAfter(end);
    if (from >= to) return;
    const head = bounds[from]!;
    const tail = bounds[to - 1]!;
    const keepsHead = head < start;
    const keepsTail = tail > end;
    if (keepsHead && keepsTail && to - from === 2) {
      this.#insert(from + 1, start, end);
      this.#enforceCap();
      return;
    }
    let low = from;
    let high = to;
    if (keepsHead) {
      bounds[from + 1] = start;
      low += 2;
    }
    if (keepsTail) {
      bounds[to - 2] = end;
      high -= 2;
    }
    if (low < high) this.#cut(low, high - low);
  }

  /** Command: removes all integers. */
  clear(): void {
    this.#bounds.length = 0;
  }

  /** Whether `value` is in the set. */
  contains(value: number): boolean {
    const index = this.#firstEndingAfter(value);
    return index < this.#bounds.length && this.#bounds[index]! <= value;
  }

  /** Whether all of `[start, end)` is in the set; true if that is empty. */
  containsRange(start: number, end: number): boolean {
    if (start >= end) return true;
    const index = this.#firstEndingAfter(start);
    return index < this.#bounds.length && this.#bounds[index]! <= start && this.#bounds[index + 1]! >= end;
  }

  /** Index of the first range that ends after `value`, that is, contains it or lies above; {@link rangeCount} if none. */
  indexOfRangeAfter(value: number): number {
    return this.#firstEndingAfter(value) / 2;
  }

  /** First integer of the range at `index`, counted upwards from 0. */
  start(index: number): number {
    return this.#bounds[2 * index]!;
  }

  /** The integer after the last one of the range at `index`, counted upwards from 0. */
  end(index: number): number {
    return this.#bounds[2 * index + 1]!;
  }

  /** Number of ranges. */
  get rangeCount(): number {
    return this.#bounds.length / 2;
  }

  /** Whether the set is empty. */
  get isEmpty(): boolean {
    return this.#bounds.length === 0;
  }

  /** The lowest integer in the set. */
  get first(): number | undefined {
    return this.#bounds[0];
  }

  /** The highest integer in the set. */
  get last(): number | undefined {
    const length = this.#bounds.length;
    return length === 0 ? undefined : this.#bounds[length - 1]! - 1;
  }

  /** Adds a range that starts below the highest one. */
  #merge(start: number, end: number): void {
    const bounds = this.#bounds;
    // Ranges that touch the new one melt into it: those from `from` to `to`.
    const from = this.#firstEndingAtOrAfter(start);
    const to = this.#firstStartingAfter(end);
    if (from === to) {
      this.#insert(from, start, end);
      this.#enforceCap();
      return;
    }
    if (start < bounds[from]!) bounds[from] = start;
    bounds[from + 1] = Math.max(end, bounds[to - 1]!);
    if (to - from > 2) this.#cut(from + 2, to - from - 2);
  }

  /** Forgets the lowest range if there is one too many. */
  #enforceCap(): void {
    if (this.#bounds.length > 2 * this.#maxRanges) this.#cut(0, 2);
  }

  /** Offset in the array of the first range whose end is above `value`. */
  #firstEndingAfter(value: number): number {
    return this.#search(value, 1);
  }

  /** Offset in the array of the first range whose end is at least `value`. */
  #firstEndingAtOrAfter(value: number): number {
    return this.#search(value - 1, 1);
  }

  /** Offset in the array of the first range whose start is above `value`. */
  #firstStartingAfter(value: number): number {
    return this.#search(value, 0);
  }

  /** Offset in the array of the first range whose start is at least `value`. */
  #firstStartingAtOrAfter(value: number): number {
    return this.#search(value - 1, 0);
  }

  /** Offset of the first range whose bound (0 start, 1 end) is above `value`. */
  #search(value: number, bound: 0 | 1): number {
    const bounds = this.#bounds;
    let low = 0;
    let high = bounds.length >> 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (bounds[2 * middle + bound]! > value) high = middle;
      else low = middle + 1;
    }
    return 2 * low;
  }

  /** Inserts two numbers at `offset`. Plain loops: on arrays as short as ours, built-in methods are many times slower. */
  #insert(offset: number, first: number, second: number): void {
    const bounds = this.#bounds;
    bounds.push(first, second);
    for (let i = bounds.length - 1; i >= offset + 2; i--) bounds[i] = bounds[i - 2]!;
    bounds[offset] = first;
    bounds[offset + 1] = second;
  }

  /** Removes `count` numbers at `offset`. */
  #cut(offset: number, count: number): void {
    const bounds = this.#bounds;
    const length = bounds.length - count;
    for (let i = offset; i < length; i++) bounds[i] = bounds[i + count]!;
    bounds.length = length;
  }
}
