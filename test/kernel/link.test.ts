/**
 * The bad link does what it says: its counters agree with what arrives on the other side.
 *
 * @module
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { expect, test } from "vitest";
import { createBadNetwork, createVethNetwork, type Host } from "./network.ts";

/** Small and slow enough for a receiver that a busy machine holds up for a quarter of a second. */
const DATAGRAMS = 4000;
const SIZE = 200;
const PER_MILLISECOND = 2;

/** Packets that are not ours: the kernels greet each other over IPv6. */
const GREETINGS = 8;

const PORT = 9000;

/** What the receiving program saw. */
interface Seen {
  readonly count: number;
  readonly distinct: number;
  readonly damaged: number;
  readonly overtaken: number;
  /** From sending to reception, in ms: both programs read the clock of the same machine. */
  readonly fastest: number;
}

/** Counts numbered datagrams until none has come for a while; each carries the time at which it was sent, twice. */
const RECEIVER = `
  const socket = require("node:dgram").createSocket("udp4");
  const intact = Buffer.alloc(${SIZE - 20}, 0x55);
  const seen = new Set();
  let count = 0, damaged = 0, overtaken = 0, last = -1, fastest = Infinity, timer;
  socket.on("message", (message) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      console.log(JSON.stringify({ count, distinct: seen.size, damaged, overtaken, fastest }));
      process.exit();
    }, 500);
    count += 1;
    const [sentAt, again] = [message.readDoubleBE(4), message.readDoubleBE(12)];
    if (sentAt !== again || !message.subarray(20).equals(intact)) damaged += 1;
    else fastest = Math.min(fastest, performance.timeOrigin + performance.now() - sentAt);
    const number = message.readUInt32BE(0);
    if (number < last) overtaken += 1;
    last = number;
    seen.add(number);
  });
  socket.bind(${PORT}, () => {
    socket.setRecvBufferSize(1 << 20);
    console.log("ready");
  });
`;

/** Sends numbered datagrams at a steady rate. */
const SENDER = `
  const socket = require("node:dgram").createSocket("udp4");
  let number = 0;
  const timer = setInterval(() => {
    for (let i = 0; i < ${PER_MILLISECOND}; i++) {
      const message = Buffer.alloc(${SIZE}, 0x55);
      message.writeUInt32BE(number++, 0);
      const now = performance.timeOrigin + performance.now();
      message.writeDoubleBE(now, 4);
      message.writeDoubleBE(now, 12);
      socket.send(message, ${PORT}, process.argv[1]);
    }
    if (number < ${DATAGRAMS}) return;
    clearInterval(timer);
    setTimeout(() => socket.close(), 100);
  }, 1);
`;

function runOn(host: Host, program: string, ...words: readonly string[]): ChildProcessByStdio<null, Readable, null> {
  const [command = "", ...rest] = [...host.prefix, process.execPath, "-e", program, ...words];
  return spawn(command, rest, { stdio: ["ignore", "pipe", "inherit"] });
}

/** Sends all datagrams from one host to the other. */
async function exchange(from: Host, to: Host): Promise<Seen> {
  const receiver = runOn(to, RECEIVER);
  const lines = createInterface({ input: receiver.stdout })[Symbol.asyncIterator]();
  await lines.next();
  await once(runOn(from, SENDER, to.address), "exit");
  const { value } = await lines.next();
  return JSON.parse(value);
}

/** Whether all that the link delivered has come, but for the {@link GREETINGS}. */
function expectAboutEqual(seen: number, delivered: number): void {
  expect(seen).toBeLessThanOrEqual(delivered);
  expect(seen).toBeGreaterThanOrEqual(delivered - GREETINGS);
}

test("a veth pair delivers everything, in order and unharmed", async () => {
  const network = await createVethNetwork({ mtu: 1500 });
  try {
    const seen = await exchange(network.a, network.b);
    expect(seen).toMatchObject({ count: DATAGRAMS, distinct: DATAGRAMS, damaged: 0, overtaken: 0 });
  } finally {
    await network.close();
  }
});

test("a bad link loses, repeats, delays and damages as many packets as it counts", async () => {
  const network = await createBadNetwork({
    rate: 100,
    queue: 10_000_000,
    delay: 20,
    loss: 5,
    late: 4,
    "late-by": 15,
    duplicate: 3,
    corrupt: 2,
    seed: 5,
  });
  const seen = await exchange(network.a, network.b);
  const counters = (await network.close())!.fromA;
  expectAboutEqual(seen.count, counters.delivered);
  expectAboutEqual(counters.delivered, counters.packets - counters.lost - counters.overflowed + counters.duplicated);
  expect(counters.overflowed).toBe(0);
  // A flipped bit may fall on the number, which the receiver cannot notice.
  expect(seen.damaged).toBeGreaterThan(counters.corrupted * 0.9);
  expect(seen.damaged).toBeLessThanOrEqual(counters.corrupted);
  expect(seen.overtaken).toBeGreaterThan(counters.late * 0.5);
  for (const [count, percent] of [
    [counters.lost, 5],
    [counters.late, 4],
    [counters.duplicated, 3],
    [counters.corrupted, 2],
  ] as const)
    expect(Math.abs(count / DATAGRAMS - percent / 100), `${percent} %`).toBeLessThan(0.012);
  expect(seen.fastest).toBeGreaterThan(20);
  expect(seen.fastest).toBeLessThan(30);
});

test("a queue that is full drops the tail", async () => {
  // Two datagrams of 228 bytes come every millisecond; one leaves in 18 ms.
  const network = await createBadNetwork({ rate: 0.1, queue: 5000 });
  const seen = await exchange(network.a, network.b);
  const counters = (await network.close())!.fromA;
  expect(counters.overflowed).toBeGreaterThan(DATAGRAMS * 0.8);
  expectAboutEqual(seen.count, counters.delivered);
});
