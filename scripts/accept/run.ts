/**
 * `npm run accept -- SUITE [--row NAME]… [--list] [--fresh]`: tries the claims of one suite at full size, one row each,
 * and prints the figures. Rows that have passed on the same source are not run again unless `--fresh` is given.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { FILL_LINKS } from "./fill-links/rows.ts";
import { FIRST_STREAM } from "./first-stream/rows.ts";
import type { Row } from "./row.ts";
import { type Outcome, State } from "./state.ts";
import { THROUGH_NATS } from "./through-nats/rows.ts";

const SUITES: Readonly<Record<string, readonly Row[]>> = {
  "first-stream": FIRST_STREAM,
  "fill-links": FILL_LINKS,
  "through-nats": THROUGH_NATS,
};
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      row: { type: "string", multiple: true },
      list: { type: "boolean", default: false },
      fresh: { type: "boolean", default: false },
    },
  });
  const [suite = ""] = positionals;
  const rows = SUITES[suite];
  if (rows === undefined) return usage(`no suite is called "${suite}"; there is ${Object.keys(SUITES).join(", ")}`);
  const unknown = values.row?.find((name) => !rows.some((row) => row.name === name));
  if (unknown !== undefined) return usage(`no row is called "${unknown}"; --list says what there is`);
  const chosen = rows.filter((row) => values.row?.includes(row.name) ?? true);
  if (values.list) {
    for (const row of chosen) console.log(`${row.name.padEnd(20)} ${`${row.minutes}`.padStart(3)} min  ${row.claim}`);
    return;
  }
  execFileSync("npm", ["run", "--silent", "build"], { cwd: ROOT, stdio: "inherit" });
  const state = new State(ROOT, suite, { isFresh: values.fresh });
  const outcomes: Outcome[] = [];
  for (const row of chosen) outcomes.push(await outcomeOf(row, state));
  console.log(`\n${outcomes.map(lineOf).join("\n")}`);
  const failed = outcomes.filter((outcome) => !outcome.passed).length;
  console.log(`${outcomes.length - failed} passed, ${failed} failed`);
  if (failed > 0) process.exitCode = 1;
}

function usage(problem: string): void {
  console.error(`accept: ${problem}`);
  process.exitCode = 2;
}

async function outcomeOf(row: Row, state: State): Promise<Outcome> {
  const kept = state.outcome(row.name);
  if (kept?.passed) {
    console.log(`${row.name}: passed before, ${kept.at}`);
    return kept;
  }
  console.log(`${row.name}: ${row.claim} (about ${row.minutes} min)`);
  const startedAt = performance.now();
  const folder = await mkdtemp(join(tmpdir(), `punchline-${row.name}-`));
  const result = await row
    .run({ root: ROOT, folder, log: (text) => console.log(`  ${text}`) })
    .then((figure) => ({ passed: true, figure }))
    .catch((error) => ({ passed: false, figure: error instanceof Error ? error.message : String(error) }))
    .finally(() => rm(folder, { recursive: true, force: true }));
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  const outcome = { name: row.name, ...result, seconds, at: new Date().toISOString() };
  state.record(outcome);
  console.log(lineOf(outcome));
  return outcome;
}

function lineOf({ name, passed, figure, seconds }: Outcome): string {
  return `${passed ? "pass" : "FAIL"}  ${name.padEnd(20)} ${`${seconds}`.padStart(7)} s  ${figure}`;
}

await main();
