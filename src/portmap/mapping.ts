/**
 * What the parts of port mapping tell each other.
 *
 * @module
 */
import type { Address } from "../util/machine.ts";
import type { Duration, Instant } from "../util/time.ts";
import { parseHost } from "../wire/address.ts";
import { addressScope } from "../wire/address-scope.ts";

// Specification

/** What is asked for, in seconds: the recommendation of RFC 6886 §3.3. */
export const REQUESTED_LIFETIME = 7200;

/** RFC 6887 §15: longer lifetimes are taken for this, in seconds. */
export const MAX_LIFETIME = 86_400;

/** RFC 6887 §11.2.1: renewals are at least this far apart. */
export const MIN_RENEWAL_INTERVAL: Duration = 4_000;

// Implementation

/** Shorter leases, in seconds, can't be renewed halfway and are refused. */
export const MIN_LIFETIME = (2 * MIN_RENEWAL_INTERVAL) / 1000;

/** When to ask again where nobody answered or somebody refused: the longest pause that RFC 6887 §8.1.1 has. */
export const RETRY_INTERVAL: Duration = 1_024_000;

/** Which protocol made a mapping. */
export type MappingProtocol = "pcp" | "nat-pmp" | "upnp";

/**
 * Who can reach an external address: everybody; those behind the same carrier's NAT (RFC 6598 §7: 100.64.0.0/10); only
 * neighbours behind another NAT of our own.
 */
export type MappingReach = "public" | "carrier" | "private";

/** A port of the gateway that is forwarded to ours. */
export interface Mapping {
  readonly protocol: MappingProtocol;
  readonly external: Address;
  readonly reach: MappingReach;
  /** What the gateway granted last, in seconds. */
  readonly lifetime: number;
}

/** A mapping as one lane holds it. */
export interface Grant {
  readonly external: Address;
  readonly lifetime: number;
  readonly expiresAt: Instant;
}

/** How it stands with one protocol. */
export interface LaneReport {
  readonly protocol: MappingProtocol;
  /** `refused` and `failed` have an answer, or the end of the attempt, behind them; `asking` is still open. */
  readonly state: "idle" | "asking" | "mapped" | "available" | "refused" | "silent";
  /** In the words of the protocol, or of what went wrong. */
  readonly reason: string | undefined;
}

/** Who can reach an address; `undefined` if it is none that a gateway could have towards the Internet. */
export function reachOf(host: string): MappingReach | undefined {
  if (parseHost(host)?.length !== 4) return undefined;
  switch (addressScope(host)) {
    case "global":
      // RFC 6333 §5.7: the address of a router behind the NAT of its carrier's IPv6 tunnel.
      return host.startsWith("192.0.0.") ? "private" : "public";
    case "carrier":
      return "carrier";
    case "private":
      return "private";
    default:
      return undefined;
  }
}

/**
 * The grant behind an answer, or why it is of no use.
 *
 * `lifetime` in seconds, as the gateway granted it.
 */
export function toGrant(
  answer: { readonly host: string; readonly port: number; readonly lifetime: number },
  now: Instant,
): Grant | string {
  const { host, port } = answer;
  if (reachOf(host) === undefined) return `the gateway has no usable external address (${host})`;
  if (port === 0) return "the gateway granted port 0";
  if (answer.lifetime < MIN_LIFETIME) return `the gateway granted ${answer.lifetime} s only`;
  const lifetime = Math.min(answer.lifetime, MAX_LIFETIME);
  return { external: { host, port, family: 4 }, lifetime, expiresAt: (now + lifetime * 1000) as Instant };
}

/**
 * When to renew next: halfway to the end, and a random part of an eighth of the rest later, so that hosts of one network
 * don't all come at once (RFC 6887 §11.2.1; RFC 6886 §3.3).
 */
export function nextRenewal(expiresAt: Instant, random: Random, now: Instant): Instant {
  const remaining = Math.max(0, expiresAt - now);
  return (now + Math.max(MIN_RENEWAL_INTERVAL, remaining * (1 / 2 + fraction(random) / 8))) as Instant;
}

/** Random bytes that nobody can guess. */
export type Random = (size: number) => Uint8Array;

/** A uniform number from 0 to below 1. */
export function fraction(random: Random): number {
  const bytes = random(4);
  return (((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0) / 2 ** 32;
}

/** A uniform port from 1024 on: random, so that strangers can't guess which port leads to us. */
export function randomPort(random: Random): number {
  return 1024 + Math.floor(fraction(random) * (65_536 - 1024));
}
