/**
 * Which seeds a test runs: its own, or the one that the environment asks for.
 *
 * A failing run prints its seed; `SIM_SEED=<seed> npx vitest run <file>` repeats exactly that run. The environment is an
 * argument (`process.env`), because nothing in here touches the process.
 *
 * @module
 */

/** Environment variables. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** The seed in the variable `SIM_SEED`, else `otherwise`. @throws RangeError if it is not an integer. */
export function simulationSeed(variables: Variables, otherwise = 1): number {
  const text = variables.SIM_SEED;
  if (text === undefined || text === "") return otherwise;
  const seed = Number(text);
  if (!Number.isSafeInteger(seed)) throw new RangeError(`SIM_SEED is not an integer: ${text}`);
  return seed;
}

/** The seeds 1 to `count`, or only the one in the variable `SIM_SEED`. @throws RangeError if it is not an integer. */
export function simulationSeeds(variables: Variables, count: number): readonly number[] {
  if ((variables.SIM_SEED ?? "") !== "") return [simulationSeed(variables)];
  return Array.from({ length: count }, (_, index) => index + 1);
}
