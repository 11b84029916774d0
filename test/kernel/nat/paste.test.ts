/**
 * Paste mode through real NATs: two homes whose routers let in nobody who was not asked, and our server for STUN alone.
 *
 * The routers forget flows after 20 s, and the string is pasted 30 s after it was made.
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
import { kind, rulesOf } from "./kinds.ts";
import { type HostName, NatLab, SERVER_ADDRESSES } from "./lab.ts";
import type { Rules } from "./ruleset.ts";

const PUNCHLINE = fileURLToPath(new URL("../../../bin/punchline.js", import.meta.url));
const STUN = ["--stun", SERVER_ADDRESSES[0]];

/** How long people take, in ms: longer than routers remember. */
const CARRYING: number = 30_000;

const folder = mkdtempSync(join(tmpdir(), "punchline-paste-"));
const payload = randomBytes(1_000_000);

let lab: NatLab;

beforeAll(async () => {
  lab = await NatLab.create({ links: { delay: 20 } });
  writeFileSync(join(folder, "payload"), payload);
});

afterAll(async () => {
  await lab?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the program on a host; standard input and output are files of the folder. */
function run(host: HostName, args: readonly string[], files = "< /dev/null") {
  const line = `exec ${process.execPath} ${PUNCHLINE} ${args.join(" ")} ${files}`;
  const [command = "", ...prefix] = lab.host(host).prefix;
  const child = spawn(command, [...prefix, "bash", "-c", line], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (said += text));
  const printed = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const found = pattern.exec(said)?.[1];
      if (found !== undefined) return found;
      if (child.exitCode !== null) throw new Error(`${args[0]} has ended: ${said}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  return { child, printed, ended: once(child, "close").then(([code]) => ({ code, said })) };
}

/** Two strings by hand between the homes; what was said by the caller. */
async function pasteBetween(a: Rules, b: Rules): Promise<string> {
  const timers = { unreplied: 20, stream: 20 };
  await Promise.all([lab.install("na", a, { timers }), lab.install("nb", b, { timers })]);
  const server = run("srv", ["server", "--host", SERVER_ADDRESSES[0]]);
  await server.printed(/(ps1\w+)/);
  rmSync(join(folder, "answer"), { force: true });
  const listener = run("hb", ["listen", "--json", "--paste", ...STUN, "--answer-from", "answer"], "> copy");
  const ticket = await listener.printed(/"ticket":"(pl1\w+)"/);
  const caller = run("ha", ["connect", "--json", "--paste", ...STUN, ticket], "< payload");
  const text = await caller.printed(/"text":"(pa1\w+)"/);
  await new Promise((resolve) => setTimeout(resolve, CARRYING));
  writeFileSync(join(folder, "answer"), `${text}\n`);
  const { code, said } = await caller.ended;
  expect([code, (await listener.ended).code, said]).toEqual([0, 0, expect.stringContaining('"connected"')]);
  expect(readFileSync(join(folder, "copy")).equals(payload)).toBe(true);
  server.child.kill("SIGTERM");
  await server.ended;
  return said;
}

const CONE = rulesOf(kind("EIM/APDF"))!;

test("two routers that look at ports, and forget sooner than people carry strings (PASTE-5, PASTE-8)", async () => {
  const said = await pasteBetween(CONE, CONE);
  expect(said.match(/"invitation"/g)).toHaveLength(1);
}, 90_000);

test("routers as Linux makes them, whose tables remember what nobody asked for (PASTE-5)", async () => {
  await pasteBetween({ kind: "masquerade", acceptsInput: true }, { kind: "masquerade", acceptsInput: true });
}, 90_000);
