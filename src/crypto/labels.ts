/**
 * One way to derive a key from a key: HKDF (RFC 5869 §2) with short labels (spec/handshake.md#derivation).
 *
 * @module
 */
import { hmacSha256 } from "./primitives.ts";

// Specification

/** Begins every label, so that no key of another version or program is derived alike. */
const LABEL_PREFIX = "punchline/1 ";

/** RFC 5869 §2.3: the counter of the first block, which is all that is ever used. */
const FIRST_BLOCK = Uint8Array.of(1);

const encoder = new TextEncoder();

/** The bytes of an ASCII label. */
export function labelBytes(label: string): Uint8Array {
  return encoder.encode(label);
}

/** A key of even randomness from input of uneven randomness (RFC 5869 §2.2). */
export function extract(salt: Uint8Array, input: Uint8Array): Uint8Array {
  return hmacSha256(salt, input);
}

/** The first `size` bytes, 32 at most, of the key that `label` names under `secret` (RFC 5869 §2.3). */
export function expandLabel(secret: Uint8Array, label: string, size = 32): Uint8Array {
  return hmacSha256(secret, labelBytes(LABEL_PREFIX + label), FIRST_BLOCK).subarray(0, size);
}
