/**
 * Counts by key.
 *
 * @module
 */
import { expect, test } from "vitest";
import { Tally } from "../../src/util/tally.ts";

test("counts, never below zero, and remembers no key of which there is none", () => {
  const tally = new Tally<string>();
  tally.add("a");
  tally.add("a");
  tally.add("b");
  expect([tally.of("a"), tally.of("b"), tally.of("c"), tally.size]).toEqual([2, 1, 0, 2]);
  for (let i = 0; i < 3; i++) tally.remove("a");
  expect([tally.of("a"), tally.size]).toEqual([0, 1]);
});
