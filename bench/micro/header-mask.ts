/**
 * Header protection: 40 packets in each operation, in one batch or one by one.
 *
 * @module
 */
import benny from "benny";
import { HeaderProtection } from "../../src/crypto/header-protection.ts";
import { HEADER_SIZE } from "../../src/wire/packet-header.ts";

const SIZE = 1_452;
const BATCH = 40;

export async function run() {
  const protection = new HeaderProtection(new Uint8Array(16));
  const buffer = new Uint8Array(BATCH * SIZE);
  const header = new Uint8Array(HEADER_SIZE);
  const packets = Array.from({ length: BATCH }, (_, i) => buffer.subarray(i * SIZE, (i + 1) * SIZE));
  return benny.suite(
    `header protection, ${BATCH} packets`,
    benny.add("mask, one batch", () => {
      protection.maskBatch(buffer, { start: 0, segmentSize: SIZE, count: BATCH });
    }),
    benny.add("mask, one by one", () => {
      for (let i = 0; i < BATCH; i++) protection.maskBatch(buffer, { start: i * SIZE, segmentSize: SIZE, count: 1 });
    }),
    benny.add("unmask, one by one", () => {
      for (let i = 0; i < BATCH; i++) protection.unmask(packets[i]!, header);
    }),
  );
}
