/**
 * Punching between all kinds of NATs: who meets whom, by which technique, how soon, and at what cost.
 *
 * The round trip between the two hosts is 40 ms unless something else is said.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { BEHAVIORS, type Behavior, type NatOptions, type PortAllocation } from "../../src/testing/index.ts";
import { UNKNOWN_NAT } from "../../src/wire/nat-profile.ts";
import { kind, type PairOptions, type PairResult, profileOf, punchPair, type SideOptions } from "./punch-pair.ts";

const EI: Behavior = "endpoint-independent";
const AD: Behavior = "address-dependent";
const APD: Behavior = "address-and-port-dependent";

/** No NAT, then the nine combinations: mapping, filtering. */
const KINDS: readonly (readonly [Behavior, Behavior] | undefined)[] = [
  undefined,
  ...BEHAVIORS.flatMap((mapping) => BEHAVIORS.map((filtering) => [mapping, filtering] as const)),
];

/**
 * Upper triangle, rows and columns as in `KINDS`. `o` volleys suffice; `m` they do if permissions belong to the internal
 * endpoint rather than to one mapping, else ports are guessed; `g` ports are guessed; `.` hopeless.
 */
const EXPECTED: readonly string[] = [
  "oooooooooo",
  " ooooooooo",
  "  oooooooo",
  "   oomgomg",
  "    oooooo",
  "     mmomm",
  "      .om.",
  "       ooo",
  "        mm",
  "         .",
];

/** A side of one of the `KINDS`. */
function sideOf(behaviors: readonly [Behavior, Behavior] | undefined, more: Partial<NatOptions> = {}): SideOptions {
  return behaviors === undefined ? {} : { nat: kind(...behaviors, more) };
}

/** Every pair of kinds once. */
function table(cell: (initiator: number, responder: number) => string): string[] {
  return KINDS.map((_, row) => KINDS.map((_, column) => (column < row ? " " : cell(row, column))).join(""));
}

/** Whether ports were guessed. */
function hasGuessed({ peers, socketsOpened }: PairResult): boolean {
  const isGuess = (kind: string): boolean => kind === "spray" || kind === "predicted";
  return socketsOpened > 0 || peers.some(({ machine }) => machine.sent.some(({ action }) => isGuess(action.kind)));
}

/** Several seeds of one pair: the times of those that connected, in order. */
function timesOf(seeds: number, options: Omit<PairOptions, "seed">): number[] {
  const results = Array.from({ length: seeds }, (_, seed) => punchPair({ ...options, seed }));
  return results.flatMap(({ ms }) => ms ?? []).sort((a, b) => a - b);
}

