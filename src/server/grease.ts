/**
 * A message that means nothing: clients that pass over it will pass over those of later versions (RDV-9).
 *
 * @module
 */
import { concatBytes } from "../util/bytes.ts";

// Specification

/** Types of such messages are 0x42 + 32·k for k from 0 to 63. */
const FIRST_TYPE = 0x42;
const TYPE_STEP = 32;
const TYPES = 64;

// Implementation

/** Bytes of its body at most. */
const MAX_BODY = 7;

/** One such message. */
export function greaseMessage(random: (size: number) => Uint8Array): Uint8Array {
  const [choice = 0, length = 0] = random(2);
  const type = FIRST_TYPE + TYPE_STEP * (choice % TYPES);
  const size = length % (MAX_BODY + 1);
  // RFC 9000 §16: two bytes for the type, one for the length.
  return concatBytes(Uint8Array.of(0x40 | (type >>> 8), type & 0xff, size), random(size));
}
