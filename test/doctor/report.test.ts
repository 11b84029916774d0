/**
 * Reports of one network.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { CLASSIC_NAMES, classicNameOf } from "../../src/doctor/classic-name.ts";
import { profileOf, reportOf } from "../../src/doctor/report.ts";
import type { NatProfile } from "../../src/wire/nat-profile.ts";
import { at, family, ipv4Of, network, reportWith } from "./samples.ts";

const EIM = "endpoint-independent";
const ADM = "address-dependent";
const APDM = "address-and-port-dependent";

const HOME: Partial<NatProfile> = { mapping: EIM, filtering: APDM, allocator: "preserving" };

describe("a report", () => {
  test("says what was found in the words of RFC 4787 §4.1, §5, and unknown where nothing was (DOC-1, DOC-2)", () => {
    const report = reportWith(HOME);
    expect(report.schema).toBe(1);
    expect(ipv4Of(report)).toMatchObject({ mapping: EIM, filtering: APDM, allocator: "preserving", hairpin: "no" });
    expect(report.nat.ipv6).toBeUndefined();
    expect(ipv4Of(reportOf(network({ ipv4: family({ hairpinTried: false }) })))).toMatchObject({
      mapping: "unknown",
      filtering: "unknown",
      allocator: "unknown",
      hairpin: "unknown",
      carrierGrade: "unknown",
      doubleNat: "unknown",
      classicName: "unknown",
    });
  });

  test("gives a peer the profile that it was made of", () => {
    const profile: NatProfile = {
      mapping: APDM,
      filtering: ADM,
      allocator: "sequential",
      hairpin: true,
      isCarrierGrade: true,
      isDoubleNat: true,
      isIpv6Blocked: false,
      step: -2,
      poolFirst: 1024,
      poolSize: 4096,
      foreignFlows: 7,
      bindingLifetime: 120,
    };
    expect(profileOf(ipv4Of(reportWith(profile)))).toEqual(profile);
  });

  test.each([
    ["blocked", [false, undefined], "blocked"],
    ["open", [false, true], "open"],
    ["open", [true, false], "open"],
    ["unknown", [undefined, undefined], "unknown"],
  ] as const)("says that UDP is %s if servers answered %j (DOC-3)", (expected, [four, six], _) => {
    const report = reportOf(
      network({ ipv4: family({ answered: four }), ipv6: family({ answered: six, hosts: [at("2001:db8::7")] }) }),
    );
    expect(report.udp).toBe(expected);
  });

  test("without any address knows nothing (DOC-3)", () => {
    expect(reportOf(network({ ipv4: undefined }))).toMatchObject({ udp: "unknown", nat: {}, lans: [] });
  });

  test("tells whether there is a NAT by comparing own and outer addresses", () => {
    const translated = (hosts: string[], reflexive: string[]) =>
      ipv4Of(reportWith({}, { facts: { hosts: hosts.map(at), reflexive: reflexive.map(at) } })).translated;
    expect(translated(["10.0.0.2"], ["203.0.113.9"])).toBe("yes");
    expect(translated(["10.0.0.2", "203.0.113.9"], ["203.0.113.9"])).toBe("no");
    expect(translated([], ["203.0.113.9"])).toBe("unknown");
    expect(translated(["10.0.0.2"], [])).toBe("unknown");
  });

  test.each([
    ["available", "203.0.113.9"],
    ["available", undefined],
    ["useless", "203.0.113.10"],
    ["useless", "100.64.0.1"],
    ["useless", "100.127.255.254"],
    ["useless", "10.1.2.3"],
    ["useless", "172.31.0.1"],
    ["useless", "192.168.0.2"],
    ["useless", "169.254.0.2"],
  ])("calls a mapped port %s whose outer address is %s (DOC-5)", (state, external) => {
    const mapped = { state: "mapped", protocol: "pcp", external: external === undefined ? undefined : at(external) };
    const report = reportOf(network({ portMapping: mapped as never }));
    expect(report.portMapping).toEqual({ state, protocol: "pcp" });
    expect(ipv4Of(report).doubleNat).toBe(state === "useless" ? "yes" : "unknown");
  });

  test.each([
    ["available", "100.63.255.255"],
    ["available", "100.128.0.0"],
    ["available", "172.32.0.1"],
    ["useless", "100.64.0.0"],
    ["useless", "127.0.0.1"],
  ])("knows the edges of private ranges: %s at %s (DOC-5)", (state, host) => {
    const portMapping = { state: "mapped", protocol: "upnp", external: at(host) } as const;
    const report = reportOf(network({ portMapping, ipv4: family({ reflexive: [] }) }));
    expect(report.portMapping.state).toBe(state);
  });

  test("hears from the router that there is a second one", () => {
    expect(ipv4Of(reportOf(network({ secondNat: true }))).doubleNat).toBe("yes");
    expect(ipv4Of(reportOf(network({ secondNat: false }))).doubleNat).toBe("no");
    expect(ipv4Of(reportOf(network({ ipv4: family({ hosts: [at("100.100.1.1")] }) }))).carrierGrade).toBe("yes");
  });

  test("tags networks: neighbours alike, others mostly not (DOC-6)", () => {
    const here = reportWith(HOME);
    const neighbour = reportWith({}, { facts: { hosts: [at("192.168.1.9"), at("192.168.1.10"), at("10.0.0.1")] } });
    const elsewhere = reportWith({}, { facts: { reflexive: [at("203.0.113.10")], hosts: [at("192.168.2.7")] } });
    expect(ipv4Of(here).site).toMatch(/^[0-9a-f]{4}$/);
    expect(ipv4Of(neighbour).site).toBe(ipv4Of(here).site);
    expect(neighbour.lans).toHaveLength(2);
    expect(neighbour.lans[0]).toBe(here.lans[0]);
    expect(ipv4Of(elsewhere).site).not.toBe(ipv4Of(here).site);
    expect(elsewhere.lans).not.toEqual(here.lans);
    const many = ["10.0.1.1", "10.0.2.1", "10.0.3.1", "10.0.4.1", "10.0.5.1"].map(at);
    expect(reportWith({}, { facts: { hosts: many } }).lans).toHaveLength(4);
  });

  test("rounds the shortest round trip, and keeps numbers within the range of a profile", () => {
    const nat = ipv4Of(
      reportWith({ foreignFlows: 900, step: 1e6, bindingLifetime: 35 }, { facts: { rtts: [40, 19.6] } }),
    );
    expect(nat).toMatchObject({ rtt: 20, foreignFlows: 255, step: 32_767, bindingLifetime: 30 });
    expect(ipv4Of(reportWith({}, { facts: { rtts: [1e9] } })).rtt).toBe(60_000);
    expect(ipv4Of(reportWith({}, { facts: { rtts: [] } }))).not.toHaveProperty("rtt");
  });
});

describe("classic names", () => {
  test.each([
    ["open internet", "no", EIM, EIM],
    ["symmetric firewall", "no", EIM, APDM],
    ["symmetric firewall", "no", EIM, ADM],
    ["full cone", "yes", EIM, EIM],
    ["restricted cone", "yes", EIM, ADM],
    ["port-restricted cone", "yes", EIM, APDM],
    ["cone", "yes", EIM, "unknown"],
    ["symmetric", "yes", ADM, EIM],
    ["symmetric", "yes", APDM, APDM],
    ["symmetric", "unknown", APDM, "unknown"],
    ["unknown", "yes", "unknown", APDM],
    ["unknown", "no", EIM, "unknown"],
  ] as const)("%s: translated %s, %s, %s (DOC-4)", (name, translated, mapping, filtering) => {
    expect(classicNameOf({ udp: "open", translated, mapping, filtering })).toBe(name);
    expect(CLASSIC_NAMES).toContain(name);
    expect(classicNameOf({ udp: "blocked", translated, mapping, filtering })).toBe("blocked");
  });
});
