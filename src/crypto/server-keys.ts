/**
 * What everybody derives from a server's pin (spec/rendezvous.md#server-keys).
 *
 * A server is dialled like a listener whose ticket has no secret: who knows the pin can make first messages, who does
 * not gets no answer.
 *
 * @module
 */
import { concatBytes } from "../util/bytes.ts";
import { type SecretBytes, secretBytes, wipe } from "../util/secret-bytes.ts";
import { expandLabel, extract, labelBytes } from "./labels.ts";
import { BlockCipher, sha256 } from "./primitives.ts";
import { HINT_SIZE, type HintCipher } from "./ticket-keys.ts";

// Specification

/** Bytes of the hash that names a server's key. Another key with the same pin is a second preimage of 96 bits. */
export const PIN_SIZE = 12;

/** Everything that is derived from one pin. */
export interface ServerKeys {
  readonly pin: Uint8Array;
  /** Says that a first message is for this server; travels masked. */
  readonly hint: Uint8Array;
  /** Masks the hint; long-lived. */
  readonly hintCipher: HintCipher;
  /** Key of the outer seals. */
  readonly seal: SecretBytes;
  /** Key that seals cookies. */
  readonly cookie: SecretBytes;
  /** What both sides must agree on before the handshake. */
  readonly prologue: Uint8Array;
}

/** The pin of a server's static public key. */
export function serverPin(publicKey: Uint8Array): Uint8Array {
  return sha256(labelBytes("punchline/1 server key"), publicKey).slice(0, PIN_SIZE);
}

/** The keys of a server; once for each server, not for each handshake. */
export function deriveServerKeys(pin: Uint8Array): ServerKeys {
  const root = extract(labelBytes("punchline/1 server"), pin);
  const keys = {
    pin: pin.slice(),
    hint: expandLabel(root, "hint", HINT_SIZE).slice(),
    hintCipher: new BlockCipher(expandLabel(root, "hint key", 16)),
    seal: secretBytes(expandLabel(root, "seal")),
    cookie: secretBytes(expandLabel(root, "cookie")),
    prologue: concatBytes(labelBytes("punchline/1 server"), Uint8Array.of(0), pin),
  };
  wipe(root);
  return keys;
}
