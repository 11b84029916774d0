/**
 * Verdicts on pairs: every pair of NAT kinds with every allocator, what helps, and what is not known.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { networkReport } from "../../fuzz/doctor-arbitraries.ts";
import type { FamilyFacts, NetworkFacts } from "../../src/doctor/facts.ts";
import type { PairVerdict } from "../../src/doctor/pair-verdict.ts";
import { type NetworkReport, reportOf } from "../../src/doctor/report.ts";
import { decodeReport, encodeReport } from "../../src/doctor/report-string.ts";
import { verdictOf } from "../../src/doctor/verdict.ts";
import type { NatProfile, PortAllocator } from "../../src/wire/nat-profile.ts";
import { type Schema, violations } from "./json-schema.ts";
import { isHopeless, KINDS, type Kind, profileOfKind, TRUTH } from "./nat-kinds.ts";
import { at, family, network, reportWith } from "./samples.ts";

const schema: Schema = JSON.parse(readFileSync(new URL("../../spec/verdict-schema.json", import.meta.url), "utf8"));

/** Two networks far from each other. */
const HERE: Partial<FamilyFacts> = { hosts: [at("192.168.1.7")], reflexive: [at("203.0.113.9")], rtts: [40] };
const THERE: Partial<FamilyFacts> = { hosts: [at("10.9.9.9")], reflexive: [at("198.51.100.7")], rtts: [20] };

const SIX = (nat: Partial<NatProfile> = {}, host = "2001:db8:1::7"): FamilyFacts =>
  family({ hosts: [at(host)], reflexive: [at(host)] }, { mapping: "endpoint-independent", ...nat });

const HARD: Partial<NatProfile> = {
  mapping: "address-and-port-dependent",
  filtering: "address-and-port-dependent",
  allocator: "random",
};
const EASY: Partial<NatProfile> = { mapping: "endpoint-independent", filtering: "address-and-port-dependent" };
const COUNTING: Partial<NatProfile> = { ...HARD, allocator: "sequential", step: 1 };
const BLOCK: Partial<NatProfile> = { ...HARD, allocator: "block", poolFirst: 40_960, poolSize: 1_024 };

function here(nat: Partial<NatProfile>, more: Partial<NetworkFacts> = {}): NetworkReport {
  return reportWith(nat, { facts: HERE, network: more });
}

function there(nat: Partial<NatProfile>, more: Partial<NetworkFacts> = {}): NetworkReport {
  return reportWith(nat, { facts: THERE, network: more });
}

const codes = (notes: readonly { readonly code: string; readonly side?: string }[]) =>
  notes.map(({ code, side }) => (side === undefined ? code : `${code} ${side}`));

const cells = KINDS.flatMap((a, row) => KINDS.slice(row).map((b, column) => [a, b, TRUTH[row]![column]!] as const));

/** What the pair with random ports should get. */
function expectedOf(a: Kind, b: Kind, cell: string): Pick<PairVerdict, "direct" | "how"> {
  if (isHopeless(a, b)) return { direct: "no", how: [] };
  if (cell === "ok") return { direct: "yes", how: ["simple-open"] };
  return { direct: "yes", how: cell === "F" ? ["birthday"] : ["simple-open", "birthday"] };
}

describe("the verdict on networks with random ports", () => {
  test.each(cells)("behind %s and %s agrees with what was measured: %s (DOC-10, DOC-11)", (a, b, cell) => {
    const verdict = verdictOf(here(profileOfKind(a)), there(profileOfKind(b)));
    expect(verdict).toMatchObject(expectedOf(a, b, cell));
    expect(codes(verdict.assumptions).includes("filter-scope")).toBe(cell === "ok/F");
    if (cell === "ok") expect(verdict.ms).toEqual({ least: 220, most: 220 });
    if (cell === "ok/F") expect(verdict.ms).toEqual({ least: 220, most: 1_045 });
    if (cell === "F" && !isHopeless(a, b)) expect(verdict.ms).toEqual({ least: 1_045, most: 1_045 });
    expect(codes(verdict.reasons)).toEqual(isHopeless(a, b) ? ["unpredictable-ports"] : []);
  });

  test("says what helps the hopeless ones: a port on either side, IPv6, a relay (DOC-15)", () => {
    const verdict = verdictOf(here(HARD), there(HARD));
    expect(codes(verdict.help)).toEqual(["port-mapping", "ipv6", "relay"]);
    expect(verdict.ms).toBeUndefined();
    const mapped = { state: "mapped", protocol: "upnp", external: undefined } as const;
    expect(verdictOf(here(HARD, { portMapping: mapped }), there(HARD))).toMatchObject({
      direct: "yes",
      how: ["port-mapping"],
    });
    const useless = { ...mapped, external: at("100.64.0.1") };
    expect(codes(verdictOf(here(HARD, { portMapping: useless }), there(HARD)).help)).toEqual([
      "port-mapping b",
      "ipv6",
      "relay",
    ]);
    expect(verdictOf(here(HARD, { ipv6: SIX() }), there(HARD, { ipv6: SIX({}, "2001:db8:2::7") }))).toMatchObject({
      direct: "yes",
      how: ["ipv6"],
    });
  });
});

