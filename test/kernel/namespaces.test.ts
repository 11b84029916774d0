/**
 * Nothing is left of a laboratory, whatever becomes of its maker.
 *
 * @module
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { Namespaces } from "./namespaces.ts";

function names(): string {
  return execFileSync("ip", ["netns", "list"], { encoding: "utf8" });
}

/** What a process runs; nothing once it has ended, even if nobody has asked yet how. */
function commandOf(pid: string): string {
  return existsSync(`/proc/${pid}/cmdline`) ? readFileSync(`/proc/${pid}/cmdline`, "utf8") : "";
}

test("what a killed process has left is removed before new namespaces are made, and what ran there is ended", async () => {
  const module = fileURLToPath(new URL("namespaces.ts", import.meta.url));
  const program = `import(${JSON.stringify(module)}).then(({ Namespaces }) => {
    const made = new Namespaces(["left"]);
    const prefix = ["netns", "exec", made.full("left")];
    const sleeper = require("node:child_process").spawn("ip", [...prefix, "sh", "-c", "echo; exec sleep 1000"]);
    sleeper.stdout.once("data", () => console.log(made.full("left"), sleeper.pid));
  });`;
  const maker = spawn(process.execPath, ["--import", "tsx", "-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(createInterface({ input: maker.stdout }), "line");
  const [left = "", sleeper = ""] = line.split(" ");
  expect(commandOf(sleeper)).toContain("sleep");
  maker.kill("SIGKILL");
  await once(maker, "close");
  expect(names()).toContain(left);
  const fresh = new Namespaces(["fresh"]);
  expect(names()).not.toContain(left);
  expect(commandOf(sleeper)).toBe("");
  expect(names()).toContain(fresh.full("fresh"));
  fresh.remove();
  expect(names()).not.toContain(fresh.full("fresh"));
});
