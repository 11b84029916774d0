/**
 * What a listener has told of itself, as a report.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { peerReport } from "../../src/doctor/peer-report.ts";
import { verdictOf } from "../../src/doctor/verdict.ts";
import type { CandidateKind } from "../../src/wire/candidate.ts";
import { type NatProfile, UNKNOWN_NAT } from "../../src/wire/nat-profile.ts";
import { type Schema, violations } from "./json-schema.ts";
import { reportWith } from "./samples.ts";

const SCHEMA: Schema = JSON.parse(readFileSync(new URL("../../spec/doctor-schema.json", import.meta.url), "utf8"));

const HOME: NatProfile = {
  ...UNKNOWN_NAT,
  mapping: "endpoint-independent",
  filtering: "address-and-port-dependent",
  allocator: "preserving",
};

function candidate(kind: CandidateKind, host: string, port = 4_433) {
  const family = host.includes(":") ? (6 as const) : (4 as const);
  return { kind, address: { host, port, family }, group: 0 };
}

describe("the report of a listener (DOC-21)", () => {
  test("has its profile, its round trip, and tags instead of its addresses", () => {
    const report = peerReport({
      candidates: [candidate("reflexive", "203.0.113.2"), candidate("host", "192.168.1.7")],
      profile: HOME,
      rtt: 40.2,
    });
    expect(report).toMatchObject({
      udp: "open",
      nat: {
        ipv4: {
          ...{ udp: "open", translated: "yes", mapping: "endpoint-independent", allocator: "preserving" },
          ...{ filtering: "address-and-port-dependent", hairpin: "unknown", rtt: 40, site: expect.any(String) },
        },
      },
      portMapping: { state: "not-asked" },
      lans: [expect.any(String)],
    });
    expect(report.nat.ipv6).toBeUndefined();
    expect(violations(SCHEMA, report)).toEqual([]);
    expect(verdictOf(reportWith(HOME), report).direct).toBe("yes");
  });

  test.each([
    ["mapped", "available"],
    ["carrier", "useless"],
  ] as const)("with a %s port says that port mapping is %s", (kind, state) => {
    const candidates = [candidate("reflexive", "203.0.113.2"), candidate(kind, "203.0.113.2", 7_000)];
    expect(peerReport({ candidates, profile: HOME, rtt: 0 }).portMapping.state).toBe(state);
  });

  test("knows the NAT of IPv6 only if there is no IPv4", () => {
    const six = candidate("reflexive", "2001:db8::2");
    const alone = peerReport({ candidates: [six], profile: HOME, rtt: 0 });
    expect(alone.nat).toMatchObject({ ipv6: { udp: "open", mapping: "endpoint-independent" } });
    const both = peerReport({ candidates: [six, candidate("reflexive", "203.0.113.2")], profile: HOME, rtt: 0 });
    expect(both.nat).toMatchObject({ ipv4: { mapping: "endpoint-independent" }, ipv6: { mapping: "unknown" } });
  });

  test("says that IPv6 is blocked if the listener says so, and unknown of an address that no server has seen", () => {
    const isIpv6Blocked = { ...HOME, isIpv6Blocked: true };
    const [four, six] = [candidate("reflexive", "203.0.113.2"), candidate("host", "2001:db8::2")];
    const nat = (profile: NatProfile) => peerReport({ candidates: [four, six], profile, rtt: 0 }).nat;
    expect(nat(isIpv6Blocked).ipv6?.udp).toBe("blocked");
    expect(nat(HOME).ipv6?.udp).toBe("unknown");
  });

  test("of one that tells nothing is unknown in all", () => {
    expect(peerReport({ candidates: [], profile: undefined, rtt: 0 })).toMatchObject({ udp: "unknown", nat: {} });
  });
});