describe("the verdict by allocator", () => {
  const allocators: readonly PortAllocator[] = ["preserving", "sequential", "random", "block"];
  const profile = (kind: Kind, allocator: PortAllocator): Partial<NatProfile> => ({
    ...profileOfKind(kind),
    allocator,
    ...(allocator === "sequential" ? { step: 1 } : {}),
    ...(allocator === "block" ? { poolFirst: 40_960, poolSize: 1_024 } : {}),
  });

  test.each(cells)("of %s and %s: better with ports that can be foretold or found (DOC-11, DOC-12)", (a, b, cell) => {
    for (const left of allocators) {
      for (const right of allocators) {
        const { direct } = verdictOf(here(profile(a, left)), there(profile(b, right)));
        const message = `${left} ${right}`;
        const isKept = [left, right].includes("preserving");
        if (isHopeless(a, b) && !isKept) {
          const isCounting = left === "sequential" && right === "sequential";
          expect(direct, message).toBe(isCounting ? "yes" : left === "block" && right === "block" ? "likely" : "no");
        } else if (cell === "ok" || !isKept) expect(direct, message).toBe("yes");
        else expect(direct, message).toMatch(/yes|possible/);
      }
    }
  });

  test.each<[string, Partial<NatProfile>, Partial<NatProfile>, Partial<PairVerdict>]>([
    ["counting and easy", COUNTING, EASY, { direct: "yes", how: ["prediction"], ms: { least: 390, most: 390 } }],
    ["both counting", COUNTING, COUNTING, { direct: "yes", how: ["strides"], ms: { least: 390, most: 390 } }],
    ["blocks", BLOCK, BLOCK, { direct: "likely", how: ["block-sweep"], ms: { least: 2_076, most: 2_076 } }],
    ["block and easy", BLOCK, EASY, { direct: "yes", how: ["birthday"], ms: { least: 490, most: 490 } }],
    ["counting and random", COUNTING, HARD, { direct: "no", how: [] }],
  ])("%s (DOC-14)", (_, a, b, expected) => {
    expect(verdictOf(here(a), there(b))).toMatchObject(expected);
  });

  test("is less sure the larger blocks are, since a sweep may take only so many packets (DOC-9, DOC-14)", () => {
    const blocks = (poolSize: number) => verdictOf(here({ ...BLOCK, poolSize }), there({ ...BLOCK, poolSize }));
    expect(blocks(512).chance.least).toBe(0.93);
    expect(blocks(2_048)).toMatchObject({ direct: "likely" });
    expect(blocks(4_096)).toMatchObject({ direct: "possible", how: ["block-sweep"] });
    expect(blocks(4_096).chance.most).toBeLessThan(0.5);
    expect(blocks(8_192)).toMatchObject({ direct: "no", how: [] });
  });

  test("is later by the second round where the plan rests on what is not known (DOC-14)", () => {
    const { ms, how } = verdictOf(here({ ...HARD, filtering: undefined }), there(HARD));
    expect(how).toEqual(["simple-open", "birthday"]);
    expect(ms).toEqual({ least: 220, most: 2_545 });
  });

  test("waits for a round trip before hundreds of flows (DOC-14)", () => {
    const far = (nat: Partial<NatProfile>) => reportWith(nat, { facts: { ...THERE, rtts: [280] } });
    expect(verdictOf(here(HARD), far(EASY)).ms).toEqual({ least: 1_180 + 330 + 675, most: 1_180 + 330 + 675 });
    expect(verdictOf(here(COUNTING), far(EASY)).ms).toEqual({ least: 1_180 + 170, most: 1_180 + 170 });
  });

  test("is less sure the more others use the NATs (DOC-14)", () => {
    const busy = (flows: number) =>
      verdictOf(here({ ...COUNTING, foreignFlows: flows }), there({ ...COUNTING, foreignFlows: flows }));
    expect(busy(2)).toMatchObject({ direct: "yes", ms: { least: 410, most: 410 } });
    expect(busy(10)).toMatchObject({ direct: "yes", ms: { least: 500, most: 500 } });
    expect(busy(60)).toMatchObject({ direct: "likely", ms: { least: 2_120, most: 2_120 } });
    expect(codes(busy(60).reasons)).toEqual(["chance"]);
    expect(busy(100)).toMatchObject({ direct: "no", how: [] });
    expect(codes(busy(100).reasons)).toEqual(["busy-nat"]);
  });
});

