/**
 * Host names in few bytes (spec/ticket.md#names): three characters of a lower-case name in 16 bits.
 *
 * @module
 */

// Specification

/** 0 ends the name; 1–26 are letters, 27–36 digits, 37 and 38 hyphen and dot. 39 has no meaning. */
const CHARACTERS = "\0abcdefghijklmnopqrstuvwxyz0123456789-.";
const BASE = 40;

/** Characters in one 16-bit word. */
const WORD_CHARACTERS = 3;

/** Words of the longest name: what five bits can count. */
export const MAX_NAME_WORDS = 31;

/** RFC 1123 §2.1: labels of letters, digits and inner hyphens, of at most 63 characters. */
const HOST_NAME = /^(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*$/;

/** The words of a host name; letters may have either case. `undefined` if it is not a host name, or too long. */
export function encodeName(name: string): Uint8Array | undefined {
  const lower = name.toLowerCase();
  const words = Math.ceil(lower.length / WORD_CHARACTERS);
  if (words > MAX_NAME_WORDS || !HOST_NAME.test(lower)) return undefined;
  const bytes = new Uint8Array(2 * words);
  for (let i = 0; i < words; i++) {
    let word = 0;
    for (let j = 0; j < WORD_CHARACTERS; j++) {
      word = word * BASE + CHARACTERS.indexOf(lower[i * WORD_CHARACTERS + j] ?? "\0");
    }
    bytes[2 * i] = word >>> 8;
    bytes[2 * i + 1] = word;
  }
  return bytes;
}

/** The host name of words; `undefined` if there is none, or another encoding of it is the right one. */
export function decodeName(bytes: Uint8Array): string | undefined {
  let text = "";
  for (let i = 0; i + 1 < bytes.length; i += 2) {
    const word = (bytes[i]! << 8) | bytes[i + 1]!;
    text += CHARACTERS[Math.floor(word / (BASE * BASE))] ?? "?";
    text += CHARACTERS[Math.floor(word / BASE) % BASE] ?? "?";
    text += CHARACTERS[word % BASE] ?? "?";
  }
  // At most two ends, in the last word: any more are left in the text, which is no host name then.
  const name = text.replace(/\0{1,2}$/, "");
  return HOST_NAME.test(name) ? name : undefined;
}
