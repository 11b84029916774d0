/**
 * The layers of `src/`, and who may import whom.
 *
 * @module
 */
import { importsOf, resolveImport, type Source } from "./source-tree.ts";

/**
 * From the top down. A layer may import itself and every layer on a line below its own. Layers on one line are siblings:
 * they never import each other, whoever owns both introduces them.
 */
const STEPS: readonly (readonly string[])[] = [
  ["cli"],
  ["index"],
  ["connect", "listen", "serve", "diagnose"],
  ["options"],
  ["io"],
  ["server", "doctor", "agent"],
  ["signal", "connection"],
  ["path", "portmap", "stream", "recovery", "congestion", "crypto", "stun", "ticket"],
  ["wire"],
  ["trace", "util"],
];

/** The simulator stands beside the layers: it may use any of them except the command line, and none may use it. */
const SIMULATOR = "testing";

/** Layers that may touch the world: sockets, clocks, timers, files, the process. All others hold pure machines. */
const IMPURE: ReadonlySet<string> = new Set([
  "cli",
  "index",
  "connect",
  "listen",
  "serve",
  "diagnose",
  "options",
  "io",
]);

/** The only files that hand on what others export. */
const BARRELS: ReadonlySet<string> = new Set(["src/index.ts", "src/testing/index.ts"]);

/** The layer of a path below `src/`: its folder, or its own name for a file at the top. */
export function layerOf(path: string): string {
  const [first = "", second] = path.slice("src/".length).split("/");
  return second === undefined ? first.replace(/\.ts$/, "") : first;
}

/** Whether the file belongs to a layer of pure machines. */
export function isPure(path: string): boolean {
  return !IMPURE.has(layerOf(path));
}

/** Why `from` may not import `to` (both layers), or `undefined` if it may. */
export function forbidden(from: string, to: string): string | undefined {
  if (from === to) return undefined;
  if (to === SIMULATOR) return "only tests and benchmarks use the simulator";
  if (from === SIMULATOR) return to === "cli" ? "the simulator knows nothing of the command line" : undefined;
  if (from === "cli") return to === "index" ? undefined : "the command line uses the public interface only";
  const [fromStep, toStep] = [stepOf(from), stepOf(to)];
  if (fromStep === -1 || toStep === -1) return `no layer is called ${fromStep === -1 ? from : to}`;
  if (fromStep === toStep) return `${from} and ${to} are siblings`;
  return fromStep < toStep ? undefined : `${to} is above ${from}`;
}

/** Every import of the file that points to the wrong place. */
export function wrongImports(source: Source): string[] {
  const wrong: string[] = [];
  for (const { specifier } of importsOf(source)) {
    const target = resolveImport(source, specifier);
    if (target === undefined) continue;
    const reason = target.startsWith("src/")
      ? forbidden(layerOf(source.path), layerOf(target))
      : "src imports nothing outside src";
    if (reason !== undefined) wrong.push(`${source.path} imports ${specifier}: ${reason}`);
  }
  return wrong;
}

/** `export … from` outside the two files that may do it. */
export function wrongBarrels(source: Source): string[] {
  if (BARRELS.has(source.path)) return [];
  return importsOf(source)
    .filter((each) => each.reexport)
    .map((each) => `${source.path} hands on ${each.specifier}`);
}

/** One chain of files for each group that imports itself in a circle, types included. */
export function cycles(sources: readonly Source[]): string[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const finished = new Set<string>();
  const chain: string[] = [];
  const found: string[] = [];
  const visit = (path: string): void => {
    const source = byPath.get(path);
    if (source === undefined || finished.has(path)) return;
    if (chain.includes(path)) {
      found.push([...chain.slice(chain.indexOf(path)), path].join(" → "));
      return;
    }
    chain.push(path);
    for (const { specifier } of importsOf(source)) {
      const target = resolveImport(source, specifier);
      if (target !== undefined) visit(target);
    }
    chain.pop();
    finished.add(path);
  };
  for (const source of sources) visit(source.path);
  return found;
}

function stepOf(layer: string): number {
  return STEPS.findIndex((step) => step.includes(layer));
}
