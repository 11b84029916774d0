/**
 * Fires random, truncated and damaged datagrams at every parser and at live endpoints:
 * `npm run hostile -- [--count 1000000] [--seed 1]`.
 *
 * Nothing may throw, nothing may be answered, and nothing may change but the counters of dropped datagrams; afterwards
 * the connections under fire have to complete what they were doing, and the heap has to be as it was. Prints a line for
 * each target; the exit code is 1 if a rule was broken.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Rng } from "../src/testing/rng.ts";
import { fireAtParser, fireAtTarget, type Outcome } from "./hostile/fire.ts";
import { liveTargets, realDatagrams } from "./hostile/live.ts";
import { parsers } from "./hostile/parsers.ts";

/** Bytes that the heap may have grown by after each target, garbage aside: machine code and counters. */
const MAX_HEAP_GROWTH = 4 * 1024 * 1024;

function main(): number {
  const { values } = parseArgs({
    options: { count: { type: "string", default: "1000000" }, seed: { type: "string", default: "1" } },
  });
  const count = Number(values.count);
  const seed = Number(values.seed);
  if (!Number.isInteger(count) || count < 1 || !Number.isInteger(seed)) {
    console.error("usage: npm run hostile -- [--count 1000000] [--seed 1]");
    return 2;
  }
  const rng = new Rng(seed);
  let failures = 0;
  const judge = (name: string, run: () => Outcome, complete = () => {}) => {
    const before = heapInUse();
    try {
      report(run(), before);
      complete();
    } catch (error) {
      failures += 1;
      console.error(`${name}: FAILED (seed ${seed})\n  ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const started = performance.now();
  for (const parser of parsers(realDatagrams(seed), rng.fork("samples"))) {
    judge(parser.name, () => fireAtParser(parser, count, rng.fork(parser.name)));
  }
  for (const target of liveTargets(seed)) {
    judge(target.name, () => fireAtTarget(target, count, rng.fork(target.name)), target.complete);
    const reasons = Object.entries(target.dropped()).map(([reason, dropped]) => `${reason} ${dropped}`);
    console.log(`  dropped: ${reasons.join(", ")}`);
  }
  const elapsed = (performance.now() - started) / 1_000;
  console.log(`${failures === 0 ? "no violation" : `${failures} targets FAILED`}, ${elapsed.toFixed(0)} s`);
  return failures === 0 ? 0 : 1;
}

function report({ name, shots, bytes, accepted, elapsed }: Outcome, heapBefore: number): void {
  const growth = heapInUse() - heapBefore;
  const each = ((elapsed * 1_000) / shots).toFixed(2);
  const figures = `${shots} datagrams, ${(bytes / 2 ** 20).toFixed(0)} MiB, ${each} µs each, ${accepted} well formed`;
  console.log(`${name}: ${figures}, heap ${growth < 0 ? "" : "+"}${(growth / 1024).toFixed(0)} KiB`);
  if (growth > MAX_HEAP_GROWTH) throw new Error(`the heap grew by ${growth} bytes`);
}

/** Bytes that are reachable. */
function heapInUse(): number {
  // Twice: the first time finds buffers whose memory the second gives back.
  collectGarbage();
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");
process.exitCode = main();
