/**
 * The cursor that fills a buffer.
 *
 * @module
 */
import { expect, test } from "vitest";
import { Writer } from "../../src/wire/writer.ts";

test("integers are big-endian, byte strings are copied, fills repeat a byte", () => {
  const writer = new Writer(new Uint8Array(16));
  writer.u8(0x01);
  writer.u16(0x0203);
  writer.u32(0xf4f5f6f7);
  writer.varint(37);
  writer.varint(15_293);
  writer.bytes(Uint8Array.of(8, 9));
  writer.fill(0xaa, 3);
  expect(Buffer.from(writer.buffer).toString("hex")).toBe("010203f4f5f6f7257bbd0809aaaaaa00");
  expect([writer.offset, writer.remaining]).toEqual([15, 1]);
});

test("reset confines it to a part of a buffer", () => {
  const writer = new Writer();
  const buffer = new Uint8Array(8);
  writer.reset(buffer, 2, 4);
  expect(writer.remaining).toBe(2);
  writer.u16(0xffff);
  expect(() => writer.u8(1)).toThrow(RangeError);
  expect(buffer).toEqual(Uint8Array.of(0, 0, 0xff, 0xff, 0, 0, 0, 0));
});

test.each<[string, number, (writer: Writer) => void]>([
  ["u8", 1, (writer) => writer.u8(1)],
  ["u16", 2, (writer) => writer.u16(1)],
  ["u32", 4, (writer) => writer.u32(1)],
  ["varint of one byte", 1, (writer) => writer.varint(1)],
  ["varint of two bytes", 2, (writer) => writer.varint(100)],
  ["varint of four bytes", 4, (writer) => writer.varint(100_000)],
  ["varint of eight bytes", 8, (writer) => writer.varint(2 ** 40)],
  ["bytes", 3, (writer) => writer.bytes(Uint8Array.of(1, 2, 3))],
  ["fill", 3, (writer) => writer.fill(1, 3)],
])("%s throws rather than pass the limit, and leaves everything as it was", (_, size, write) => {
  const buffer = new Uint8Array(20);
  for (let room = 0; room < size; room++) {
    const writer = new Writer();
    writer.reset(buffer, 5, 5 + room);
    expect(() => write(writer)).toThrow(RangeError);
    expect(writer.offset).toBe(5);
  }
  expect(buffer).toEqual(new Uint8Array(20));
  const writer = new Writer();
  writer.reset(buffer, 5, 5 + size);
  write(writer);
  expect(writer.remaining).toBe(0);
});

test("an integer that cannot be written moves nothing", () => {
  const writer = new Writer(new Uint8Array(8));
  for (const value of [-1, 2 ** 53, Number.NaN]) expect(() => writer.varint(value)).toThrow(RangeError);
  expect(writer.offset).toBe(0);
});
