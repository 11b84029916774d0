/**
 * How flows share a bottleneck of 20 Mbit/s, 15 ms each way and 75 packets, between two hosts of the kernel.
 *
 * @module
 */
import { shareOfLate, shareOfTwo, shareWithTcp } from "../../../bench/links/fairness.ts";
import { median } from "../../../bench/links/statistics.ts";
import { must, type Row } from "../row.ts";

const RUNS = 5;

const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;

export const besideTcp: Row = {
  name: "share-tcp",
  claim: `beside TCP CUBIC, which is 2 s older: 35 to 65 % over seconds 5 to 30, median of ${RUNS}`,
  minutes: 4,
  async run(place) {
    const shares = await repeat(async (seed) => {
      const { share, ours, tcp } = await shareWithTcp("cubic", { seed });
      place.log(`ours ${ours.toFixed(2)} MB/s, TCP ${tcp.toFixed(2)} MB/s: ${percent(share)}`);
      return share;
    });
    const share = median(shares);
    must(share >= 0.35 && share <= 0.65, `our share is ${percent(share)}: ${shares.map(percent).join(", ")}`);
    return `${percent(share)} (${shares.map(percent).join(", ")})`;
  },
};

export const twoOfOurs: Row = {
  name: "share-two",
  claim: `two of ours: Jain's index 0.95 at least over the last 20 of 40 s, median of ${RUNS}`,
  minutes: 5,
  async run(place) {
    const indexes = await repeat(async (seed) => {
      const { jain, rates } = await shareOfTwo({ seed });
      place.log(`${rates.map((rate) => rate.toFixed(2)).join(" and ")} MB/s: ${jain.toFixed(3)}`);
      return jain;
    });
    const jain = median(indexes);
    must(jain >= 0.95, `Jain's index is ${jain.toFixed(3)}`);
    return `${jain.toFixed(3)} (${indexes.map((index) => index.toFixed(3)).join(", ")})`;
  },
};

export const lateComer: Row = {
  name: "share-late",
  claim: `one that comes 10 s late has 40 % at least over its seconds 10 to 20, median of ${RUNS}`,
  minutes: 4,
  async run(place) {
    const shares = await repeat(async (seed) => {
      const { share, rates } = await shareOfLate({ seed });
      place.log(`${rates.map((rate) => rate.toFixed(2)).join(" and ")} MB/s: ${percent(share)}`);
      return share;
    });
    const share = median(shares);
    must(share >= 0.4, `its share is ${percent(share)}`);
    return `${percent(share)} (${shares.map(percent).join(", ")})`;
  },
};

async function repeat(run: (seed: number) => Promise<number>): Promise<readonly number[]> {
  const results: number[] = [];
  for (let seed = 1; seed <= RUNS; seed++) results.push(await run(seed));
  return results;
}
