/**
 * The pump on real sockets, with small machines of its own.
 *
 * @module
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { monotonicNow } from "../../src/io/clock.ts";
import { Driver } from "../../src/io/driver.ts";
import { openSockets } from "../../src/io/open-sockets.ts";
import { UdpSocket } from "../../src/io/udp-socket.ts";
import { BufferPool } from "../../src/util/buffer-pool.ts";
import type { Address, Datagram, Machine, Transmit } from "../../src/util/machine.ts";
import { type Instant, after as instantAfter } from "../../src/util/time.ts";
import { sleep } from "./pair.ts";

/** A machine that notes what happens to it and does what the test put in. */
class Probe implements Machine<string> {
  readonly log: string[] = [];
  readonly transmits: Transmit[] = [];
  readonly events: string[] = [];
  deadline: Instant | undefined;
  onReceive: (datagram: Datagram) => void = () => {};
  /** Called for each poll without anything in `transmits`. */
  next: () => Transmit | undefined = () => undefined;

  receive(datagram: Datagram): void {
    this.log.push("receive");
    this.onReceive(datagram);
  }

  handleTimeout(now: Instant): void {
    this.log.push(now >= (this.deadline ?? Number.POSITIVE_INFINITY) ? "timeout" : "early");
    this.deadline = undefined;
  }

  pollTransmit(): Transmit | undefined {
    return this.transmits.shift() ?? this.next();
  }

  pollEvent(): string | undefined {
    return this.events.shift();
  }

  nextTimeout(): Instant | undefined {
    return this.deadline;
  }

  onMtuProbeRefused(via: number, to: Address, size: number): void {
    this.log.push(`refused ${via} ${to.port} ${size}`);
  }
}

interface Bench {
  readonly machine: Probe;
  readonly driver: Driver<string>;
  readonly address: Address;
  readonly pool: BufferPool;
  /** A socket of the outside world, and what it received. */
  readonly outside: Socket;
  readonly received: Buffer[];
  readonly outsideAddress: Address;
}

const cleanups: (() => void)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function bench(onEvent: (event: string) => void = () => {}): Promise<Bench> {
  const machine = new Probe();
  const pool = new BufferPool();
  const sockets = await openSockets({ hosts: ["127.0.0.1"], needsAll: true, port: 0 });
  const driver = new Driver({
    machine,
    sockets,
    pool,
    onEvent,
    onIdle: () => {
      machine.log.push("idle");
    },
  });
  const outside = createSocket("udp4");
  const received: Buffer[] = [];
  outside.on("message", (message) => received.push(message));
  outside.bind(0, "127.0.0.1");
  await once(outside, "listening");
  cleanups.push(() => {
    outside.close();
    driver.stop(() => {});
  });
  const outsideAddress = { host: "127.0.0.1", port: outside.address().port, family: 4 } as const;
  return { machine, driver, address: sockets[0]!.address, pool, outside, received, outsideAddress };
}

function transmit(payload: Uint8Array, to: Address, segmentSize = payload.length): Transmit {
  return { via: 0, to, payload, segmentSize, ttl: undefined };
}

describe("probes for the path's MTU (MTU-9)", () => {
  const probe = (size: number, to: Address): Transmit => ({ ...transmit(new Uint8Array(size), to), isMtuProbe: true });

  test("one that the kernel sends whole arrives, and nothing is said about it", async () => {
    const { machine, driver, received, outsideAddress } = await bench();
    machine.transmits.push(probe(1_400, outsideAddress));
    driver.wake();
    await sleep(20);
    expect(received.map((each) => each.length)).toEqual([1_400]);
    expect(machine.log.filter((each) => each.startsWith("refused"))).toEqual([]);
  });

  test("one that the kernel does not send is told to the machine, which is pumped again", async () => {
    const { machine, driver, received, outsideAddress } = await bench();
    machine.transmits.push(probe(65_508, outsideAddress));
    driver.wake();
    await sleep(20);
    expect(received).toEqual([]);
    const refused = machine.log.indexOf(`refused 0 ${outsideAddress.port} 65508`);
    expect(refused).toBeGreaterThan(-1);
    expect(machine.log.slice(refused)).toContain("idle");
  });
});

/** The next exception that nobody catches; the process survives it. */
function uncaught(): Promise<unknown> {
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  return new Promise((resolve) => {
    process.once("uncaughtException", (error) => {
      for (const listener of others) process.on("uncaughtException", listener);
      resolve(error);
    });
  });
}

