/**
 * What a side tells of where it may be reached, and to whom.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { SocketDesk } from "../../src/agent/socket-desk.ts";
import { Surroundings } from "../../src/agent/surroundings.ts";
import { address, BEHAVIORS, BufferPool, type Instant, Rng } from "../../src/testing/index.ts";
import type { Candidate } from "../../src/wire/candidate.ts";
import { kind } from "../sim/punch-pair.ts";
import { Lab, type LabOptions, type Side } from "./lab.ts";

const NOW = 0 as Instant;
const CONE: Side = { nat: kind("endpoint-independent", "address-and-port-dependent") };

function newSurroundings(): Surroundings {
  return new Surroundings({
    sockets: [
      { id: 0, family: 4, port: 4_433 },
      { id: 1, family: 6, port: 4_434 },
    ],
    random: new Rng(1).random,
    pool: new BufferPool(),
    desk: new SocketDesk(),
  });
}

/** Kind, group and address of each. */
function texts(candidates: readonly Candidate[]): readonly string[] {
  return candidates.map(({ kind, group, address: { host, port } }) => `${kind} ${group} ${host} ${port}`);
}

/** What each of a pair that has met knows of the other. */
function toldTo(options: LabOptions): { readonly dialer: readonly string[]; readonly listener: readonly string[] } {
  const lab = new Lab(options);
  expect(lab.tryPair().ms).toBeDefined();
  return {
    dialer: texts(lab.connection!.peerSituation.candidates),
    listener: texts(lab.accepted!.peerSituation.candidates),
  };
}

describe("candidates of a machine (PATH-66)", () => {
  const interfaces = ["10.0.0.2", "192.168.1.2", "2001:db8::2", "fd00::2"].map((host) => address(host, 0));

  test("nothing is known: nothing is told but global IPv6 addresses, with the port of their socket", () => {
    const surroundings = newSurroundings();
    surroundings.onInterfaces(interfaces);
    const { situation, sockets } = surroundings.announce({ withHosts: false });
    expect(texts(situation.candidates)).toEqual(["host 1 2001:db8::2 4434"]);
    expect(sockets).toEqual([
      { via: 0, group: 0, family: 4 },
      { via: 1, group: 1, family: 6 },
    ]);
  });

  test("to a neighbour, or on request, those of interfaces are told", () => {
    const surroundings = newSurroundings();
    surroundings.onInterfaces(interfaces);
    expect(texts(surroundings.announce({ withHosts: true }).situation.candidates)).toEqual([
      "host 0 10.0.0.2 4433",
      "host 0 192.168.1.2 4433",
      "host 1 2001:db8::2 4434",
      "host 1 fd00::2 4434",
    ]);
  });

  test("four at most, and none that servers see as well", () => {
    const surroundings = newSurroundings();
    surroundings.onInterfaces(
      Array.from({ length: 100 }, (_, index) => address(`10.0.${index}.2`, 0)).toSpliced(
        1,
        0,
        address("198.51.100.1", 0),
      ),
    );
    surroundings.onSeen(address("198.51.100.1", 4_433), NOW);
    expect(texts(surroundings.announce({ withHosts: true }).situation.candidates)).toEqual([
      "reflexive 0 198.51.100.1 4433",
      "host 0 10.0.0.2 4433",
      "host 0 10.0.1.2 4433",
      "host 0 10.0.2.2 4433",
      "host 0 10.0.3.2 4433",
    ]);
  });

  test.each([
    ["public", "mapped 0 203.0.113.9 7000"],
    ["carrier", "carrier 0 203.0.113.9 7000"],
  ] as const)("a port of the router with %s reach goes first, until it is taken back", (reach, text) => {
    const surroundings = newSurroundings();
    surroundings.onSeen(address("203.0.113.9", 5_000), NOW);
    surroundings.onMappedPort({ external: address("203.0.113.9", 7_000), reach });
    const told = (): readonly string[] => texts(surroundings.announce({ withHosts: false }).situation.candidates);
    expect(told()).toEqual([text, "reflexive 0 203.0.113.9 5000"]);
    surroundings.onMappedPort(undefined);
    expect(told()).toEqual(["reflexive 0 203.0.113.9 5000"]);
  });

  test("for a later round, fresh sockets take the place of the main one, but not of its mapped port", () => {
    const surroundings = newSurroundings();
    surroundings.onSeen(address("203.0.113.9", 5_000), NOW);
    surroundings.onMappedPort({ external: address("203.0.113.9", 7_000), reach: "public" });
    const sampled = [{ via: 7, mapped: [address("203.0.113.9", 6_000), address("203.0.113.9", 6_001)] }];
    const { situation, sockets } = surroundings.announce({ withHosts: false, sampled });
    expect(texts(situation.candidates)).toEqual([
      "mapped 0 203.0.113.9 7000",
      "reflexive 2 203.0.113.9 6000",
      "reflexive 2 203.0.113.9 6001",
    ]);
    expect(sockets.map(({ via, group }) => [via, group])).toEqual([
      [1, 1],
      [0, 0],
      [7, 2],
    ]);
  });

  test("never more than 16, whatever there is (PATH-1)", () => {
    const surroundings = newSurroundings();
    surroundings.onInterfaces(interfaces);
    const mapped = Array.from({ length: 40 }, (_, index) => address("203.0.113.9", 6_000 + index));
    const { situation } = surroundings.announce({ withHosts: true, sampled: [{ via: 7, mapped }] });
    expect(situation.candidates).toHaveLength(16);
  });

  test("each announcement is of a higher generation (PATH-68)", () => {
    const surroundings = newSurroundings();
    const generations = [1, 2, 3].map(() => surroundings.announce({ withHosts: false }).situation.generation);
    expect(generations).toEqual([1, 2, 3]);
  });
});

