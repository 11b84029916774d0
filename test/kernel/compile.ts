/**
 * The small C programs that kernel tests need, compiled on first use.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

/** Compiles a program of one file, unless this very text was compiled before, and returns the path of the result. */
export function compile(source: URL): string {
  const path = fileURLToPath(source);
  const folder = fileURLToPath(new URL("../../node_modules/.cache/punchline/", import.meta.url));
  const hash = createHash("sha256").update(readFileSync(path)).digest("hex").slice(0, 16);
  const program = `${folder}${basename(path, ".c")}-${hash}`;
  if (!existsSync(program)) {
    mkdirSync(folder, { recursive: true });
    execFileSync("cc", ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-o", `${program}.${process.pid}`, path], {
      stdio: "inherit",
    });
    renameSync(`${program}.${process.pid}`, program);
  }
  return program;
}
