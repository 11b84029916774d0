/**
 * Packet numbers of which 32 bits travel.
 *
 * @module
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  expand,
  expandPacketNumber,
  MAX_PACKET_NUMBER,
  packetNumberLength,
  truncate,
} from "../../src/wire/packet-number.ts";

test("the low 32 bits travel, of numbers up to 2^53 − 1 (WIRE-9)", () => {
  expect([0, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 5, 2 ** 53 - 1].map(truncate)).toEqual([
    0,
    2 ** 32 - 1,
    0,
    5,
    2 ** 32 - 1,
  ]);
});

test.each([
  { largest: -1, number: 0 },
  { largest: -1, number: 5 },
  { largest: -1, number: 2 ** 31 },
  { largest: 2 ** 32 - 1, number: 2 ** 32 },
  { largest: 2 ** 32, number: 2 ** 32 - 1 },
  { largest: 2 ** 32 + 10, number: 2 ** 32 - 10 },
  { largest: 2 ** 53 - 3, number: 2 ** 53 - 2 },
  { largest: 2 ** 53 - 2, number: 2 ** 53 - 1 },
  { largest: 2 ** 53 - 1, number: 2 ** 53 - 1 },
  { largest: 2 ** 53 - 1, number: 2 ** 53 - 2 ** 31 },
])("after $largest, the number nearest to the next is $number (WIRE-9, RFC 9000 §A.3)", ({ largest, number }) => {
  expect(expand(truncate(number), largest)).toBe(number);
});

test("every number within the window around the next one is restored, for every width", () => {
  const bits = fc.constantFrom(8, 16, 24, 32);
  fc.assert(
    fc.property(bits, fc.maxSafeNat(), fc.double({ min: 0, max: 1, noNaN: true }), (width, next, place) => {
      const half = 2 ** (width - 1);
      const number = Math.min(MAX_PACKET_NUMBER, Math.max(0, next - half + 1 + Math.floor(place * (2 * half - 1))));
      expect(expandPacketNumber(next - 1, number % 2 ** width, width)).toBe(number);
    }),
  );
});

test("no truncated number expands beyond the last packet number or below zero", () => {
  fc.assert(
    fc.property(
      fc.nat(2 ** 32 - 1),
      fc.oneof(
        fc.maxSafeNat(),
        fc.nat(9),
        fc.nat(9).map((n) => MAX_PACKET_NUMBER - n),
      ),
      (low, largest) => {
        const number = expand(low, largest);
        expect(Number.isSafeInteger(number) && number >= 0).toBe(true);
        expect(truncate(number)).toBe(low);
      },
    ),
  );
});

test("four bytes suffice for 2^31 packets without an acknowledgement (RFC 9000 §A.2)", () => {
  expect(packetNumberLength(2 ** 31 - 1, -1)).toBe(4);
  expect(packetNumberLength(2 ** 31, -1)).toBe(5);
});
