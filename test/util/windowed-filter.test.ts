/**
 * The windowed filter against the extreme value of a list of samples.
 *
 * @module
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { WindowedFilter } from "../../src/util/windowed-filter.ts";

test("there is no value before the first sample and after a reset", () => {
  const filter = new WindowedFilter("max", 10);
  expect(filter.value).toBeUndefined();
  filter.update(5, 0);
  expect(filter.value).toBe(5);
  filter.reset();
  expect(filter.value).toBeUndefined();
  filter.update(3, 1);
  expect(filter.value).toBe(3);
});

test("the greatest sample counts until the window has passed, then the best of those kept since", () => {
  const filter = new WindowedFilter("max", 10);
  const values: (number | undefined)[] = [];
  for (const [at, sample] of [9, 1, 2, 7, 3, 5, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4].entries()) {
    filter.update(sample, at);
    values.push(filter.value);
  }
  expect(values).toEqual([9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 7, 7, 7, 4, 4]);
});

test("the smallest sample counts for a minimum", () => {
  const filter = new WindowedFilter("min", 10);
  const values: (number | undefined)[] = [];
  for (const [at, sample] of [3, 8, 6, 9].entries()) {
    filter.update(sample, 4 * at);
    values.push(filter.value);
  }
  expect(values).toEqual([3, 3, 3, 6]);
});

test("a runner-up of the last half is not lost when the second choice is renewed", () => {
  const filter = new WindowedFilter("min", 4);
  for (const [at, sample] of [0, 1, 1, 2, 2, 2, 3, 3].entries()) filter.update(sample, at);
  expect(filter.value).toBe(2);
});

test("after a gap longer than the window only the new sample counts", () => {
  const filter = new WindowedFilter("max", 10);
  filter.update(100, 0);
  filter.update(50, 5);
  filter.update(1, 30);
  expect(filter.value).toBe(1);
});

test("the value is a sample of the window, at least that of its last half", () => {
  const samples = fc.array(fc.nat(1_000), { minLength: 1, maxLength: 100 });
  fc.assert(
    fc.property(samples, fc.integer({ min: 4, max: 20 }), fc.constantFrom("max", "min"), (list, window, kind) => {
      const filter = new WindowedFilter(kind, window);
      const extreme = kind === "max" ? Math.max : Math.min;
      for (const [at, sample] of list.entries()) {
        filter.update(sample, at);
        const recent = list.slice(Math.max(0, at - window), at + 1);
        const youngest = list.slice(Math.max(0, at - Math.floor(window / 2)), at + 1);
        expect(recent).toContain(filter.value);
        expect(extreme(filter.value!, extreme(...youngest))).toBe(filter.value);
      }
    }),
  );
});
