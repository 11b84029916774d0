/**
 * What is known of one network, in the form that programs read (spec/doctor.md#report).
 *
 * A report says "unknown" in so many words, so that nobody takes a test that was not made for one that failed. Tags
 * stand for the addresses: equal tags mean the same network, and many addresses share each tag.
 *
 * @module
 */
import { sha256 } from "../crypto/primitives.ts";
import { concatBytes, toHex } from "../util/bytes.ts";
import { type Address, formatAddress } from "../util/machine.ts";
import type { Duration } from "../util/time.ts";
import { parseHost } from "../wire/address.ts";
import { addressScope } from "../wire/address-scope.ts";
import {
  NAT_PROFILE_SIZE,
  type NatBehavior,
  type NatProfile,
  type PortAllocator,
  readNatProfile,
  UNKNOWN_NAT,
  writeNatProfile,
} from "../wire/nat-profile.ts";
import { Reader } from "../wire/reader.ts";
import { Writer } from "../wire/writer.ts";
import { type ClassicName, classicNameOf } from "./classic-name.ts";
import type {
  BufferFacts,
  FamilyFacts,
  NetworkFacts,
  PortMappingFacts,
  PortMappingProtocol,
  ServerFacts,
} from "./facts.ts";

// Specification

/** Version of the form; it changes when a member changes its meaning or goes away (spec/doctor-schema.json). */
export const REPORT_SCHEMA = 1;

/** Tags of own networks in one report. */
export const MAX_LAN_TAGS = 4;

/** Longest round-trip time that a report holds, in milliseconds. */
export const MAX_REPORT_RTT = 60_000;

const TAG_SIZE = 2;
const SITE_LABEL = "punchline/1 site";
const LAN_LABEL = "punchline/1 lan";

/** Bytes of an address that name its network: the whole of IPv4, since NATs share it; the prefix of IPv6 (RFC 4291 §2.5.1). */
const SITE_PREFIX = { 4: 4, 6: 8 } as const;

/** Bytes of an own IPv4 address that neighbours have in common, in nearly all home networks. */
const LAN_PREFIX = 3;

/** An answer that may be missing. */
export type Answer = "yes" | "no" | "unknown";

/** Whether datagrams get out and answers come back. */
export type UdpState = "open" | "blocked" | "unknown";

/** Ports that new mappings get. */
export interface PortPool {
  readonly first: number;
  readonly size: number;
}

/** What lies between one family of addresses and the internet. */
export interface NatReport {
  readonly udp: UdpState;
  /** Whether the outer address is another one than the own. */
  readonly translated: Answer;
  /** RFC 4787 §4.1. */
  readonly mapping: NatBehavior | "unknown";
  /** RFC 4787 §5. */
  readonly filtering: NatBehavior | "unknown";
  readonly allocator: PortAllocator | "unknown";
  /** Difference of one mapping's port to the next one's; 0 unless the allocator is sequential. */
  readonly step: number;
  readonly pool?: PortPool;
  /** RFC 4787 §6. */
  readonly hairpin: Answer;
  readonly carrierGrade: Answer;
  readonly doubleNat: Answer;
  /** New mappings of others in a second. */
  readonly foreignFlows: number;
  /** Seconds. */
  readonly bindingLifetime?: number;
  readonly classicName: ClassicName;
  /** Shortest round trip to a server, in whole milliseconds. */
  readonly rtt?: Duration;
  /** Tag of the outer address, four hexadecimal digits. */
  readonly site?: string;
  /** Not part of the string that people paste. */
  readonly addresses?: { readonly hosts: readonly string[]; readonly reflexive: readonly string[] };
}

/** Whether the router opens a port when it is asked; `useless` if that port does not face the internet. */
export interface PortMappingReport {
  readonly state: "available" | "useless" | "unavailable" | "not-asked";
  readonly protocol?: PortMappingProtocol;
}

/** How it stands with one of our own servers. */
export interface ServerReport {
  /** Its main place. */
  readonly address: string;
  /** Whether it has answered STUN. */
  readonly stun: Answer;
  /** Whether it has opened a session. */
  readonly session: Answer;
}

/** See the module. */
export interface NetworkReport {
  readonly schema: typeof REPORT_SCHEMA;
  /** `open` if one family is. */
  readonly udp: UdpState;
  readonly nat: { readonly ipv4?: NatReport; readonly ipv6?: NatReport };
  readonly portMapping: PortMappingReport;
  readonly receiveBuffer?: BufferFacts;
  /** Largest UDP payload that was seen to arrive, in bytes. */
  readonly mtu?: number;
  /** Tags of the networks that the machine itself is in, at most {@link MAX_LAN_TAGS}. */
  readonly lans: readonly string[];
  /** Our own servers, if any were asked. Not part of the string that people paste. */
  readonly servers?: readonly ServerReport[];
}

/** The report of what was found out. */
export function reportOf(facts: NetworkFacts): NetworkReport {
  const { ipv4, ipv6, receiveBuffer, mtu, servers } = facts;
  const mapping = portMappingOf(facts.portMapping, ipv4);
  const isBehindSecond = facts.secondNat ?? (mapping.state === "useless" ? true : undefined);
  return {
    schema: REPORT_SCHEMA,
    udp: udpOf([ipv4, ipv6].map((family) => family?.answered)),
    nat: {
      ...(ipv4 === undefined ? {} : { ipv4: natOf(ipv4, isBehindSecond) }),
      ...(ipv6 === undefined ? {} : { ipv6: natOf(ipv6, undefined) }),
    },
    portMapping: mapping,
    ...(receiveBuffer === undefined ? {} : { receiveBuffer }),
    ...(mtu === undefined ? {} : { mtu }),
    lans: lanTags(ipv4?.hosts ?? []),
    ...(servers.length === 0 ? {} : { servers: servers.map(serverReport) }),
  };
}

