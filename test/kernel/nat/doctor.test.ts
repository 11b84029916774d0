/**
 * The doctor beside a server of ours and real NATs: what it says of a network, and of a ticket whose listener it asks.
 *
 * The full matrix of rulesets is an acceptance row.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kind, RULESETS } from "./kinds.ts";
import { type HostName, NatLab, SERVER_ADDRESSES, SERVER_ADDRESSES6 } from "./lab.ts";
import { installPair } from "./pairs.ts";

const PUNCHLINE = fileURLToPath(new URL("../../../bin/punchline.js", import.meta.url));

const folder = mkdtempSync(join(tmpdir(), "punchline-doctor-"));

let lab: NatLab;
let server: ReturnType<typeof run>;
let word: string;

beforeAll(async () => {
  lab = await NatLab.create({ links: { delay: 20 }, ipv6: true });
  const hosts = [...SERVER_ADDRESSES, ...SERVER_ADDRESSES6].flatMap((host) => ["--host", host]);
  server = run("srv", ["server", ...hosts]);
  word = await server.printed(/(ps1\w+)/);
});

afterAll(async () => {
  server?.child.kill("SIGTERM");
  await server?.ended;
  await lab?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the program on a host. */
function run(host: HostName, args: readonly string[]) {
  const [command = "", ...prefix] = lab.host(host).prefix;
  const words = [...prefix, process.execPath, PUNCHLINE, ...args];
  const child = spawn(command, words, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
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

/** What the doctor answers on a host. */
async function consult(host: HostName, ...args: readonly string[]) {
  const { code, said } = await run(host, ["doctor", "--json", "--no-port-mapping", ...args]).ended;
  if (code !== 0) throw new Error(`the doctor ended with ${code}: ${said}`);
  return JSON.parse(said);
}

describe("a network (CLI-38, STUN-16)", () => {
  test.each(["EIM/ADF random", "APDM/APDF sequential"])("behind %s is seen as it is", async (name) => {
    const { rules, seenMapping } = RULESETS.find((each) => each.name === name)!;
    await lab.install("na", rules, { firewall6: true });
    const { nat, servers } = await consult("ha", "--server", word);
    expect(nat.ipv4).toMatchObject({
      ...{ udp: "open", mapping: seenMapping, filtering: rules.filtering, allocator: rules.allocator.kind },
    });
    expect(nat.ipv6).toMatchObject({
      ...{ udp: "open", translated: "no", mapping: "endpoint-independent", filtering: "address-and-port-dependent" },
    });
    expect(servers).toMatchObject([{ stun: "yes", session: "yes" }]);
  });
});

describe("a ticket (CLI-39, PATH-76)", () => {
  test.each([
    ["EIM/APDF", "EIM/APDF", ["yes"]],
    ["EIM/APDF", "APDM/APDF", ["yes", "likely"]],
    ["APDM/APDF", "APDM/APDF", ["no"]],
  ] as const)("from %s to %s", async (here, there, expected) => {
    const { a, b } = await installPair(lab, [kind(here), kind(there)], "endpoint");
    // Without IPv6, which needs no guess.
    const listener = run(b, ["listen", "--json", "--host", "0.0.0.0", "--no-port-mapping", "--server", word]);
    const ticket = await listener.printed(/"ticket":"(pl1\w+)"/);
    // Until it knows how it is filtered.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const verdict = await consult(a, ticket);
    expect(expected).toContain(verdict.direct);
    expect(verdict.reasons.map(({ code }: { readonly code: string }) => code)).not.toContain("unknown");
    listener.child.kill("SIGTERM");
    await listener.ended;
  });
});
