/**
 * The range set as acknowledgements use it: in order, with losses, and from the far end of a full set.
 *
 * @module
 */
import benny from "benny";
import { RangeSet } from "../../src/util/range-set.ts";

const COUNT = 1_000;
const MAX_RANGES = 64;

/** A repeatable shuffle within windows of eight: what a reordering path does to packet numbers. */
const REORDERED = Array.from({ length: COUNT }, (_, i) => (i & ~7) + ((i * 5 + 3) & 7));

export async function run() {
  const full = new RangeSet(MAX_RANGES);
  for (let i = 0; i < 2 * MAX_RANGES; i++) full.add(4 * i, 4 * i + 1);
  const low = full.first!;
  return benny.suite(
    "range set, 1,000 operations",
    benny.add("add in order", () => {
      const set = new RangeSet(MAX_RANGES);
      for (let i = 0; i < COUNT; i++) set.add(i, i + 1);
      return set.rangeCount;
    }),
    benny.add("add in order, every tenth missing", () => {
      const set = new RangeSet(MAX_RANGES);
      for (let i = 0; i < COUNT; i++) if (i % 10 !== 9) set.add(i, i + 1);
      return set.rangeCount;
    }),
    benny.add("add reordered", () => {
      const set = new RangeSet(MAX_RANGES);
      for (let i = 0; i < COUNT; i++) set.add(REORDERED[i]!, REORDERED[i]! + 1);
      return set.rangeCount;
    }),
    benny.add("fill and open a gap low in a full set", () => {
      for (let i = 0; i < COUNT / 2; i++) {
        full.add(low + 1, low + 4);
        full.remove(low + 1, low + 4);
      }
      return full.rangeCount;
    }),
    benny.add("contains, 64 ranges", () => {
      let count = 0;
      for (let i = 0; i < COUNT; i++) if (full.contains(low + (i & 255))) count += 1;
      return count;
    }),
  );
}
