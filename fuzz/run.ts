/**
 * Runs fuzz targets for a given time: `npm run fuzz -- [--target T] [--seconds N] [--seed S] [--path P]`.
 *
 * Every round is a call of fast-check with the next seed. A failure is shrunk and printed with the command that repeats
 * it; then the exit code is 1. With `--path`, the input that it names is tried, and if that passes, those beside it.
 *
 * @module
 */
import { parseArgs } from "node:util";
import fc from "fast-check";
import { loadTarget, targetNames } from "./discover.ts";
import type { FuzzTarget } from "./target.ts";

/** Inputs in one round: enough to grow to full size, few enough to look at the clock often. */
const RUNS_PER_ROUND = 500;

interface Options {
  /** Milliseconds for this target. */
  readonly budget: number;
  readonly seed: number;
  readonly path: string | undefined;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      target: { type: "string", default: "all" },
      seconds: { type: "string", default: "30" },
      seed: { type: "string" },
      path: { type: "string" },
    },
  });
  const names = targetNames();
  const chosen = values.target === "all" ? names : names.filter((name) => name === values.target);
  const seconds = Number(values.seconds);
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
  if (chosen.length === 0) return usage(`no target "${values.target}"`, names);
  if (!(seconds > 0)) return usage(`no time: ${values.seconds}`, names);
  if (!Number.isInteger(seed)) return usage(`no seed: ${values.seed}`, names);
  if (values.path !== undefined && chosen.length > 1) return usage("a path belongs to one target", names);

  let failures = 0;
  const budget = (seconds * 1_000) / chosen.length;
  for (const name of chosen) {
    const target = await loadTarget(name);
    if (!(await fuzz(target, { budget, seed, path: values.path }))) failures += 1;
  }
  return failures === 0 ? 0 : 1;
}

/** Fuzzes one target until the time is over; false if an input broke the property. */
async function fuzz(target: FuzzTarget, { budget, seed: firstSeed, path }: Options): Promise<boolean> {
  const started = performance.now();
  const property = target.property();
  let runs = 0;
  let seed = firstSeed;
  do {
    const details = await check(property, path === undefined ? { seed } : { seed, path, endOnFailure: true });
    runs += details.numRuns;
    if (details.failed) {
      report(target, details);
      return false;
    }
    seed = (seed + 1) | 0;
  } while (path === undefined && performance.now() - started < budget);
  const elapsed = (performance.now() - started) / 1_000;
  console.log(
    `${target.name}: ${runs} inputs in ${elapsed.toFixed(1)} s, seeds ${firstSeed} to ${seed - 1}: no failure`,
  );
  return true;
}

/** fast-check types properties as synchronous or not; it accepts both. */
async function check(
  property: fc.IRawProperty<unknown, boolean>,
  where: { readonly seed: number; readonly path?: string; readonly endOnFailure?: boolean },
): Promise<fc.RunDetails<unknown>> {
  return fc.check(property as fc.IAsyncProperty<unknown>, { ...where, numRuns: RUNS_PER_ROUND });
}

function report(target: FuzzTarget, details: fc.RunDetails<unknown>): void {
  const path = details.counterexamplePath ?? "";
  console.error(`${target.name}: FAILED`);
  console.error(fc.defaultReportMessage(details));
  console.error(`repeat it: npm run fuzz -- --target ${target.name} --seed=${details.seed} --path ${path}`);
  console.error("keep it:   add this line to test/fuzz/regressions.test.ts");
  console.error(`  { target: "${target.name}", seed: ${details.seed}, path: "${path}" },`);
}

function usage(problem: string, names: readonly string[]): number {
  console.error(`fuzz: ${problem}`);
  console.error("usage: npm run fuzz -- [--target T|all] [--seconds N] [--seed S [--path P]]");
  console.error(`targets: ${names.join(", ")}`);
  return 2;
}

process.exitCode = await main();
