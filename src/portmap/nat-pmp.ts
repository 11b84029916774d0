/**
 * Messages of the NAT Port Mapping Protocol, RFC 6886 §3.
 *
 * ```
 * address request (§3.2)   version 0 (8) | opcode 0 (8)
 * address answer           version 0 (8) | opcode 128 (8) | result (16) | epoch, s (32) | external address (32)
 * map request (§3.3)       version 0 (8) | opcode 1 (8) | 0 (16) | internal port (16) | suggested port (16) | lifetime, s (32)
 * map answer               version 0 (8) | opcode 129 (8) | result (16) | epoch, s (32) |
 *                          internal port (16) | external port (16) | lifetime, s (32)
 * ```
 *
 * Only UDP is mapped. What is read comes from the network: it never throws.
 *
 * @module
 */
import { formatHost } from "../wire/address.ts";
import { Reader } from "../wire/reader.ts";
import { Writer } from "../wire/writer.ts";

// Specification

/** RFC 6886 §1.1: where gateways listen; PCP has the same port (RFC 6887 §8.1). */
export const GATEWAY_PORT = 5351;

const VERSION = 0;
const OPCODE_ADDRESS = 0;
const OPCODE_MAP_UDP = 1;

/** RFC 6886 §3.1: answers have this bit in their opcode. */
const ANSWER_BIT = 0x80;

/** RFC 6886 §3.5: the gateway speaks another version; also how one without PCP answers a PCP request. */
export const PMP_UNSUPPORTED_VERSION = 1;

/** What results mean (RFC 6886 §3.5). */
const RESULTS: readonly string[] = [
  "success",
  "unsupported version",
  "not authorized",
  "network failure",
  "out of resources",
  "unsupported opcode",
];

/** What a mapping is asked for, or its removal. */
export interface PmpMapRequest {
  readonly internalPort: number;
  /** 0 where none is suggested, and in removals. */
  readonly externalPort: number;
  /** Seconds; 0 removes the mapping (RFC 6886 §3.4). */
  readonly lifetime: number;
}

/** An answer. `result` 0 is success; else the fields after `epoch` mean nothing. */
export type PmpAnswer =
  | { readonly kind: "address"; readonly result: number; readonly epoch: number; readonly host: string }
  | {
      readonly kind: "map";
      readonly result: number;
      readonly epoch: number;
      readonly internalPort: number;
      readonly externalPort: number;
      /** Seconds. */
      readonly lifetime: number;
    }
  | { readonly kind: "unsupported-version"; readonly epoch: number };

/** Asks for the external address. */
export function encodePmpAddressRequest(): Uint8Array {
  return Uint8Array.of(VERSION, OPCODE_ADDRESS);
}

/** Asks for a mapping of a UDP port, or for its removal. */
export function encodePmpMapRequest(request: PmpMapRequest): Uint8Array {
  const writer = new Writer(new Uint8Array(12));
  writer.u8(VERSION);
  writer.u8(OPCODE_MAP_UDP);
  writer.u16(0);
  writer.u16(request.internalPort);
  writer.u16(request.externalPort);
  writer.u32(request.lifetime);
  return writer.buffer;
}

/** Reads an answer; `undefined` if the bytes are none. Bytes after the end of an answer are ignored. */
export function decodePmpAnswer(payload: Uint8Array): PmpAnswer | undefined {
  const reader = new Reader(payload);
  const version = reader.u8();
  const opcode = reader.u8();
  const result = reader.u16();
  const epoch = reader.u32();
  if (reader.failed || version !== VERSION) return undefined;
  // RFC 6886 §3.5: such an answer ends here, and gateways differ in the opcode they give it.
  if (result === PMP_UNSUPPORTED_VERSION) return { kind: "unsupported-version", epoch };
  if (opcode === (ANSWER_BIT | OPCODE_ADDRESS)) return readAddressAnswer(reader, result, epoch);
  if (opcode === (ANSWER_BIT | OPCODE_MAP_UDP)) return readMapAnswer(reader, result, epoch);
  return undefined;
}

/** The words of RFC 6886 §3.5 for a result. */
export function pmpResultText(result: number): string {
  return RESULTS[result] ?? `result ${result}`;
}

function readAddressAnswer(reader: Reader, result: number, epoch: number): PmpAnswer | undefined {
  // Gateways may leave out what means nothing after a failure.
  if (result !== 0) return { kind: "address", result, epoch, host: "0.0.0.0" };
  const host = formatHost(reader.bytes(4));
  return reader.failed ? undefined : { kind: "address", result, epoch, host };
}

function readMapAnswer(reader: Reader, result: number, epoch: number): PmpAnswer | undefined {
  const internalPort = reader.u16();
  const externalPort = reader.u16();
  const lifetime = reader.u32();
  // The internal port is part of every answer: it tells which request was refused.
  return reader.failed ? undefined : { kind: "map", result, epoch, internalPort, externalPort, lifetime };
}
