/**
 * Proof of a source address under load (spec/handshake.md#cookie).
 *
 * A busy listener answers a first message with a cookie made from the source address, sealed so that only a holder of
 * the ticket at that address can return it; the message that returns it is worth a Diffie-Hellman.
 *
 * @module
 */

import type { SecretBytes } from "../util/secret-bytes.ts";
import { labelBytes } from "./labels.ts";
import { AeadKey, hmacSha256 } from "./primitives.ts";

// Specification

/** Bytes of a cookie, and of the proof made with it. */
export const COOKIE_SIZE = 16;

/** The end of the first message, its tag, ties a cookie to the message that caused it. */
const BOUND_SIZE = 16;

/** What seals cookies: derived from a ticket or from a server's pin. */
export interface CookieKeys {
  readonly cookie: SecretBytes;
}

/** A cookie on its way. */
export interface SealedCookie {
  /** 12 random bytes. */
  readonly nonce: Uint8Array;
  readonly sealed: Uint8Array;
}

/** The cookie of a source address (in any unambiguous text form) under a secret of the listener. */
export function cookieFor(secret: Uint8Array, address: string): Uint8Array {
  return hmacSha256(secret, labelBytes(address)).slice(0, COOKIE_SIZE);
}

/** Seals a cookie for whoever sent the first message `core` and holds its ticket. */
export function sealCookie(
  keys: CookieKeys,
  options: { readonly cookie: Uint8Array; readonly nonce: Uint8Array; readonly core: Uint8Array },
): Uint8Array {
  const { cookie, nonce, core } = options;
  return new AeadKey("chacha20-poly1305", keys.cookie).seal(nonce, core.slice(-BOUND_SIZE), cookie);
}

/** The cookie that was sent in answer to our first message `core`; `undefined` if it is forged. */
export function openCookie(keys: CookieKeys, cookie: SealedCookie, core: Uint8Array): Uint8Array | undefined {
  return new AeadKey("chacha20-poly1305", keys.cookie).open(cookie.nonce, core.slice(-BOUND_SIZE), cookie.sealed);
}

/** Proof of a cookie for one copy of the first message, with the token of that copy. */
export function macOfCookie(cookie: Uint8Array, core: Uint8Array, token: Uint8Array): Uint8Array {
  return hmacSha256(cookie, core, token).slice(0, COOKIE_SIZE);
}
