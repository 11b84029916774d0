/**
 * The loop of the world: ends, failures, determinism.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import {
  address,
  type RunOptions,
  SimulationError,
  simulationSeed,
  simulationSeeds,
  World,
} from "../../src/testing/index.ts";
import type { Instant } from "../../src/util/time.ts";
import { EchoMachine, Prober, texts } from "./machines.ts";

const ALICE = address("192.168.0.1", 1000);
const BOB = address("192.0.2.2", 2000);

function failureOf(world: World, options: RunOptions): SimulationError {
  try {
    world.run(options);
  } catch (error) {
    if (error instanceof SimulationError) return error;
  }
  throw new Error("the run did not fail");
}

/** Bad links, a NAT, 200 questions of random sizes at random times. */
function scenario(seed: number): World {
  const world = new World({ seed, traceTail: Number.POSITIVE_INFINITY });
  const rng = world.rng.fork("questions");
  const nat = world.addNat({ name: "nat", address: "203.0.113.1", ports: { kind: "random" }, lifetime: 50 });
  const alice = world.addHost({
    name: "alice",
    machine: new Prober(world.pool),
    addresses: [ALICE],
    behind: nat,
    link: { delay: 10, jitter: 5, bitsPerSecond: 1e6, loss: 0.05, duplication: 0.05, corruption: 0.05 },
  });
  world.addHost({
    name: "bob",
    machine: new EchoMachine(world.pool),
    addresses: [BOB],
    link: {
      up: { burstLoss: { enter: 0.05, leave: 0.5 } },
      down: { reordering: { probability: 0.1, minDelay: 1, maxDelay: 30 } },
    },
  });
  for (let i = 0; i < 200; i++) {
    world.at(rng.between(0, 1000), () => alice.machine.send(BOB, rng.random(rng.integer(1, 1200))));
  }
  return world;
}

describe("determinism", () => {
  test("the same seed gives the same trace, to the last line", () => {
    const [first, second] = [scenario(1), scenario(1)];
    first.run();
    second.run();
    expect(second.traceHash).toBe(first.traceHash);
    expect(second.trace.text()).toBe(first.trace.text());
    expect(first.trace.count).toBeGreaterThan(500);
  });

  test("every seed gives another trace", () => {
    const hashes = new Set<string>();
    for (let seed = 1; seed <= 50; seed++) {
      const world = scenario(seed);
      world.run();
      hashes.add(world.traceHash);
    }
    expect(hashes.size).toBe(50);
  });

  test("it does not matter in how many pieces a run is made", () => {
    const [whole, pieces] = [scenario(3), scenario(3)];
    whole.run({ for: 2000 });
    for (let i = 0; i < 20; i++) pieces.run({ for: 100 });
    expect(pieces.traceHash).toBe(whole.traceHash);
  });
});

describe("the end of a run", () => {
  test("without a condition it comes when nothing is due", () => {
    const world = new World({ seed: 1, startAt: 100 });
    const prober = world.addHost({ name: "alice", machine: new Prober(world.pool), addresses: [BOB] });
    for (const at of [130, 120, 120]) prober.machine.wakeAt(at);
    world.run();
    expect(prober.machine.served).toEqual([120, 130]);
    expect(world.now).toBe(130);
    world.run();
    expect(world.steps).toBe(2);
  });

  test("with a time it comes exactly then, and what is due then still happens", () => {
    const world = new World({ seed: 1 });
    const seen: string[] = [];
    world.at(10, () => seen.push("at the end"));
    world.at(10.5, () => seen.push("after the end"));
    world.run({ for: 10 });
    expect(seen).toEqual(["at the end"]);
    expect(world.now).toBe(10);
    world.run({ for: 90 });
    expect(world.now).toBe(100);
  });

  test("with a condition it comes as soon as that holds", () => {
    const world = new World({ seed: 1 });
    let count = 0;
    for (let at = 1; at <= 5; at++) world.at(at, () => (count += 1));
    world.run({ until: () => count === 3, for: 100 });
    expect(world.now).toBe(3);
    world.run({ until: () => true });
    expect(world.now).toBe(3);
  });
});

