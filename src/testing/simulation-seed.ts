/**
 * Which seeds a test runs: its own, or the one that the environment asks for.
 *
 * A failing run prints its seed; `SIM_SEED=<seed> npx vitest run <file>` repeats exactly that run.
 *
 * @module
 */
import { env } from "node:process";

/** The seed in the environment variable `SIM_SEED`, else `otherwise`. */
export function simulationSeed(otherwise = 1): number {
  return requestedSeed() ?? otherwise;
}

/** The seeds 1 to `count`, or only the one in the environment variable `SIM_SEED`. */
export function simulationSeeds(count: number): readonly number[] {
  const requested = requestedSeed();
  if (requested !== undefined) return [requested];
  return Array.from({ length: count }, (_, index) => index + 1);
}

function requestedSeed(): number | undefined {
  const text = env.SIM_SEED;
  if (text === undefined || text === "") return undefined;
  const seed = Number(text);
  if (!Number.isSafeInteger(seed)) throw new RangeError(`SIM_SEED is not an integer: ${text}`);
  return seed;
}
