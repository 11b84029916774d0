/**
 * Proof to a server that a client owns a key (spec/rendezvous.md#registration): one message of
 * `Noise_X_25519_ChaChaPoly_SHA256`, bound to the session that it travels in.
 *
 * The prologue holds the handshake hash of the session, so a proof is worth nothing in another one.
 *
 * @module
 */
import { concatBytes } from "../util/bytes.ts";
import { SUITE } from "./handshake.ts";
import { labelBytes } from "./labels.ts";
import { type HandshakePattern, HandshakeState } from "./noise.ts";
import { KEY_SIZE, type KeyPair } from "./primitives.ts";

// Specification

/** The pattern of a proof: the verifier's key is known, the prover's is sent and mixed. */
export const X: HandshakePattern = {
  name: "X",
  known: ["responder"],
  messages: [["e", "es", "s", "ss"]],
};

/** Bytes that a proof adds to its payload: two keys and two tags. */
export const KEY_PROOF_OVERHEAD = 2 * KEY_SIZE + 32;

/** What a proof is made from. */
export interface KeyProofOptions {
  /** The key that is proven. */
  readonly identity: KeyPair;
  /** The static key of the server, as the handshake of the session has shown it. */
  readonly serverKey: Uint8Array;
  /** Of the session with the server. */
  readonly handshakeHash: Uint8Array;
  /** Fresh for this proof. */
  readonly ephemeral: KeyPair;
  readonly payload: Uint8Array;
}

/** What a proof shows: the payload comes from the owner of the key. */
export interface ProvenKey {
  readonly key: Uint8Array;
  readonly payload: Uint8Array;
}

/**
 * The message that proves the key and carries the payload, readable by the server alone.
 *
 * @throws RangeError if the server's key is of low order; it has shared a secret with us before.
 */
export function proveKey(options: KeyProofOptions): Uint8Array {
  const { identity, serverKey, handshakeHash, ephemeral, payload } = options;
  const prologue = prologueOf(handshakeHash);
  const noise = new HandshakeState({
    pattern: X,
    suite: SUITE,
    role: "initiator",
    prologue,
    s: identity,
    rs: serverKey,
  });
  const message = noise.writeMessage(payload, ephemeral);
  noise.wipe();
  return message;
}

/** Who sent the message, and what it says; `undefined` if it proves nothing in this session. */
export function verifyKeyProof(
  message: Uint8Array,
  options: { readonly identity: KeyPair; readonly handshakeHash: Uint8Array },
): ProvenKey | undefined {
  if (message.length < KEY_PROOF_OVERHEAD) return undefined;
  const { identity, handshakeHash } = options;
  const prologue = prologueOf(handshakeHash);
  const noise = new HandshakeState({ pattern: X, suite: SUITE, role: "responder", prologue, s: identity });
  const payload = noise.readMessage(message);
  const key = noise.remoteStaticKey;
  noise.wipe();
  return payload === undefined || key === undefined ? undefined : { key, payload };
}

function prologueOf(handshakeHash: Uint8Array): Uint8Array {
  return concatBytes(labelBytes("punchline/1 register"), Uint8Array.of(0), handshakeHash);
}
