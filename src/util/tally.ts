/**
 * How many there are of each.
 *
 * @module
 */

/** Counts by key; a key whose count is zero is forgotten. */
export class Tally<Key> {
  readonly #counts = new Map<Key, number>();

  /** Command: one more of `key`. */
  add(key: Key): void {
    this.#counts.set(key, this.of(key) + 1);
  }

  /** Command: one less of `key`. */
  remove(key: Key): void {
    const count = this.of(key) - 1;
    if (count > 0) this.#counts.set(key, count);
    else this.#counts.delete(key);
  }

  /** How many there are of `key`. */
  of(key: Key): number {
    return this.#counts.get(key) ?? 0;
  }

  /** Number of keys of which there are any. */
  get size(): number {
    return this.#counts.size;
  }
}
