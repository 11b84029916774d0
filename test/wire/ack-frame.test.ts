/**
 * The ACK frame.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { ackFrameLength, encodeAckFrame, MAX_ACK_RANGES } from "../../src/wire/ack-frame.ts";
import type { AckFrame, Frame } from "../../src/wire/frame.ts";
import { decodeFrame } from "../../src/wire/frame-codec.ts";
import { Reader } from "../../src/wire/reader.ts";
import { Writer } from "../../src/wire/writer.ts";

function ack(ranges: readonly number[], rest: Partial<AckFrame> = {}): AckFrame {
  return { type: "ack", largest: ranges[1]! - 1, delayUs: 0, ranges, ecn: undefined, ...rest };
}

function encode(frame: AckFrame): string {
  const writer = new Writer(new Uint8Array(ackFrameLength(frame)));
  encodeAckFrame(writer, frame);
  expect(writer.remaining).toBe(0);
  return Buffer.from(writer.buffer).toString("hex");
}

function decode(hex: string): Frame | undefined {
  return decodeFrame(new Reader(Uint8Array.from(Buffer.from(hex, "hex"))));
}

describe("layout, RFC 9000 §19.3", () => {
  test.each([
    { name: "the first packet", frame: ack([0, 1]), hex: "0200000000" },
    { name: "packets 3 to 10", frame: ack([3, 11]), hex: "020a000007" },
    { name: "two ranges with one packet missing", frame: ack([8, 11, 4, 7]), hex: "020a000102" + "0002" },
    { name: "a delay in units of 8 µs", frame: ack([0, 1], { delayUs: 800 }), hex: "0200406400" + "00" },
    { name: "ECN counts", frame: ack([0, 1], { ecn: { ect0: 1, ect1: 2, ce: 3 } }), hex: "0300000000" + "010203" },
  ])("$name", ({ frame, hex }) => {
    expect(encode(frame)).toBe(hex);
    expect(decode(hex)).toEqual(frame);
  });

  test("a delay is rounded down to a unit", () => {
    expect(decode(encode(ack([0, 1], { delayUs: 15.9 })))).toMatchObject({ delayUs: 8 });
  });

  test("a delay beyond 2^53 − 1 µs is taken as that", () => {
    expect(decode("0200" + "c01fffffffffffff" + "0000")).toMatchObject({ delayUs: Number.MAX_SAFE_INTEGER });
  });
});

describe("bounds", () => {
  test("64 ranges are good, a count of 64 more is malformed (WIRE-19)", () => {
    const ranges = Array.from({ length: MAX_ACK_RANGES }, (_, i) => [1_000 - 2 * i, 1_001 - 2 * i]).flat();
    const hex = encode(ack(ranges));
    expect(decode(hex)).toMatchObject({ ranges });
    const tooMany = `02${"43e8"}00${"4040"}00${"0000".repeat(64)}`;
    expect(decode(tooMany)).toBeUndefined();
  });

  test("more ranges are never written", () => {
    const ranges = Array.from({ length: MAX_ACK_RANGES + 1 }, (_, i) => [1_000 - 2 * i, 1_001 - 2 * i]).flat();
    const writer = new Writer(new Uint8Array(1_000));
    expect(() => encodeAckFrame(writer, ack(ranges))).toThrow("65 ranges");
    expect(() => encodeAckFrame(writer, ack([]))).toThrow("0 ranges");
    expect(() => encodeAckFrame(writer, ack([3, 5], { largest: 9 }))).toThrow("ACK of 9");
    expect(writer.offset).toBe(0);
  });

  test("one range over all packet numbers there can be costs no more than a small one", () => {
    const started = performance.now();
    expect(decode("02" + "c01fffffffffffff" + "0000" + "c01fffffffffffff")).toEqual(ack([0, 2 ** 53]));
    expect(performance.now() - started).toBeLessThan(100);
  });

  test.each([
    ["the first range", "020500000" + "6"],
    ["a gap", "0205000102" + "0300"],
    ["a gap that leaves no room for a packet", "0205000102" + "0200"],
    ["a later range", "0205000102" + "0101"],
    ["a gap of 2^53 − 1", "0205000102" + "c01fffffffffffff00"],
    ["a range of 2^53 − 1", "0205000102" + "00c01fffffffffffff"],
  ])("%s below packet 0 is malformed (WIRE-19, RFC 9000 §19.3.1)", (_, hex) => {
    expect(decode(hex)).toBeUndefined();
  });

  test("a range that ends with packet 0 is good", () => {
    expect(decode("0205000102" + "0100")).toEqual(ack([3, 6, 0, 1]));
  });

  test.each(["0200000000", "020a0001020002", "0300000000010203"])("%s is malformed at every shorter length", (hex) => {
    for (let length = 0; length < hex.length; length += 2) expect(decode(hex.slice(0, length))).toBeUndefined();
    expect(decode(hex)).toBeDefined();
  });
});
