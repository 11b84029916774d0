/**
 * Variable-length integers, RFC 9000 §16.
 *
 * ```
 *  first byte   bytes   usable bits
 *  00xxxxxx       1          6
 *  01xxxxxx       2         14
 *  10xxxxxx       4         30
 *  11xxxxxx       8         62, of which we use 53
 * ```
 *
 * @module
 */

// Specification

// Deviates from RFC 9000 §16: integers end at 2^53 − 1, which a number of JavaScript holds exactly; QUIC's at 2^62 − 1.
/** The greatest integer on our wire (spec/wire.md, WIRE-2). */
export const MAX_VARINT = Number.MAX_SAFE_INTEGER;

const TWO_POW_32 = 0x1_0000_0000;

/**
 * Bytes that the shortest encoding of `value` takes.
 *
 * @throws RangeError if `value` is not an integer from 0 to {@link MAX_VARINT}.
 */
export function varintLength(value: number): 1 | 2 | 4 | 8 {
  if (value >= 0 && Math.floor(value) === value) {
    if (value < 0x40) return 1;
    if (value < 0x4000) return 2;
    if (value < 0x4000_0000) return 4;
    if (value <= MAX_VARINT) return 8;
  }
  throw new RangeError(`no variable-length integer: ${value}`);
}

/**
 * Writes the shortest encoding of `value` and returns the offset behind it. The caller has checked that it fits.
 *
 * @throws RangeError if `value` is not an integer from 0 to {@link MAX_VARINT}.
 */
export function writeVarint(target: Uint8Array, offset: number, value: number): number {
  switch (varintLength(value)) {
    case 1:
      target[offset] = value;
      return offset + 1;
    case 2:
      target[offset] = 0x40 | (value >>> 8);
      target[offset + 1] = value;
      return offset + 2;
    case 4:
      target[offset] = 0x80 | (value >>> 24);
      target[offset + 1] = value >>> 16;
      target[offset + 2] = value >>> 8;
      target[offset + 3] = value;
      return offset + 4;
    case 8: {
      const high = Math.floor(value / TWO_POW_32);
      target[offset] = 0xc0 | (high >>> 24);
      target[offset + 1] = high >>> 16;
      target[offset + 2] = high >>> 8;
      target[offset + 3] = high;
      // Bitwise operators take a number modulo 2^32, which leaves the low half.
      target[offset + 4] = value >>> 24;
      target[offset + 5] = value >>> 16;
      target[offset + 6] = value >>> 8;
      target[offset + 7] = value;
      return offset + 8;
    }
  }
}
