/**
 * Messages of the Port Control Protocol, RFC 6887 §7, §11.1, §14.1: MAP for UDP, and ANNOUNCE.
 *
 * ```
 * request   version 2 (8) | R 0, opcode (8) | 0 (16) | lifetime, s (32) | client's address (128)
 * answer    version 2 (8) | R 1, opcode (8) | 0 (8) | result (8) | lifetime, s (32) | epoch, s (32) | 0 (96)
 * MAP       nonce (96) | protocol (8) | 0 (24) | internal port (16) | external port (16) | external address (128)
 * ANNOUNCE  nothing
 * ```
 *
 * IPv4 addresses stand in their IPv4-mapped IPv6 form (§5). Options are not used, and those of answers are ignored. What is
 * read comes from the network: it never throws.
 *
 * @module
 */
import { formatHost, parseHost } from "../wire/address.ts";
import { Reader } from "../wire/reader.ts";
import { Writer } from "../wire/writer.ts";

// Specification

/** RFC 6887 §7: the version of this protocol. */
export const PCP_VERSION = 2;

const OPCODE_ANNOUNCE = 0;
const OPCODE_MAP = 1;
const ANSWER_BIT = 0x80;

const HEADER_SIZE = 24;
const MAP_SIZE = 36;

/** RFC 6887 §7: no message is longer, and lengths are multiples of four. */
const MAX_MESSAGE_SIZE = 1100;

/** The number of UDP in the registry of protocols. */
const PROTOCOL_UDP = 17;

/** Bytes of a mapping nonce, RFC 6887 §11.1. */
export const PCP_NONCE_SIZE = 12;

/** RFC 6887 §7.4: the server speaks another version. */
export const PCP_UNSUPPORTED_VERSION = 1;

/** What results mean (RFC 6887 §7.4). */
const RESULTS: readonly string[] = [
  "success",
  "unsupported version",
  "not authorized",
  "malformed request",
  "unsupported opcode",
  "unsupported option",
  "malformed option",
  "network failure",
  "no resources",
  "unsupported protocol",
  "quota exceeded",
  "cannot provide this external address",
  "address mismatch: another NAT is in between",
  "too many remote peers",
];

/** What a mapping is asked for, or its removal. */
export interface PcpMapRequest {
  /** IPv4 address from which the request is sent. */
  readonly clientHost: string;
  /** Proves that later requests come from who made the mapping; {@link PCP_NONCE_SIZE} bytes. */
  readonly nonce: Uint8Array;
  readonly internalPort: number;
  /** 0 where none is suggested. */
  readonly externalPort: number;
  /** IPv4 address; `0.0.0.0` where none is suggested. */
  readonly externalHost: string;
  /** Seconds; 0 removes the mapping (RFC 6887 §15.1). */
  readonly lifetime: number;
}

/** An answer. `result` 0 is success; `lifetime` is in seconds, after a failure it tells how long it will last. */
export type PcpAnswer =
  | {
      readonly kind: "map";
      readonly result: number;
      readonly lifetime: number;
      readonly epoch: number;
      readonly nonce: Uint8Array;
      readonly internalPort: number;
      readonly externalPort: number;
      readonly externalHost: string;
    }
  | { readonly kind: "announce"; readonly result: number; readonly lifetime: number; readonly epoch: number }
  | {
      readonly kind: "unsupported-version";
      /** The one that the server speaks. */
      readonly version: number;
      readonly lifetime: number;
      readonly epoch: number;
    };

/** Asks whether a PCP server is there; changes nothing (RFC 6887 §14.1.1). */
export function encodePcpAnnounce(clientHost: string): Uint8Array {
  const writer = new Writer(new Uint8Array(HEADER_SIZE));
  writeHeader(writer, OPCODE_ANNOUNCE, { lifetime: 0, clientHost });
  return writer.buffer;
}

/** Asks for a mapping of a UDP port, or for its removal. */
export function encodePcpMapRequest(request: PcpMapRequest): Uint8Array {
  const writer = new Writer(new Uint8Array(HEADER_SIZE + MAP_SIZE));
  writeHeader(writer, OPCODE_MAP, request);
  writer.bytes(request.nonce);
  writer.u8(PROTOCOL_UDP);
  writer.fill(0, 3);
  writer.u16(request.internalPort);
  writer.u16(request.externalPort);
  writeHost(writer, request.externalHost);
  return writer.buffer;
}

/** Reads an answer; `undefined` if the bytes are none. */
export function decodePcpAnswer(payload: Uint8Array): PcpAnswer | undefined {
  // RFC 6887 §8.3: what breaks the size rules is dropped.
  if (payload.length > MAX_MESSAGE_SIZE || payload.length % 4 !== 0) return undefined;
  const reader = new Reader(payload);
  const version = reader.u8();
  const opcode = reader.u8();
  reader.skip(1);
  const result = reader.u8();
  const lifetime = reader.u32();
  const epoch = reader.u32();
  reader.skip(12);
  if (reader.failed || (opcode & ANSWER_BIT) === 0) return undefined;
  // RFC 6887 §9: the version of such an answer is one that the server speaks.
  if (result === PCP_UNSUPPORTED_VERSION) return { kind: "unsupported-version", version, lifetime, epoch };
  if (version !== PCP_VERSION) return undefined;
  if (opcode === (ANSWER_BIT | OPCODE_ANNOUNCE)) return { kind: "announce", result, lifetime, epoch };
  if (opcode !== (ANSWER_BIT | OPCODE_MAP)) return undefined;
  const nonce = reader.bytes(PCP_NONCE_SIZE);
  const protocol = reader.u8();
  reader.skip(3);
  const internalPort = reader.u16();
  const externalPort = reader.u16();
  const externalHost = readHost(reader);
  if (reader.failed || protocol !== PROTOCOL_UDP) return undefined;
  return { kind: "map", result, lifetime, epoch, nonce, internalPort, externalPort, externalHost };
}

/** The words of RFC 6887 §7.4 for a result. */
export function pcpResultText(result: number): string {
  return RESULTS[result] ?? `result ${result}`;
}

function writeHeader(
  writer: Writer,
  opcode: number,
  { lifetime, clientHost }: { readonly lifetime: number; readonly clientHost: string },
): void {
  writer.u8(PCP_VERSION);
  writer.u8(opcode);
  writer.u16(0);
  writer.u32(lifetime);
  writeHost(writer, clientHost);
}

/** RFC 6887 §5: `::ffff:` before an IPv4 address. */
function writeHost(writer: Writer, host: string): void {
  const bytes = parseHost(host);
  if (bytes?.length !== 4) throw new RangeError(`no IPv4 address: ${host}`);
  writer.fill(0, 10);
  writer.fill(0xff, 2);
  writer.bytes(bytes);
}

/** The IPv4 address inside, or the IPv6 address if there is none inside. */
function readHost(reader: Reader): string {
  const text = formatHost(reader.bytes(16));
  return /^::ffff:[0-9.]+$/.test(text) ? text.slice("::ffff:".length) : text;
}
