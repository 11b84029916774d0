/**
 * The product as its users run it: compiled, not translated on the fly as the benchmarks themselves are.
 *
 * @module
 */
const ENTRY = new URL("../dist/index.js", import.meta.url).href;

/** Everything that the package exports; `npm run build` makes it. */
export function importBuilt(): Promise<typeof import("../src/index.ts")> {
  return import(ENTRY);
}
