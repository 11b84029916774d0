/**
 * What a discovery finds out about NATs in the simulator, when, and at what cost.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { MAX_DISCOVERY_SERVERS, MAX_FRESH_SOCKETS } from "../../src/stun/discovery/discovery.ts";
import { address, BEHAVIORS, type PortAllocation } from "../../src/testing/index.ts";
import { UNKNOWN_NAT } from "../../src/wire/nat-profile.ts";
import { type HomeOptions, home } from "./home.ts";

const ALLOCATORS: readonly PortAllocation[] = [
  { kind: "preserving" },
  { kind: "sequential", first: 7000, step: 1 },
  { kind: "random" },
  { kind: "block", size: 1024 },
];

/** Runs to the end. */
function discovered(options: HomeOptions) {
  const found = home(options);
  found.world.run({ for: 20_000 });
  expect(found.times.has("finished")).toBe(true);
  expect(found.openSockets()).toBe(0);
  return found;
}

const profileOf = (options: HomeOptions) => discovered(options).discovery.profile;

describe.each(BEHAVIORS.flatMap((mapping) => BEHAVIORS.map((filtering) => ({ mapping, filtering }))))(
  "$mapping mapping and $filtering filtering",
  ({ mapping, filtering }) => {
    test.each(ALLOCATORS)("with $kind ports are recognised (STUN-11, STUN-12, STUN-13)", (ports) => {
      for (const filterScope of ["endpoint", "mapping"] as const) {
        const profile = profileOf({ nat: { mapping, filtering, ports, filterScope } });
        expect(profile).toMatchObject({ mapping, filtering, allocator: ports.kind, isDoubleNat: false });
        expect(profile.step).toBe(ports.kind === "sequential" ? 1 : 0);
        if (ports.kind === "block") expect(profile.poolSize).toBe(1024);
      }
    });

    test("are recognised where a tenth of the packets is lost each way (STUN-11, STUN-12)", () => {
      let wrong = 0;
      for (let seed = 0; seed < 30; seed++) {
        const options = { seed, nat: { mapping, filtering, ports: { kind: "random" } as const } };
        const profile = profileOf({ ...options, link: { delay: 20, jitter: 4, loss: 0.1 } });
        if (profile.mapping !== mapping || profile.filtering !== filtering) wrong += 1;
      }
      // Four requests for silence are lost by accident once in 600 times.
      expect(wrong).toBeLessThanOrEqual(1);
    });
  },
);

describe("without a NAT", () => {
  test("everything is open (RFC 5780 §4.3)", () => {
    expect(profileOf({})).toMatchObject({
      mapping: "endpoint-independent",
      filtering: "endpoint-independent",
      allocator: "preserving",
    });
  });

  test("over IPv6 too, and a firewall there is a filter", () => {
    const open = discovered({ family: 6 });
    expect(open.discovery.profile).toMatchObject({
      mapping: "endpoint-independent",
      filtering: "endpoint-independent",
    });
    expect(open.discovery.reflexive[0]).toEqual(address("2001:db8:1::2", 45_000));
    const firewall = profileOf({ family: 6, nat: { filtering: "address-and-port-dependent" } });
    expect(firewall).toMatchObject({
      mapping: "endpoint-independent",
      filtering: "address-and-port-dependent",
      allocator: "preserving",
    });
  });
});

describe("sequential ports (STUN-13)", () => {
  const counting = { mapping: "address-and-port-dependent", filtering: "address-and-port-dependent" } as const;

  test.each([1, 2, 4])("have step %i", (step) => {
    const profile = profileOf({ nat: { ...counting, ports: { kind: "sequential", first: 20_000, step } } });
    expect(profile).toMatchObject({ allocator: "sequential", step, foreignFlows: 0 });
  });

  test.each([2, 10, 30])("are shared with %i flows of others a second", (foreignFlows) => {
    const found: number[] = [];
    for (let seed = 0; seed < 40; seed++) {
      const ports = { kind: "sequential", first: 20_000 } as const;
      const profile = profileOf({ seed, nat: { ...counting, ports, foreignFlows } });
      expect(profile).toMatchObject({ allocator: "sequential", step: 1 });
      found.push(profile.foreignFlows);
    }
    const mean = found.reduce((sum, each) => sum + each, 0) / found.length;
    expect(mean).toBeGreaterThan(0.7 * foreignFlows);
    expect(mean).toBeLessThan(1.3 * foreignFlows + 1);
  });

  test("may start over", () => {
    const ports = { kind: "sequential", first: 1276, low: 1024, high: 1280 } as const;
    expect(profileOf({ nat: { ...counting, ports } })).toMatchObject({ allocator: "sequential", step: 1 });
  });
});

