/**
 * Noise rows of our own making (spec/vectors/noise.json), each with every byte of every message changed once. They were
 * frozen while the same code passed all published rows.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { isCovered, type NoiseRow, runRow } from "./noise-rows.ts";

const url = new URL("../../spec/vectors/noise.json", import.meta.url);
const rows: readonly NoiseRow[] = JSON.parse(readFileSync(url, "utf8")).vectors;

test("the frozen rows include the pattern between peers (HS-2)", () => {
  expect(rows.map((row) => row.protocol_name)).toContain("Noise_IKpsk2_25519_ChaChaPoly_SHA256");
  expect(rows.every(isCovered)).toBe(true);
});

for (const row of rows) test(`${row.protocol_name} and no changed byte of it (HS-5)`, () => runRow(row));