describe("failures", () => {
  test("a deadlock: nothing is due and the condition does not hold", () => {
    const world = new World({ seed: 42 });
    world.at(7, () => {});
    const error = failureOf(world, { until: () => false, for: 1000 });
    expect(error.kind).toBe("deadlock");
    expect(error.message).toMatch(/^deadlock: nothing is due.*\nseed 42, t = 7 ms, step 1, 0 tasks pending/);
  });

  test("a timeout: the condition does not hold in time", () => {
    const world = new World({ seed: 42 });
    world.at(2000, () => {});
    expect(failureOf(world, { until: () => false, for: 1000 }).kind).toBe("timeout");
    expect(world.now).toBe(1000);
  });

  test("a livelock: two machines answer each other and time stands still", () => {
    const world = new World({ seed: 42 });
    const starter = world.addHost({
      name: "starter",
      machine: new Prober(world.pool),
      addresses: [address("192.0.2.3", 3)],
    });
    world.addHost({ name: "alice", machine: new EchoMachine(world.pool), addresses: [ALICE] });
    world.addHost({ name: "bob", machine: new EchoMachine(world.pool), addresses: [BOB] });
    starter.link.up.filter = (packet) => {
      packet.from = ALICE;
      return "pass";
    };
    starter.machine.send(BOB, "ping");
    const error = failureOf(world, {});
    expect(error.kind).toBe("livelock");
    expect(error.message).toContain("time stands still");
    expect(error.message).toMatch(/deliver {2}bob +#\d+ 4 B 192\.168\.0\.1:1000 → 192\.0\.2\.2:2000/);
    expect(world.now).toBe(0);
  });

  test("a livelock: the run takes more steps than it may", () => {
    const world = new World({ seed: 42 });
    const tick = () => world.after(1, tick);
    tick();
    expect(failureOf(world, { until: () => false, maxSteps: 100 }).message).toMatch(/^livelock: 100 steps/);
  });

  test("a livelock: hosts wake each other from their handlers", () => {
    const world = new World({ seed: 42 });
    const machines = [new Prober(world.pool), new Prober(world.pool)];
    const hosts = machines.map((machine, index) =>
      world.addHost({
        name: `host ${index}`,
        machine,
        addresses: [address(`192.0.2.${index + 1}`, 1)],
        onEvent: () => {
          machines[1 - index]!.receive({ via: 0, from: BOB, payload: new Uint8Array(1), segmentSize: 1 }, world.now);
          world.wake(hosts[1 - index]!);
        },
      }),
    );
    machines[0]!.receive({ via: 0, from: BOB, payload: new Uint8Array(1), segmentSize: 1 }, world.now);
    expect(failureOf(world, {}).message).toMatch(/^livelock: hosts wake each other/);
  });

  test("what the hook throws fails the run, with the cause", () => {
    const world = new World({
      seed: 42,
      afterEvent: ({ now }) => {
        if (now >= 3) throw new Error("invariant broken");
      },
    });
    for (let at = 1; at <= 5; at++) world.at(at, () => {});
    const error = failureOf(world, {});
    expect(error.kind).toBe("thrown");
    expect(error.message).toMatch(/^thrown: invariant broken\nseed 42, t = 3 ms/);
    expect((error.cause as Error).message).toBe("invariant broken");
  });
});

describe("commands", () => {
  test("after one from outside or from an action, nobody needs to wake the host", () => {
    const world = new World({ seed: 1 });
    const alice = world.addHost({ name: "alice", machine: new Prober(world.pool), addresses: [ALICE] });
    const bob = world.addHost({ name: "bob", machine: new Prober(world.pool), addresses: [BOB] });
    world.run();
    alice.machine.send(BOB, "outside");
    world.run();
    world.after(5, () => alice.machine.send(BOB, "action"));
    world.run();
    expect(texts(bob.events)).toEqual(["outside", "action"]);
  });

  test("after one from the handler of another host, the host is woken", () => {
    const world = new World({ seed: 1 });
    const alice = world.addHost({ name: "alice", machine: new Prober(world.pool), addresses: [ALICE] });
    const carol = world.addHost({
      name: "carol",
      machine: new Prober(world.pool),
      addresses: [address("192.0.2.9", 9)],
    });
    const bob = world.addHost({
      name: "bob",
      machine: new Prober(world.pool),
      addresses: [BOB],
      onEvent: (event) => {
        if (event.from.port !== 1000) return;
        carol.machine.send(BOB, "by order");
        world.wake(carol);
      },
    });
    alice.machine.send(BOB, "order");
    world.run();
    expect(texts(bob.events)).toEqual(["order", "by order"]);
  });

  test("time for the calendar runs along", () => {
    const world = new World({ seed: 1, startAt: 500, unixTimeAtStart: 1000 });
    world.run({ for: 2500 });
    expect(world.unixTime()).toBe(1002.5);
    expect(world.now).toBe(3000 as Instant);
  });
});

describe("seeds", () => {
  test("the environment overrides the seed of a test", () => {
    expect(simulationSeed({})).toBe(1);
    expect(simulationSeed({ SIM_SEED: "" }, 5)).toBe(5);
    expect(simulationSeed({ SIM_SEED: "77" }, 5)).toBe(77);
    expect(simulationSeeds({}, 3)).toEqual([1, 2, 3]);
    expect(simulationSeeds({ SIM_SEED: "77" }, 3)).toEqual([77]);
    expect(() => simulationSeed({ SIM_SEED: "x" })).toThrow(RangeError);
  });
});
