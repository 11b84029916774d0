/**
 * The header of protected packets (spec/wire.md#packets).
 *
 * ```
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * +-+-+-+-+-+-+-+-+-------------------------------+---------------+
 * |1|1|S|R|R|R|R|K| length of this datagram (16)  |               |
 * +-+-+-+-+-+-+-+-+-------------------------------+               |
 * |              destination connection id (64)                   |
 * |                                               +---------------+
 * |                                               | packet number,|
 * +-----------------------------------------------+---------------+
 * |                 low 32 bits                   | ciphertext …  |
 * +-----------------------------------------------+---------------+
 *
 *  S  space: 0 probe, 1 data      R  reserved: sent as 0, ignored      K  key phase (data only)
 * ```
 *
 * The ciphertext ends with the tag of the AEAD. The low five bits of byte 0 and the packet number are masked on the wire
 * (RFC 9001 §5.4); the functions here handle the unmasked form, which is also the associated data.
 *
 * @module
 */
import { truncate } from "./packet-number.ts";

// Specification

/** Bytes before the ciphertext; all of them are associated data. */
export const HEADER_SIZE = 15;
/** Bytes of the AEAD's tag. */
export const TAG_SIZE = 16;
/** What a packet adds to its frames. */
export const PACKET_OVERHEAD = HEADER_SIZE + TAG_SIZE;
/** Bytes of the smallest datagram with a packet; shorter ones are padded, and dropped unread when received. */
export const MIN_PACKET_SIZE = 40;
export const CONNECTION_ID_SIZE = 8;
export const CONNECTION_ID_OFFSET = 3;
export const PACKET_NUMBER_OFFSET = 11;
/** Where the sample for header protection begins: 16 bytes of ciphertext. */
export const SAMPLE_OFFSET = 15;
/** Bits of byte 0 that are masked. */
export const MASKED_BITS = 0x1f;

const PROTECTED = 0xc0;
const DATA_SPACE = 0x20;
const KEY_PHASE = 0x01;

/**
 * The two spaces of packet numbers. `data` carries all that is acknowledged; `probe` packets test paths and are never
 * acknowledged, so their loss says nothing about congestion.
 */
export type PacketSpace = "probe" | "data";

/** What the header of a packet says. */
export interface PacketHeader {
  readonly space: PacketSpace;
  readonly keyPhase: 0 | 1;
  /** Bytes of the whole datagram, header and tag included. */
  readonly length: number;
  /** The receiver's connection id, {@link CONNECTION_ID_SIZE} bytes. */
  readonly connectionId: Uint8Array;
  readonly packetNumber: number;
}

/** Writes a header, not yet masked. The caller has checked that {@link HEADER_SIZE} bytes fit. */
export function writePacketHeader(target: Uint8Array, offset: number, header: PacketHeader): void {
  const { length, connectionId } = header;
  const number = truncate(header.packetNumber);
  target[offset] = PROTECTED | (header.space === "data" ? DATA_SPACE : 0) | header.keyPhase;
  target[offset + 1] = length >>> 8;
  target[offset + 2] = length;
  for (let i = 0; i < CONNECTION_ID_SIZE; i++) target[offset + CONNECTION_ID_OFFSET + i] = connectionId[i]!;
  const at = offset + PACKET_NUMBER_OFFSET;
  target[at] = number >>> 24;
  target[at + 1] = number >>> 16;
  target[at + 2] = number >>> 8;
  target[at + 3] = number;
}

/** The packet number's low 32 bits in an unmasked header at `offset`. */
export function truncatedPacketNumber(bytes: Uint8Array, offset: number): number {
  const at = offset + PACKET_NUMBER_OFFSET;
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Whether a protected packet belongs to the data space. That bit of byte 0 is never masked. */
export function isDataPacket(firstByte: number): boolean {
  return (firstByte & DATA_SPACE) !== 0;
}

/** The key phase in the unmasked byte 0 of a data packet. */
export function keyPhaseOf(firstByte: number): 0 | 1 {
  return (firstByte & KEY_PHASE) === 0 ? 0 : 1;
}

/**
 * 48 of the 64 bits of the connection id at `offset`, as a number for the key of a `Map`. Ids may share it: the caller
 * compares all eight bytes of what it finds.
 */
export function connectionIdKey(bytes: Uint8Array, offset: number): number {
  const high = (bytes[offset]! << 8) | bytes[offset + 1]!;
  const low =
    ((bytes[offset + 2]! << 24) | (bytes[offset + 3]! << 16) | (bytes[offset + 4]! << 8) | bytes[offset + 5]!) >>> 0;
  return high * 0x1_0000_0000 + low;
}
