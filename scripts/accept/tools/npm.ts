/**
 * Runs of the project's own scripts.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { must, type Workplace } from "../row.ts";

/** What a script has said, and how long it took. */
export interface ScriptRun {
  readonly seconds: number;
  readonly lines: readonly string[];
}

/** Runs a script of package.json with the words after its name. Throws if it fails. */
export function npmRun(place: Workplace, words: readonly string[]): Promise<ScriptRun> {
  return run(place, ["npm", "run", "--silent", ...words]);
}

/** Runs a command in the checkout. Throws if it fails. */
export async function run(place: Workplace, [command = "", ...rest]: readonly string[]): Promise<ScriptRun> {
  const startedAt = performance.now();
  const child = spawn(command, rest, { cwd: place.root, stdio: ["ignore", "pipe", "pipe"] });
  const lines: string[] = [];
  const note = (line: string): void => {
    if (line.trim() !== "") lines.push(line.trim());
  };
  createInterface({ input: child.stdout }).on("line", note);
  createInterface({ input: child.stderr }).on("line", note);
  const [code] = await once(child, "close");
  must(code === 0, `exit ${code}: ${lines.slice(-8).join(" / ")}`);
  return { seconds: (performance.now() - startedAt) / 1000, lines };
}
