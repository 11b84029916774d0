/**
 * The seal around the Noise messages of a handshake (spec/handshake.md#cores).
 *
 * ```
 * core1 = masked hint [8] ‖ e_i [32] ‖ c1      c1 = seal(M(seal, 1 ‖ e_i), masked hint, rest of Noise message 1)
 * core2 =                   e_r [32] ‖ c2      c2 = seal(M(seal, 2 ‖ e_i ‖ e_r), nothing, rest of Noise message 2)
 * ```
 *
 * @module
 */
import { concatBytes } from "../util/bytes.ts";
import type { SecretBytes } from "../util/secret-bytes.ts";
import { AeadKey, hmacSha256, KEY_SIZE } from "./primitives.ts";
import { HINT_SIZE, type HintCipher, maskHint } from "./ticket-keys.ts";

// Specification

/** Largest core; with its datagram header it fits the smallest MTU that a path may have. */
export const MAX_CORE_SIZE = 1168;

/** Bytes that the seal adds to a first Noise message: hint and tag. */
export const SEAL1_OVERHEAD = HINT_SIZE + 16;

/** Bytes that the seal adds to a second Noise message: the tag. */
export const SEAL2_OVERHEAD = 16;

/** Each key of an outer seal is made from a fresh ephemeral key and seals one message, so one nonce is enough. */
const SEAL_NONCE = new Uint8Array(12);

const EMPTY = new Uint8Array(0);

/** What the seal needs to know of a ticket or a server. */
export interface SealKeys {
  /** Names the ticket or server to its owner; travels masked. */
  readonly hint: Uint8Array;
  /** Key of the seals. */
  readonly seal: SecretBytes;
}

/** The first core, around a first Noise message. */
export function sealCore1(keys: SealKeys, cipher: HintCipher, noise1: Uint8Array): Uint8Array {
  const ephemeralKey = noise1.subarray(0, KEY_SIZE);
  const hint = maskHint(cipher, keys.hint, ephemeralKey);
  const sealed = sealKey(keys, 1, ephemeralKey).seal(SEAL_NONCE, hint, noise1.subarray(KEY_SIZE));
  return concatBytes(hint, ephemeralKey, sealed);
}

/** The Noise message inside a first core; `undefined` if these keys did not seal it. */
export function openCore1(keys: SealKeys, core1: Uint8Array): Uint8Array | undefined {
  const hint = core1.subarray(0, HINT_SIZE);
  const ephemeralKey = core1.subarray(HINT_SIZE, HINT_SIZE + KEY_SIZE);
  const opened = sealKey(keys, 1, ephemeralKey).open(SEAL_NONCE, hint, core1.subarray(HINT_SIZE + KEY_SIZE));
  return opened === undefined ? undefined : concatBytes(ephemeralKey, opened);
}

/** The second core, around the Noise message that answers the initiator's ephemeral key. */
export function sealCore2(keys: SealKeys, initiatorKey: Uint8Array, noise2: Uint8Array): Uint8Array {
  const ephemeralKey = noise2.subarray(0, KEY_SIZE);
  const key = sealKey(keys, 2, initiatorKey, ephemeralKey);
  return concatBytes(ephemeralKey, key.seal(SEAL_NONCE, EMPTY, noise2.subarray(KEY_SIZE)));
}

/** The Noise message inside a second core; `undefined` if these keys did not seal it in answer to that ephemeral key. */
export function openCore2(keys: SealKeys, initiatorKey: Uint8Array, core2: Uint8Array): Uint8Array | undefined {
  const ephemeralKey = core2.slice(0, KEY_SIZE);
  const opened = sealKey(keys, 2, initiatorKey, ephemeralKey).open(SEAL_NONCE, EMPTY, core2.subarray(KEY_SIZE));
  return opened === undefined ? undefined : concatBytes(ephemeralKey, opened);
}

function sealKey(keys: SealKeys, message: 1 | 2, ...ephemeralKeys: readonly Uint8Array[]): AeadKey {
  return new AeadKey("chacha20-poly1305", hmacSha256(keys.seal, Uint8Array.of(message), ...ephemeralKeys));
}