describe("what is left open", () => {
  test("gives both ends (DOC-9, DOC-12)", () => {
    const verdict = verdictOf(here({}), there(HARD));
    expect(verdict).toMatchObject({ direct: "possible", chance: { least: 0, most: 0.99 } });
    expect(verdict.how[0]).toBe("simple-open");
    expect(codes(verdict.reasons)).toEqual(["unpredictable-ports", "unknown a"]);
    expect(codes(verdict.help)).toContain("measure a");
    expect(verdict.ms!.least).toBeLessThan(verdict.ms!.most);
  });

  test("does not matter where it makes no difference (DOC-12)", () => {
    expect(verdictOf(here({}), there({ ...EASY, filtering: "endpoint-independent" }))).toMatchObject({
      direct: "yes",
      how: ["simple-open"],
    });
    expect(verdictOf(here({ ...EASY, filtering: undefined }), there(EASY)).direct).toBe("yes");
  });

  test("may be whether UDP passes at all (DOC-9)", () => {
    const unasked = reportWith(EASY, { facts: { ...THERE, answered: undefined } });
    expect(verdictOf(here(EASY), unasked)).toMatchObject({ direct: "possible", chance: { least: 0, most: 0.99 } });
    expect(codes(verdictOf(here(EASY), unasked).reasons)).toContain("unknown b");
  });

  test("is the distance, if nobody measured it (DOC-9)", () => {
    const far = (rtts: number[]) => reportWith(EASY, { facts: { ...THERE, rtts } });
    const near = (rtts: number[]) => reportWith(EASY, { facts: { ...HERE, rtts } });
    expect(codes(verdictOf(near([]), far([])).assumptions)).toEqual(["rtt"]);
    expect(verdictOf(near([]), far([])).ms).toEqual({ least: 220, most: 220 });
    expect(verdictOf(near([10]), far([140])).ms).toEqual({ least: 620, most: 620 });
  });
});

describe("networks that have no way", () => {
  const blocked = reportWith({}, { facts: { ...THERE, answered: false, reflexive: [], rtts: [] } });

  test("because UDP is blocked (DOC-3, DOC-9)", () => {
    const verdict = verdictOf(here(EASY), blocked);
    expect(verdict.direct).toBe("no");
    expect(codes(verdict.reasons)).toEqual(["udp-blocked b"]);
    expect(codes(verdict.help)).toEqual(["allow-udp b", "relay"]);
    expect(codes(verdictOf(blocked, blocked).reasons)).toEqual(["udp-blocked a", "udp-blocked b"]);
  });

  test("because one has IPv4 only and the other IPv6 only (DOC-9)", () => {
    const verdict = verdictOf(here(EASY), reportOf(network({ ipv4: undefined, ipv6: SIX() })));
    expect(verdict.direct).toBe("no");
    expect(codes(verdict.reasons)).toEqual(["no-common-family"]);
    expect(codes(verdict.help)).toEqual(["ipv6", "relay"]);
    const half = reportOf(network({ ipv4: family({ ...THERE, answered: false }), ipv6: SIX() }));
    expect(codes(verdictOf(here(EASY), half).reasons)).toEqual(["no-common-family"]);
  });
});

describe("networks behind one outer address", () => {
  const neighbour = (nat: Partial<NatProfile>, facts: Partial<FamilyFacts> = {}) =>
    reportWith(nat, { facts: { ...HERE, hosts: [at("192.168.1.8")], ...facts } });

  test("are neighbours if they share a local network (DOC-13)", () => {
    const verdict = verdictOf(here(HARD), neighbour(HARD));
    expect(verdict).toMatchObject({ direct: "yes", how: ["host"] });
    expect(codes(verdict.assumptions)).toEqual(["neighbours"]);
  });

  test("need hairpinning otherwise (DOC-13)", () => {
    const elsewhere = { hosts: [at("192.168.50.8")] };
    expect(verdictOf(here(EASY), neighbour(EASY, elsewhere))).toMatchObject({ direct: "possible", how: ["host"] });
    expect(codes(verdictOf(here(EASY), neighbour(EASY, elsewhere)).reasons)).toEqual(["same-nat"]);
    expect(verdictOf(here({ ...EASY, hairpin: true }), neighbour(EASY, elsewhere))).toMatchObject({
      direct: "yes",
      how: ["simple-open"],
    });
    const untried = reportWith(EASY, { facts: { ...HERE, ...elsewhere, hairpinTried: false } });
    expect(verdictOf(here(EASY), untried).direct).toBe("possible");
  });

  test("may be two homes of one carrier, even if both are 192.168.1.0/24 (DOC-13)", () => {
    const home = { ...EASY, isCarrierGrade: true };
    expect(verdictOf(here(home), neighbour(home))).toMatchObject({ direct: "possible" });
    expect(verdictOf(here({ ...home, hairpin: true }), neighbour(home)).direct).toBe("yes");
  });

  test("share their IPv6 network if its prefix is the same (DOC-13)", () => {
    const one = reportOf(network({ ipv4: undefined, ipv6: SIX({}, "2001:db8:1::7") }));
    const other = reportOf(network({ ipv4: undefined, ipv6: SIX({}, "2001:db8:1::8") }));
    expect(verdictOf(one, other)).toMatchObject({ direct: "yes", how: ["host"] });
  });
});

