/**
 * Inputs that once broke a fuzz target, and a short run of every target.
 *
 * `npm run fuzz` prints the line to add here. A seed and a path name an input only as long as the target draws its
 * inputs as it did; a failure that must outlive that becomes a test of its own beside the code.
 *
 * @module
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadTarget, targetNames } from "../../fuzz/discover.ts";

interface Regression {
  readonly target: string;
  readonly seed: number;
  readonly path: string;
}

const REGRESSIONS: readonly Regression[] = [];

/** Inputs for each target here; long runs are the business of `npm run fuzz`. */
const SMOKE_RUNS = 100;

const names = targetNames();

async function check(name: string, parameters: fc.Parameters<unknown>): Promise<void> {
  const target = await loadTarget(name);
  await fc.assert(target.property() as fc.IAsyncProperty<unknown>, parameters);
}

describe("inputs that once failed", () => {
  test("all name a target", () => {
    expect(REGRESSIONS.filter(({ target }) => !names.includes(target))).toEqual([]);
  });

  for (const { target, seed, path } of REGRESSIONS) {
    test(`${target}, seed ${seed}, path ${path}`, async () => {
      await check(target, { seed, path });
    });
  }
});

describe("a short run", () => {
  for (const name of names) {
    test(`of ${name} finds nothing`, async () => {
      await check(name, { seed: 1, numRuns: SMOKE_RUNS });
    });
  }
});
