/**
 * Packet numbers on the wire: the low 32 bits of a number that counts up to 2^53 − 1.
 *
 * RFC 9000 §17.1 sends one to four bytes; ours are always four, so that the header has one size. The receiver restores
 * the rest by the algorithm of RFC 9000 §A.3.
 *
 * @module
 */

// Specification

/** The last packet number; a connection ends before it would need another. */
export const MAX_PACKET_NUMBER = Number.MAX_SAFE_INTEGER;

// Deviates from RFC 9000 §17.1: always four bytes, so that header, sample and associated data have one size.
/** Bits of a packet number that travel (spec/wire.md#packet-numbers). */
export const PACKET_NUMBER_BITS = 32;

/** The part of a packet number that travels. */
export function truncate(packetNumber: number): number {
  return packetNumber >>> 0;
}

/** The packet number that `truncated` stands for; `largestReceived` is −1 before the first packet. */
export function expand(truncated: number, largestReceived: number): number {
  return expandPacketNumber(largestReceived, truncated, PACKET_NUMBER_BITS);
}

/** The number nearest to the one after `largest` whose low `bits` bits are `truncated` (RFC 9000 §A.3). */
export function expandPacketNumber(largest: number, truncated: number, bits: number): number {
  const expected = largest + 1;
  const window = 2 ** bits;
  const half = window / 2;
  const base = expected - (expected % window);
  const candidate = base + truncated;
  if (candidate <= expected - half && candidate <= MAX_PACKET_NUMBER - window) return candidate + window;
  // Subtracts before it adds: beyond 2^53 a sum would be rounded.
  if (base >= window && (candidate > expected + half || candidate > MAX_PACKET_NUMBER))
    return base - window + truncated;
  return candidate;
}

/**
 * Bytes that the number of a packet needs on the wire, RFC 9000 §A.2; `largestAcked` is −1 before the first
 * acknowledgement. Our four suffice while this is not above 4, that is, for 2^31 unacknowledged packets.
 */
export function packetNumberLength(packetNumber: number, largestAcked: number): number {
  const unacked = packetNumber - largestAcked;
  return Math.ceil((Math.log2(unacked) + 1) / 8);
}