describe("any two reports", () => {
  test("get a verdict that is valid, the same both ways, and the same from the pasted strings (DOC-9)", () => {
    const swap: Readonly<Record<string, string>> = { " a": " b", " b": " a" };
    fc.assert(
      fc.property(networkReport, networkReport, (a, b) => {
        const verdict = verdictOf(a, b);
        expect(violations(schema, verdict)).toEqual([]);
        expect(verdict.chance.least).toBeLessThanOrEqual(verdict.chance.most);
        if (verdict.ms !== undefined) expect(verdict.ms.least).toBeLessThanOrEqual(verdict.ms.most);
        expect((verdict.direct === "no") === (verdict.ms === undefined)).toBe(true);
        const back = verdictOf(b, a);
        const turned = codes(back.reasons).map((code) => code.replace(/ [ab]$/, (side) => swap[side]!));
        expect(turned.sort()).toEqual(codes(verdict.reasons).sort());
        for (const name of ["direct", "how", "ms", "chance"] as const) expect(back[name]).toEqual(verdict[name]);
        const pasted = [a, b].map((report) => decodeReport(encodeReport(report)) as NetworkReport);
        expect(verdictOf(pasted[0]!, pasted[1]!)).toEqual(verdict);
      }),
    );
  });

  test("more knowledge never widens what may be (DOC-12)", () => {
    fc.assert(
      fc.property(networkReport, networkReport, (a, b) => {
        const { ipv4 } = a.nat;
        fc.pre(ipv4 !== undefined && ipv4.filtering !== "unknown");
        const vague = { ...a, nat: { ...a.nat, ipv4: { ...ipv4!, udp: "unknown" } } } as NetworkReport;
        const [known, open] = [verdictOf(a, b), verdictOf(vague, b)];
        if (ipv4!.udp === "open") expect(known.chance.least).toBeGreaterThanOrEqual(open.chance.least);
      }),
    );
  });
});

describe("words", () => {
  test("say in one paragraph whether, how, how soon, and what helps (DOC-9)", () => {
    const names = { a: "your network", b: "the listener's network" };
    expect(verdictOf(here(EASY), there(EASY), names).words).toMatchInlineSnapshot(
      `"A direct connection is expected: both sides send at the same moment, and their NATs let the answers in. Expect about 220 ms until the first byte."`,
    );
    expect(verdictOf(here(HARD), there(EASY), names).words).toMatchInlineSnapshot(
      `"A direct connection is expected: one NAT draws its ports at random, so many are opened there and tried from the other side until one fits. Expect about 1.0 s until the first byte."`,
    );
    expect(verdictOf(here(HARD), there(HARD), names).words).toMatchInlineSnapshot(
      `"A direct connection is not possible. Why: each NAT takes another port for each peer, which cannot be foretold, and lets in nothing from unknown ports. What helps: switch on UPnP, NAT-PMP or PCP in the router of either network, or forward a UDP port there; or use IPv6 on both sides; or connect through a relay."`,
    );
    expect(verdictOf(here({}), there(HARD), names).words).toMatchInlineSnapshot(
      `"A direct connection is possible: both sides send at the same moment, and their NATs let the answers in; or one NAT draws its ports at random, so many are opened there and tried from the other side until one fits. Expect 220 ms to 2.5 s until the first byte. What may prevent it: each NAT takes another port for each peer, which cannot be foretold, and lets in nothing from unknown ports; not all is known about your network. How soon depends on what the filters remember: by RFC 4787 §5 that is for the inner endpoint, but some NATs do it for each mapping. The times cover both. What helps: run punchline doctor in your network with a server that has two addresses; or switch on UPnP, NAT-PMP or PCP in the router of either network, or forward a UDP port there; or use IPv6 on both sides; or connect through a relay."`,
    );
  });
});
