/**
 * Writing variable-length integers.
 *
 * @module
 */
import { expect, test } from "vitest";
import { Reader } from "../../src/wire/reader.ts";
import { MAX_VARINT, varintLength, writeVarint } from "../../src/wire/varint.ts";

/** The first and last value of each length. */
const EDGES = [
  { value: 0, length: 1 },
  { value: 63, length: 1 },
  { value: 64, length: 2 },
  { value: 2 ** 14 - 1, length: 2 },
  { value: 2 ** 14, length: 4 },
  { value: 2 ** 30 - 1, length: 4 },
  { value: 2 ** 30, length: 8 },
  { value: 2 ** 32 - 1, length: 8 },
  { value: 2 ** 32, length: 8 },
  { value: 2 ** 53 - 1, length: 8 },
] as const;

test.each(EDGES)("$value takes $length bytes, the shortest form (WIRE-1, RFC 9000 §16)", ({ value, length }) => {
  const target = new Uint8Array(10).fill(0xee);
  expect(varintLength(value)).toBe(length);
  expect(writeVarint(target, 1, value)).toBe(1 + length);
  expect(target[0]).toBe(0xee);
  expect(target.subarray(1 + length)).toEqual(new Uint8Array(9 - length).fill(0xee));
  const reader = new Reader(target.subarray(1, 1 + length));
  expect(reader.varint()).toBe(value);
  expect([reader.failed, reader.remaining]).toEqual([false, 0]);
});

test.each([-1, 0.5, 63.5, 2 ** 53, Number.POSITIVE_INFINITY, Number.NaN])("%d is refused (WIRE-2)", (value) => {
  expect(() => varintLength(value)).toThrow(RangeError);
  expect(() => writeVarint(new Uint8Array(8), 0, value)).toThrow(RangeError);
});

test("the limit is the greatest integer that a number holds exactly", () => {
  expect(MAX_VARINT).toBe(2 ** 53 - 1);
});
