/**
 * What every datagram shows before anything is looked up or decrypted: its kind and its length.
 *
 * ```
 * first byte 0x80 and above is ours        first byte 0x00–0x03 is STUN
 * +-------------+-------------+            +-----------+-----------------+
 * | 1xxxxxxx (8)| length (16) | …          | type (16) | length − 20 (16)| …
 * +-------------+-------------+            +-----------+-----------------+
 * ```
 *
 * A socket that merges what it receives hands up one buffer of many datagrams. The kernel merges only datagrams of one
 * sender and one size, of which the last may be shorter, so the length that the first one states cuts the buffer.
 *
 * @module
 */

// Specification

/** A datagram by its first byte, RFC 7983 §7. */
export type DatagramKind =
  | "stun"
  | "turn"
  | "init"
  | "resp"
  | "cookie"
  | "discover"
  | "discovered"
  | "witness"
  | "pad"
  | "relay"
  | "protected"
  | "foreign";

/** The first byte of each kind that has only one. */
export const FIRST_BYTE = {
  INIT: 0x81,
  RESP: 0x82,
  COOKIE: 0x83,
  DISCOVER: 0x84,
  DISCOVERED: 0x85,
  WITNESS: 0x86,
  PAD: 0x9f,
  RELAY: 0xa0,
} as const;

/** Bytes of a UDP payload that every path must carry, RFC 9000 §14. */
export const BASE_DATAGRAM_SIZE = 1200;

/** Bytes of the largest UDP payload over IPv4: 65,535 less the headers of IP and UDP. */
export const MAX_DATAGRAM_SIZE = 65_507;

/** Datagrams in one buffer: the most that Linux merges (UDP_GRO_CNT_MAX) and sends at once (UDP_MAX_SEGMENTS). */
export const MAX_SEGMENTS = 64;

/** A buffer is cut into no smaller pieces; nothing of ours is that short. */
export const MIN_SEGMENT_SIZE = 16;

const FIRST_OF_OURS = 0x80;
const LAST_OF_STUN = 0x03;
const STUN_HEADER_SIZE = 20;

const KINDS: readonly DatagramKind[] = Array.from({ length: 256 }, (_, firstByte) => kindOf(firstByte));

/** What a datagram is, by its first byte. */
export function classify(firstByte: number): DatagramKind {
  return KINDS[firstByte]!;
}

function kindOf(firstByte: number): DatagramKind {
  if (firstByte <= LAST_OF_STUN) return "stun";
  if (firstByte >= 0x40 && firstByte <= 0x4f) return "turn";
  if (firstByte >= 0xc0) return "protected";
  switch (firstByte) {
    case FIRST_BYTE.INIT:
      return "init";
    case FIRST_BYTE.RESP:
      return "resp";
    case FIRST_BYTE.COOKIE:
      return "cookie";
    case FIRST_BYTE.DISCOVER:
      return "discover";
    case FIRST_BYTE.DISCOVERED:
      return "discovered";
    case FIRST_BYTE.WITNESS:
      return "witness";
    case FIRST_BYTE.PAD:
      return "pad";
    case FIRST_BYTE.RELAY:
      return "relay";
    default:
      return "foreign";
  }
}

/**
 * The length that the datagram at `offset` gives itself; `available` is the number of bytes from there on. A kind that
 * states no length is as long as what is available, one too short to state it has length 0.
 */
export function statedLength(bytes: Uint8Array, offset: number, available: number): number {
  if (available === 0) return 0;
  const first = bytes[offset]!;
  if (first >= FIRST_OF_OURS) return available < 3 ? 0 : (bytes[offset + 1]! << 8) | bytes[offset + 2]!;
  if (first > LAST_OF_STUN) return available;
  return available < 4 ? 0 : STUN_HEADER_SIZE + ((bytes[offset + 2]! << 8) | bytes[offset + 3]!);
}

/**
 * Cuts a received buffer into its datagrams: fills `out` with views and returns their number.
 *
 * `hint` is the size of the last authentic datagram that came from there in a buffer of several, 0 if there was none.
 * It serves when the first datagram lies about its length, as a forged one in front of real ones may.
 */
export function cut(buffer: Uint8Array, hint: number, out: Uint8Array[]): number {
  const size = statedLength(buffer, 0, buffer.length);
  // Fast path: one datagram.
  if (size === buffer.length && size > 0) {
    out.length = 1;
    out[0] = buffer;
    return 1;
  }
  if (size >= MIN_SEGMENT_SIZE && size < buffer.length) return cutFrom(buffer, 0, size, out);
  return recut(buffer, hint, out);
}

/** Cuts a buffer of which the system has told that each datagram has `size` bytes, but for a shorter last one. */
export function split(buffer: Uint8Array, size: number, out: Uint8Array[]): number {
  return cutFrom(buffer, 0, Math.max(size, MIN_SEGMENT_SIZE), out);
}

/**
 * Cuts a buffer into pieces of `hint` bytes and leaves out the first: for a buffer whose first datagram lied about the
 * length, or stated another one than `hint` and did not authenticate.
 */
export function recut(buffer: Uint8Array, hint: number, out: Uint8Array[]): number {
  if (hint >= MIN_SEGMENT_SIZE && hint < buffer.length) return cutFrom(buffer, hint, hint, out);
  out.length = 0;
  return 0;
}

/** Views of the pieces at `start`, `start + size`, … that state their own size. */
function cutFrom(buffer: Uint8Array, start: number, size: number, out: Uint8Array[]): number {
  const end = Math.min(buffer.length, size * MAX_SEGMENTS);
  let count = 0;
  for (let offset = start; offset < end; offset += size) {
    const available = Math.min(size, buffer.length - offset);
    if (statedLength(buffer, offset, available) !== available) continue;
    out[count] = buffer.subarray(offset, offset + available);
    count += 1;
  }
  out.length = count;
  return count;
}
