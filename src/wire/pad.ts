/**
 * PAD: a datagram that means nothing and is dropped wherever it arrives (spec/wire.md#first-byte). Openers of hole punching
 * are PADs.
 *
 * ```
 * +----------+-------------+-------------+----------+
 * | 0x9f (8) | length (16) | version (8) | random … |
 * +----------+-------------+-------------+----------+
 * ```
 *
 * Random, so that nothing that a peer has chosen is sent to an address that nobody has proven, and nothing that is always
 * the same either.
 *
 * @module
 */
import { FIRST_BYTE } from "./datagram.ts";
import { WIRE_VERSION } from "./handshake-datagram.ts";

const PAD_HEADER_SIZE = 4;

/** A PAD of `size` bytes, 4 at least. */
export function encodePad(random: (size: number) => Uint8Array, size: number): Uint8Array {
  const pad = new Uint8Array(size);
  pad[0] = FIRST_BYTE.PAD;
  pad[1] = size >>> 8;
  pad[2] = size;
  pad[3] = WIRE_VERSION;
  pad.set(random(size - PAD_HEADER_SIZE), PAD_HEADER_SIZE);
  return pad;
}
