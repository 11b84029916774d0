/**
 * The range set against a set of single integers.
 *
 * @module
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RangeSet } from "../../src/util/range-set.ts";

function rangesOf(set: RangeSet): [number, number][] {
  return Array.from({ length: set.rangeCount }, (_, i) => [set.start(i), set.end(i)]);
}

function setOf(...ranges: readonly (readonly [number, number])[]): RangeSet {
  const set = new RangeSet();
  for (const [start, end] of ranges) set.add(start, end);
  return set;
}

describe("add", () => {
  test.each([
    {
      name: "a range above all others",
      add: [30, 40],
      result: [
        [0, 5],
        [10, 20],
        [30, 40],
      ],
    },
    {
      name: "a range that extends the highest",
      add: [15, 25],
      result: [
        [0, 5],
        [10, 25],
      ],
    },
    {
      name: "a range that touches the highest",
      add: [20, 25],
      result: [
        [0, 5],
        [10, 25],
      ],
    },
    {
      name: "a range that is already there",
      add: [11, 19],
      result: [
        [0, 5],
        [10, 20],
      ],
    },
    { name: "a range that fills the gap", add: [5, 10], result: [[0, 20]] },
    {
      name: "a range inside the gap",
      add: [6, 8],
      result: [
        [0, 5],
        [6, 8],
        [10, 20],
      ],
    },
    { name: "a range that swallows all", add: [0, 99], result: [[0, 99]] },
    {
      name: "a range that touches the lower one",
      add: [5, 6],
      result: [
        [0, 6],
        [10, 20],
      ],
    },
    {
      name: "a range that touches the upper one from below",
      add: [9, 10],
      result: [
        [0, 5],
        [9, 20],
      ],
    },
    {
      name: "an empty range",
      add: [7, 7],
      result: [
        [0, 5],
        [10, 20],
      ],
    },
    {
      name: "a range whose end is before its start",
      add: [8, 7],
      result: [
        [0, 5],
        [10, 20],
      ],
    },
  ])("$name", ({ add, result }) => {
    const set = setOf([0, 5], [10, 20]);
    set.add(add[0]!, add[1]!);
    expect(rangesOf(set)).toEqual(result);
  });

  test("forgets the lowest range beyond maxRanges", () => {
    const set = new RangeSet(2);
    set.add(0, 1);
    set.add(10, 11);
    set.add(20, 21);
    expect(rangesOf(set)).toEqual([
      [10, 11],
      [20, 21],
    ]);
    set.add(15, 16);
    expect(rangesOf(set)).toEqual([
      [15, 16],
      [20, 21],
    ]);
    set.add(1, 2);
    expect(rangesOf(set)).toEqual([
      [15, 16],
      [20, 21],
    ]);
  });

  test("works up to 2^53 in time that does not depend on the numbers", () => {
    const set = new RangeSet();
    set.add(0, 2 ** 53);
    set.remove(2 ** 52, 2 ** 53 - 1);
    expect(rangesOf(set)).toEqual([
      [0, 2 ** 52],
      [2 ** 53 - 1, 2 ** 53],
    ]);
    expect(set.last).toBe(Number.MAX_SAFE_INTEGER);
  });
});

describe("remove", () => {
  test.each([
    {
      name: "nothing, of an empty range",
      remove: [12, 12],
      result: [
        [0, 5],
        [10, 20],
        [30, 40],
      ],
    },
    {
      name: "nothing, in a gap",
      remove: [5, 10],
      result: [
        [0, 5],
        [10, 20],
        [30, 40],
      ],
    },
    {
      name: "the head of a range",
      remove: [8, 12],
      result: [
        [0, 5],
        [12, 20],
        [30, 40],
      ],
    },
    {
      name: "the tail of a range",
      remove: [18, 22],
      result: [
        [0, 5],
        [10, 18],
        [30, 40],
      ],
    },
    {
      name: "the middle of a range",
      remove: [12, 15],
      result: [
        [0, 5],
        [10, 12],
        [15, 20],
        [30, 40],
      ],
    },
    {
      name: "a whole range",
      remove: [10, 20],
      result: [
        [0, 5],
        [30, 40],
      ],
    },
    {
      name: "several ranges and parts of two",
      remove: [3, 33],
      result: [
        [0, 3],
        [33, 40],
      ],
    },
    { name: "everything", remove: [0, 99], result: [] },
  ])("$name", ({ remove, result }) => {
    const set = setOf([0, 5], [10, 20], [30, 40]);
    set.remove(remove[0]!, remove[1]!);
    expect(rangesOf(set)).toEqual(result);
  });

  test("never leaves more than maxRanges", () => {
    const set = new RangeSet(2);
    set.add(0, 100);
    for (let value = 10; value < 100; value += 10) set.remove(value, value + 1);
    expect(rangesOf(set)).toEqual([
      [81, 90],
      [91, 100],
    ]);
  });
});

test("an empty set has no first and no last", () => {
  const set = setOf([1, 2]);
  expect([set.first, set.last, set.isEmpty]).toEqual([1, 1, false]);
  set.clear();
  expect([set.first, set.last, set.isEmpty, set.rangeCount]).toEqual([undefined, undefined, true, 0]);
  expect(set.contains(1)).toBe(false);
  expect(set.containsRange(1, 1)).toBe(true);
});

test("after any operations it holds what a naive set holds, in sorted ranges that do not touch", () => {
  const operation = fc.record({ kind: fc.constantFrom("add", "remove"), start: fc.nat(60), length: fc.nat(15) });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const set = new RangeSet();
      const model = new Set<number>();
      for (const { kind, start, length } of operations) {
        const end = start + length;
        if (kind === "add") set.add(start, end);
        else set.remove(start, end);
        for (let value = start; value < end; value++) kind === "add" ? model.add(value) : model.delete(value);
      }
      const ranges = rangesOf(set);
      for (const [i, [start, end]] of ranges.entries()) {
        expect(start).toBeLessThan(end);
        if (i > 0) expect(start).toBeGreaterThan(ranges[i - 1]![1]);
      }
      for (let value = 0; value < 80; value++) {
        expect(set.contains(value)).toBe(model.has(value));
        expect(set.containsRange(value, value + 3)).toBe([0, 1, 2].every((i) => model.has(value + i)));
        const index = ranges.findIndex(([, end]) => end > value);
        expect(set.indexOfRangeAfter(value)).toBe(index === -1 ? ranges.length : index);
      }
      const values = [...model].sort((a, b) => a - b);
      expect([set.first, set.last]).toEqual([values[0], values.at(-1)]);
    }),
  );
});