describe("receiving", () => {
  test("datagrams that came together are received one after the other and pumped once", async () => {
    const { machine, outside, address } = await bench();
    for (let i = 0; i < 8; i++) outside.send(Uint8Array.of(i), address.port, address.host);
    await sleep(1);
    // The process is busy while they arrive.
    const until = performance.now() + 20;
    while (performance.now() < until);
    await sleep(20);
    expect(machine.log.filter((each) => each === "receive")).toHaveLength(8);
    expect(machine.log.filter((each) => each === "idle").length).toBeLessThanOrEqual(3);
  });

  test("a datagram names its socket, its sender and its size, and its bytes are the machine's own", async () => {
    const { machine, outside, outsideAddress, address } = await bench();
    const seen: Datagram[] = [];
    machine.onReceive = (datagram) => seen.push(datagram);
    outside.send(Uint8Array.of(1, 2), address.port, address.host);
    outside.send(Uint8Array.of(3, 4), address.port, address.host);
    await sleep(20);
    expect(seen).toMatchObject([
      { via: 0, from: outsideAddress, segmentSize: 2 },
      { via: 0, from: outsideAddress, segmentSize: 2 },
    ]);
    expect(seen.map((each) => [...each.payload])).toEqual([
      [1, 2],
      [3, 4],
    ]);
    // Security N3: a small datagram that is kept must not keep a large buffer alive.
    for (const each of seen) expect(each.payload.buffer.byteLength).toBeLessThan(2_048);
  });

  test("a machine that throws on a datagram is counted, and lives on", async () => {
    const { machine, driver, outside, address } = await bench();
    machine.onReceive = () => {
      throw new Error("bug");
    };
    outside.send(Uint8Array.of(1), address.port, address.host);
    await sleep(20);
    machine.onReceive = () => {};
    outside.send(Uint8Array.of(2), address.port, address.host);
    await sleep(20);
    expect(driver.guardHits).toBe(1);
    expect(machine.log.filter((each) => each === "receive")).toHaveLength(2);
  });
});

describe("time", () => {
  test("a deadline is served once it has passed, never before", async () => {
    const { machine, driver } = await bench();
    const startedAt = monotonicNow();
    machine.deadline = instantAfter(startedAt, 30);
    driver.wake();
    while (!machine.log.includes("timeout")) await sleep(1);
    expect(monotonicNow() - startedAt).toBeGreaterThanOrEqual(30);
    expect(machine.log).not.toContain("early");
  });

  test("an earlier deadline replaces a later one, and a later one is not served early", async () => {
    const { machine, driver } = await bench();
    machine.deadline = instantAfter(monotonicNow(), 5_000);
    driver.wake();
    await sleep(5);
    machine.deadline = instantAfter(monotonicNow(), 20);
    driver.wake();
    await sleep(5);
    machine.deadline = instantAfter(monotonicNow(), 60);
    driver.wake();
    await sleep(30);
    expect(machine.log).not.toContain("timeout");
    await sleep(60);
    expect(machine.log.filter((each) => each === "timeout")).toHaveLength(1);
    expect(machine.log).not.toContain("early");
  });

  test("after the process was busy, what waited in the socket is received before deadlines are enforced", async () => {
    const { machine, driver, outside, address } = await bench();
    machine.deadline = instantAfter(monotonicNow(), 50);
    driver.wake();
    await sleep(5);
    machine.log.length = 0;
    outside.send(Uint8Array.of(1), address.port, address.host);
    await new Promise(process.nextTick);
    const until = performance.now() + 200;
    while (performance.now() < until);
    await sleep(20);
    expect(machine.log.filter((each) => each !== "idle")).toEqual(["receive", "timeout"]);
  });

  test("a deadline in the past does not stop the event loop", async () => {
    const { machine, driver } = await bench();
    // Against the contract: the deadline never moves on.
    machine.deadline = instantAfter(monotonicNow(), -1);
    machine.handleTimeout = () => {};
    driver.wake();
    const startedAt = performance.now();
    await sleep(10);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });
});

