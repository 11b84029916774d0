/**
 * What an idle connection costs, measured in a process of its own.
 *
 * @module
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

/** Enough that what does not belong to a connection hardly counts; `npm run bench:memory` takes 2,000. */
const CONNECTIONS = 300;

test("an end of an idle connection holds 20 KiB at most, after traffic too", { timeout: 120_000 }, async () => {
  const script = fileURLToPath(new URL("../../bench/memory/idle.ts", import.meta.url));
  const args = ["--import", "tsx", script, "--connections", String(CONNECTIONS)];
  // It exits with 1 above the limit.
  const { stdout } = await promisify(execFile)(process.execPath, args);
  expect(stdout).toMatch(/plain end: [\d.]+ KiB; end after traffic: [\d.]+ KiB/);
});
