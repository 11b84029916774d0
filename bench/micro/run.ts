/**
 * Runs the micro benchmarks: `npm run bench:micro -- [name…]`, without a name all of them.
 *
 * Every other file in this folder is one; it exports `run`.
 *
 * @module
 */
import { readdirSync } from "node:fs";
import { cpus } from "node:os";

const FOLDER = new URL("./", import.meta.url);

/** What a file in this folder exports: `run` makes a suite of benny and returns its promise. */
interface MicroBenchmark {
  readonly run: () => Promise<Summary>;
}

/** The part of benny's summary that is printed. */
interface Summary {
  readonly results: readonly { readonly name: string; readonly ops: number; readonly margin: number }[];
}

const names = readdirSync(FOLDER)
  .filter((file) => file.endsWith(".ts") && file !== "run.ts")
  .map((file) => file.slice(0, -".ts".length))
  .sort();
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !names.includes(name));

if (unknown.length > 0) {
  console.error(`no benchmark ${unknown.join(", ")}; there are: ${names.join(", ")}`);
  process.exitCode = 2;
} else {
  const processors = cpus();
  console.log(
    `Node ${process.version}, V8 ${process.versions.v8}, ${processors.length} × ${processors[0]?.model ?? "unknown CPU"}`,
  );
  for (const name of wanted.length > 0 ? wanted : names) {
    const benchmark: MicroBenchmark = await import(new URL(`${name}.ts`, FOLDER).href);
    print(await benchmark.run());
  }
}

function print({ results }: Summary): void {
  for (const { name, ops, margin } of results) {
    const each = `${(1e9 / ops).toFixed(1)} ns`.padStart(14);
    const rate = `${Math.round(ops).toLocaleString("en")} a second`.padStart(24);
    console.log(`  ${name.padEnd(44)}${each}${rate}  ±${margin.toFixed(1)} %`);
  }
}
