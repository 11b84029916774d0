/**
 * A bounded queue between a source that cannot wait and one consumer that iterates.
 *
 * @module
 */

type Waiter<T> = (result: IteratorResult<T, undefined>) => void;

const DONE = { done: true, value: undefined } as const;

/** Values in order of arrival, taken by `for await`. Leaving the loop ends the iteration, not the queue. */
export class AsyncQueue<T> implements AsyncIterable<T> {
  readonly #capacity: number;
  readonly #onTaken: ((value: T) => void) | undefined;
  #values: T[] = [];
  #waiters: Waiter<T>[] = [];
  #isEnded = false;

  /**
   * @param capacity Values held for a consumer that is not there; at least 1.
   * @param onTaken Called with each value that a consumer gets.
   */
  constructor(capacity: number, onTaken?: (value: T) => void) {
    this.#capacity = capacity;
    this.#onTaken = onTaken;
  }

  /** Command: adds a value; false if the queue is full or ended, and the value was not taken. */
  push(value: T): boolean {
    if (this.#isEnded) return false;
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) {
      this.#onTaken?.(value);
      waiter({ done: false, value });
      return true;
    }
    if (this.#values.length >= this.#capacity) return false;
    this.#values.push(value);
    return true;
  }

  /** Command: takes the oldest value without waiting. */
  shift(): T | undefined {
    return this.#values.shift();
  }

  /** Command: takes a value out of the queue, wherever it is. */
  remove(value: T): void {
    const index = this.#values.indexOf(value);
    if (index !== -1) this.#values.splice(index, 1);
  }

  /** Command: no more values come. Those in the queue can still be taken. */
  end(): void {
    this.#isEnded = true;
    for (const waiter of this.#waiters.splice(0)) waiter(DONE);
  }

  /** Values that nobody has taken yet. */
  get size(): number {
    return this.#values.length;
  }

  /** Whether {@link end} was called. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<T> {
    const pending: Waiter<T>[] = [];
    let isLeft = false;
    const iterator: AsyncIterableIterator<T> = {
      next: () => (isLeft ? Promise.resolve(DONE) : this.#next(pending)),
      return: () => {
        isLeft = true;
        // Whoever still waits here must not swallow a value that belongs to another iteration.
        this.#waiters = this.#waiters.filter((waiter) => !pending.includes(waiter));
        for (const waiter of pending.splice(0)) waiter(DONE);
        return Promise.resolve(DONE);
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  #next(pending: Waiter<T>[]): Promise<IteratorResult<T, undefined>> {
    if (this.#values.length > 0) {
      const value = this.#values.shift()!;
      this.#onTaken?.(value);
      return Promise.resolve({ done: false, value });
    }
    if (this.#isEnded) return Promise.resolve(DONE);
    return new Promise((resolve) => {
      const waiter: Waiter<T> = (result) => {
        const index = pending.indexOf(waiter);
        if (index !== -1) pending.splice(index, 1);
        resolve(result);
      };
      pending.push(waiter);
      this.#waiters.push(waiter);
    });
  }
}
