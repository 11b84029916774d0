/**
 * NATs, one behaviour at a time. How pairs of them meet is in nat-pairs.test.ts.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { type Address, address, BEHAVIORS, type Behavior, type NatOptions, World } from "../../src/testing/index.ts";
import { Prober, texts } from "./machines.ts";

const ALICE = address("192.168.0.2", 5000);
const NAT = "203.0.113.1";

/** A host behind a NAT, and two hosts outside, the first of them with two ports. */
function home(options: Partial<NatOptions> = {}) {
  const world = new World({ seed: 1 });
  const nat = world.addNat({ name: "nat", address: NAT, ...options });
  const alice = world.addHost({ name: "alice", machine: new Prober(world.pool), addresses: [ALICE], behind: nat });
  const bob = world.addHost({
    name: "bob",
    machine: new Prober(world.pool),
    addresses: [address("192.0.2.1", 1), address("192.0.2.1", 2)],
  });
  const carol = world.addHost({
    name: "carol",
    machine: new Prober(world.pool),
    addresses: [address("192.0.2.2", 1)],
  });
  /** Alice sends to each; returns the address that each saw. */
  function seenBy(...targets: readonly Address[]): readonly Address[] {
    const before = bob.events.length + carol.events.length;
    for (const target of targets) alice.machine.send(target, "hello");
    world.run();
    const events = [...bob.events, ...carol.events].slice(before === 0 ? 0 : -targets.length);
    return events.map((event) => event.from);
  }
  return { world, nat, alice, bob, carol, seenBy };
}

describe.each(BEHAVIORS.flatMap((mapping) => BEHAVIORS.map((filtering) => ({ mapping, filtering }))))(
  "$mapping mapping, $filtering filtering",
  (behaviors) => {
    test("the external port depends on the remote as RFC 4787 §4.1 says", () => {
      const { seenBy, bob, carol, nat } = home({ ...behaviors, ports: { kind: "random" } });
      const seen = seenBy(bob.address(0), bob.address(1), carol.address());
      const [first, otherPort, otherHost] = seen.map((from) => from.port);
      expect(seen.map((from) => from.host)).toEqual([NAT, NAT, NAT]);
      const isSame = { otherPort: first === otherPort, otherHost: first === otherHost };
      const expected: Record<Behavior, typeof isSame> = {
        "endpoint-independent": { otherPort: true, otherHost: true },
        "address-dependent": { otherPort: true, otherHost: false },
        "address-and-port-dependent": { otherPort: false, otherHost: false },
      };
      expect(isSame).toEqual(expected[behaviors.mapping]);
      expect(nat.mappings()).toHaveLength(new Set(seen.map((from) => from.port)).size);
    });

    test("packets from outside pass as RFC 4787 §5 says", () => {
      const { seenBy, world, alice, bob, carol, nat } = home(behaviors);
      const [mapped] = seenBy(bob.address(0));
      bob.machine.send(mapped!, "known");
      bob.machine.send(mapped!, "other port", { via: 1 });
      carol.machine.send(mapped!, "other host");
      carol.machine.send(address(NAT, mapped!.port + 1), "no mapping");
      world.run();
      const expected: Record<Behavior, readonly string[]> = {
        "endpoint-independent": ["known", "other port", "other host"],
        "address-dependent": ["known", "other port"],
        "address-and-port-dependent": ["known"],
      };
      expect(texts(alice.events)).toEqual(expected[behaviors.filtering]);
      expect(nat.counters.filtered).toBe(3 - alice.events.length);
      expect(nat.counters.unmapped).toBe(1);
    });
  },
);

describe("permissions", () => {
  const dependent = { mapping: "address-and-port-dependent", filtering: "address-dependent" } as const;

  test("belong to the internal endpoint: any of its mappings serves", () => {
    const { seenBy, world, alice, bob, carol } = home({ ...dependent });
    const [, forCarol] = seenBy(bob.address(0), carol.address());
    bob.machine.send(forCarol!, "cross");
    world.run();
    expect(texts(alice.events)).toEqual(["cross"]);
  });

  test("or to one mapping, if so chosen", () => {
    const { seenBy, world, alice, bob, carol } = home({ ...dependent, filterScope: "mapping" });
    const [, forCarol] = seenBy(bob.address(0), carol.address());
    bob.machine.send(forCarol!, "cross");
    carol.machine.send(forCarol!, "own");
    world.run();
    expect(texts(alice.events)).toEqual(["own"]);
  });
});

