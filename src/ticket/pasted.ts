/**
 * The string that goes back by hand: the first message of a handshake as one word (spec/paste.md#string).
 *
 * The message is sealed by the ticket it answers, so there is nothing in here but its bytes.
 *
 * @module
 */
import { MAX_CORE_SIZE } from "../wire/handshake-datagram.ts";
import { textLength } from "./base62.ts";
import { decodeWord, encodeWord, type Hash, type WordProblem } from "./word.ts";

// Specification

const PREFIX = "pa1";

/** Bytes of the shortest first message: hint, two keys, three tags. */
export const MIN_PASTED_SIZE = 120;

/** Bytes of the checksum behind the message. */
const CHECK_SIZE = 4;

/** Characters of the word for the longest message; bounds the work on what a user pastes. */
export const MAX_PASTED_LENGTH = PREFIX.length + textLength(MAX_CORE_SIZE + CHECK_SIZE);

const PASTED = { prefix: PREFIX, minSize: MIN_PASTED_SIZE, maxLength: MAX_PASTED_LENGTH };

/** Why a text is no such string: a word for programs, and a sentence for people. */
export interface PastedProblem {
  readonly code: WordProblem;
  readonly hint: string;
}

const HINTS: Readonly<Record<WordProblem, string>> = {
  prefix: `the other side's string begins with ${PREFIX}`,
  case: "capital and small letters differ in the string; something changed them",
  characters: "the string has only letters and digits; copy it as one word",
  length: "the string is not complete; copy it to the last character",
  checksum: "a character of the string was changed, lost or swapped",
};

/** Words of other kinds that are easily taken for this one. */
const OTHERS: readonly (readonly [prefix: string, name: string])[] = [
  ["pl1", "a ticket"],
  ["ps1", "the address of a server"],
];

/** The word for a first message. */
export function encodePasted(core1: Uint8Array, sha256: Hash): string {
  return encodeWord(PASTED, core1, sha256);
}

/** The first message in a word, or why there is none; white space around it is ignored. */
export function decodePasted(text: string, sha256: Hash): Uint8Array | PastedProblem {
  const word = text.trim();
  const content = decodeWord(PASTED, word, sha256);
  if (content instanceof Uint8Array) {
    return content.length <= MAX_CORE_SIZE ? content : { code: "length", hint: "the string is too long" };
  }
  const other = OTHERS.find(([prefix]) => content === "prefix" && word.startsWith(prefix));
  if (other !== undefined) return { code: content, hint: `this is ${other[1]}; ${HINTS.prefix}` };
  return { code: content, hint: HINTS[content] };
}
