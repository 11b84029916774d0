/**
 * Where probes may go: a peer names the addresses, and somebody else may live there (spec/paths.md#targets).
 *
 * @module
 */
import type { Address } from "../../util/machine.ts";
import { parseHost } from "../../wire/address.ts";
import type { Candidate } from "../../wire/candidate.ts";

/** What an address is good for. */
export type Scope =
  /** Reached from anywhere. */
  | "global"
  /** Reached within one network: private, link-local, carrier-grade (RFC 6598 §7) and unique local addresses. */
  | "private"
  /** Reached within one host. */
  | "loopback"
  /** No single host: unspecified, multicast, broadcast and reserved addresses, and IPv4 in the guise of IPv6. */
  | "none";

/** IPv4 prefixes that are not global: the first bytes, the bits of the last of them that count, and what they are. */
const IPV4_PREFIXES: readonly (readonly [number, number, Scope])[] = [
  [0x00000000, 8, "none"],
  [0x7f000000, 8, "loopback"],
  [0x0a000000, 8, "private"],
  [0xac100000, 12, "private"],
  [0xc0a80000, 16, "private"],
  [0x64400000, 10, "private"],
  [0xa9fe0000, 16, "private"],
  [0xe0000000, 4, "none"],
  [0xf0000000, 4, "none"],
];

/** Addresses by which hosts without IPv4 write to those that have nothing else (RFC 6052 §2.1). */
const NAT64_PREFIX = [0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];

/** First port that is not reserved for the services of a system (RFC 6335 §6). */
const FIRST_USER_PORT = 1024;

/** The scope of a literal address; what is none goes nowhere. */
export function scopeOf(host: string): Scope {
  const bytes = parseHost(host);
  if (bytes === undefined) return "none";
  return bytes.length === 4 ? ipv4Scope(bytes) : ipv6Scope(bytes);
}

function ipv4Scope(bytes: Uint8Array): Scope {
  const word = ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0;
  const match = IPV4_PREFIXES.find(([prefix, bits]) => word >>> (32 - bits) === prefix >>> (32 - bits));
  return match?.[2] ?? "global";
}

function ipv6Scope(bytes: Uint8Array): Scope {
  const [first, second] = [bytes[0]!, bytes[1]!];
  if (NAT64_PREFIX.every((byte, index) => bytes[index] === byte)) return ipv4Scope(bytes.subarray(NAT64_PREFIX.length));
  // RFC 4291 §2.5: of ::/8 only the loopback address is anybody's; the rest is unspecified, or IPv4 in disguise.
  if (first === 0) return bytes.subarray(1, 15).every((byte) => byte === 0) && bytes[15] === 1 ? "loopback" : "none";
  if (first === 0xff) return "none";
  // A link-local address means nothing without the interface, which a peer cannot name.
  if (first === 0xfe && (second & 0xc0) === 0x80) return "none";
  return (first & 0xfe) === 0xfc ? "private" : "global";
}

/** What decides whether an address of the peer may be probed. */
export interface TargetRules {
  /** Both sides appear at one address: they live behind the same NAT, or on one host. */
  readonly isSameNetwork: boolean;
  /** Both sides are on one host. */
  readonly isSameHost: boolean;
  /** Whether ports below 1024 may be probed. */
  readonly allowsLowPorts: boolean;
}

/** The rules between the two sides that announced these candidates to each other. */
export function targetRules(options: {
  readonly local: readonly Candidate[];
  readonly remote: readonly Candidate[];
  readonly attestedRemoteHosts: readonly string[];
  readonly allowsLowPorts: boolean;
}): TargetRules {
  const local = reflexiveHosts(options.local);
  const remote = reflexiveHosts(options.remote);
  const isEqual = [...local].some((host) => remote.has(host));
  // A server in a private network sees private addresses: those that it saw itself belong to that network.
  const isAttested = options.attestedRemoteHosts.some((host) => scopeOf(host) === "private" && remote.has(host));
  const isSeenPrivate = [...local].some((host) => scopeOf(host) === "private");
  return {
    isSameNetwork: isEqual || (isAttested && isSeenPrivate),
    isSameHost: [...local].some((host) => scopeOf(host) === "loopback" && remote.has(host)),
    allowsLowPorts: options.allowsLowPorts,
  };
}

/** Whether probes may go there. */
export function isAllowedTarget(address: Address, rules: TargetRules): boolean {
  if (address.port < (rules.allowsLowPorts ? 1 : FIRST_USER_PORT) || address.port > 0xffff) return false;
  switch (scopeOf(address.host)) {
    case "global":
      return true;
    case "private":
      return rules.isSameNetwork;
    case "loopback":
      return rules.isSameHost;
    case "none":
      return false;
  }
}

function reflexiveHosts(candidates: readonly Candidate[]): ReadonlySet<string> {
  return new Set(candidates.filter((each) => each.kind === "reflexive").map((each) => each.address.host));
}
