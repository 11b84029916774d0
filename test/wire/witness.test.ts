/**
 * WITNESS, bit by bit.
 *
 * @module
 */
import { expect, test } from "vitest";
import { cut } from "../../src/wire/datagram.ts";
import { decodeWitness, encodeWitness } from "../../src/wire/witness.ts";

const TOKEN = Uint8Array.from({ length: 8 }, (_, i) => 0xa0 + i);
const DATAGRAM = encodeWitness(TOKEN);

test("a witness is twelve bytes that state their length, their version and the token (RDV-20, INV-1, INV-2)", () => {
  expect(Buffer.from(DATAGRAM).toString("hex")).toBe("86000c01a0a1a2a3a4a5a6a7");
  expect(decodeWitness(DATAGRAM)).toEqual(TOKEN);
  expect(cut(DATAGRAM, 0, [])).toBe(1);
});

test("of another type, length or version it is none (INV-2, INV-4)", () => {
  for (const [offset, value] of [
    [0, 0x85],
    [1, 1],
    [2, 13],
    [3, 2],
  ] as const)
    expect(decodeWitness(DATAGRAM.with(offset, value))).toBeUndefined();
  for (let length = 0; length < 12; length++) expect(decodeWitness(DATAGRAM.slice(0, length))).toBeUndefined();
  expect(decodeWitness(Uint8Array.of(...DATAGRAM, 0))).toBeUndefined();
  expect(() => encodeWitness(new Uint8Array(7))).toThrow(RangeError);
});