describe("ports", () => {
  test("two hosts with one port get two external ones", () => {
    const { world, nat, alice, bob } = home();
    const dave = world.addHost({
      name: "dave",
      machine: new Prober(world.pool),
      addresses: [address("192.168.0.3", 5000)],
      behind: nat,
    });
    alice.machine.send(bob.address(), "a");
    dave.machine.send(bob.address(), "d");
    world.run();
    const [forAlice, forDave] = bob.events.map((event) => event.from.port);
    expect(forAlice).toBe(5000);
    expect(forDave).not.toBe(5000);
    bob.machine.send(address(NAT, forDave!), "to dave");
    world.run();
    expect(texts(dave.events)).toEqual(["to dave"]);
    expect(alice.events).toEqual([]);
  });

  test("overloading keeps the port for every remote, and answers still find their way (RFC 4787 §4.2.1)", () => {
    const overloading = { mapping: "address-and-port-dependent", overloading: true } as const;
    const { world, nat, alice, bob, carol, seenBy } = home({ ...overloading, filterScope: "mapping" });
    expect(seenBy(bob.address(), carol.address()).map((from) => from.port)).toEqual([5000, 5000]);
    const dave = world.addHost({
      name: "dave",
      machine: new Prober(world.pool),
      addresses: [address("192.168.0.3", 5000)],
      behind: nat,
    });
    dave.machine.send(bob.address(1), "d");
    world.run();
    bob.machine.send(address(NAT, 5000), "to dave", { via: 1 });
    carol.machine.send(address(NAT, 5000), "to alice");
    world.run();
    expect(texts(dave.events)).toEqual(["to dave"]);
    expect(texts(alice.events)).toEqual(["to alice"]);
  });

  test("with reply affinity an answer leaves by the mapping that the question came in by", () => {
    const options = { mapping: "address-and-port-dependent", filtering: "endpoint-independent" } as const;
    const ports = [false, true].map((replyAffinity) => {
      const { world, alice, bob, carol, seenBy } = home({ ...options, replyAffinity });
      const [mapped] = seenBy(bob.address());
      carol.machine.send(mapped!, "question");
      world.run();
      alice.machine.send(carol.address(), "answer");
      world.run();
      return carol.events[0]!.from.port === mapped!.port;
    });
    expect(ports).toEqual([false, true]);
  });

  test("no mapping beyond the limit, until one expires", () => {
    const limited = { mapping: "address-and-port-dependent", maxMappings: 2, lifetime: 1000 } as const;
    const { world, nat, seenBy, bob, carol } = home(limited);
    seenBy(bob.address(0), bob.address(1), carol.address());
    expect(nat.counters.exhausted).toBe(1);
    expect(carol.events).toEqual([]);
    world.run({ for: 1000 });
    seenBy(carol.address());
    expect(carol.events).toHaveLength(1);
  });

  test("nothing passes when no port is free", () => {
    const { nat, seenBy, bob } = home({
      mapping: "address-and-port-dependent",
      ports: { kind: "random", low: 2000, high: 2001 },
    });
    expect(seenBy(bob.address(0), bob.address(1))).toHaveLength(1);
    expect(nat.counters.exhausted).toBe(1);
  });
});

describe("lifetime", () => {
  /** After a silence of Alice: does a packet from Bob pass? He sends every 400 ms meanwhile. */
  function passesAfter(silence: number, options: Partial<NatOptions>): boolean {
    const { world, alice, bob, seenBy } = home({ lifetime: 1000, ...options });
    const [mapped] = seenBy(bob.address());
    for (let at = 400; at < silence; at += 400) world.at(at, () => bob.machine.send(mapped!, "meanwhile"));
    world.run({ for: silence });
    bob.machine.send(mapped!, "after");
    world.run();
    return texts(alice.events).includes("after");
  }

  test("a mapping lives for its time after the last packet from inside (RFC 4787 §4.3)", () => {
    expect(passesAfter(999, {})).toBe(true);
    expect(passesAfter(1000, {})).toBe(false);
  });

  test("packets from outside refresh it only where that is chosen (RFC 4787 §4.3)", () => {
    expect(passesAfter(5000, {})).toBe(false);
    expect(passesAfter(5000, { inboundRefresh: true })).toBe(true);
  });

  test("packets from inside refresh it", () => {
    const { world, alice, bob, seenBy } = home({ lifetime: 1000 });
    const [mapped] = seenBy(bob.address());
    for (let at = 900; at < 5000; at += 900) world.at(at, () => alice.machine.send(bob.address(), "keepalive"));
    world.run({ for: 5000 });
    bob.machine.send(mapped!, "after");
    world.run();
    expect(texts(alice.events)).toEqual(["after"]);
  });

  test("a permission expires by itself while its mapping lives on", () => {
    const { world, alice, bob, carol, seenBy } = home({ lifetime: 1000 });
    const [mapped] = seenBy(bob.address(), carol.address());
    for (let at = 500; at < 2000; at += 500) world.at(at, () => alice.machine.send(bob.address(), "keepalive"));
    world.run({ for: 2000 });
    bob.machine.send(mapped!, "bob");
    carol.machine.send(mapped!, "carol");
    world.run();
    expect(texts(alice.events)).toEqual(["bob"]);
  });

  test("an expired mapping is replaced, its port may go to another", () => {
    const { world, nat, alice, bob, seenBy } = home({ lifetime: 1000, ports: { kind: "sequential", first: 3000 } });
    expect(seenBy(bob.address())[0]!.port).toBe(3000);
    world.run({ for: 2000 });
    expect(nat.mappings()).toEqual([]);
    alice.machine.send(bob.address(), "again");
    world.run();
    expect(bob.events[1]!.from.port).toBe(3001);
    expect(nat.mappings()).toEqual([expect.objectContaining({ internal: ALICE, external: address(NAT, 3001) })]);
  });
});

