/**
 * `npm run bench -- NAME [options]`: runs one benchmark.
 *
 * @module
 */
import { bulk } from "./bulk/main.ts";
import { fairness } from "./links/fairness-run.ts";
import { links } from "./links/run.ts";

const BENCHMARKS: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = { bulk, links, fairness };

const [name = "", ...args] = process.argv.slice(2);
const benchmark = BENCHMARKS[name];
if (benchmark === undefined) {
  console.error(`usage: npm run bench -- ${Object.keys(BENCHMARKS).join("|")} [options]`);
  process.exit(2);
}
await benchmark(args);