describe("servers", () => {
  const dependent = {
    mapping: "address-dependent",
    filtering: "address-dependent",
    ports: { kind: "random" },
  } as const;

  test("with one address tell neither mapping nor filtering (STUN-11, STUN-12)", () => {
    const profile = profileOf({ nat: dependent, servers: ["plain"] });
    expect(profile).toEqual({ ...UNKNOWN_NAT, allocator: "random", poolFirst: 1024, poolSize: 64_512 });
  });

  test("two with one address each tell whether there is dependence, and then the worse counts (STUN-11)", () => {
    const servers = ["plain", "plain"] as const;
    expect(profileOf({ nat: {}, servers })).toMatchObject({ mapping: "endpoint-independent", filtering: undefined });
    expect(profileOf({ nat: dependent, servers }).mapping).toBe("address-and-port-dependent");
  });

  test.each(BEHAVIORS)(
    "whose other address is known beforehand tell mapping in one round trip: %s (STUN-11)",
    (mapping) => {
      const nat = { mapping, ports: { kind: "random" } } as const;
      const { profiles, discovery } = discovered({ nat, servers: ["two-places"] });
      expect(discovery.profile).toMatchObject({ mapping, filtering: undefined });
      expect(profiles.find(({ profile }) => profile.mapping !== undefined)?.at).toBe(40);
    },
  );

  test("that are dead delay nothing (STUN-10)", () => {
    const { profiles } = discovered({ nat: dependent, servers: ["dead", "diagnostic", "dead"] });
    expect(profiles.find(({ profile }) => profile.mapping !== undefined)?.at).toBe(80);
    expect(profiles.at(-1)?.profile).toMatchObject({ mapping: "address-dependent", filtering: "address-dependent" });
  });

  test("that are all dead mean that UDP is blocked, after 3 s and no other packet (STUN-10)", () => {
    const { times, host, discovery } = discovered({ nat: {}, servers: ["dead", "dead"] });
    expect(discovery.answered).toBe(false);
    expect([times.get("blocked"), times.get("finished")]).toEqual([3000, 3000]);
    expect(times.has("socket-wanted")).toBe(false);
    expect(host.counters.datagramsSent).toBe(8);
  });

  test("are at most eight", () => {
    const servers = Array.from({ length: MAX_DISCOVERY_SERVERS + 3 }, () => "plain" as const);
    const { servers: hosts } = discovered({ nat: {}, servers });
    expect(hosts.filter((each) => each.counters.datagramsReceived > 0)).toHaveLength(MAX_DISCOVERY_SERVERS);
  });
});

