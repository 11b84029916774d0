/**
 * A place where one side of a connection may be reached (spec/paths.md#candidates).
 *
 * ```
 * +-------------+----------+-----------+-----------+---------------------+
 * | group (4)   | IPv6 (1) | kind (3)  | port (16) | host (32 or 128) …  |
 * +-------------+----------+-----------+-----------+---------------------+
 * ```
 *
 * @module
 */
import type { Address } from "../util/machine.ts";
import { formatHost, parseHost } from "./address.ts";
import type { Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

// Specification

/**
 * How a candidate was found (RFC 8445 §5.1.1): an address of an interface; what a server saw; a port that the router was
 * asked for; an outer address that only neighbours behind the same carrier's NAT reach; where the next mapping of a NAT that
 * counts is expected.
 */
export type CandidateKind = "host" | "reflexive" | "mapped" | "carrier" | "predicted";

/** All kinds, in the order of their numbers on the wire. */
export const CANDIDATE_KINDS: readonly CandidateKind[] = ["host", "reflexive", "mapped", "carrier", "predicted"];

/** Candidates of one side at a time. */
export const MAX_CANDIDATES = 16;

/** Sockets of one side are told apart by four bits. */
export const MAX_SOCKET_GROUP = 15;

const IPV6_BIT = 0x08;
const KIND_BITS = 0x07;
const GROUP_SHIFT = 4;

/** See the module. */
export interface Candidate {
  readonly kind: CandidateKind;
  readonly address: Address;
  /** Candidates of one socket have one number, 0 for the first socket. */
  readonly group: number;
}

/** Bytes that {@link writeCandidate} takes. */
export function candidateLength(candidate: Candidate): number {
  return candidate.address.family === 4 ? 7 : 19;
}

/** Bytes that several take. */
export function candidatesLength(candidates: readonly Candidate[]): number {
  let length = 0;
  for (const candidate of candidates) length += candidateLength(candidate);
  return length;
}

/** Reads a candidate; a kind that is not known is malformed, and so is port 0. */
export function readCandidate(reader: Reader): Candidate {
  const head = reader.u8();
  const kind = CANDIDATE_KINDS[head & KIND_BITS];
  const family = (head & IPV6_BIT) === 0 ? 4 : 6;
  const port = reader.u16();
  const host = formatHost(reader.bytes(family === 4 ? 4 : 16));
  if (kind === undefined || port === 0) reader.fail();
  return { kind: kind ?? "host", address: { host, port, family }, group: head >>> GROUP_SHIFT };
}

/**
 * Writes a candidate.
 *
 * @throws RangeError if the host is no address of its family, or the group beyond {@link MAX_SOCKET_GROUP}.
 */
export function writeCandidate(writer: Writer, candidate: Candidate): void {
  const { kind, address, group } = candidate;
  const host = parseHost(address.host);
  if (host === undefined || host.length !== (address.family === 4 ? 4 : 16)) {
    throw new RangeError(`no IPv${address.family} address: ${address.host}`);
  }
  if (!Number.isInteger(group) || group < 0 || group > MAX_SOCKET_GROUP) throw new RangeError(`socket group ${group}`);
  writer.u8((group << GROUP_SHIFT) | (address.family === 6 ? IPV6_BIT : 0) | CANDIDATE_KINDS.indexOf(kind));
  writer.u16(address.port);
  writer.bytes(host);
}
