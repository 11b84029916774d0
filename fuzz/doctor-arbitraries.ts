/**
 * Random reports of networks.
 *
 * @module
 */
import fc from "fast-check";
import { classicNameOf } from "../src/doctor/classic-name.ts";
import type { Answer, NatReport, NetworkReport, UdpState } from "../src/doctor/report.ts";
import { record } from "./arbitraries.ts";

const answer = fc.constantFrom<Answer>("unknown", "yes", "no");
const behavior = fc.constantFrom<NatReport["mapping"]>(
  "unknown",
  "endpoint-independent",
  "address-dependent",
  "address-and-port-dependent",
);
const tag = fc.nat(0xffff).map((value) => value.toString(16).padStart(4, "0"));
const u32 = fc.nat(0xffff_ffff);

/** What lies in front of one family, without addresses. */
export const natReport: fc.Arbitrary<NatReport> = record({
  udp: fc.constantFrom<UdpState>("unknown", "open", "blocked"),
  translated: answer,
  mapping: behavior,
  filtering: behavior,
  allocator: fc.constantFrom<NatReport["allocator"]>("unknown", "preserving", "sequential", "random", "block"),
  step: fc.integer({ min: -0x8000, max: 0x7fff }),
  pool: fc.option(record({ first: fc.nat(0xffff), size: fc.integer({ min: 1, max: 0xffff }) }), { nil: undefined }),
  hairpin: answer,
  carrierGrade: answer,
  doubleNat: answer,
  foreignFlows: fc.nat(255),
  bindingLifetime: fc.option(
    fc.integer({ min: 1, max: 255 }).map((tens) => 10 * tens),
    { nil: undefined },
  ),
  rtt: fc.option(fc.nat(60_000), { nil: undefined }),
  site: fc.option(tag, { nil: undefined }),
}).map((fields) => present<NatReport>({ ...fields, classicName: classicNameOf(fields) }));

/** Any report, without addresses. */
export const networkReport: fc.Arbitrary<NetworkReport> = record({
  ipv4: fc.option(natReport, { nil: undefined }),
  ipv6: fc.option(natReport, { nil: undefined }),
  state: fc.constantFrom<NetworkReport["portMapping"]["state"]>("not-asked", "available", "useless", "unavailable"),
  protocol: fc.constantFrom(undefined, "nat-pmp" as const, "pcp" as const, "upnp" as const),
  receiveBuffer: fc.option(record({ asked: u32, granted: u32 }), { nil: undefined }),
  mtu: fc.option(fc.nat(0xffff), { nil: undefined }),
  lans: fc.array(tag, { maxLength: 4 }),
}).map(({ ipv4, ipv6, state, protocol, ...rest }) => {
  const states = [ipv4?.udp, ipv6?.udp];
  const udp = states.includes("open") ? "open" : states.includes("blocked") ? "blocked" : "unknown";
  const portMapping = present<NetworkReport["portMapping"]>({ state, protocol });
  return present<NetworkReport>({ ...rest, schema: 1, udp, nat: present({ ipv4, ipv6 }), portMapping });
});

/** The record without the members that are undefined. */
function present<Fields>(fields: { readonly [Name in keyof Fields]: Fields[Name] | undefined }): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Fields;
}
