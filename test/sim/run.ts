/**
 * The long campaign: `npm run sim -- --seeds N [--from SEED] [--workers W]`.
 *
 * Runs the scenarios of N seeds, spread over W processes (two by default), and prints every failure with the command
 * that replays it. Exit status 1 if any failed.
 *
 * @module
 */
import { fork } from "node:child_process";
import { parseArgs } from "node:util";
import { runScenario } from "./campaign.ts";

/** Failures printed in full; a broken invariant tends to break thousands of seeds. */
const MOST_PRINTED = 100;

interface Tally {
  seeds: number;
  failed: number;
  datagrams: number;
  bytes: number;
}

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "300" },
    from: { type: "string", default: "1" },
    workers: { type: "string", default: "2" },
    worker: { type: "string" },
  },
});
const seeds = natural("seeds", values.seeds);
const from = natural("from", values.from);
const workers = Math.max(1, Math.min(natural("workers", values.workers), seeds));

if (values.worker === undefined) await lead();
else work(natural("worker", values.worker));

function natural(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    console.error(`--${name} takes a whole number, not "${text}"`);
    process.exit(2);
  }
  return value;
}

/** Every process takes each `workers`-th seed, so that all end at about the same time. */
function work(index: number): void {
  const tally: Tally = { seeds: 0, failed: 0, datagrams: 0, bytes: 0 };
  for (let seed = from + index; seed < from + seeds; seed += workers) {
    tally.seeds += 1;
    try {
      const outcome = runScenario(seed);
      tally.datagrams += outcome.datagrams;
      tally.bytes += outcome.bytes;
      if (seeds === 1) console.log(outcome);
    } catch (error) {
      tally.failed += 1;
      if (tally.failed <= MOST_PRINTED) console.error(seeds === 1 ? error : (error as Error).message);
    }
  }
  process.send!(tally);
}

async function lead(): Promise<void> {
  const startedAt = performance.now();
  const total: Tally = { seeds: 0, failed: 0, datagrams: 0, bytes: 0 };
  const runs = Array.from({ length: workers }, (_, index) => {
    const child = fork(import.meta.filename, [...process.argv.slice(2), "--worker", String(index)]);
    return new Promise<void>((resolve, reject) => {
      let hasReported = false;
      child.on("message", (message) => {
        const tally = message as Tally;
        hasReported = true;
        for (const key of ["seeds", "failed", "datagrams", "bytes"] as const) total[key] += tally[key];
      });
      child.on("exit", (code) => (hasReported ? resolve() : reject(new Error(`a worker ended with status ${code}`))));
    });
  });
  await Promise.all(runs);
  const seconds = (performance.now() - startedAt) / 1000;
  console.log(
    `${total.seeds} seeds from ${from}: ${total.failed} failed, ${total.datagrams} datagrams, ${total.bytes} bytes, ${seconds.toFixed(1)} s`,
  );
  process.exitCode = total.failed === 0 ? 0 : 1;
}
