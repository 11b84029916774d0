/**
 * What both sides derive from a ticket (spec/ticket.md#derived-values).
 *
 * @module
 */
import { concatBytes } from "../util/bytes.ts";
import { type SecretBytes, secretBytes, wipe } from "../util/secret-bytes.ts";
import { expandLabel, extract, labelBytes } from "./labels.ts";
import { BlockCipher, sha256 } from "./primitives.ts";

// Specification

/** Bytes of a ticket's hint. */
export const HINT_SIZE = 8;

/** Bytes of a message that key the mask of its hint: the first half of the ephemeral key. */
const MASK_SAMPLE_SIZE = 16;

/** The cipher that masks hints for one listener; long-lived. */
export type HintCipher = BlockCipher;

/** Everything that is derived from one ticket. Prints without its secrets. */
export interface TicketKeys {
  /** Public name of the ticket at its listener; travels masked. */
  readonly hint: Uint8Array;
  /** Key of the outer seals. */
  readonly seal: SecretBytes;
  /** Pre-shared key of the Noise handshake, used for nothing else. */
  readonly psk: SecretBytes;
  /** Key that seals cookies. */
  readonly cookie: SecretBytes;
  /** From which the names are derived under which servers know the ticket; see `slots.ts`. */
  readonly slotRoot: SecretBytes;
  /** What both sides must agree on before the handshake. */
  readonly prologue: Uint8Array;
}

/** What a ticket is, for the purpose of keys. */
export interface TicketIdentity {
  /** The listener's static public key. */
  readonly key: Uint8Array;
  readonly secret: Uint8Array;
  /** The part of the ticket's bytes that the handshake is bound to. */
  readonly core: Uint8Array;
}

/** The keys of a ticket; once for each ticket, not for each handshake. */
export function deriveTicketKeys(ticket: TicketIdentity): TicketKeys {
  const { key, secret, core } = ticket;
  const input = concatBytes(secret, key);
  const root = extract(labelBytes("punchline/1 ticket"), input);
  const keys = {
    hint: expandLabel(root, "hint", HINT_SIZE).slice(),
    seal: secretBytes(expandLabel(root, "seal")),
    psk: secretBytes(expandLabel(root, "psk")),
    cookie: secretBytes(expandLabel(root, "cookie")),
    slotRoot: secretBytes(expandLabel(root, "slot")),
    prologue: concatBytes(labelBytes("punchline/1 peer"), Uint8Array.of(0), sha256(core)),
  };
  wipe(input, root);
  return keys;
}

/** The cipher for the hints of one listener, derived from its public key. */
export function hintCipher(listenerKey: Uint8Array): HintCipher {
  return new BlockCipher(expandLabel(extract(labelBytes("punchline/1 listener"), listenerKey), "hint", 16));
}

/** Masks a hint for one message, or unmasks it: the two are the same. */
export function maskHint(cipher: HintCipher, hint: Uint8Array, ephemeralKey: Uint8Array): Uint8Array {
  const mask = cipher.encrypt(ephemeralKey.subarray(0, MASK_SAMPLE_SIZE));
  const masked = new Uint8Array(HINT_SIZE);
  for (let i = 0; i < HINT_SIZE; i++) masked[i] = hint[i]! ^ mask[i]!;
  return masked;
}

/** The hint in a first message of at least {@link HINT_SIZE} + 16 bytes. One block of AES is all that a stranger costs. */
export function unmaskHint(cipher: HintCipher, core1: Uint8Array): Uint8Array {
  return maskHint(cipher, core1, core1.subarray(HINT_SIZE));
}
