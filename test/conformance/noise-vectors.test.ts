/**
 * The published test vectors of the Noise framework: all rows, each with every byte of every message changed once.
 *
 * The vectors are not ours, so the file is not in this repository: `npm run test:vectors` finds it, names it in an
 * environment variable and runs this. Without the variable nothing runs here; the rows of `noise-rows.test.ts` always do.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isCovered, type NoiseRow, runRow } from "./noise-rows.ts";

const file = process.env.PUNCHLINE_NOISE_VECTORS;

describe.skipIf(file === undefined)("published Noise vectors", () => {
  const rows: readonly NoiseRow[] = file === undefined ? [] : JSON.parse(readFileSync(file, "utf8")).vectors;

  test("all rows are covered", () => {
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.filter((row) => !isCovered(row)).map((row) => row.protocol_name)).toEqual([]);
  });

  for (const row of rows) test(`${row.protocol_name} and no changed byte of it`, () => runRow(row));
});