describe("sending", () => {
  test("a batch is cut into its segments, the last of them shorter", async () => {
    const { machine, driver, received, outsideAddress } = await bench();
    const batch = Uint8Array.from({ length: 2_500 }, (_, i) => i >> 4);
    machine.transmits.push(transmit(batch, outsideAddress, 1_200), transmit(Uint8Array.of(9), outsideAddress));
    driver.wake();
    await sleep(30);
    expect(received.map((each) => each.length)).toEqual([1_200, 1_200, 100, 1]);
    expect(Buffer.concat(received.slice(0, 3)).equals(batch)).toBe(true);
  });

  test("buffers are used again only when their bytes have left", async () => {
    const { machine, driver, received, outsideAddress, pool } = await bench();
    let sent = 0;
    let allowed = 0;
    machine.next = () => {
      if (sent === allowed) return undefined;
      const buffer = pool.take();
      buffer.fill(sent);
      sent += 1;
      // Single datagrams and batches take different ways out.
      return sent % 2 === 0
        ? transmit(buffer.subarray(0, 1_000), outsideAddress)
        : transmit(buffer.subarray(0, 3_000), outsideAddress, 1_000);
    };
    for (let round = 0; round < 10; round++) {
      // The receiving socket holds some 150 datagrams of this size.
      allowed += 20;
      driver.wake();
      // On a busy machine the receiver may be late.
      for (let waits = 0; waits < 200 && received.length < 2 * allowed; waits++) await sleep(5);
    }
    expect(received).toHaveLength(400);
    const values = received.map((each) => each[0]!);
    expect(received.every((each) => each.every((byte) => byte === each[0]))).toBe(true);
    expect(new Set(values).size).toBe(200);
  });

  test("commands given by a handler are pumped after it, in the same turn", async () => {
    const order: string[] = [];
    const { machine, driver, received, outsideAddress } = await bench((event) => {
      order.push(event);
      machine.transmits.push(transmit(Buffer.from(event), outsideAddress));
      driver.wake();
      if (event === "first") machine.events.push("third");
    });
    machine.events.push("first", "second");
    driver.wake();
    await sleep(20);
    expect(order).toEqual(["first", "second", "third"]);
    expect(received.map(String)).toEqual(order);
    expect(machine.log.filter((each) => each === "idle")).toHaveLength(1);
  });

  test("a handler that throws does not keep the others from what comes after", async () => {
    const order: string[] = [];
    const { machine, driver, received, outsideAddress } = await bench((event) => {
      order.push(event);
      machine.transmits.push(transmit(Buffer.from(event), outsideAddress));
      driver.wake();
      if (event === "first") throw new Error("a bug of somebody else");
    });
    machine.events.push("first", "second");
    const survived = uncaught();
    driver.wake();
    expect(await survived).toMatchObject({ message: "a bug of somebody else" });
    await sleep(20);
    expect(order).toEqual(["first", "second"]);
    expect(received.map(String)).toEqual(order);
  });

  test("a machine that never stops sending lets the rest of the process run", async () => {
    const { machine, driver, outsideAddress } = await bench();
    let sent = 0;
    machine.next = () => {
      sent += 1;
      return transmit(new Uint8Array(10), outsideAddress);
    };
    driver.wake();
    let longest = 0;
    for (let i = 0; i < 50; i++) {
      const startedAt = performance.now();
      await new Promise(setImmediate);
      longest = Math.max(longest, performance.now() - startedAt);
    }
    expect(sent).toBeGreaterThan(1_000);
    expect(longest).toBeLessThan(1_000);
    driver.stop(() => {});
  });

  test("what cannot be sent is lost, not an error", async () => {
    const { machine, driver, received, outsideAddress } = await bench();
    const nowhere: Address[] = [
      { host: "127.0.0.1", port: 0, family: 4 },
      { host: "127.0.0.1", port: 9, family: 4 },
      { host: "255.255.255.255", port: 9, family: 4 },
      { host: "::1", port: 9, family: 6 },
    ];
    for (const to of nowhere) machine.transmits.push(transmit(new Uint8Array(100), to));
    machine.transmits.push(transmit(new Uint8Array(70_000), outsideAddress));
    machine.transmits.push({ ...transmit(new Uint8Array(100), outsideAddress), via: 7 });
    machine.transmits.push(transmit(Uint8Array.of(1), outsideAddress));
    driver.wake();
    await sleep(50);
    expect(received.map((each) => each.length)).toEqual([1]);
  });
});

describe("the end", () => {
  test("what was sent last still leaves, nothing is received any more, and the port is free", async () => {
    const { machine, driver, received, outside, outsideAddress, address } = await bench((event) => {
      machine.transmits.push(transmit(Buffer.from(event), outsideAddress));
      driver.wake();
    });
    machine.transmits.push(transmit(Buffer.from("last words"), outsideAddress));
    driver.wake();
    await new Promise(setImmediate);
    await new Promise<void>((resolve) => driver.stop(resolve));
    outside.send(Uint8Array.of(1), address.port, address.host);
    const again = await UdpSocket.open({ id: 0, host: address.host, port: address.port });
    await sleep(20);
    again.close();
    expect(received.map(String)).toEqual(["last words"]);
    expect(machine.log).not.toContain("receive");
  });
});
