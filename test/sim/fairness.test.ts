/**
 * How bulk flows share a bottleneck of 20 Mbit/s and 15 ms each way whose queue holds the bandwidth-delay product one and
 * a half times: with a flow of CUBIC that was there before, with their like, and with a latecomer.
 *
 * The same cases run between the kernel's TCP and ours in `bench/links/fairness.ts`.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import type { CongestionName } from "../../src/congestion/create.ts";
import { DEFAULT_CONFIG } from "../../src/connection/config.ts";
import { simulationSeeds } from "../../src/testing/index.ts";
import { Flows } from "../congestion/flows.ts";

const DEFAULT = DEFAULT_CONFIG.congestion;

const LINK = { rate: 20, delay: 15, queue: 75 };

/** What the link carries of payload in full packets, in Mbit/s. */
const CAPACITY = 19.1;

/** Every bound holds for the first five; one is what there is time for. */
const SEEDS = simulationSeeds(process.env, 1);

interface Shared {
  /** Mbit/s of the flow that was first, and of the other. */
  readonly first: number;
  readonly second: number;
}

/** Two flows and what they get from one second to another; `lag` is the second's, in seconds. */
function share(
  seed: number,
  names: readonly [CongestionName, CongestionName],
  { lag, from, until }: { readonly lag: number; readonly from: number; readonly until: number },
): Shared {
  const [first, second] = names.map((congestion) => ({ config: { congestion } }));
  const run = new Flows(LINK, [first!, { ...second!, startAt: lag * 1_000 }], seed).run(until * 1_000);
  const [a, b] = run.flows.map((flow) => flow.rate(from * 1_000, until * 1_000));
  return { first: a!, second: b! };
}

/** RFC 5166 §2.3: 1 when both have the same, 1/2 when one has everything. */
function jainIndex({ first, second }: Shared): number {
  return (first + second) ** 2 / (2 * (first ** 2 + second ** 2));
}

describe.each(SEEDS)("seed %i", (seed) => {
  test("the default takes about half of the link from a flow of CUBIC that came 2 s earlier, not more", () => {
    // Seconds 5 to 30 of its own life.
    const { first, second } = share(seed, ["cubic", DEFAULT], { lag: 2, from: 7, until: 32 });
    expect(second / (first + second)).toBeGreaterThan(0.35);
    expect(second / (first + second)).toBeLessThan(0.65);
    expect(first + second).toBeGreaterThan(0.97 * CAPACITY);
  });

  test("two flows of the default share evenly over the last 20 of 40 s", () => {
    const shared = share(seed, [DEFAULT, DEFAULT], { lag: 0, from: 20, until: 40 });
    expect(jainIndex(shared)).toBeGreaterThan(0.95);
    expect(shared.first + shared.second).toBeGreaterThan(0.95 * CAPACITY);
  });

  test("one that comes 10 s late has its part in seconds 10 to 20 of its life", () => {
    const { first, second } = share(seed, [DEFAULT, DEFAULT], { lag: 10, from: 20, until: 30 });
    expect(second / (first + second)).toBeGreaterThan(0.4);
  });
});
