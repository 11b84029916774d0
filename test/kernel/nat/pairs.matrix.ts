/**
 * Each of the ten kinds with each, both ways to keep filters, by plain datagrams. Takes a minute; `npm run test:nat`.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { difficulty, FILTER_SCOPES, PAIRS } from "./kinds.ts";
import { installPair } from "./pairs.ts";
import { punch } from "./punch.ts";
import { Testbed } from "./testbed.ts";

let bed: Testbed;

beforeAll(async () => {
  bed = await Testbed.create(["ha", "hb", "pub", "pub2"]);
});

afterAll(() => bed?.close());

describe.each(FILTER_SCOPES)("filters kept for each %s", (scope) => {
  const rows = PAIRS.map((pair) => ({
    pair,
    names: pair.map(({ name }) => name).join(" and "),
    expected: difficulty(pair, scope),
  }));

  test.each(rows)("$names: $expected", async ({ pair, expected }) => {
    const { a, b } = await installPair(bed.lab, pair, scope);
    expect(await punch(bed.at(a), bed.at(b), bed.reflector)).toBe(expected === "simple");
  });
});