describe("reboot and rebinding", () => {
  test("a reboot forgets who may come in; the same port returns with the next packet from inside", () => {
    const { world, nat, alice, bob, seenBy } = home();
    const [mapped] = seenBy(bob.address());
    nat.reboot();
    bob.machine.send(mapped!, "too early");
    world.run();
    alice.machine.send(bob.address(), "again");
    world.run();
    bob.machine.send(mapped!, "in time");
    world.run();
    expect(texts(alice.events)).toEqual(["in time"]);
    expect(nat.counters.unmapped).toBe(1);
    expect(bob.events[1]!.from).toEqual(mapped);
  });

  test("a rebinding changes the port, even of a NAT that preserves it", () => {
    const { world, nat, alice, bob } = home();
    for (let i = 0; i < 3; i++) {
      alice.machine.send(bob.address(), "hello");
      world.run();
      nat.rebind();
    }
    expect(new Set(bob.events.map((event) => event.from.port)).size).toBe(3);
  });

  test("a rebinding may change the address", () => {
    const { world, nat, alice, bob, seenBy } = home();
    const [mapped] = seenBy(bob.address());
    nat.rebind({ address: "203.0.113.9" });
    expect(nat.address).toBe("203.0.113.9");
    bob.machine.send(mapped!, "old");
    alice.machine.send(bob.address(), "new");
    world.run();
    bob.machine.send(bob.events[1]!.from, "answer");
    world.run();
    expect(bob.events[1]!.from.host).toBe("203.0.113.9");
    expect(world.network.unroutable).toBe(1);
    expect(texts(alice.events)).toEqual(["answer"]);
  });
});

describe("hairpin", () => {
  function meet(hairpin: boolean) {
    const { world, nat, alice, bob } = home({ hairpin });
    const dave = world.addHost({
      name: "dave",
      machine: new Prober(world.pool),
      addresses: [address("192.168.0.3", 6000)],
      behind: nat,
    });
    alice.machine.send(bob.address(), "open");
    dave.machine.send(bob.address(), "open");
    world.run();
    // The first is filtered but lets the other in.
    alice.machine.send(address(NAT, 6000), "hi dave");
    dave.machine.send(address(NAT, 5000), "hi alice");
    world.run();
    return { nat, alice, dave };
  }

  test("turns packets to the own address around, with the external source (RFC 4787 §6)", () => {
    const { nat, alice, dave } = meet(true);
    expect(texts(alice.events)).toEqual(["hi alice"]);
    expect(alice.events[0]!.from).toEqual(address(NAT, 6000));
    expect(nat.counters).toMatchObject({ hairpinned: 2, filtered: 1, hairpinRefused: 0 });
    expect(dave.events).toEqual([]);
  });

  test("or drops them", () => {
    const { nat, alice, dave } = meet(false);
    expect([...alice.events, ...dave.events]).toEqual([]);
    expect(nat.counters.hairpinRefused).toBe(2);
  });

  test("inside, hosts reach each other directly", () => {
    const { world, nat, alice } = home();
    const dave = world.addHost({
      name: "dave",
      machine: new Prober(world.pool),
      addresses: [address("192.168.0.3", 6000)],
      behind: nat,
    });
    alice.machine.send(dave.address(), "lan", { ttl: 1 });
    world.run();
    expect(texts(dave.events)).toEqual(["lan"]);
    expect(nat.mappings()).toEqual([]);
  });
});

