/**
 * Addresses on the wire, and between their text and their bytes.
 *
 * ```
 * +------------+-----------+---------------------+
 * | family (8) | port (16) | host (32 or 128) …  |      family: 4 or 6
 * +------------+-----------+---------------------+
 * ```
 *
 * The text form is that of RFC 5952 §4, as the system's own functions print it, so that equal addresses have equal text.
 *
 * @module
 */
import type { Address } from "../util/machine.ts";
import type { Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

// Specification

const IPV4_SIZE = 4;
const IPV6_SIZE = 16;
const IPV6_GROUPS = 8;

/** Reads an address. */
export function readAddress(reader: Reader): Address {
  const family = reader.u8();
  const port = reader.u16();
  if (family === 4) return { host: formatHost(reader.bytes(IPV4_SIZE)), port, family };
  if (family !== 6) reader.fail();
  return { host: formatHost(reader.bytes(IPV6_SIZE)), port, family: 6 };
}

/** Bytes that {@link writeAddress} takes. */
export function addressLength(address: Address): number {
  return 3 + (address.family === 4 ? IPV4_SIZE : IPV6_SIZE);
}

/**
 * Writes an address. The zone of a link-local host means nothing to others and is left out.
 *
 * @throws RangeError if the host is not a literal address of its family.
 */
export function writeAddress(writer: Writer, address: Address): void {
  const host = parseHost(address.host);
  if (host === undefined || host.length !== addressLength(address) - 3) {
    throw new RangeError(`no IPv${address.family} address: ${address.host}`);
  }
  writer.u8(address.family);
  writer.u16(address.port);
  writer.bytes(host);
}

/** The 4 or 16 bytes of a literal address, or `undefined` if the text is none. A zone (`%eth0`) is ignored. */
export function parseHost(text: string): Uint8Array | undefined {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/** The text of an address of 4 or 16 bytes; of no bytes, no text. */
export function formatHost(bytes: Uint8Array): string {
  return bytes.length === IPV6_SIZE ? formatIpv6(bytes) : bytes.join(".");
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== IPV4_SIZE) return undefined;
  const bytes = new Uint8Array(IPV4_SIZE);
  for (let i = 0; i < IPV4_SIZE; i++) {
    const part = parts[i]!;
    // No leading zeros: some systems would read them as octal.
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    bytes[i] = Number(part);
  }
  return bytes;
}

function parseIpv6(text: string): Uint8Array | undefined {
  const [host = ""] = text.split("%", 1);
  const [before = "", after, ...more] = host.split("::");
  if (more.length > 0) return undefined;
  const head = parseGroups(before);
  const tail = parseGroups(after ?? "");
  if (head === undefined || tail === undefined) return undefined;
  // RFC 4291 §2.2: "::" stands for at least one group of zeros, a dotted quad only at the end.
  const missing = IPV6_GROUPS - head.length - tail.length;
  if (after === undefined ? missing !== 0 : missing < 1 || before.includes(".")) return undefined;
  const bytes = new Uint8Array(IPV6_SIZE);
  for (const [i, group] of head.entries()) setGroup(bytes, i, group);
  for (const [i, group] of tail.entries()) setGroup(bytes, head.length + missing + i, group);
  return bytes;
}

function parseGroups(text: string): number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  const last = parts.at(-1)!;
  const quad = last.includes(".") ? parseIpv4(last) : undefined;
  if (quad !== undefined) parts.pop();
  if (!parts.every((part) => /^[0-9a-f]{1,4}$/i.test(part))) return undefined;
  const groups = parts.map((part) => Number.parseInt(part, 16));
  if (quad !== undefined) groups.push(groupAt(quad, 0), groupAt(quad, 1));
  return groups;
}

function formatIpv6(bytes: Uint8Array): string {
  const groups = Array.from({ length: IPV6_GROUPS }, (_, i) => groupAt(bytes, i));
  const zeros = longestZeroRun(groups);
  const end = zeros.start + zeros.length;
  // RFC 5952 §5: an IPv4 address inside is shown as one; which prefixes count is what systems do.
  const isMapped = zeros.start === 0 && zeros.length === 5 && groups[5] === 0xffff;
  const isCompatible = zeros.start === 0 && zeros.length === 6;
  if (isMapped || isCompatible) return `::${isMapped ? "ffff:" : ""}${formatHost(bytes.subarray(12))}`;
  const hex = groups.map((group) => group.toString(16));
  // RFC 5952 §4.2.2: "::" does not stand for a single group.
  if (zeros.length < 2) return hex.join(":");
  return `${hex.slice(0, zeros.start).join(":")}::${hex.slice(end).join(":")}`;
}

/** RFC 5952 §4.2.3: the longest run of zeros, the first one of equals. */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  const longest = { start: 0, length: 0 };
  let start = 0;
  for (let i = 0; i < groups.length; i++) {
    if (groups[i] !== 0) start = i + 1;
    else if (i + 1 - start > longest.length) {
      longest.start = start;
      longest.length = i + 1 - start;
    }
  }
  return longest;
}

function groupAt(bytes: Uint8Array, index: number): number {
  return (bytes[2 * index]! << 8) | bytes[2 * index + 1]!;
}

function setGroup(bytes: Uint8Array, index: number, group: number): void {
  bytes[2 * index] = group >>> 8;
  bytes[2 * index + 1] = group;
}