describe("what peers hear of each other (PATH-66)", () => {
  test("cones: one reflexive address each, and nothing of the networks behind", () => {
    const { dialer, listener } = toldTo({ dialer: CONE, listener: CONE });
    expect([dialer.length, listener.length]).toEqual([1, 1]);
    expect(dialer[0]).toMatch(/^reflexive 0 203\.0\.113\.2 /);
    expect(listener[0]).toMatch(/^reflexive 0 203\.0\.113\.1 /);
  });

  test("on request: the addresses behind as well", () => {
    const { dialer, listener } = toldTo({ dialer: CONE, listener: CONE, tellsHosts: true });
    expect(dialer.at(-1)).toBe("host 0 10.0.0.3 4433");
    expect(listener.at(-1)).toBe("host 0 10.0.0.2 4433");
  });

  test.each(BEHAVIORS)("neighbours behind one NAT with %s mapping: the addresses behind as well", (mapping) => {
    for (const hairpin of [true, false]) {
      const { dialer, listener } = toldTo({ sharedNat: kind(mapping, "address-and-port-dependent", { hairpin }) });
      expect(dialer.at(-1)).toBe("host 0 10.0.0.3 4433");
      expect(listener.at(-1)).toBe("host 0 10.0.0.2 4433");
    }
  });

  test("a port for each destination: those that the server's places see, three at most", () => {
    const symmetric = { nat: kind("address-and-port-dependent", "endpoint-independent") };
    const { dialer, listener } = toldTo({ dialer: symmetric, listener: symmetric });
    for (const texts of [dialer, listener]) {
      expect(texts.map((text) => text.slice(0, 24))).toEqual(Array(3).fill(texts[0]!.slice(0, 24)));
    }
  });
});

describe("sequential ports (PATH-67)", () => {
  const counting: Side = {
    nat: kind("address-and-port-dependent", "address-and-port-dependent", {
      ports: { kind: "sequential", first: 30_000 },
    }),
  };

  test("the listener says which port is next: the one that its NAT gives to the next socket", () => {
    const lab = new Lab({ dialer: CONE, listener: counting });
    lab.call();
    lab.world.run({
      until: () => lab.connection!.peerSituation.candidates.some(({ kind }) => kind === "predicted"),
      for: 1_000,
    });
    // The invitation made it open a socket and ask both places of the server by it, and it has told what came of that.
    lab.world.run({ for: 60 });
    const predicted = lab.connection!.peerSituation.candidates.filter(({ kind }) => kind === "predicted");
    const used = lab.nats[1]!.mappings().map(({ external }) => external.port);
    expect(predicted.map((each) => each.address.port)).toEqual([predicted[0]!.address.port]);
    // Its own opener took the port in between.
    expect(Math.max(...used) - predicted[0]!.address.port).toBeLessThanOrEqual(1);
    expect(lab.extraSockets.listener.size).toBe(0);
  });

  test("a NAT that counts, but gives one port to a socket, is not predicted", () => {
    const cone: Side = { nat: { ...counting.nat, mapping: "endpoint-independent" } };
    const { dialer, listener } = toldTo({ dialer: cone, listener: cone });
    expect([...dialer, ...listener].filter((text) => text.startsWith("predicted"))).toEqual([]);
  });
});

describe("what is known for how long (PATH-65)", () => {
  test("callers ask servers once for all calls that go on, and anew afterwards", () => {
    const lab = new Lab({ dialer: CONE, listener: CONE });
    lab.call();
    lab.world.run({ for: 50 });
    const { stun } = lab.costs.dialer;
    lab.call();
    expect([stun, lab.costs.dialer.stun]).toEqual([4, 0]);
    lab.world.run({ for: 10_000 });
    lab.call();
    lab.world.run({ for: 10_000 });
    expect(lab.costs.dialer.stun).toBe(12);
  });

  test("a listener asks once, and anew when a new session shows another address", () => {
    const lab = new Lab({ dialer: CONE, listener: CONE });
    lab.stopServer();
    lab.nats[1]!.reboot();
    lab.startServer();
    Object.assign(lab.costs.listener, { stun: 0 });
    lab.world.run({ for: 20_000 });
    expect(lab.costs.listener.stun).toBeGreaterThanOrEqual(3);
    expect(lab.tryPair().ms).toBe(4.5 * 40 + 15);
    const ports = lab.nats[1]!.mappings().map(({ external }) => external.port);
    expect(ports).toContain(lab.connection!.peerSituation.candidates[0]!.address.port);
    lab.world.run({ for: 60_000 });
    expect(lab.costs.listener.stun).toBe(0);
  });

  test("a NAT that forgets the listener, whose session lives on: its fresh socket is found in the second round", () => {
    const lab = new Lab({ dialer: CONE, listener: CONE });
    lab.nats[1]!.rebind();
    lab.world.run({ for: 20_000 });
    expect(lab.tryPair().ms).toBeLessThan(1_500 + 4.5 * 40 + 15);
  });
});
