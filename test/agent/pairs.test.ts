/**
 * All kinds of NATs against each other: who meets whom, and how soon.
 *
 * The round trip between any two hosts is 40 ms unless something else is said. `SIM_SEED` runs one seed instead of those
 * that are given here.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import {
  BEHAVIORS,
  type Behavior,
  type NatOptions,
  type PortAllocation,
  simulationSeeds,
} from "../../src/testing/index.ts";
import { kind } from "../sim/punch-pair.ts";
import { Lab, type LabOptions, type Side } from "./lab.ts";

const EI: Behavior = "endpoint-independent";
const AD: Behavior = "address-dependent";
const APD: Behavior = "address-and-port-dependent";

/** No NAT, then the nine combinations: mapping, filtering. */
const KINDS: readonly (readonly [Behavior, Behavior] | undefined)[] = [
  undefined,
  ...BEHAVIORS.flatMap((mapping) => BEHAVIORS.map((filtering) => [mapping, filtering] as const)),
];

/**
 * Upper triangle, rows and columns as in `KINDS`: `o` volleys suffice; `m` they do if permissions belong to the internal
 * endpoint rather than to one mapping; `g` ports are guessed; `.` hopeless.
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

function expected(row: number, column: number): string {
  return EXPECTED[Math.min(row, column)]![Math.max(row, column)]!;
}

function sideOf(behaviors: readonly [Behavior, Behavior] | undefined, more: Partial<NatOptions> = {}): Side {
  return behaviors === undefined ? {} : { nat: kind(...behaviors, more) };
}

/** Times from the call to the first byte of several seeds, in order; `Infinity` where there was none. */
function timesOf(count: number, options: LabOptions): readonly number[] {
  return simulationSeeds(process.env, count)
    .map((seed) => new Lab({ ...options, seed }).tryPair().ms ?? Number.POSITIVE_INFINITY)
    .sort((a, b) => a - b);
}

function median(sorted: readonly number[]): number {
  return sorted[Math.floor(sorted.length / 2)]!;
}

function share(times: readonly number[], within: number): number {
  return times.filter((time) => time <= within).length / times.length;
}

describe.each(["endpoint", "mapping"] as const)("all pairs, both ways, permissions by %s (PATH-17)", (filterScope) => {
  const easy = filterScope === "endpoint" ? "om" : "o";
  const pair = (dialer: number, listener: number): LabOptions => {
    const [a, b] = [dialer, listener].map((index) => sideOf(KINDS[index], { filterScope }));
    return { dialer: a!, listener: b! };
  };
  const cells = KINDS.flatMap((_, dialer) => KINDS.map((_, listener) => [dialer, listener] as const));

  test("those that need no guess have the first byte after 4.5 R and 15 ms, or one volley later", () => {
    // What permissions belong to makes a difference to some only.
    const marks = filterScope === "endpoint" ? "m" : easy;
    const slow = cells.flatMap(([dialer, listener]) => {
      if (!marks.includes(expected(dialer, listener))) return [];
      const [ms] = timesOf(1, pair(dialer, listener));
      return ms! <= 4.5 * 40 + 15 + 25 ? [] : [`${dialer} ${listener}: ${ms}`];
    });
    expect(slow).toEqual([]);
  });

  test("those that need one, with filters known: half within 2 s, nearly all within 10 s", () => {
    const times = cells.flatMap(([dialer, listener]) => {
      const mark = expected(dialer, listener);
      return mark === "." || easy.includes(mark) ? [] : timesOf(2, { ...pair(dialer, listener), diagnostics: true });
    });
    const sorted = times.sort((a, b) => a - b);
    expect(sorted.length).toBeGreaterThan(0);
    expect(share(sorted, 10_000)).toBeGreaterThanOrEqual(0.95);
    expect(median(sorted)).toBeLessThanOrEqual(2_000);
  });

  test("hopeless ones fail within 12 s", () => {
    for (const [dialer, listener] of cells) {
      if (expected(dialer, listener) !== ".") continue;
      const lab = new Lab({ ...pair(dialer, listener), diagnostics: true });
      const { reason } = lab.tryPair();
      expect(reason).toMatchObject({ kind: "unreachable", cause: "hopeless" });
      expect(lab.world.now - lab.calledAt).toBeLessThanOrEqual(12_000);
    }
  });
});