/** The profile that a side with this report tells its peer: what is unknown is left open. */
export function profileOf(report: NatReport): NatProfile {
  return {
    mapping: known(report.mapping),
    filtering: known(report.filtering),
    allocator: known(report.allocator),
    hairpin: report.hairpin === "yes",
    isCarrierGrade: report.carrierGrade === "yes",
    isDoubleNat: report.doubleNat === "yes",
    isIpv6Blocked: false,
    step: report.step,
    poolFirst: report.pool?.first ?? 0,
    poolSize: report.pool?.size ?? 0,
    foreignFlows: report.foreignFlows,
    bindingLifetime: report.bindingLifetime ?? 0,
  };
}

/** The value, unless it is unknown. */
export function known<Value extends string>(value: Value | "unknown"): Value | undefined {
  return value === "unknown" ? undefined : (value as Value);
}

function serverReport({ host, port, hasAnswered, hasSession }: ServerFacts): ServerReport {
  const address = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  return { address, stun: hasAnswered ? "yes" : "no", session: hasSession ? "yes" : "no" };
}

function natOf(facts: FamilyFacts, isBehindSecond: boolean | undefined): NatReport {
  const nat = withinRange(facts.nat);
  const translated = translatedOf(facts);
  const udp = udpOf([facts.answered]);
  const [mapping, filtering] = [nat.mapping ?? "unknown", nat.filtering ?? "unknown"] as const;
  const isCarrierGrade = nat.isCarrierGrade || facts.hosts.some((address) => addressScope(address.host) === "carrier");
  const isDouble = nat.isDoubleNat || isBehindSecond === true;
  const [outer] = facts.reflexive;
  return {
    udp,
    translated,
    mapping,
    filtering,
    allocator: nat.allocator ?? "unknown",
    step: nat.step,
    ...(nat.poolSize === 0 ? {} : { pool: { first: nat.poolFirst, size: nat.poolSize } }),
    hairpin: nat.hairpin ? "yes" : facts.hairpinTried ? "no" : "unknown",
    carrierGrade: isCarrierGrade ? "yes" : "unknown",
    doubleNat: isDouble ? "yes" : isBehindSecond === false ? "no" : "unknown",
    foreignFlows: nat.foreignFlows,
    ...(nat.bindingLifetime === 0 ? {} : { bindingLifetime: nat.bindingLifetime }),
    classicName: classicNameOf({ udp, translated, mapping, filtering }),
    ...(facts.rtts.length === 0 ? {} : { rtt: Math.min(Math.round(Math.min(...facts.rtts)), MAX_REPORT_RTT) }),
    ...(outer === undefined ? {} : { site: tag(SITE_LABEL, outer.host, SITE_PREFIX[outer.family]) }),
    addresses: { hosts: facts.hosts.map((each) => each.host), reflexive: facts.reflexive.map(formatAddress) },
  };
}

/** A profile as it looks to a peer: numbers beyond their range become the nearest ones within it. */
function withinRange(profile: NatProfile): NatProfile {
  const bytes = new Uint8Array(NAT_PROFILE_SIZE);
  writeNatProfile(new Writer(bytes), { ...UNKNOWN_NAT, ...profile });
  return readNatProfile(new Reader(bytes));
}

function udpOf(answered: readonly (boolean | undefined)[]): UdpState {
  if (answered.includes(true)) return "open";
  return answered.includes(false) ? "blocked" : "unknown";
}

function translatedOf({ hosts, reflexive }: FamilyFacts): Answer {
  if (hosts.length === 0 || reflexive.length === 0) return "unknown";
  return reflexive.some((outer) => hosts.some((own) => own.host === outer.host)) ? "no" : "yes";
}

function portMappingOf(facts: PortMappingFacts, ipv4: FamilyFacts | undefined): PortMappingReport {
  if (facts.state !== "mapped") return { state: facts.state };
  const { protocol, external } = facts;
  // Who sees another outer address than the router claims has a second NAT in front.
  const outer = ipv4?.reflexive ?? [];
  const isElsewhere = outer.length > 0 && !outer.some((each) => each.host === external?.host);
  const faces = external === undefined || (!isElsewhere && addressScope(external.host) === "global");
  return { state: faces ? "available" : "useless", protocol };
}

function lanTags(hosts: readonly Address[]): string[] {
  const tags = hosts.filter((each) => each.family === 4).map((each) => tag(LAN_LABEL, each.host, LAN_PREFIX));
  return [...new Set(tags)].slice(0, MAX_LAN_TAGS);
}

/** So short that it fits thousands of networks, and so tells nobody which one it is. */
function tag(label: string, host: string, prefix: number): string {
  const bytes = parseHost(host)?.subarray(0, prefix) ?? new Uint8Array(0);
  return toHex(sha256(concatBytes(new TextEncoder().encode(label), bytes)).subarray(0, TAG_SIZE));
}
