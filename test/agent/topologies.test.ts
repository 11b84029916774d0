/**
 * More than one NAT on the way, one for both, none, and NATs that strange packets spoil.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { address, BEHAVIORS, type Behavior, type NatOptions } from "../../src/testing/index.ts";
import { kind } from "../sim/punch-pair.ts";
import { Lab, type LabOptions, type Side } from "./lab.ts";

const EI: Behavior = "endpoint-independent";
const APD: Behavior = "address-and-port-dependent";
const HOME: Side = { nat: kind(EI, APD) };
const RANDOM: Side = { nat: kind(APD, APD) };

/** Time from the call to the first byte where all is well: 4.5 R and the openers' lead. */
const AT_BEST = 4.5 * 40 + 15;

function timeOf(options: LabOptions): number | undefined {
  return new Lab(options).tryPair().ms;
}

describe("one NAT for both (PATH-14, PATH-66)", () => {
  const cells = BEHAVIORS.flatMap((mapping) => [true, false].map((hairpin) => ({ mapping, hairpin })));

  test.each(cells)(
    "$mapping mapping, hairpin $hairpin: neighbours meet by their own addresses",
    ({ mapping, hairpin }) => {
      const lab = new Lab({ sharedNat: kind(mapping, APD, { hairpin }) });
      expect(lab.tryPair().ms).toBe(AT_BEST);
      lab.world.run({ for: 2_000 });
      expect(lab.connection!.paths()[0]!.remote).toEqual(address("10.0.0.3", 4_433));
      expect(lab.accepted!.paths()[0]!.remote).toEqual(address("10.0.0.2", 4_433));
    },
  );
});

describe("a carrier's NAT over a home's", () => {
  const cells = BEHAVIORS.flatMap((mapping) => BEHAVIORS.map((filtering) => ({ mapping, filtering })));

  test.each(cells)("$mapping, $filtering: meets a home, as caller and as listener", ({ mapping, filtering }) => {
    const both: Side = { ...HOME, carrier: kind(mapping, filtering) };
    // The home's filter hides that of the carrier, so the port of a dependent mapping is guessed unless all may come in.
    const within = mapping !== EI && filtering !== EI ? 10_000 : 5 * 40 + 25;
    expect(timeOf({ dialer: both, listener: HOME })).toBeLessThanOrEqual(within);
    expect(timeOf({ dialer: HOME, listener: both })).toBeLessThanOrEqual(within);
  });

  test("on both sides, of the kind that RFC 6888 §3 asks for: as fast as any", () => {
    const both: Side = { ...HOME, carrier: kind(EI, EI) };
    expect(timeOf({ dialer: both, listener: both })).toBeLessThanOrEqual(AT_BEST + 25);
  });
});

describe("nothing in front of one side", () => {
  const cells = BEHAVIORS.flatMap((mapping) => BEHAVIORS.map((filtering) => ({ mapping, filtering })));

  test.each(cells)(
    "$mapping, $filtering: meets it without a guess, as caller and as listener",
    ({ mapping, filtering }) => {
      const nat: Side = { nat: kind(mapping, filtering, { filterScope: "mapping" }) };
      for (const options of [
        { dialer: {}, listener: nat },
        { dialer: nat, listener: {} },
      ]) {
        const lab = new Lab(options);
        expect(lab.tryPair().ms).toBeLessThanOrEqual(AT_BEST + 25);
        lab.world.run({ for: 5_000 });
        expect([lab.extraSockets.dialer.size, lab.extraSockets.listener.size]).toEqual([0, 0]);
      }
    },
  );
});

describe("a port of the router (PATH-66)", () => {
  test.each(["dialer", "listener"] as const)("of the %s: random ports on both sides are no hindrance", (who) => {
    const mapped = { ...RANDOM.nat, filtering: EI, mapping: EI };
    const lab = new Lab({ dialer: RANDOM, listener: RANDOM, [who]: { nat: mapped } });
    expect(lab.tryPair().ms).toBeLessThanOrEqual(AT_BEST + 25);
  });
});

describe("routers that strange packets spoil (PATH-10, PATH-19)", () => {
  const home = (more: Partial<NatOptions>): Side => ({
    nat: kind(EI, APD, { ports: { kind: "preserving" }, ...more }),
  });
  const SPOILT = [
    { name: "tracking them", nat: { tracksUnsolicited: true } },
    { name: "blacklisting", nat: { blacklisting: true } },
    { name: "rejecting them", nat: { rejecting: true } },
  ];

  test.each(SPOILT)("$name, on both sides: openers keep them away", ({ nat }) => {
    const lab = new Lab({ dialer: home(nat), listener: home(nat) });
    expect(lab.tryPair().ms).toBe(AT_BEST);
    expect(lab.nats.map(({ counters }) => counters.displaced)).toEqual([0, 0]);
  });

  test.each(SPOILT)("$name, with one side 140 ms from the server: in the second round at the latest", ({ nat }) => {
    const [near, far] = [home(nat), home({ ...nat, link: { delay: 50 } })];
    for (const [dialer, listener] of [
      [near, far],
      [far, near],
    ] as const) {
      expect(timeOf({ dialer, listener })).toBeLessThan(4.5 * 140 + 1_500 + 150);
    }
  });

  test.each(SPOILT.filter(({ nat }) => nat.blacklisting !== true))(
    "$name, in front of a side that guesses",
    ({ nat }) => {
      for (const seed of [1, 2, 3]) expect(timeOf({ seed, dialer: home(nat), listener: RANDOM })).toBeLessThan(10_000);
      for (const seed of [1, 2, 3]) expect(timeOf({ seed, dialer: RANDOM, listener: home(nat) })).toBeLessThan(10_000);
    },
  );
});
