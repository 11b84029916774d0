/**
 * The replay window against a plain set of numbers.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { ReplayWindow } from "../../src/crypto/replay-window.ts";

/** What the window must do, said plainly. */
class NaiveWindow {
  readonly #size: number;
  readonly #seen = new Set<number>();
  #highest = -1;

  constructor(size: number) {
    this.#size = size;
  }

  accept(number: number): boolean {
    if (number <= this.#highest - this.#size || this.#seen.has(number)) return false;
    this.#seen.add(number);
    this.#highest = Math.max(this.#highest, number);
    return true;
  }
}

/** A small generator, so that a failure can be repeated. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe("the replay window", () => {
  test("accepts every number once (HS-20)", () => {
    const window = new ReplayWindow(16_384);
    for (let number = 0; number < 100_000; number++) {
      const answers = [window.isFresh(number), window.accept(number), window.isFresh(number), window.accept(number)];
      if (answers.join() !== "true,true,false,false") throw new Error(`${number}: ${answers}`);
    }
  });

  test.each([64, 4_096, 16_384])(
    "of %i accepts a number exactly that much below the highest no more (HS-20)",
    (size) => {
      const window = new ReplayWindow(size);
      expect(window.accept(5 * size)).toBe(true);
      expect(window.isFresh(4 * size)).toBe(false);
      expect(window.accept(4 * size)).toBe(false);
      expect(window.accept(4 * size + 1)).toBe(true);
      expect(window.accept(4 * size + 1)).toBe(false);
    },
  );

  test.each([64, 96, 4_096, 16_384])("of %i agrees with a set on 250,000 numbers in wild order (HS-20)", (size) => {
    const next = random(size);
    const window = new ReplayWindow(size);
    const naive = new NaiveWindow(size);
    let base = 0;
    for (let i = 0; i < 250_000; i++) {
      const dice = next();
      if (dice < 0.5) base += 1;
      else if (dice < 0.52) base += Math.floor(next() * 100);
      else if (dice < 0.5202) base += Math.floor(next() * 3 * size);
      const spread = dice > 0.9 ? 1.5 * size : 40;
      const number = Math.max(0, base - Math.floor(next() * spread));
      if (window.isFresh(number) !== naive.accept(number)) throw new Error(`disagree on ${number} after ${i}`);
      window.accept(number);
    }
  });

  test("stays small without loss, and never grows beyond its size", () => {
    const window = new ReplayWindow(16_384);
    for (let number = 0; number < 100_000; number++) window.accept(number ^ 1);
    expect(window.byteLength).toBeLessThanOrEqual(16);
    for (let number = 100_000; number < 400_000; number += 2) window.accept(number);
    expect(window.byteLength).toBeLessThanOrEqual(16_384 / 8 + 4);
  });

  test("counts on beyond 2^32 and to 2^53 − 1", () => {
    for (const start of [2 ** 32 - 50, Number.MAX_SAFE_INTEGER - 99]) {
      const window = new ReplayWindow(64, start);
      for (let number = start; number < start + 100; number++) {
        expect(window.accept(number)).toBe(true);
        expect(window.accept(number)).toBe(false);
        expect(window.isFresh(number - 64)).toBe(false);
      }
      expect(window.highest).toBe(start + 99);
    }
  });

  test("a jump of any length costs no more than the window", () => {
    const window = new ReplayWindow(16_384);
    const started = performance.now();
    for (let number = 1; number < Number.MAX_SAFE_INTEGER / 2; number *= 2) {
      expect(window.accept(number)).toBe(true);
      expect(window.accept(number)).toBe(false);
    }
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});
