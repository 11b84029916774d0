/**
 * Finds the fuzz targets.
 *
 * @module
 */
import { readdirSync } from "node:fs";
import type { FuzzTarget } from "./target.ts";

const FOLDER = new URL("./targets/", import.meta.url);

/** Names of all targets: the files in `fuzz/targets/`. */
export function targetNames(): string[] {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith(".ts"));
  return files.map((file) => file.slice(0, -".ts".length)).sort();
}

/** The target of that name. */
export async function loadTarget(name: string): Promise<FuzzTarget> {
  const { target }: { target?: FuzzTarget } = await import(new URL(`${name}.ts`, FOLDER).href);
  if (target?.name !== name) throw new Error(`fuzz/targets/${name}.ts exports no target of that name`);
  return target;
}
