/**
 * Networks for the tests of the doctor.
 *
 * @module
 */
import type { FamilyFacts, NetworkFacts } from "../../src/doctor/facts.ts";
import { type NatReport, type NetworkReport, reportOf } from "../../src/doctor/report.ts";
import type { Address } from "../../src/util/machine.ts";
import { type NatProfile, UNKNOWN_NAT } from "../../src/wire/nat-profile.ts";

/** An address from its text, port 4433. */
export function at(host: string): Address {
  return { host, port: 4433, family: host.includes(":") ? 6 : 4 };
}

/** IPv4 behind a NAT, 20 ms from the server. */
export function family(facts: Partial<FamilyFacts> = {}, nat: Partial<NatProfile> = {}): FamilyFacts {
  return {
    nat: { ...UNKNOWN_NAT, ...nat },
    hosts: [at("192.168.1.7")],
    reflexive: [at("203.0.113.9")],
    answered: true,
    hairpinTried: true,
    rtts: [20],
    ...facts,
  };
}

/** A network with IPv4 only, unless told otherwise. */
export function network(facts: Partial<NetworkFacts> = {}): NetworkFacts {
  return {
    ipv4: family(),
    ipv6: undefined,
    portMapping: { state: "unavailable" },
    secondNat: undefined,
    receiveBuffer: undefined,
    mtu: undefined,
    servers: [],
    ...facts,
  };
}

/** The report of a network whose NAT has this profile. */
export function reportWith(
  nat: Partial<NatProfile>,
  options: { readonly facts?: Partial<FamilyFacts>; readonly network?: Partial<NetworkFacts> } = {},
): NetworkReport {
  return reportOf(network({ ipv4: family(options.facts, nat), ...options.network }));
}

/** The IPv4 part, which has to be there. */
export function ipv4Of(report: NetworkReport): NatReport {
  if (report.nat.ipv4 === undefined) throw new Error("no IPv4");
  return report.nat.ipv4;
}
