/**
 * The cursor over received bytes.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { Reader } from "../../src/wire/reader.ts";

const BYTES = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

test("integers are big-endian", () => {
  const reader = new Reader(BYTES);
  expect([reader.u8(), reader.u16(), reader.u32()]).toEqual([0x01, 0x0203, 0x04050607]);
  expect([reader.offset, reader.remaining, reader.failed]).toEqual([7, 1, false]);
});

test("a u32 with the highest bit is positive", () => {
  expect(new Reader(Uint8Array.of(0xff, 0xff, 0xff, 0xff)).u32()).toBe(2 ** 32 - 1);
});

test("byte strings are views of the input", () => {
  const reader = new Reader(BYTES);
  const head = reader.bytes(3);
  expect(head.buffer).toBe(BYTES.buffer);
  expect(head).toEqual(Uint8Array.of(1, 2, 3));
  reader.skip(2);
  expect(reader.rest()).toEqual(Uint8Array.of(6, 7, 8));
  expect(reader.rest()).toEqual(new Uint8Array(0));
  expect(reader.failed).toBe(false);
});

test("reset confines it to a part of an array and forgets the failure", () => {
  const reader = new Reader();
  expect(reader.u8()).toBe(0);
  expect(reader.failed).toBe(true);
  reader.reset(BYTES, 2, 5);
  expect([reader.failed, reader.offset, reader.remaining]).toEqual([false, 2, 3]);
  expect(reader.rest()).toEqual(Uint8Array.of(3, 4, 5));
  expect(reader.u8()).toBe(0);
  expect(reader.failed).toBe(true);
});

test("a run of one byte is counted and passed over", () => {
  const reader = new Reader(Uint8Array.of(0, 0, 0, 1, 0));
  expect([reader.skipRun(0), reader.skipRun(0), reader.u8(), reader.skipRun(0), reader.skipRun(0)]).toEqual([
    3, 0, 1, 1, 0,
  ]);
  expect(reader.failed).toBe(false);
});

describe("a failure", () => {
  const reads: Record<string, { need: number; read: (reader: Reader) => unknown; empty: unknown }> = {
    u8: { need: 1, read: (reader) => reader.u8(), empty: 0 },
    u16: { need: 2, read: (reader) => reader.u16(), empty: 0 },
    u32: { need: 4, read: (reader) => reader.u32(), empty: 0 },
    bytes: { need: 5, read: (reader) => reader.bytes(5), empty: new Uint8Array(0) },
    skip: { need: 5, read: (reader) => reader.skip(5), empty: undefined },
  };

  test.each(Object.entries(reads))("comes from %s at every shorter length, and sticks", (_, { need, read, empty }) => {
    for (let length = 0; length < need; length++) {
      const reader = new Reader(BYTES.subarray(0, length));
      expect(read(reader)).toEqual(empty);
      expect([reader.failed, reader.failure, reader.remaining]).toEqual([true, "malformed", 0]);
      for (const each of Object.values(reads)) expect(each.read(reader)).toEqual(each.empty);
      expect([reader.varint(), reader.rest(), reader.skipRun(0)]).toEqual([0, new Uint8Array(0), 0]);
      expect(reader.failed).toBe(true);
    }
    const reader = new Reader(BYTES.subarray(0, need));
    read(reader);
    expect([reader.failed, reader.remaining]).toEqual([false, 0]);
  });

  test("keeps its first reason", () => {
    const reader = new Reader(BYTES);
    reader.fail("unsupported");
    reader.fail();
    expect([reader.failure, reader.remaining]).toEqual(["unsupported", 0]);
  });
});

describe("a variable-length integer", () => {
  test.each([
    { form: "2 bytes", bytes: [0x40, 0x25] },
    { form: "4 bytes", bytes: [0x80, 0, 0, 0x25] },
    { form: "8 bytes", bytes: [0xc0, 0, 0, 0, 0, 0, 0, 0x25] },
  ])("need not be the shortest form: 37 in $form (WIRE-1)", ({ bytes }) => {
    expect(new Reader(Uint8Array.from(bytes)).varint()).toBe(37);
  });

  test.each([[0x40], [0x80], [0xc0]])("that begins with %d fails at every shorter length", (first) => {
    const whole = Uint8Array.of(first!, 0, 0, 0, 0, 0, 0, 0).subarray(0, 1 << (first! >>> 6));
    for (let length = 0; length < whole.length; length++) {
      const reader = new Reader(whole.subarray(0, length));
      expect(reader.varint()).toBe(0);
      expect(reader.failed).toBe(true);
    }
  });

  test("is good up to 2^53 − 1 and malformed from 2^53 on (WIRE-2)", () => {
    const last = new Reader(Uint8Array.of(0xc0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff));
    expect(last.varint()).toBe(2 ** 53 - 1);
    expect(last.failed).toBe(false);
    for (const tooLarge of [
      [0xc0, 0x20, 0, 0, 0, 0, 0, 0],
      [0xc0, 0x20, 0, 0, 0, 0, 0, 1],
      [0xe0, 0, 0, 0, 0, 0, 0, 0],
      [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ]) {
      const reader = new Reader(Uint8Array.from(tooLarge));
      expect(reader.varint()).toBe(0);
      expect(reader.failed).toBe(true);
    }
  });
});