describe("nesting and hop limits", () => {
  /** Alice behind a home router behind a carrier's. */
  function carrier(options: { carrier?: Partial<NatOptions>; home?: Partial<NatOptions> } = {}) {
    const world = new World({ seed: 1 });
    const outer = world.addNat({ name: "carrier", address: NAT, ...options.carrier });
    const inner = world.addNat({ name: "home", address: "100.64.0.2", behind: outer, ...options.home });
    const alice = world.addHost({ name: "alice", machine: new Prober(world.pool), addresses: [ALICE], behind: inner });
    const bob = world.addHost({ name: "bob", machine: new Prober(world.pool), addresses: [address("192.0.2.1", 1)] });
    return { world, outer, inner, alice, bob };
  }

  test("a home router behind a carrier's: both translate, and both filter", () => {
    const { world, outer, inner, alice, bob } = carrier({ carrier: { ports: { kind: "sequential", first: 7000 } } });
    alice.machine.send(bob.address(), "out");
    world.run();
    expect(bob.events[0]!.from).toEqual(address(NAT, 7000));
    expect(outer.mappings()[0]!.internal).toEqual(address("100.64.0.2", 5000));
    bob.machine.send(address(NAT, 7000), "in");
    world.run();
    expect(texts(alice.events)).toEqual(["in"]);
    inner.reboot();
    bob.machine.send(address(NAT, 7000), "lost");
    world.run();
    expect(inner.counters.unmapped).toBe(1);
  });

  test("two homes of one carrier meet by its hairpin", () => {
    const { world, outer, alice } = carrier({
      carrier: { hairpin: true, filtering: "endpoint-independent" },
      home: { filtering: "endpoint-independent" },
    });
    const other = world.addNat({ name: "other home", address: "100.64.0.3", behind: outer });
    const dave = world.addHost({
      name: "dave",
      machine: new Prober(world.pool),
      addresses: [address("192.168.0.2", 6000)],
      behind: other,
    });
    alice.machine.send(address("192.0.2.1", 1), "open");
    world.run();
    dave.machine.send(address(NAT, 5000), "neighbour");
    world.run();
    expect(texts(alice.events)).toEqual(["neighbour"]);
    expect(alice.events[0]!.from).toEqual(address(NAT, 6000));
  });

  test("a short hop limit opens the near NATs only, and leaves no mapping where it ends", () => {
    const opened = [1, 2, 3, 6, 7].map((ttl) => {
      const { world, outer, inner, alice, bob } = carrier();
      alice.machine.send(bob.address(), "opener", { ttl });
      world.run();
      return [inner.mappings().length, outer.mappings().length, bob.events.length];
    });
    // Two NATs and three routers: the sixth hop is Bob.
    expect(opened).toEqual([
      [0, 0, 0],
      [1, 0, 0],
      [1, 1, 0],
      [1, 1, 1],
      [1, 1, 1],
    ]);
  });

  test("the outer link of a NAT has conditions too", () => {
    const { world, bob, alice } = carrier({ carrier: { link: { up: { delay: 30 }, down: { delay: 7 } } } });
    alice.machine.send(bob.address(), "out");
    world.run();
    expect(bob.events[0]!.at).toBe(30);
    bob.machine.send(bob.events[0]!.from, "in");
    world.run();
    expect(alice.events[0]!.at).toBe(37);
  });
});

describe("IPv6", () => {
  test("is not translated but filtered, through all NATs (RFC 6092 §3.2.3)", () => {
    const world = new World({ seed: 1 });
    const outer = world.addNat({ name: "carrier", address: NAT, filtering: "endpoint-independent" });
    const inner = world.addNat({ name: "home", address: "100.64.0.2", behind: outer });
    const alice = world.addHost({
      name: "alice",
      machine: new Prober(world.pool),
      addresses: [ALICE, address("2001:db8::a", 5000)],
      behind: inner,
    });
    const bob = world.addHost({
      name: "bob",
      machine: new Prober(world.pool),
      addresses: [address("2001:db8::b", 1), address("2001:db8::b", 2)],
    });
    bob.machine.send(alice.address(1), "unasked");
    world.run();
    alice.machine.send(bob.address(0), "hello", { via: 1 });
    world.run();
    bob.machine.send(alice.address(1), "answer");
    bob.machine.send(alice.address(1), "other port", { via: 1 });
    world.run();
    expect(bob.events[0]!.from).toEqual(alice.address(1));
    expect(texts(alice.events)).toEqual(["answer"]);
    expect(outer.counters.unmapped).toBe(1);
    expect(inner.counters.filtered).toBe(1);
    alice.unbind(1);
    bob.machine.send(address("2001:db8::a", 5000), "gone");
    world.run();
    expect(world.network.unroutable).toBe(1);
  });
});
