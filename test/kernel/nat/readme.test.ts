/**
 * The README's first example, as it stands there: a server, and two machines behind NATs.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kind } from "./kinds.ts";
import { type HostName, NatLab, SERVER_ADDRESSES } from "./lab.ts";
import { installPair } from "./pairs.ts";

const README = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
const PUNCHLINE = fileURLToPath(new URL("../../../bin/punchline.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "punchline-readme-"));

let lab: NatLab;

beforeAll(async () => {
  lab = await NatLab.create({ links: { delay: 20 } });
});

afterAll(async () => {
  await lab?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The three commands of the example, without their comments. */
function commands(): readonly string[] {
  const section = README.slice(README.indexOf("## Two machines behind NATs"));
  const block = /```console\n([\s\S]*?)```/.exec(section)?.[1] ?? "";
  return block
    .trim()
    .split("\n")
    .map((line) => line.replace(/^\$ /, "").replace(/\s+#.*$/, ""));
}

/** Runs a command line of the README on a host, with words put in the place of its placeholders. */
function run(host: HostName, line: string, words: Readonly<Record<string, string>>) {
  let script = line.replace("npx punchline", `exec ${process.execPath} ${PUNCHLINE}`);
  for (const [name, word] of Object.entries(words)) script = script.replace(name, word);
  const [command = "", ...prefix] = lab.host(host).prefix;
  const child = spawn(command, [...prefix, "bash", "-c", script], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (said += text));
  const printed = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const found = pattern.exec(said)?.[0];
      if (found !== undefined) return found;
      if (child.exitCode !== null) throw new Error(`${line} has ended: ${said}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  return { child, printed, ended: once(child, "close").then(([code]) => ({ code, said })) };
}

test("works for two routers that let in nobody who was not asked", async () => {
  await installPair(lab, [kind("EIM/APDF"), kind("EIM/APDF")], "endpoint");
  const [server = "", listen = "", connect = ""] = commands();
  writeFileSync(join(folder, "image.iso"), randomBytes(1_000_000));
  const running = run("srv", server, { ADDRESS: SERVER_ADDRESSES[0] });
  const listener = run("hb", listen, { SERVER: await running.printed(/ps1\w+/) });
  const connector = run("ha", connect, { TICKET: await listener.printed(/pl1\w+/) });
  expect(await connector.ended).toMatchObject({ code: 0 });
  expect(await listener.ended).toMatchObject({ code: 0 });
  running.child.kill("SIGTERM");
  await running.ended;
  expect(readFileSync(join(folder, "copy.iso")).equals(readFileSync(join(folder, "image.iso")))).toBe(true);
});
