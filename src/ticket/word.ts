/**
 * Bytes as one word that people copy: a prefix, then the bytes and a checksum in base 62 (spec/ticket.md#text).
 *
 * @module
 */
import { concatBytes, equalBytes } from "../util/bytes.ts";
import { wipe } from "../util/secret-bytes.ts";
import { decodeBase62, encodeBase62 } from "./base62.ts";

// Specification

/** Bytes of the checksum: of the hash of the prefix and the content. */
const CHECK_SIZE = 4;

/** SHA-256 of all parts in order; given by the caller, since words know no cryptography. */
export type Hash = (...parts: readonly Uint8Array[]) => Uint8Array;

/** What all words of one kind have in common. */
export interface WordKind {
  /** Begins the word; bound into the checksum. */
  readonly prefix: string;
  /** Bytes of the shortest content. */
  readonly minSize: number;
  /** Characters of the longest word; bounds the work on what a user pastes. */
  readonly maxLength: number;
}

/** What went wrong with a word on its way, as far as can be told. */
export type WordProblem = "prefix" | "case" | "characters" | "length" | "checksum";

/** The word for a content. */
export function encodeWord(kind: WordKind, content: Uint8Array, sha256: Hash): string {
  const whole = concatBytes(content, checksum(kind, content, sha256));
  const text = kind.prefix + encodeBase62(whole);
  wipe(whole);
  return text;
}

/** The content of a word, or why it is none. */
export function decodeWord(kind: WordKind, text: string, sha256: Hash): Uint8Array | WordProblem {
  const { prefix } = kind;
  const start = text.slice(0, prefix.length);
  if (start !== prefix) return start.toLowerCase() === prefix ? "case" : "prefix";
  const body = text.slice(prefix.length);
  if (text.length > kind.maxLength) return "length";
  const bytes = decodeBase62(body);
  if (bytes === "value") return isOneCase(body) ? "case" : "checksum";
  if (!(bytes instanceof Uint8Array)) return bytes;
  if (bytes.length < kind.minSize + CHECK_SIZE) return "length";
  const content = bytes.subarray(0, bytes.length - CHECK_SIZE);
  if (equalBytes(checksum(kind, content, sha256), bytes.subarray(content.length))) return content;
  return isOneCase(body) ? "case" : "checksum";
}

function checksum(kind: WordKind, content: Uint8Array, sha256: Hash): Uint8Array {
  return sha256(new TextEncoder().encode(kind.prefix), content).subarray(0, CHECK_SIZE);
}

/** Whether a text has letters of one case only: in a word of this length that is no accident. */
function isOneCase(text: string): boolean {
  return text === text.toLowerCase() || text === text.toUpperCase();
}
