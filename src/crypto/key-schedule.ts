/**
 * From the handshake's two keys to the keys of packets (spec/handshake.md#key-schedule).
 *
 * Every key is bound to the transcript hash of the handshake, never to its chaining key (Noise §11.2), and to the AEAD
 * that it is for. Key update follows RFC 9001 §6: each secret of the data space yields the next one.
 *
 * @module
 */
import { type SecretBytes, secretBytes, wipe } from "../util/secret-bytes.ts";
import { expandLabel, extract, labelBytes } from "./labels.ts";
import type { Role } from "./noise.ts";
import { type Aead, hmacSha256, sha256 } from "./primitives.ts";

// Specification

/** AEADs for packets by their ids on the wire: 1 is AES-128-GCM, 2 is ChaCha20-Poly1305. */
export type AeadId = 1 | 2;

/** What an {@link AeadId} stands for, and the bytes of its key. */
export const PACKET_AEAD: Readonly<Record<AeadId, { readonly aead: Aead; readonly keySize: number }>> = {
  1: { aead: "aes-128-gcm", keySize: 16 },
  2: { aead: "chacha20-poly1305", keySize: 32 },
};

/** Bytes of an initialisation vector. */
export const IV_SIZE = 12;

/** Bytes of a header-protection key: AES-128, whatever the AEAD. */
const HEADER_KEY_SIZE = 16;

/** What a completed handshake leaves. Prints without its secrets. */
export class SessionSecrets {
  /** Key of what the initiator sends. */
  readonly initiator: SecretBytes;
  /** Key of what the responder sends. */
  readonly responder: SecretBytes;
  /** Names the session; equal on both sides, and for no other session. */
  readonly handshakeHash: Uint8Array;

  /** Takes the keys over: the arguments are overwritten. */
  constructor(initiator: Uint8Array, responder: Uint8Array, handshakeHash: Uint8Array) {
    this.initiator = secretBytes(initiator);
    this.responder = secretBytes(responder);
    this.handshakeHash = handshakeHash.slice();
    wipe(initiator, responder);
  }

  /** Command: overwrites the keys, once all that is needed has been derived. */
  wipe(): void {
    wipe(this.initiator, this.responder);
  }
}

/** The secrets of one direction. */
export interface DirectionSecrets {
  readonly aead: AeadId;
  /** First secret of the data space. */
  readonly data: SecretBytes;
  /** Secret of the probe space, which never changes. */
  readonly probe: SecretBytes;
  /** Header-protection key of both spaces, which never changes. */
  readonly header: SecretBytes;
}

/** A key of packets and its initialisation vector. */
export interface KeyAndIv {
  readonly key: SecretBytes;
  readonly iv: SecretBytes;
}

/** The secrets of what `sender` sends. */
export function deriveDirection(session: SessionSecrets, sender: Role, aead: AeadId): DirectionSecrets {
  const label = labelBytes("punchline/1 traffic");
  const secret = hmacSha256(session[sender], label, Uint8Array.of(0, aead), session.handshakeHash);
  const direction = {
    aead,
    data: secretBytes(expandLabel(secret, "data")),
    probe: secretBytes(expandLabel(secret, "probe")),
    header: secretBytes(expandLabel(secret, "hp", HEADER_KEY_SIZE)),
  };
  wipe(secret);
  return direction;
}

/** The key of packets that a secret of the data or probe space stands for. */
export function deriveKey(secret: Uint8Array, aead: AeadId): KeyAndIv {
  const key = secretBytes(expandLabel(secret, "key", PACKET_AEAD[aead].keySize));
  return { key, iv: secretBytes(expandLabel(secret, "iv", IV_SIZE)) };
}

/** The secret of the next key phase. There is no way back from it (RFC 9001 §6.1). */
export function nextSecret(secret: Uint8Array): SecretBytes {
  return secretBytes(expandLabel(secret, "next"));
}

/** The secret from which applications derive theirs. */
export function deriveExporter(session: SessionSecrets): SecretBytes {
  const input = new Uint8Array([...session.initiator, ...session.responder]);
  const root = extract(session.handshakeHash, input);
  const exporter = secretBytes(expandLabel(root, "exporter"));
  wipe(input, root);
  return exporter;
}

/** Key material for an application: 32 bytes, equal on both sides and for equal arguments only. */
export function exportSecret(exporter: Uint8Array, label: string, context: Uint8Array): SecretBytes {
  return secretBytes(hmacSha256(hmacSha256(exporter, labelBytes(label)), sha256(context)));
}
