/**
 * Bytes as letters and digits (spec/ticket.md#text).
 *
 * The bytes are one big-endian number, written with the digits `0-9A-Za-z`. The length of the text is the least that
 * holds every number of so many bytes, and so tells the number of bytes again. A text in this form is one word to a
 * double click and needs no escaping anywhere.
 *
 * @module
 */

// Specification

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE = 62;

/** Bits in one digit. */
const DIGIT_BITS = Math.log2(BASE);

/** Characters of a text for so many bytes: the least c with 62^c ≥ 256^n. */
export function textLength(bytes: number): number {
  return Math.ceil((bytes * 8) / DIGIT_BITS);
}

/** The value of each character code, −1 for those that are no digits. */
const VALUES = Int8Array.from({ length: 128 }, (_, code) => DIGITS.indexOf(String.fromCharCode(code)));

/** The text of the bytes. */
export function encodeBase62(bytes: Uint8Array): string {
  const digits = new Array<string>(textLength(bytes.length));
  const rest = Uint8Array.from(bytes);
  let first = 0;
  for (let i = digits.length - 1; i >= 0; i--) {
    let remainder = 0;
    for (let j = first; j < rest.length; j++) {
      const value = remainder * 256 + rest[j]!;
      rest[j] = value / BASE;
      remainder = value % BASE;
    }
    while (first < rest.length && rest[first] === 0) first += 1;
    digits[i] = DIGITS[remainder]!;
  }
  rest.fill(0);
  return digits.join("");
}

/** Why a text can't be read. */
export type Base62Problem = "characters" | "length" | "value";

/** The bytes of a text. The caller has bounded its length: the work grows with the square of it. */
export function decodeBase62(text: string): Uint8Array | Base62Problem {
  const size = Math.floor((text.length * DIGIT_BITS) / 8);
  if (!isBase62(text)) return "characters";
  if (textLength(size) !== text.length) return "length";
  const bytes = new Uint8Array(size);
  for (let i = 0; i < text.length; i++) {
    let carry = VALUES[text.charCodeAt(i)]!;
    for (let j = size - 1; j >= 0; j--) {
      const value = bytes[j]! * BASE + carry;
      bytes[j] = value;
      carry = value >>> 8;
    }
    if (carry !== 0) return "value";
  }
  return bytes;
}

/** Whether the text has no other characters than digits. */
function isBase62(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= VALUES.length || VALUES[code] === -1) return false;
  }
  return true;
}
