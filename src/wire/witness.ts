/**
 * The datagram by which a client learns how its NAT filters: a server sends it from a port or an address that the client
 * has sent nothing to (spec/rendezvous.md#probes-from-elsewhere).
 *
 * ```
 * +---------+-------------+---------+------------------+
 * | 0x86    | length = 12 | version | token (64)       |
 * +---------+-------------+---------+------------------+
 * ```
 *
 * It proves nothing but that it arrived: the token, known to client and server alone, says which question it answers.
 *
 * @module
 */
import { FIRST_BYTE } from "./datagram.ts";
import { WIRE_VERSION } from "./handshake-datagram.ts";
import { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

// Specification

/** Bytes of the token, chosen by the client. */
export const WITNESS_TOKEN_SIZE = 8;

/** Bytes of the datagram. */
export const WITNESS_SIZE = 12;

/**
 * The datagram with that token.
 *
 * @throws RangeError if the token has another size.
 */
export function encodeWitness(token: Uint8Array): Uint8Array {
  if (token.length !== WITNESS_TOKEN_SIZE) throw new RangeError(`a token has ${WITNESS_TOKEN_SIZE} bytes`);
  const datagram = new Uint8Array(WITNESS_SIZE);
  const writer = new Writer(datagram);
  writer.u8(FIRST_BYTE.WITNESS);
  writer.u16(WITNESS_SIZE);
  writer.u8(WIRE_VERSION);
  writer.bytes(token);
  return datagram;
}

/** The token in a datagram, or `undefined` if the bytes are none. */
export function decodeWitness(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length !== WITNESS_SIZE) return undefined;
  const reader = new Reader(bytes);
  if (reader.u8() !== FIRST_BYTE.WITNESS || reader.u16() !== WITNESS_SIZE || reader.u8() !== WIRE_VERSION)
    return undefined;
  return reader.bytes(WITNESS_TOKEN_SIZE);
}
