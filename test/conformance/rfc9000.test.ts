/**
 * The sample values of RFC 9000 §A.1, §A.2, §A.3.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { expandPacketNumber, packetNumberLength } from "../../src/wire/packet-number.ts";
import { Reader } from "../../src/wire/reader.ts";
import { writeVarint } from "../../src/wire/varint.ts";

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}

describe("RFC 9000 §A.1: variable-length integers", () => {
  test.each([
    { hex: "9d7f3e7d", value: 494_878_333 },
    { hex: "7bbd", value: 15_293 },
    { hex: "25", value: 37 },
    { hex: "4025", value: 37 },
  ])("$hex is $value", ({ hex, value }) => {
    const reader = new Reader(bytesOf(hex));
    expect(reader.varint()).toBe(value);
    expect([reader.failed, reader.remaining]).toEqual([false, 0]);
  });

  test("the eight-byte sample, 151,288,809,941,952,652, lies above our limit of 2^53 − 1", () => {
    const reader = new Reader(bytesOf("c2197c5eff14e88c"));
    reader.varint();
    expect(reader.failed).toBe(true);
  });

  test.each([
    { hex: "9d7f3e7d", value: 494_878_333 },
    { hex: "7bbd", value: 15_293 },
    { hex: "25", value: 37 },
  ])("$value is written as $hex", ({ hex, value }) => {
    const target = new Uint8Array(8);
    const end = writeVarint(target, 0, value);
    expect(Buffer.from(target.subarray(0, end)).toString("hex")).toBe(hex);
  });
});

describe("RFC 9000 §A.2: bits that a packet number needs", () => {
  test.each([
    { packetNumber: 0xac5c02, largestAcked: 0xabe8b3, length: 2 },
    { packetNumber: 0xace8fe, largestAcked: 0xabe8b3, length: 3 },
  ])("$packetNumber after the acknowledgement of $largestAcked takes $length bytes", (sample) => {
    expect(packetNumberLength(sample.packetNumber, sample.largestAcked)).toBe(sample.length);
  });
});

describe("RFC 9000 §A.3: restoring a packet number", () => {
  test("0x9b32 of 16 bits after 0xa82f30ea is 0xa82f9b32", () => {
    expect(expandPacketNumber(0xa82f30ea, 0x9b32, 16)).toBe(0xa82f9b32);
  });
});
