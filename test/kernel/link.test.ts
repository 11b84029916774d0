/**
 * The bad link does what it says: its counters agree with what arrives on the other side.
 *
 * @module
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { createBadNetwork, createVethNetwork, type Host, type LinkCounters } from "./network.ts";

/** Small and slow enough for a receiver that a busy machine holds up for a quarter of a second. */
const DATAGRAMS = 4000;
const SIZE = 200;
const PER_MILLISECOND = 2;

/** Packets that are not ours: the kernels greet each other over IPv6, perhaps before the other one is up. */
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
  const counters = (await network.close()).fromA;
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
  const counters = (await network.close()).fromA;
  expect(counters.overflowed).toBeGreaterThan(DATAGRAMS * 0.8);
  expectAboutEqual(seen.count, counters.delivered);
});

test("a queue may be measured in packets", async () => {
  // Ten datagrams of 228 bytes wait or leave; each takes 18 ms.
  const network = await createBadNetwork({ rate: 0.1, "queue-packets": 10 });
  try {
    const exchanged = exchange(network.a, network.b);
    await setTimeout(1000);
    const { fromA } = await network.counters();
    const waiting = fromA.packets - fromA.overflowed - fromA.delivered;
    expect(waiting).toBeGreaterThanOrEqual(9);
    expect(waiting).toBeLessThanOrEqual(10 + GREETINGS);
    await exchanged;
  } finally {
    await network.close();
  }
});

test("a bad link loses packets in bursts, and lets some overtake others, one way only", async () => {
  const network = await createBadNetwork({ delay: 20, "burst-enter@a": 1, "burst-leave@a": 20, "overtake@a": 3 });
  const seen = await exchange(network.a, network.b);
  await exchange(network.b, network.a);
  const { fromA, fromB } = await network.close();
  expectAboutEqual(seen.count, fromA.delivered);
  expectAboutEqual(fromA.delivered, fromA.packets - fromA.lost);
  // A burst of five for every hundred packets without: about 190 of 4000, with a deviation of 38.
  expect(Math.abs(fromA.lost - 190)).toBeLessThan(5 * 38);
  expect(Math.abs(fromA.overtaking - 0.03 * (fromA.packets - fromA.lost))).toBeLessThan(5 * 11);
  expect(seen.fastest).toBeLessThan(10);
  expect(fromB).toMatchObject({ lost: 0, overtaking: 0 });
});

test("a bad link is changed while it runs: large packets, too many packets and at last all vanish", async () => {
  const network = await createBadNetwork({ mtu: 227 });
  try {
    const sent = async (): Promise<LinkCounters> => {
      await once(runOn(network.a, SENDER, network.b.address), "exit");
      return (await network.counters()).fromA;
    };
    const first = await sent();
    expect(first.oversized).toBe(DATAGRAMS);
    // Half of the rate of what is sent, which is 3.6 Mbit/s at most.
    network.change({ mtu: 0, police: 1, "police-burst": 2280 });
    const second = await sent();
    expect(second.oversized).toBe(DATAGRAMS);
    expect(second.policed).toBeGreaterThan(DATAGRAMS * 0.4);
    expect(second.delivered - first.delivered).toBeGreaterThan(DATAGRAMS * 0.2);
    network.change({ police: 0, down: 1 });
    const third = await sent();
    expect(third.blackedOut).toBeGreaterThanOrEqual(DATAGRAMS);
    expect(third.delivered).toBe(second.delivered);
  } finally {
    await network.close();
  }
});
