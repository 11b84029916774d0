/**
 * Runs the published Noise vectors against our primitives: `npm run test:vectors`.
 *
 * The file is named by PUNCHLINE_NOISE_VECTORS, or is `reference/vectors/noise-25519.json` below a folder beside the
 * checkout. If it is not there, that is a failure.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const PLACE = join("reference", "vectors", "noise-25519.json");
const checkout = dirname(dirname(fileURLToPath(import.meta.url)));

function findVectors() {
  const named = process.env.PUNCHLINE_NOISE_VECTORS;
  if (named !== undefined) return existsSync(named) ? named : undefined;
  const above = dirname(checkout);
  return readdirSync(above)
    .map((folder) => join(above, folder, PLACE))
    .find((path) => existsSync(path));
}

const file = findVectors();
if (file === undefined) {
  console.error("test:vectors: no Noise vectors; name the file in PUNCHLINE_NOISE_VECTORS");
  process.exit(1);
}
const vitest = join(checkout, "node_modules", "vitest", "vitest.mjs");
const run = spawnSync(process.execPath, [vitest, "run", "test/conformance/noise-vectors.test.ts"], {
  cwd: checkout,
  env: { ...process.env, PUNCHLINE_NOISE_VECTORS: file },
  stdio: "inherit",
});
process.exit(run.status ?? 1);
