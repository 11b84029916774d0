/**
 * Signalling by a channel of the application's own: an MQTT broker in the open, and peers behind NATs of the kernel.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startMosquitto } from "./mqtt/mosquitto.ts";
import { kind } from "./nat/kinds.ts";
import { type HostName, NatLab, OUTER_ADDRESSES, SERVER_ADDRESSES } from "./nat/lab.ts";
import { installPair } from "./nat/pairs.ts";

const BROKER = { host: SERVER_ADDRESSES[0], port: 1883 };
const STUN = { host: SERVER_ADDRESSES[0], port: 3478 };

let lab: NatLab;
const children: ChildProcess[] = [];
const ends: (() => Promise<void>)[] = [];

/** Starts a program on a host; resolves with its first line. */
async function firstLine(host: HostName, command: readonly string[]): Promise<string> {
  const [program = "", ...words] = [...lab.host(host).prefix, process.execPath, ...command];
  const child = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (said += text));
  children.push(child);
  const lines = createInterface({ input: child.stdout });
  const [line] = await Promise.race([once(lines, "line"), once(child, "close")]);
  if (typeof line !== "string") throw new Error(`the program on ${host} has ended: ${said}`);
  return line;
}

function peer(host: HostName, role: "listen" | "connect", ...rest: readonly string[]): Promise<string> {
  const path = fileURLToPath(new URL("mqtt/peer.ts", import.meta.url));
  const places = [BROKER, STUN].map((place) => `${place.host}:${place.port}`);
  return firstLine(host, ["--import", "tsx", path, role, ...places, ...rest]);
}

beforeAll(async () => {
  lab = await NatLab.create({ links: { delay: 20 } });
  const broker = await startMosquitto({ ...BROKER, prefix: lab.host("srv").prefix });
  ends.push(() => broker.close());
  const punchline = fileURLToPath(new URL("../../bin/punchline.js", import.meta.url));
  await firstLine("srv", [punchline, "server", "--host", STUN.host, "--port", `${STUN.port}`]);
});

afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  for (const end of ends) await end();
  await lab?.close();
});

test.each([
  ["two port-restricted cones", "EIM/APDF", "EIM/APDF"],
  ["a restricted cone and a symmetric NAT", "EIM/ADF", "APDM/APDF"],
] as const)("%s: connected directly, and nobody else on the topic is disturbed (RDV-34)", async (name, a, b) => {
  await installPair(lab, [kind(a), kind(b)], "endpoint");
  const topic = `punchline/${name}`;
  // Both listen on one topic: each answers who holds its own ticket.
  const [ticket = ""] = await Promise.all([peer("hb", "listen", topic), peer("pub", "listen", topic)]);
  // The ticket names neither an address nor a server.
  expect(ticket.length).toBeLessThan(90);
  const end = JSON.parse(await peer("ha", "connect", topic, ticket));
  expect(end).toMatchObject({ remote: OUTER_ADDRESSES.b, back: end.there });
  expect(end.ms).toBeLessThan(2_000);
});
