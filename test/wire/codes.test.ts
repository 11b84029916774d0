/**
 * Codes on the wire.
 *
 * @module
 */
import { expect, test } from "vitest";
import { CLOSE_CODE, REFUSED_CODE } from "../../src/wire/codes.ts";

test("codes of CLOSE are the numbers from 0 to 15, each once", () => {
  expect(Object.values(CLOSE_CODE)).toEqual(Array.from({ length: 16 }, (_, code) => code));
});

test("codes of a refusal are the numbers from 1 to 6, each once; 0 is no refusal", () => {
  expect(Object.values(REFUSED_CODE)).toEqual([1, 2, 3, 4, 5, 6]);
});
