/**
 * Copies standard input to standard output, but not as fast as it could:
 * `reader.mjs rate BYTES_PER_SECOND` or `reader.mjs sleep SECONDS AFTER_BYTES`.
 *
 * @module
 */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

const [mode, amount, after] = process.argv.slice(2);
const startedAt = performance.now();
let bytes = 0;
let hasSlept = false;

for await (const chunk of process.stdin) {
  bytes += chunk.length;
  if (!process.stdout.write(chunk)) await once(process.stdout, "drain");
  if (mode === "rate") await sleep(Math.max(0, (bytes / Number(amount)) * 1000 - (performance.now() - startedAt)));
  else if (!hasSlept && bytes >= Number(after)) {
    hasSlept = true;
    await sleep(Number(amount) * 1000);
  }
}
