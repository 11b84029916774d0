/**
 * Where probes may go: a peer names the addresses, and somebody else may live there (spec/paths.md#targets).
 *
 * @module
 */
import type { Address } from "../../util/machine.ts";
import { addressScope } from "../../wire/address-scope.ts";
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

/** First port that is not reserved for the services of a system (RFC 6335 §6). */
const FIRST_USER_PORT = 1024;

/** What a literal address is good for; what is none goes nowhere. */
export function scopeOf(host: string): Scope {
  const scope = addressScope(host);
  switch (scope) {
    case "carrier":
      return "private";
    case "link":
      // That of IPv6 means nothing without the interface, which a peer cannot name.
      return host.includes(":") ? "none" : "private";
    default:
      return scope;
  }
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
