/**
 * One bulk flow over each link of the bench, by the command between two hosts of the kernel, and the same in the simulator.
 *
 * @module
 */
import { loadavg } from "node:os";
import { type KernelFigures, runOnKernel } from "../../../bench/links/kernel.ts";
import { describeLink, LINK_ROWS, type LinkRow, payloadLimit } from "../../../bench/links/rows.ts";
import { simulateRow } from "../../../bench/links/simulate.ts";
import { median } from "../../../bench/links/statistics.ts";
import { emulatorName, whyNoTestbed } from "../../../bench/links/testbed.ts";
import { must, type Row } from "../row.ts";

const RUNS = 5;
const SEEDS = 20;

/** What the worst seed may fall short of the kernel's median. */
const TOLERANCE = 0.05;

/** Rows for all links. */
export const linkRows: readonly Row[] = LINK_ROWS.map(linkRow);

function linkRow(row: LinkRow): Row {
  return {
    name: `link-${row.name}`,
    claim: `${describeLink(row.link)}: ${row.goodputAtLeast} MB/s at least, median of ${RUNS}; ${SEEDS} seeds simulated`,
    minutes: 3,
    async run(place) {
      const reason = whyNoTestbed();
      must(reason === undefined, reason ?? "");
      const flows: KernelFigures[] = [];
      for (let seed = 1; seed <= RUNS; seed++) {
        const flow = await runOnKernel(row, { stack: "punchline", seed });
        place.log(`${flow.goodput.toFixed(3)} MB/s, ${flow.tailDrops} tail drops, load ${loadavg()[0]!.toFixed(1)}`);
        flows.push(flow);
      }
      const goodput = median(flows.map((flow) => flow.goodput));
      const drops = median(flows.map((flow) => flow.tailDrops));
      const rtt = median(flows.map((flow) => flow.rtt!.p95));
      const worst = worstSeed(row);
      const share = (goodput / payloadLimit(row.link)) * 100;
      const figure =
        `${goodput.toFixed(2)} MB/s, ${share.toFixed(1)} % of the limit; ${drops} tail drops; ` +
        `round trips' p95 ${rtt.toFixed(0)} ms; worst seed ${worst.toFixed(2)} MB/s (${emulatorName()})`;
      must(
        flows.every((flow) => flow.isComplete),
        `a flow was given up: ${figure}`,
      );
      must(goodput >= row.goodputAtLeast, `less than ${row.goodputAtLeast} MB/s: ${figure}`);
      must(
        drops <= (row.tailDropsAtMost ?? Number.POSITIVE_INFINITY),
        `more than ${row.tailDropsAtMost} drops: ${figure}`,
      );
      must(rtt <= (row.rttAtMost ?? Number.POSITIVE_INFINITY), `round trips above ${row.rttAtMost} ms: ${figure}`);
      must(worst >= (1 - TOLERANCE) * goodput, `a seed is more than 5 % below the kernel: ${figure}`);
      return figure;
    },
  };
}

/** The least goodput of the set of seeds. */
function worstSeed(row: LinkRow): number {
  let worst = Number.POSITIVE_INFINITY;
  for (let seed = 1; seed <= SEEDS; seed++) worst = Math.min(worst, simulateRow(row, { seed }).goodput);
  return worst;
}
