/**
 * The library in a process of its own: long pipelines, many streams, clean ends.
 *
 * @module
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { must, type Row, type Workplace } from "../row.ts";

const PROGRAM = fileURLToPath(new URL("programs/streams.ts", import.meta.url));

/** Between the last close and the end of the process, in ms. */
const PROMPT = 1000;

/** Runs one scenario of the program. It prints its figure and the time of its last close, then ends by itself. */
async function scenario(place: Workplace, name: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", PROGRAM, name], {
    cwd: place.root,
    timeout: 600_000,
  }).catch(({ stdout, stderr, killed }: { stdout: string; stderr: string; killed: boolean }) => {
    throw new Error(`${killed ? "it did not end; " : ""}${stdout}${stderr}`.trim().slice(-600));
  });
  const { figure, closedAt } = JSON.parse(stdout) as { figure: string; closedAt: number };
  const lingered = Date.now() - closedAt;
  must(lingered < PROMPT, `${figure}, but the process went on for ${lingered} ms`);
  return `${figure}; the process ended ${Math.round(lingered)} ms after the last close`;
}

function row(name: string, claim: string, minutes: number): Row {
  return { name, claim, minutes, run: (place) => scenario(place, name) };
}

export const streams: readonly Row[] = [
  row(
    "pipeline-1g",
    "1 GiB by pipeline() to a peer that pauses at random: SHA equal, and done only once the peer has the end",
    3,
  ),
  row("await-using", "the README's `await using` form ends cleanly, never by a reset: 200 of 200", 1),
  row("100-connections", "100 connections at once on one endpoint: hashes equal", 1),
  row("100-streams", "100 streams at once on one connection: hashes equal", 1),
];
