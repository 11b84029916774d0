/**
 * The README's two commands, from a fresh clone.
 *
 * @module
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { must, type Row, type Workplace } from "../row.ts";

/** Long enough for an installation without a cache. */
const PATIENCE = 900_000;

async function shell(place: Workplace, folder: string, script: string): Promise<{ seconds: number; stdout: string }> {
  const startedAt = performance.now();
  const { stdout } = await promisify(execFile)("bash", ["-ec", script], {
    cwd: folder,
    timeout: PATIENCE,
    maxBuffer: 1 << 26,
    env: { ...process.env, NO_COLOR: "1" },
  }).catch(({ stdout = "", stderr = "" }: { stdout?: string; stderr?: string }) => {
    throw new Error(`${script}: ${`${stdout}${stderr}`.trim().split("\n").slice(-12).join("\n")}`);
  });
  const seconds = (performance.now() - startedAt) / 1000;
  place.log(`${script}: ${seconds.toFixed(0)} s`);
  return { seconds, stdout };
}

export const cleanClone: Row = {
  name: "clean-clone",
  claim: "`npm ci && npm run demo`, `npm ci && npm test` and `npx punchline` work in a fresh clone",
  minutes: 8,
  async run(place) {
    const clone = join(place.folder, "clone");
    await shell(place, place.folder, `git clone --quiet --no-hardlinks "${place.root}" clone`);
    const demo = await shell(place, clone, "npm ci && npm run demo");
    const version = await shell(place, clone, "npx punchline --version");
    const test = await shell(place, clone, "npm ci && npm test");
    const changed = await shell(place, clone, "git status --porcelain");
    must(changed.stdout === "", `the checkout has changed: ${changed.stdout}`);
    return `demo ${demo.seconds.toFixed(0)} s, tests ${test.seconds.toFixed(0)} s, version ${version.stdout.trim()}`;
  },
};
