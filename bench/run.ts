/**
 * `npm run bench -- NAME [options]`: runs one benchmark.
 *
 * @module
 */
import { bulk } from "./bulk/main.ts";
import { links } from "./links/run.ts";

const BENCHMARKS: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = { bulk, links };

const [name = "", ...args] = process.argv.slice(2);
const benchmark = BENCHMARKS[name];
if (benchmark === undefined) {
  console.error(`usage: npm run bench -- ${Object.keys(BENCHMARKS).join("|")} [options]`);
  process.exit(2);
}
await benchmark(args);
