/**
 * From where an address can be reached, by its bits alone.
 *
 * @module
 */
import { parseHost } from "./address.ts";

// Specification

/** What an address is good for. */
export type AddressScope =
  /** Reached from anywhere. */
  | "global"
  /** Reached by the customers of one carrier (RFC 6598 §7). */
  | "carrier"
  /** Reached within one network (RFC 1918 §3, RFC 4193 §3.1). */
  | "private"
  /** Reached within one link (RFC 3927 §2.1, RFC 4291 §2.5.6); that of IPv6 only together with the name of an interface. */
  | "link"
  /** Reached within one host. */
  | "loopback"
  /** No single host: unspecified, multicast, broadcast and reserved addresses, and what is no address. */
  | "none";

/** IPv4 prefixes that are not global, with the number of their bits (RFC 6890 §2.2.2). */
const IPV4_PREFIXES: readonly (readonly [prefix: number, bits: number, scope: AddressScope])[] = [
  [0x00000000, 8, "none"],
  [0x7f000000, 8, "loopback"],
  [0x0a000000, 8, "private"],
  [0xac100000, 12, "private"],
  [0xc0a80000, 16, "private"],
  [0xa9fe0000, 16, "link"],
  [0x64400000, 10, "carrier"],
  [0xe0000000, 3, "none"],
];

/** Addresses by which hosts without IPv4 write to those that have nothing else (RFC 6052 §2.1). */
const NAT64_PREFIX = [0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];

/** The scope of a literal address. */
export function addressScope(host: string): AddressScope {
  const bytes = parseHost(host);
  if (bytes === undefined) return "none";
  return bytes.length === 4 ? ipv4Scope(bytes) : ipv6Scope(bytes);
}

function ipv4Scope(bytes: Uint8Array): AddressScope {
  const word = ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0;
  const match = IPV4_PREFIXES.find(([prefix, bits]) => word >>> (32 - bits) === prefix >>> (32 - bits));
  return match?.[2] ?? "global";
}

function ipv6Scope(bytes: Uint8Array): AddressScope {
  const [first, second] = [bytes[0]!, bytes[1]!];
  if (NAT64_PREFIX.every((byte, index) => bytes[index] === byte)) return ipv4Scope(bytes.subarray(NAT64_PREFIX.length));
  // RFC 4291 §2.5.2, §2.5.3: of ::/8 only ::1 is a host's own.
  if (first === 0) return bytes.subarray(1, 15).every((byte) => byte === 0) && bytes[15] === 1 ? "loopback" : "none";
  if (first === 0xff) return "none";
  if (first === 0xfe && (second & 0xc0) === 0x80) return "link";
  return (first & 0xfe) === 0xfc ? "private" : "global";
}
