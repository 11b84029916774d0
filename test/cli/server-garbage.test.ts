/**
 * Garbage at the port of `punchline server`, beside a client's session, on loopback.
 *
 * @module
 */
import { randomBytes, randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ServerHealth } from "../../src/index.ts";
import { freePort } from "../free-port.ts";
import { connect, folder, pause, start } from "./processes.ts";

const GARBAGE = 16 * 2 ** 20;
const MAX_SIZE = 1200;
const STUN_COOKIE = 0x2112a442;

/** What the server may grow by: what the collector leaves lying about, not what arrives. */
const GROWTH_LIMIT = 64 * 2 ** 20;

/** Datagrams sent between two pauses, few enough for a socket's buffer. */
const BATCH = 32;

const KINDS: readonly (() => Buffer)[] = [
  () => randomBytes(MAX_SIZE),
  () => startingWith(randomInt(0x80, 0x100), MAX_SIZE),
  // As short as a first message of a session may not be.
  () => startingWith(0x80, randomInt(1, MAX_SIZE)),
  stunLike,
];

function startingWith(first: number, size: number): Buffer {
  const bytes = randomBytes(size);
  bytes[0] = first;
  return bytes;
}

/** RFC 8489 §5: a header with the cookie, of any type, its length right, and attributes that are none. */
function stunLike(): Buffer {
  const bytes = randomBytes(20 + 4 * randomInt(0, 250));
  bytes.writeUInt16BE(randomInt(0, 0x4000), 0);
  bytes.writeUInt16BE(bytes.length - 20, 2);
  bytes.writeUInt32BE(STUN_COOKIE, 4);
  return bytes;
}

/** Sends until {@link GARBAGE} bytes have arrived, of datagrams that `arrived` counts: a loopback loses what nobody reads soon. */
async function throwGarbage(port: number, arrived: () => number): Promise<void> {
  const socket = createSocket("udp4");
  let sent = 0;
  for (let count = 0; count === 0 || (sent / count) * arrived() < GARBAGE; ) {
    for (let i = 0; i < BATCH; i++, count++) {
      const bytes = KINDS[count % KINDS.length]!();
      socket.send(bytes, port, "127.0.0.1");
      sent += bytes.length;
    }
    await pause(5);
  }
  socket.close();
  await once(socket, "close");
}

/** Datagrams of no use that had come. */
function arrivedAt({ rejected, stun }: Pick<ServerHealth, "rejected" | "stun">): number {
  const dropped = Object.values(rejected).reduce((sum, each) => sum + each, 0);
  return dropped + stun.ignored + stun.limited;
}

test("16 MiB of garbage cost a server no memory and its clients no session (RDV-21, RDV-22)", async () => {
  const file = join(folder(), "address");
  const port = await freePort();
  const args = ["--json", "--host", "127.0.0.1", "--port", `${port}`, "--address-file", file];
  const server = start(["server", ...args, "--health-interval", "0.1"]);
  while (!existsSync(file)) await pause(20);
  const word = readFileSync(file, "utf8").trim();
  const listener = start(["listen", "--json", "--host", "127.0.0.1", "--server", word]);
  await listener.event("listening");
  const health = () =>
    server.text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line))
      .filter(({ event }) => event === "health");
  while (health().at(-1)?.sessions !== 1) await pause(50);
  const before = health();
  await throwGarbage(port, () => arrivedAt(health().at(-1)));
  const during = health().slice(before.length);
  expect(new Set(during.map(({ sessions }) => sessions))).toEqual(new Set([1]));
  expect(during.at(-1).counters).toMatchObject({ sessionsOpened: 1, sessionsBroken: 0, sessionsRefused: 0 });
  expect(Math.max(...during.map(({ rss }) => rss)) - before.at(-1).rss).toBeLessThan(GROWTH_LIMIT);
  const connector = await connect(listener);
  expect((await connector.ended).code).toBe(0);
}, 60_000);
