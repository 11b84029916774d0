/**
 * Keeps what came of each pair of kinds, for the row that compares the doctor's verdicts with it.
 *
 * @module
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { FilterScope, Kind } from "../../../test/kernel/nat/kinds.ts";
import { must, type Workplace } from "../row.ts";

/** Which calls of a pair have connected: by scope and names, in order. */
type Kept = Readonly<Record<string, readonly boolean[]>>;

/** Notes what came of the calls between two kinds. */
export function keepOutcomes(
  place: Workplace,
  pair: readonly [Kind, Kind],
  scope: FilterScope,
  connected: readonly boolean[],
): void {
  const path = pathIn(place);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify({ ...readKept(path), [keyOf(pair, scope)]: connected }, undefined, 1)}\n`);
}

/** Whether most calls between two kinds have connected. Throws if there were none. */
export function didConnect(place: Workplace, pair: readonly [Kind, Kind], scope: FilterScope): boolean {
  const calls = readKept(pathIn(place))[keyOf(pair, scope)] ?? [];
  must(calls.length > 0, `nobody has called between ${keyOf(pair, scope)} yet; run the matrix rows first`);
  return calls.filter(Boolean).length * 2 > calls.length;
}

function pathIn({ root }: Workplace): string {
  return join(root, ".accept", "through-nats-outcomes.json");
}

function keyOf([a, b]: readonly [Kind, Kind], scope: FilterScope): string {
  return `${a.name} ${b.name} ${scope}`;
}

function readKept(path: string): Kept {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return {};
  }
}
