/**
 * How a host drives its machine: batches, copies, sockets, coalescing, and the contract that it checks.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { address, SimulationError, World } from "../../src/testing/index.ts";
import type { Machine, Transmit } from "../../src/util/machine.ts";
import type { Instant } from "../../src/util/time.ts";
import { EchoMachine, Prober, type Received, texts } from "./machines.ts";

const ALICE = address("192.0.2.1", 1000);
const BOB = address("192.0.2.2", 2000);

function twoProbers(options: { coalescing?: { window: number; hidesSegmentSize: boolean } } = {}) {
  const world = new World({ seed: 1 });
  const alice = world.addHost({ name: "alice", machine: new Prober(world.pool), addresses: [ALICE] });
  const bob = world.addHost({ name: "bob", machine: new Prober(world.pool), addresses: [BOB], ...options });
  return { world, alice, bob };
}

describe("batches", () => {
  test("a batch is delivered segment by segment, the last one shorter", () => {
    const { world, alice, bob } = twoProbers();
    alice.machine.send(BOB, "aaabbbcc", { segmentSize: 3 });
    world.run();
    expect(texts(bob.events)).toEqual(["aaa", "bbb", "cc"]);
    expect(bob.events.map((event) => event.segmentSize)).toEqual([3, 3, 2]);
    expect(bob.events[0]!.from).toEqual(ALICE);
    expect(alice.counters).toMatchObject({ transmits: 1, datagramsSent: 3 });
    expect(bob.counters.datagramsReceived).toBe(3);
    expect(alice.link.up.counters.bytesSent).toBe(8);
  });

  test("payloads are copied: buffers go back to the pool, overwritten, while the bytes are under way", () => {
    const { world, alice, bob } = twoProbers();
    const buffer = world.pool.take();
    world.pool.give(buffer);
    alice.machine.send(BOB, "first");
    alice.link.up.update({ delay: 10 });
    world.run({ for: 5 });
    const reused = world.pool.take();
    expect(reused.buffer).toBe(buffer.buffer);
    expect([...reused.subarray(0, 5)]).toEqual([0xdb, 0xdb, 0xdb, 0xdb, 0xdb]);
    world.run();
    expect(texts(bob.events)).toEqual(["first"]);
  });

  test("an echo comes back, also from itself", () => {
    const world = new World({ seed: 1 });
    const alice = world.addHost({
      name: "alice",
      machine: new Prober(world.pool),
      addresses: [ALICE, address("192.0.2.1", 1001)],
    });
    world.addHost({ name: "bob", machine: new EchoMachine(world.pool), addresses: [BOB], link: { delay: 5 } });
    alice.machine.send(BOB, "hello");
    alice.machine.send(alice.address(1), "me");
    world.run();
    expect(alice.events.map(({ at, via }) => ({ at, via }))).toEqual([
      { at: 0, via: 1 },
      { at: 10, via: 0 },
    ]);
  });
});

describe("sockets", () => {
  test("a host has several addresses, of both families", () => {
    const world = new World({ seed: 1 });
    const six = address("2001:db8::1", 1000);
    const alice = world.addHost({ name: "alice", machine: new Prober(world.pool), addresses: [ALICE, six] });
    const bob = world.addHost({
      name: "bob",
      machine: new EchoMachine(world.pool),
      addresses: [address("2001:db8::2", 5), BOB, address("192.0.2.3", 9)],
    });
    alice.machine.send(address("192.0.2.3", 9), "four");
    alice.machine.send(bob.address(0), "six", { via: 1 });
    world.run();
    expect(alice.events.map(({ via, from }) => ({ via, from }))).toEqual([
      { via: 0, from: address("192.0.2.3", 9) },
      { via: 1, from: bob.address(0) },
    ]);
    expect(bob.events.map((event) => event.via)).toEqual([2, 0]);
  });

  test("datagrams to a closed port, from a closed socket, or to nobody are lost", () => {
    const { world, alice, bob } = twoProbers();
    const extra = alice.bind(address("192.0.2.9", 1));
    alice.unbind(extra);
    alice.machine.send(address("192.0.2.2", 2001), "closed port");
    alice.machine.send(BOB, "closed socket", { via: extra });
    alice.machine.send(address("192.0.2.77", 1), "nobody");
    world.run();
    expect(bob.events).toEqual([]);
    expect(alice.counters.unsent).toBe(1);
    expect(world.network.unroutable).toBe(1);
    expect(() => alice.address(extra)).toThrow(RangeError);
  });

  test("a socket can move to another address", () => {
    const { world, alice, bob } = twoProbers();
    bob.move(0, address("198.51.100.7", 77));
    alice.machine.send(BOB, "old");
    alice.machine.send(bob.address(), "new");
    world.run();
    expect(texts(bob.events)).toEqual(["new"]);
  });

  test("an address has one owner", () => {
    const { world, bob } = twoProbers();
    expect(() =>
      world.addHost({ name: "carol", machine: new Prober(world.pool), addresses: [address("192.0.2.2", 1)] }),
    ).toThrow("192.0.2.2 already belongs to bob");
    expect(() => bob.bind(BOB)).toThrow("bob already has");
  });

  test("a stopped host is silent, and another one can take its address", () => {
    const { world, alice, bob } = twoProbers();
    bob.machine.wakeAt(5);
    alice.machine.send(BOB, "lost");
    bob.stop();
    world.run();
    expect(bob.isStopped).toBe(true);
    expect(bob.events).toEqual([]);
    expect(bob.machine.served).toEqual([]);
    const heir = world.addHost({ name: "heir", machine: new Prober(world.pool), addresses: [BOB] });
    alice.machine.send(BOB, "found");
    world.run();
    expect(texts(heir.events)).toEqual(["found"]);
  });

  test("a hop limit below the number of routers ends on the way", () => {
    const { world, alice, bob } = twoProbers();
    alice.machine.send(BOB, "short", { ttl: 3 });
    alice.machine.send(BOB, "enough", { ttl: 4 });
    world.run();
    expect(texts(bob.events)).toEqual(["enough"]);
    expect(world.network.expired).toBe(1);
  });
});

describe("coalescing", () => {
  const exact = { window: 1, hidesSegmentSize: false };

  function received(sizes: readonly number[], coalescing = exact): readonly (readonly [number, number])[] {
    const { world, alice, bob } = twoProbers({ coalescing });
    for (const size of sizes) alice.machine.send(BOB, new Uint8Array(size));
    world.run();
    return bob.events.map(({ payload, segmentSize }) => [payload.length, segmentSize] as const);
  }

  test("equal datagrams are joined, a shorter one ends the run, a longer one begins the next", () => {
    expect(received([100, 100, 40, 40, 100, 100])).toEqual([
      [240, 100],
      [40, 40],
      [200, 100],
    ]);
  });

  test("at most 64 segments and one maximum datagram are joined", () => {
    expect(received(new Array(70).fill(10))).toEqual([
      [640, 10],
      [60, 10],
    ]);
    expect(received([30_000, 30_000, 30_000])).toEqual([
      [60_000, 30_000],
      [30_000, 30_000],
    ]);
  });

  test("the segment size can be withheld", () => {
    expect(received([100, 100], { window: 1, hidesSegmentSize: true })).toEqual([[200, 200]]);
  });

  test("datagrams outside of the window or of another flow are not joined, and order is kept", () => {
    const { world, alice, bob } = twoProbers({ coalescing: exact });
    const carol = world.addHost({
      name: "carol",
      machine: new Prober(world.pool),
      addresses: [address("192.0.2.3", 1)],
    });
    world.at(0, () => {
      alice.machine.send(BOB, "aa");
      alice.machine.send(BOB, "ab");
    });
    world.at(0.5, () => carol.machine.send(BOB, "cc"));
    world.at(0.7, () => alice.machine.send(BOB, "ad"));
    world.at(2, () => alice.machine.send(BOB, "ae"));
    world.run();
    expect(texts(bob.events)).toEqual(["aaab", "cc", "ad", "ae"]);
    expect(bob.events.map((event) => event.at)).toEqual([1, 1, 1, 3]);
  });
});

describe("coarse timers", () => {
  test("fire at multiples of their resolution; what arrives serves what is overdue", () => {
    const world = new World({ seed: 1 });
    const alice = world.addHost({
      name: "alice",
      machine: new Prober(world.pool),
      addresses: [ALICE],
      timerResolution: 1,
    });
    const bob = world.addHost({ name: "bob", machine: new Prober(world.pool), addresses: [BOB], link: { delay: 3.6 } });
    alice.machine.wakeAt(2.2);
    alice.machine.wakeAt(3.5);
    alice.machine.wakeAt(7);
    bob.machine.send(ALICE, "hello");
    world.wake(alice);
    world.wake(bob);
    world.run();
    expect(alice.machine.served).toEqual([3, 3.6, 7]);
  });
});

describe("contract", () => {
  /** Runs a machine that is harmless but for `flaw`. */
  function failure(flaw: Partial<Machine<unknown>>): string {
    const world = new World({ seed: 1 });
    const machine: Machine<unknown> = {
      receive() {},
      handleTimeout() {},
      pollTransmit: () => undefined,
      pollEvent: () => undefined,
      nextTimeout: () => undefined,
      ...flaw,
    };
    world.addHost({ name: "flawed", machine, addresses: [ALICE] });
    const prober = world.addHost({ name: "prober", machine: new Prober(world.pool), addresses: [BOB] });
    world.after(10, () => prober.machine.send(ALICE, "hello"));
    try {
      world.run({ for: 1000 });
    } catch (error) {
      expect(error).toBeInstanceOf(SimulationError);
      return (error as SimulationError).message;
    }
    return "none";
  }

  function transmitting(fields: Partial<Transmit>): Partial<Machine<unknown>> {
    const transmits: Transmit[] = [
      { via: 0, to: BOB, payload: new Uint8Array(10), segmentSize: 10, ttl: undefined, ...fields },
    ];
    return { pollTransmit: () => transmits.shift() };
  }

  test("a sane machine passes", () => {
    expect(failure({})).toBe("none");
    expect(failure(transmitting({}))).toBe("none");
  });

  test("a timer that is still due after it was served is a livelock in the making", () => {
    expect(failure({ nextTimeout: () => 5 as Instant })).toMatch(/contract: flawed: after handleTimeout\(5\)/);
  });

  test("a timer must be a number", () => {
    expect(failure({ nextTimeout: () => Number.NaN as Instant })).toMatch(/contract: flawed: nextTimeout\(\) is NaN/);
  });

  test("a timer that turns up in the past without an input is reported", () => {
    let calls = 0;
    const nextTimeout = () => (++calls > 2 ? (1 as Instant) : undefined);
    expect(failure({ nextTimeout })).toMatch(/contract: flawed: timer of 1 unserved/);
  });

  test("outputs must end", () => {
    const endless: Transmit = { via: 0, to: BOB, payload: new Uint8Array(1), segmentSize: 1, ttl: undefined };
    expect(failure({ pollTransmit: () => endless })).toMatch(/livelock: flawed: pollTransmit\(\) does not end/);
    expect(failure({ pollEvent: () => "again" })).toMatch(/livelock: flawed: pollEvent\(\) does not end/);
  });

  test.each([
    [{ via: 1 }, "by unknown socket 1"],
    [{ to: address("2001:db8::1", 1) }, "by IPv4 socket to [2001:db8::1]:1"],
    [{ to: address("192.0.2.2", 0) }, "to impossible port 0"],
    [{ payload: new Uint8Array(0) }, "without payload"],
    [{ segmentSize: 0 }, "of 10 bytes in segments of 0"],
    [{ segmentSize: 11 }, "of 10 bytes in segments of 11"],
    [{ ttl: 0 }, "with hop limit 0"],
  ] as const)("a transmit that no socket could send is reported: %o", (fields, message) => {
    expect(failure(transmitting(fields))).toContain(`contract: flawed: transmit ${message}`);
  });

  test("what a machine throws fails the run", () => {
    const receive = () => {
      throw new TypeError("broken parser");
    };
    expect(failure({ receive })).toMatch(/^thrown: broken parser\nseed 1, t = 10 ms/);
  });
});

describe("events", () => {
  test("are kept, and handed to the handler, which may issue commands", () => {
    const world = new World({ seed: 1 });
    const alice = world.addHost({
      name: "alice",
      machine: new Prober(world.pool),
      addresses: [ALICE],
      link: { delay: 1 },
      onEvent: (event: Received, host) => {
        if (event.payload.length < 4) host.machine.send(event.from, new Uint8Array([...event.payload, 0]));
      },
    });
    const bob = world.addHost({ name: "bob", machine: new EchoMachine(world.pool), addresses: [BOB] });
    alice.machine.send(BOB, new Uint8Array(1));
    world.run();
    expect(alice.events.map((event) => event.payload.length)).toEqual([1, 2, 3, 4]);
    expect(bob.events).toHaveLength(4);
    expect(world.now).toBe(8);
  });
});
