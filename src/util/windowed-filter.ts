/**
 * The greatest or smallest of recent samples, in constant memory.
 *
 * Kathleen Nichols' algorithm: it keeps the best sample of the window and the best ones that came after it, each from a
 * later part of the window, so that one is ready when the best expires. The result is always a sample of the window and
 * never worse than the best of its last half; when the best expires, the next best may have been passed over for a
 * younger one. "Time" is any number that never decreases: ms, rounds, or cycles.
 *
 * @module
 */

/** Tracks the extreme value of the samples of the last `window` units of time. */
export class WindowedFilter {
  /** +1 for the greatest, −1 for the smallest. */
  readonly #sign: 1 | -1;
  readonly #window: number;
  #isEmpty = true;
  #best = 0;
  #bestAt = 0;
  #second = 0;
  #secondAt = 0;
  #third = 0;
  #thirdAt = 0;

  constructor(kind: "max" | "min", window: number) {
    this.#sign = kind === "max" ? 1 : -1;
    this.#window = window;
  }

  /** Input: a sample taken at `at`. */
  update(value: number, at: number): void {
    // Inside, values are compared as a maximum.
    const sample = value * this.#sign;
    if (this.#isEmpty || sample >= this.#best || at - this.#thirdAt > this.#window) {
      this.#reset(sample, at);
      return;
    }
    if (sample >= this.#second) {
      this.#second = this.#third = sample;
      this.#secondAt = this.#thirdAt = at;
    } else if (sample >= this.#third) {
      this.#third = sample;
      this.#thirdAt = at;
    }
    this.#age(sample, at);
  }

  /** Command: forgets all samples. */
  reset(): void {
    this.#isEmpty = true;
  }

  /** The extreme value of the window, or `undefined` before the first sample. */
  get value(): number | undefined {
    return this.#isEmpty ? undefined : this.#best * this.#sign;
  }

  #reset(sample: number, at: number): void {
    this.#isEmpty = false;
    this.#best = this.#second = this.#third = sample;
    this.#bestAt = this.#secondAt = this.#thirdAt = at;
  }

  /** Promotes the runners-up when the best leaves the window, and renews them when they date from too early a part. */
  #age(sample: number, at: number): void {
    if (at - this.#bestAt > this.#window) {
      this.#promote(sample, at);
      if (at - this.#bestAt > this.#window) this.#promote(sample, at);
      return;
    }
    if (this.#secondAt === this.#bestAt && at - this.#bestAt > this.#window / 4) {
      // A quarter of the window passed without a second choice. The third may be younger, and then it is better than this.
      const hasYounger = this.#thirdAt > this.#secondAt;
      this.#second = hasYounger ? this.#third : sample;
      this.#secondAt = hasYounger ? this.#thirdAt : at;
      this.#third = sample;
      this.#thirdAt = at;
    } else if (this.#thirdAt === this.#secondAt && at - this.#secondAt > this.#window / 2) {
      // Half of the window passed without a third choice: take one from the last half.
      this.#third = sample;
      this.#thirdAt = at;
    }
  }

  #promote(sample: number, at: number): void {
    this.#best = this.#second;
    this.#bestAt = this.#secondAt;
    this.#second = this.#third;
    this.#secondAt = this.#thirdAt;
    this.#third = sample;
    this.#thirdAt = at;
  }
}
