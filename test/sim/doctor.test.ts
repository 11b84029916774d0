/**
 * Verdicts on pairs against what becomes of them: every pair of NAT kinds, by allocators and scope of filter state.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { reportOf } from "../../src/doctor/report.ts";
import { verdictOf } from "../../src/doctor/verdict.ts";
import { BEHAVIORS, type NatOptions, type PortAllocation } from "../../src/testing/index.ts";
import { at, family, network } from "../doctor/samples.ts";
import { kind, profileOf, punchPair } from "./punch-pair.ts";

/** What every connection takes before and after the punching proper, in ms: openers, and a round trip of 40 ms. */
const PLAIN_PUNCH = 55;

/** What a verdict expects for simple opening at 40 ms, in ms. */
const PLAIN_VERDICT = 220;

const PORTS: readonly PortAllocation[] = [
  { kind: "random" },
  { kind: "sequential", first: 30_000, step: 1 },
  { kind: "block", size: 1024, low: 20_480, high: 21_504 },
  { kind: "preserving" },
];

/** No NAT; then every mapping and filtering, with every allocator where the port depends on the peer. */
function sidesWith(filterScope: "endpoint" | "mapping"): readonly (Partial<NatOptions> | undefined)[] {
  const nats = BEHAVIORS.flatMap((mapping) =>
    BEHAVIORS.flatMap((filtering) =>
      (mapping === "endpoint-independent" ? PORTS.slice(0, 1) : PORTS).map((ports) =>
        // A NAT that keeps ports whoever the peer is has to use one for several.
        kind(mapping, filtering, { ports, filterScope, ...(ports.kind === "preserving" ? { overloading: true } : {}) }),
      ),
    ),
  );
  return [undefined, ...nats];
}

function reportFor(nat: Partial<NatOptions> | undefined, index: number) {
  const outer = at(`203.0.113.${index}`);
  const hosts = nat === undefined ? [outer] : [at(`192.168.${index}.2`)];
  return reportOf(network({ ipv4: family({ hosts, reflexive: [outer], rtts: [40] }, profileOf(nat)) }));
}

describe("the verdict on a pair", () => {
  test.each(["endpoint", "mapping"] as const)(
    "agrees with what becomes of it, filters keeping their state by %s (DOC-11)",
    (filterScope) => {
      const sides = sidesWith(filterScope);
      const wrong: string[] = [];
      let [pairs, open] = [0, 0];
      for (const [row, initiator] of sides.entries()) {
        for (const responder of sides.slice(row)) {
          const { ms } = punchPair({ seed: pairs, initiator: nat(initiator), responder: nat(responder) });
          const { direct, ms: expected } = verdictOf(reportFor(initiator, 1), reportFor(responder, 2));
          pairs += 1;
          if (direct === "possible") open += 1;
          if ((direct === "no") !== (ms === undefined))
            wrong.push(`${name(initiator)} ${name(responder)} ${direct} ${ms}`);
          if (ms === undefined || expected === undefined) continue;
          // A verdict names the median; luck may halve it, and ends within the time that every hit has.
          const took = ms - PLAIN_PUNCH;
          const latest = 5 * (expected.most - PLAIN_VERDICT) + 60;
          if (took > latest) wrong.push(`${name(initiator)} ${name(responder)} took ${took}, not ${latest}`);
        }
      }
      expect(pairs).toBe((28 * 29) / 2);
      expect(wrong).toEqual([]);
      // Only where it is not known whether a port will be kept.
      expect(open).toBeLessThan(pairs / 4);
    },
  );

  test.each([
    ["birthday", PORTS[0]!, 25],
    ["birthday", PORTS[2]!, 15],
    ["prediction", PORTS[1]!, 9],
  ] as const)("expects the median of a %s (DOC-14)", (technique, ports, seeds) => {
    const easy = kind("endpoint-independent", "address-and-port-dependent");
    const hard = kind("address-and-port-dependent", "address-and-port-dependent", { ports });
    expectMedian(technique, easy, hard, seeds);
  });

  test.each([
    ["strides", PORTS[1]!, 0, 9],
    ["strides", PORTS[1]!, 10, 25],
    ["block-sweep", PORTS[2]!, 0, 11],
  ] as const)("expects the median of %s (DOC-14)", (technique, ports, foreignFlows, seeds) => {
    const hard = kind("address-and-port-dependent", "address-and-port-dependent", { ports, foreignFlows });
    expectMedian(technique, hard, hard, seeds);
  });
});

/** The verdict's expectation is within a third, or 100 ms, of the median of so many runs. */
function expectMedian(technique: string, a: Partial<NatOptions>, b: Partial<NatOptions>, seeds: number): void {
  const { how, ms } = verdictOf(reportFor(a, 1), reportFor(b, 2));
  expect(how).toEqual([technique]);
  const times = Array.from({ length: seeds }, (_, seed) => {
    return punchPair({ seed, initiator: nat(a), responder: nat(b), sampleAge: 500 }).ms ?? Number.POSITIVE_INFINITY;
  });
  const median = times.sort((x, y) => x - y)[Math.floor(seeds / 2)]! - PLAIN_PUNCH;
  const expected = ms!.least - PLAIN_VERDICT;
  expect(Math.abs(median - expected), `${median} and ${expected}`).toBeLessThanOrEqual(Math.max(expected / 3, 100));
}

function nat(options: Partial<NatOptions> | undefined): { readonly nat?: Partial<NatOptions> } {
  return options === undefined ? {} : { nat: options };
}

function name(options: Partial<NatOptions> | undefined): string {
  return options === undefined ? "public" : `${options.mapping}/${options.filtering}/${options.ports?.kind}`;
}
