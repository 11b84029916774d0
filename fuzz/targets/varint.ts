/**
 * Variable-length integers and packet numbers: any bytes are read without a throw; any integer survives a round trip.
 *
 * @module
 */
import fc from "fast-check";
import { assert } from "../../src/util/invariant.ts";
import { expand, MAX_PACKET_NUMBER, truncate } from "../../src/wire/packet-number.ts";
import { Reader } from "../../src/wire/reader.ts";
import { MAX_VARINT, varintLength, writeVarint } from "../../src/wire/varint.ts";
import { Writer } from "../../src/wire/writer.ts";
import { bytes, varint } from "../arbitraries.ts";
import type { FuzzTarget } from "../target.ts";

export const target: FuzzTarget = {
  name: "varint",
  property: () =>
    fc.property(bytes(40), fc.array(varint()), varint(), fc.nat(2 ** 31 - 2), (raw, values, number, behind) => {
      readRaw(raw);
      roundTrip(values);
      restore(number, behind);
    }),
};

function readRaw(raw: Uint8Array): void {
  const reader = new Reader(raw);
  while (reader.remaining > 0) {
    const before = reader.offset;
    const value = reader.varint();
    assert(Number.isInteger(value) && value >= 0 && value <= MAX_VARINT, `read ${value}`);
    assert(reader.offset > before || reader.failed, "no progress");
    assert(reader.offset <= raw.length, "read past the end");
  }
}

function roundTrip(values: readonly number[]): void {
  const buffer = new Uint8Array(8 * values.length);
  const writer = new Writer(buffer);
  for (const value of values) {
    const start = writer.offset;
    writer.varint(value);
    assert(writer.offset - start === varintLength(value), `length of ${value}`);
    const other = new Uint8Array(8);
    assert(writeVarint(other, 0, value) === varintLength(value), `offset after ${value}`);
    assert(
      other.subarray(0, varintLength(value)).every((byte, i) => byte === buffer[start + i]),
      `bytes of ${value}`,
    );
  }
  const reader = new Reader(buffer.subarray(0, writer.offset));
  for (const value of values) assert(reader.varint() === value, `round trip of ${value}`);
  assert(!reader.failed && reader.remaining === 0, "bytes left over");
}

/** A packet number is restored as long as it lies less than 2^31 from the next one expected. */
function restore(number: number, behind: number): void {
  assert(expand(truncate(number), Math.max(-1, number - 1 - behind)) === number, `${number}, ${behind} ahead`);
  const largest = Math.min(MAX_PACKET_NUMBER, number + behind);
  assert(expand(truncate(number), largest) === number, `${number} behind ${largest}`);
}
