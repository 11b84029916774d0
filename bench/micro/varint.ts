/**
 * Variable-length integers: 1,000 of mixed length in each operation.
 *
 * @module
 */
import benny from "benny";
import { Reader } from "../../src/wire/reader.ts";
import { varintLength } from "../../src/wire/varint.ts";
import { Writer } from "../../src/wire/writer.ts";

const SAMPLES = [37, 15_293, 494_878_333, 2 ** 40 + 5];
const VALUES = Array.from({ length: 1_000 }, (_, i) => SAMPLES[(i * 7) % SAMPLES.length]!);

export async function run() {
  const writer = new Writer(new Uint8Array(8 * VALUES.length));
  const reader = new Reader();
  for (const value of VALUES) writer.varint(value);
  const encoded = writer.buffer.slice(0, writer.offset);
  return benny.suite(
    "varint, 1,000 of mixed length",
    benny.add("length", () => {
      let total = 0;
      for (let i = 0; i < VALUES.length; i++) total += varintLength(VALUES[i]!);
      return total;
    }),
    benny.add("write", () => {
      writer.reset(writer.buffer);
      for (let i = 0; i < VALUES.length; i++) writer.varint(VALUES[i]!);
      return writer.offset;
    }),
    benny.add("read", () => {
      reader.reset(encoded);
      let total = 0;
      while (reader.remaining > 0) total += reader.varint();
      return total;
    }),
  );
}