function median(sorted: readonly number[]): number {
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

describe("all pairs of kinds with random ports (PATH-10, PATH-11, PATH-17)", () => {
  test.each([
    { filterScope: "endpoint", simple: "om", pairs: 50 },
    { filterScope: "mapping", simple: "o", pairs: 41 },
  ] as const)(
    "with permissions by $filterScope, $pairs need no guess, all but three meet",
    ({ filterScope, simple, pairs }) => {
      const slow: string[] = [];
      const found = table((row, column) => {
        const sides = [row, column].map((index) => sideOf(KINDS[index], { filterScope }));
        const result = punchPair({ seed: `${row} ${column}`, initiator: sides[0]!, responder: sides[1]! });
        if (result.ms === undefined) return new Set(result.reasons.slice(0, 2)).has("hopeless") ? "." : "?";
        // 15 ms after the openers come the probes: a round trip from there, and one more volley at most.
        if (result.ms > (hasGuessed(result) ? 10_000 : 15 + 40 + 50)) slow.push(`${row} ${column}: ${result.ms}`);
        return hasGuessed(result) ? "g" : "o";
      });
      expect(found).toEqual(
        EXPECTED.map((line) => line.replace(/[om]/g, (mark) => (simple.includes(mark) ? "o" : "g"))),
      );
      expect(found.join("").replaceAll(/[^o]/g, "")).toHaveLength(pairs);
      expect(slow).toEqual([]);
    },
  );

  test("two home routers cost an opener and two probes each, and one round trip from the volley (PATH-10)", () => {
    const { ms, peers } = punchPair({ seed: 1, initiator: sideOf([EI, APD]), responder: sideOf([EI, APD]) });
    expect(ms).toBe(15 + 40);
    for (const { machine } of peers) {
      expect(machine.sent.map(({ action, at }) => `${action.type} ${at - 200}`)).toEqual([
        "opener 0",
        "probe 15",
        "probe 35",
      ]);
    }
  });

  test("a hopeless pair says so within 12 s, and after the first round already (PATH-13)", () => {
    const hard = sideOf([APD, APD]);
    const result = punchPair({ seed: 1, initiator: hard, responder: sideOf([AD, APD]) });
    expect(new Set(result.reasons)).toEqual(new Set(["hopeless"]));
    expect(result.gaveUpAfter).toBeLessThan(12_000);
    const first = punchPair({ seed: 1, initiator: hard, responder: hard, maxRounds: 1 });
    expect(first.gaveUpAfter).toBe(15 + 1000 + 1000);
    expect([first.probes, first.socketsOpened]).toEqual([20, 0]);
  });
});

test("nobody knows anything of the NATs: the same pairs meet, those that need guesses in the second round (PATH-18)", () => {
  const slow: string[] = [];
  const found = table((row, column) => {
    const sides = [row, column].map((index) => ({
      ...sideOf(KINDS[index], { filterScope: "mapping" }),
      profile: UNKNOWN_NAT,
    }));
    const { ms } = punchPair({ seed: `${row} ${column}`, initiator: sides[0]!, responder: sides[1]! });
    if (ms !== undefined && ms > 10_000) slow.push(`${row} ${column}: ${ms}`);
    return ms === undefined ? "." : ms < 1500 ? "o" : "g";
  });
  expect(found).toEqual(EXPECTED.map((line) => line.replaceAll("m", "g")));
  expect(slow).toEqual([]);
});

describe("random ports behind one side (PATH-22)", () => {
  test("a birthday: nearly always within 10 s, half of the time within 1 s", () => {
    for (const isInitiatorHard of [false, true]) {
      const [hard, easy] = [sideOf([APD, APD]), sideOf([EI, APD])];
      const sides = isInitiatorHard ? { initiator: hard, responder: easy } : { initiator: easy, responder: hard };
      const times = timesOf(20, sides);
      expect(times.length).toBeGreaterThanOrEqual(19);
      expect(median(times)).toBeLessThan(1300);
      expect(times.at(-1)).toBeLessThan(10_000);
    }
  });

  test("a small pool is hit at once", () => {
    const ports: PortAllocation = { kind: "block", size: 1024, low: 20_480, high: 21_504 };
    const times = timesOf(10, { initiator: sideOf([EI, APD]), responder: sideOf([APD, APD], { ports }) });
    expect(times).toHaveLength(10);
    expect(times.at(-1)).toBeLessThan(1000);
  });

  test("sockets are opened once, and closed when one has won (PATH-12)", () => {
    const result = punchPair({ seed: 1, initiator: sideOf([EI, APD]), responder: sideOf([APD, APD]) });
    result.world.run({ for: 2000 });
    const { peers } = result;
    const closed = peers[1].events.flatMap((event) => (event.type === "close-sockets" ? event.vias : []));
    expect([result.socketsOpened, new Set(closed).size]).toEqual([256, 255]);
    expect(closed).not.toContain(peers[1].machine.connected!.via);
    const before = peers[0].counters.datagramsSent;
    result.world.run({ for: 2000 });
    expect(peers[0].counters.datagramsSent).toBe(before);
  });

  test.each([
    ["APDM/ADF", "APDM/APDF", [APD, AD], [APD, APD]],
    ["ADM/ADF", "APDM/APDF", [AD, AD], [APD, APD]],
    ["ADM/ADF", "ADM/APDF", [AD, AD], [AD, APD]],
    ["APDM/ADF", "APDM/ADF", [APD, AD], [APD, AD]],
  ] as const)("two dependent sides meet if one filters by address: %s, %s", (_a, _b, one, other) => {
    const [a, b] = [one, other].map((each) => sideOf(each, { filterScope: "mapping" })) as [SideOptions, SideOptions];
    const times = [...timesOf(5, { initiator: a, responder: b }), ...timesOf(5, { initiator: b, responder: a })];
    expect(times).toHaveLength(10);
    expect(Math.max(...times)).toBeLessThan(10_000);
  });
});

describe("sequential ports (PATH-20, PATH-21)", () => {
  const sequential = (foreignFlows: number, mapping: Behavior = APD, step = 1): SideOptions =>
    sideOf([mapping, APD], { ports: { kind: "sequential", first: 30_000, step }, foreignFlows });

  test.each([0, 2, 10])("behind one side, with %i foreign flows a second: at once", (flows) => {
    const home = sideOf([EI, APD]);
    const times = [
      ...timesOf(10, { initiator: home, responder: sequential(flows), sampleAge: 500 }),
      ...timesOf(10, { initiator: sequential(flows), responder: home, sampleAge: 500 }),
    ];
    expect(times).toHaveLength(20);
    expect(times.at(-1)).toBeLessThan(400);
  });

  test.each([
    { flows: 0, within: 400 },
    { flows: 2, within: 500 },
    { flows: 10, within: 3000 },
  ])("behind both, with $flows foreign flows a second: within $within ms", ({ flows, within }) => {
    const times = timesOf(20, { initiator: sequential(flows), responder: sequential(flows), sampleAge: 500 });
    expect(times.filter((time) => time <= within).length).toBeGreaterThanOrEqual(19);
  });

  test("behind both, one by address only, and with other steps", () => {
    const pairs = [
      [sequential(2, AD), sequential(2)],
      [sequential(2), sequential(2, AD)],
      [sequential(2, AD), sequential(2, AD)],
      [sequential(2, APD, 2), sequential(2, APD, -1)],
    ] as const;
    for (const [initiator, responder] of pairs) {
      const times = timesOf(10, { initiator, responder });
      expect(times.filter((time) => time <= 3000).length).toBeGreaterThanOrEqual(9);
    }
  });
});

test("blocks of 1,024 ports on both sides are swept within 10 s (PATH-23)", () => {
  const ports: PortAllocation = { kind: "block", size: 1024, low: 20_480, high: 21_504 };
  const block = sideOf([APD, APD], { ports });
  const times = timesOf(10, { initiator: block, responder: block });
  expect(times.length).toBeGreaterThanOrEqual(9);
  expect(times.at(-1)).toBeLessThan(10_000);
});

describe("routers that unsolicited packets spoil (PATH-10, PATH-19)", () => {
  const home = (more: Partial<NatOptions>): SideOptions =>
    sideOf([EI, APD], { ports: { kind: "preserving" }, ...more });
  const spoilt = [
    { name: "tracking them", nat: { tracksUnsolicited: true } },
    { name: "blacklisting", nat: { blacklisting: true } },
    { name: "rejecting them", nat: { rejecting: true } },
  ];

  test.each(spoilt)("$name, on both sides: openers keep them away", ({ nat }) => {
    const { ms, nats } = punchPair({ seed: 1, initiator: home(nat), responder: home(nat) });
    expect(ms).toBe(55);
    expect(nats.map((each) => each!.counters.displaced + each!.counters.blacklisted)).toEqual([0, 0]);
  });

  test.each(spoilt)("$name, one side starts 300 ms late: fresh sockets in the next round", ({ nat }) => {
    const { ms } = punchPair({ seed: 1, initiator: home(nat), responder: { ...home(nat), lateBy: 300 } });
    expect(ms).toBeLessThan(1500 + 500);
  });

  test.each(spoilt)("$name, in front of the side that guesses", ({ nat }) => {
    for (const ports of [{ kind: "random" }, { kind: "sequential", first: 30_000 }] as PortAllocation[]) {
      const times = timesOf(5, { initiator: home(nat), responder: sideOf([APD, APD], { ports }) });
      expect(times).toHaveLength(5);
      expect(times.at(-1)).toBeLessThan(10_000);
    }
  });
});

describe("paths that lose or take long", () => {
  const kinds = [
    [sideOf([EI, APD]), sideOf([EI, APD]), 1000],
    [sideOf([EI, APD]), sideOf([AD, EI]), 1000],
    [sideOf([EI, APD]), sideOf([APD, APD]), 10_000],
    [sideOf([APD, AD]), sideOf([APD, APD]), 10_000],
  ] as const;

  test.each(kinds)("10 % loss each way, pair %#", (initiator, responder, within) => {
    const times = timesOf(10, { initiator, responder, link: { delay: 10, loss: 0.05 } });
    expect(times).toHaveLength(10);
    expect(times.at(-1)).toBeLessThan(within);
  });

  test.each(kinds)("280 ms round trip, pair %#", (initiator, responder, within) => {
    const times = timesOf(5, { initiator, responder, link: { delay: 70 }, sampleAge: 400 });
    expect(times).toHaveLength(5);
    expect(times.at(-1)).toBeLessThan(within);
  });
});

describe("more than one NAT, or one for both, or none", () => {
  test("a carrier's NAT over a home's, nine combinations, against a home router", () => {
    for (const filtering of BEHAVIORS) {
      for (const mapping of BEHAVIORS) {
        const carrier = kind(mapping, filtering);
        const initiator = { nat: kind(EI, APD), carrier, profile: { ...profileOf({ ...carrier, filtering: APD }) } };
        const { ms } = punchPair({ seed: 1, initiator, responder: sideOf([EI, APD]) });
        expect(ms, `${mapping} ${filtering}`).toBeLessThan(10_000);
      }
    }
  });

  test.each([true, false])("the same NAT, hairpinning %s: neighbours find each other directly (PATH-14)", (hairpin) => {
    for (const mapping of BEHAVIORS) {
      const sharedNat = kind(mapping, APD, { hairpin });
      const { ms, peers } = punchPair({ seed: 1, initiator: {}, responder: {}, sharedNat });
      expect(ms).toBeLessThan(100);
      for (const [index, { machine }] of peers.entries()) {
        expect(machine.connected!.remote.host).toBe(`10.0.0.${3 - index}`);
      }
    }
  });

  test("firewalls without translation, as with IPv6", () => {
    const { ms } = punchPair({ seed: 1, initiator: sideOf([EI, APD]), responder: sideOf([EI, APD]), isIpv6: true });
    expect(ms).toBe(55);
  });
});

test("before the peer is confirmed only volleys leave (PATH-18)", () => {
  const result = punchPair({
    seed: 1,
    initiator: { ...sideOf([EI, APD]), isConfirmed: false },
    responder: { ...sideOf([APD, APD]), isConfirmed: false },
  });
  expect([result.ms, result.socketsOpened, hasGuessed(result)]).toEqual([undefined, 0, false]);
  expect(new Set(result.reasons)).toEqual(new Set(["silent"]));
});

test("attempts name the technique that found the path", () => {
  const { attempts } = punchPair({ seed: 1, initiator: sideOf([EI, APD]), responder: sideOf([APD, APD]) });
  const [initiator, responder] = attempts.map((rows) => rows.map((row) => `${row.kind} ${row.outcome}`));
  expect(initiator).toEqual(["reflexive silent", "spray silent", "peer-reflexive answered"]);
  expect(responder).toEqual(["reflexive answered"]);
});

test("one seed determines the run", () => {
  const options = { initiator: sideOf([EI, APD]), responder: sideOf([APD, APD]) };
  const hashes = [1, 1, 2].map((seed) => punchPair({ ...options, seed }).world.traceHash);
  expect(hashes[0]).toBe(hashes[1]);
  expect(hashes[2]).not.toBe(hashes[0]);
});