describe("time and cost", () => {
  test("address after one round trip, mapping after two, allocator after three, filter after silence (STUN-10)", () => {
    const nat = { mapping: "address-and-port-dependent", filtering: "address-and-port-dependent" } as const;
    const { profiles, times, host } = discovered({ nat: { ...nat, ports: { kind: "random" } } });
    const knownAt = (key: "mapping" | "filtering" | "allocator") =>
      profiles.find(({ profile }) => profile[key] !== undefined)?.at;
    expect(times.get("mapped")).toBe(40);
    expect(knownAt("mapping")).toBe(80);
    expect(knownAt("allocator")).toBeLessThanOrEqual(160);
    expect(knownAt("filtering")).toBe(1040);
    expect(times.get("finished")).toBe(1040);
    // 3 for mapping, 5 sockets, 1 + 2 × 4 for the filter, 8 for hairpinning.
    expect(host.counters.datagramsSent).toBe(25);
  });

  test("within five seconds at 280 ms (STUN-12)", () => {
    const nat = { mapping: "address-dependent", filtering: "address-dependent", ports: { kind: "random" } } as const;
    const { discovery, times } = discovered({ nat, link: { delay: 140 } });
    expect(discovery.profile).toMatchObject({ mapping: nat.mapping, filtering: nat.filtering, allocator: "random" });
    expect(times.get("finished")).toBeLessThan(5000);
  });

  test("never more than 32 fresh sockets (STUN-13)", () => {
    const { host } = discovered({ nat: { ports: { kind: "block", size: 512 } } });
    expect(host.events.filter((event) => event.type === "socket-wanted").length).toBeLessThanOrEqual(MAX_FRESH_SOCKETS);
  });

  test("the main socket alone, if so asked", () => {
    const { host, discovery } = discovered({ nat: {}, addressesOnly: true });
    expect(host.events.some((event) => event.type === "socket-wanted")).toBe(false);
    expect(discovery.profile).toEqual({ ...UNKNOWN_NAT, mapping: "endpoint-independent" });
  });

  test.each([0, 1, 2, 4])("with %i sockets, as far as they go", (maxSockets) => {
    const { discovery } = discovered({ nat: { ports: { kind: "random" } }, maxSockets });
    expect(discovery.profile.mapping).toBe("endpoint-independent");
  });

  test("equal seeds, equal runs", () => {
    const hashes = [1, 2].map(() => {
      const { world } = discovered({ seed: 5, nat: { foreignFlows: 5, ports: { kind: "sequential" } } });
      return world.traceHash;
    });
    expect(hashes[0]).toBe(hashes[1]);
  });
});

describe("neighbours", () => {
  test.each(BEHAVIORS)("are reached where the NAT turns packets around, with %s filtering (STUN-14)", (filtering) => {
    const { discovery } = discovered({ nat: { hairpin: true, filtering } });
    expect(discovery.profile.hairpin).toBe(true);
    expect(discovery.hairpinTried).toBe(true);
  });

  test("are not where it doesn't, and silence takes 0.6 s (STUN-14)", () => {
    const { discovery, times } = discovered({ nat: { filtering: "endpoint-independent" } });
    expect(discovery.profile.hairpin).toBe(false);
    expect(discovery.hairpinTried).toBe(true);
    expect(times.get("finished")).toBe(700);
  });
});

describe("double NAT (STUN-15)", () => {
  test("counts as the more dependent and the stricter of the two", () => {
    const profile = profileOf({
      nat: { filtering: "address-and-port-dependent" },
      outer: { mapping: "address-dependent", filtering: "endpoint-independent", ports: { kind: "random" } },
    });
    expect(profile).toMatchObject({ mapping: "address-dependent", filtering: "address-and-port-dependent" });
  });

  test.each([
    ["100.64.0.2", { isDoubleNat: true, isCarrierGrade: true }],
    ["192.168.0.2", { isDoubleNat: true, isCarrierGrade: false }],
    ["198.51.100.9", { isDoubleNat: true, isCarrierGrade: false }],
    ["203.0.113.1", { isDoubleNat: false, isCarrierGrade: false }],
  ])("is seen by the router's address %s", (router, expected) => {
    const { discovery, world } = discovered({ nat: {} });
    discovery.onRouterAddress(router, world.now);
    expect(discovery.profile).toMatchObject(expected);
  });

  test("what a router says before a server has answered is kept", () => {
    const found = home({ nat: {} });
    found.discovery.onRouterAddress("198.51.100.9", found.world.now);
    expect(found.discovery.profile.isDoubleNat).toBe(false);
    found.world.run();
    expect(found.discovery.profile.isDoubleNat).toBe(true);
  });
});

test("a filter that was found out by other means is part of the profile", () => {
  const { discovery, world } = discovered({ nat: {}, servers: ["plain"] });
  discovery.onFiltering("address-dependent", world.now);
  expect(discovery.profile.filtering).toBe("address-dependent");
});