describe("ports in order (PATH-20, PATH-21, PATH-67)", () => {
  const HOME = sideOf([EI, APD]);
  const counting = (foreignFlows: number, mapping: Behavior = APD, step = 1): Side =>
    sideOf([mapping, APD], { ports: { kind: "sequential", first: 30_000, step }, foreignFlows });

  test.each([0, 2, 10])("on one side, with %i flows of others a second: at once", (flows) => {
    const times = [
      ...timesOf(5, { dialer: HOME, listener: counting(flows) }),
      ...timesOf(5, { dialer: counting(flows), listener: HOME }),
    ];
    expect(share(times, 500)).toBeGreaterThanOrEqual(0.95);
  });

  test.each([0, 2, 10, 20])("on both sides, with %i flows of others a second: at once", (flows) => {
    expect(share(timesOf(10, { dialer: counting(flows), listener: counting(flows) }), 500)).toBeGreaterThanOrEqual(
      0.95,
    );
  });

  test("on both, with other steps, or one by address only: within 3 s", () => {
    const pairs = [
      [counting(2, AD), counting(2)],
      [counting(2), counting(2, AD)],
      [counting(2, AD), counting(2, AD)],
      [counting(2, APD, 2), counting(2, APD, -1)],
    ] as const;
    for (const [dialer, listener] of pairs) expect(share(timesOf(3, { dialer, listener }), 3_000)).toBe(1);
  });

  test("on both, 280 ms from each other, with 2 flows of others a second: within 3 s", () => {
    const times = timesOf(5, { dialer: counting(2), listener: counting(2), link: { delay: 70 } });
    expect(share(times, 3_000)).toBe(1);
  });
});

describe("other ways of choosing ports", () => {
  const BLOCK: PortAllocation = { kind: "block", size: 1024, low: 20_480, high: 21_504 };

  test("blocks of 1,024 on both sides are swept within 10 s (PATH-23)", () => {
    const side = sideOf([APD, APD], { ports: BLOCK });
    expect(share(timesOf(5, { dialer: side, listener: side }), 10_000)).toBe(1);
  });

  test("a block on one side is hit within 3 s", () => {
    const [home, block] = [sideOf([EI, APD]), sideOf([APD, APD], { ports: BLOCK })];
    expect(share(timesOf(3, { dialer: home, listener: block }), 3_000)).toBe(1);
    expect(share(timesOf(3, { dialer: block, listener: home }), 3_000)).toBe(1);
  });

  test("ports that are kept are no different from those of a cone", () => {
    const keeping = sideOf([APD, APD], { ports: { kind: "preserving" } });
    const home = sideOf([EI, APD], { ports: { kind: "preserving" } });
    for (const dialer of [keeping, home]) {
      for (const listener of [keeping, home]) expect(timesOf(1, { dialer, listener })).toEqual([4.5 * 40 + 15]);
    }
  });
});

describe("hard links", () => {
  const PAIRS: readonly (readonly [string, Side, Side, number])[] = [
    ["two homes", sideOf([EI, APD]), sideOf([EI, APD]), 2_000],
    ["a home and an open filter", sideOf([EI, APD]), sideOf([AD, EI]), 2_000],
    ["a home and random ports", sideOf([EI, APD]), sideOf([APD, APD]), 10_000],
    ["random ports and a home", sideOf([APD, APD]), sideOf([EI, APD]), 10_000],
    ["two dependent ones", sideOf([APD, AD], { filterScope: "mapping" }), sideOf([APD, APD]), 10_000],
  ];

  test.each(PAIRS)(
    "%s meet every time, though one datagram in ten is lost each way",
    (_name, dialer, listener, within) => {
      expect(share(timesOf(5, { dialer, listener, link: { delay: 10, loss: 0.05 } }), within)).toBe(1);
    },
  );

  test.each(PAIRS)("280 ms round trip: %s meet every time", (_name, dialer, listener, within) => {
    expect(share(timesOf(3, { dialer, listener, link: { delay: 70 } }), within)).toBe(1);
  });

  test("half of all datagrams are lost each way, of two homes: it takes longer, and works", () => {
    const home = sideOf([EI, APD]);
    expect(share(timesOf(5, { dialer: home, listener: home, link: { delay: 10, loss: 0.29 } }), 20_000)).toBe(1);
  });
});

describe("a server with one address, by which nobody can tell mappings apart (PATH-18)", () => {
  const [HOME, RANDOM] = [sideOf([EI, APD]), sideOf([APD, APD])];

  test("two homes meet as fast as ever", () => {
    expect(timesOf(1, { dialer: HOME, listener: HOME, places: 1 })).toEqual([4.5 * 40 + 15]);
  });

  test.each([
    ["the listener", HOME, RANDOM],
    ["the caller", RANDOM, HOME],
  ] as const)("%s has random ports: both roles are tried from the second round on", (_name, dialer, listener) => {
    const times = timesOf(5, { dialer, listener, places: 1 });
    expect(times[0]).toBeGreaterThan(1_500);
    expect(share(times, 10_000)).toBe(1);
  });
});
