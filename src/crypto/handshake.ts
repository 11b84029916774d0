/**
 * The handshake of two peers (spec/handshake.md): `Noise_IKpsk2_25519_ChaChaPoly_SHA256` inside an outer seal.
 *
 * The outer seal is keyed by the ticket's secret. Its tag is what a listener checks before any Diffie-Hellman, and it
 * keeps the initiator's identity from whoever has the listener's private key without the ticket. The cores are the same
 * bytes on every carrier.
 *
 * @module
 */
import { SessionSecrets } from "./key-schedule.ts";
import { type CipherSuite, type HandshakePattern, HandshakeState } from "./noise.ts";
import {
  MAX_CORE_SIZE,
  openCore1,
  openCore2,
  SEAL1_OVERHEAD,
  SEAL2_OVERHEAD,
  sealCore1,
  sealCore2,
} from "./outer-seal.ts";
import { KEY_SIZE, type KeyPair } from "./primitives.ts";
import { hintCipher, type TicketKeys } from "./ticket-keys.ts";

// Specification

/** The pattern between peers: the initiator knows the listener's key, the psk completes the second message. */
export const IKPSK2: HandshakePattern = {
  name: "IKpsk2",
  known: ["responder"],
  messages: [
    ["e", "es", "s", "ss"],
    ["e", "ee", "se", "psk"],
  ],
};

/** The functions of the handshake. */
export const SUITE: CipherSuite = { name: "25519_ChaChaPoly_SHA256", aead: "chacha20-poly1305", hash: "SHA256" };

/** Bytes that {@link InitiatorHandshake.core1} adds to its payload: the seal, two keys and two tags. */
export const CORE1_OVERHEAD = SEAL1_OVERHEAD + 2 * KEY_SIZE + 32;

/** Bytes that the second core adds to its payload: the seal, a key and a tag. */
export const CORE2_OVERHEAD = SEAL2_OVERHEAD + KEY_SIZE + 16;

/** What an initiator needs to begin. */
export interface InitiatorOptions {
  readonly keys: TicketKeys;
  /** The listener's static public key, from the ticket. */
  readonly listenerKey: Uint8Array;
  readonly identity: KeyPair;
  /** Fresh for this handshake: two messages under one ephemeral key would share a nonce. */
  readonly ephemeral: KeyPair;
  readonly payload: Uint8Array;
}

/** What the second message gives to the initiator. */
export interface Opened {
  readonly payload: Uint8Array;
  readonly session: SessionSecrets;
}

/** What the responder sends back and keeps. */
export interface Responded {
  readonly core2: Uint8Array;
  readonly session: SessionSecrets;
}

/** The side of who holds the ticket. */
export class InitiatorHandshake {
  /** The first message, the same bytes for every address and carrier. */
  readonly core1: Uint8Array;
  readonly #keys: TicketKeys;
  readonly #ephemeralKey: Uint8Array;
  readonly #noise: HandshakeState;

  /**
   * @throws RangeError if the ticket's key is of low order (see `isPublicKey`), or the payload too long for one datagram.
   */
  constructor(options: InitiatorOptions) {
    const { keys, listenerKey, identity, ephemeral, payload } = options;
    if (payload.length > MAX_CORE_SIZE - CORE1_OVERHEAD) throw new RangeError(`payload of ${payload.length} bytes`);
    const noise = new HandshakeState({
      pattern: IKPSK2,
      suite: SUITE,
      role: "initiator",
      prologue: keys.prologue,
      s: identity,
      rs: listenerKey,
      psk: keys.psk,
    });
    this.core1 = sealCore1(keys, hintCipher(listenerKey), noise.writeMessage(payload, ephemeral));
    this.#keys = keys;
    this.#ephemeralKey = ephemeral.publicKey;
    this.#noise = noise;
  }

  /** Input: an answer. `undefined` if it is not one to our message, or not the listener's; nothing has changed then. */
  readCore2(core2: Uint8Array): Opened | undefined {
    if (core2.length < CORE2_OVERHEAD || core2.length > MAX_CORE_SIZE || this.#noise.isComplete) return undefined;
    const noise2 = openCore2(this.#keys, this.#ephemeralKey, core2);
    if (noise2 === undefined) return undefined;
    const payload = this.#noise.readMessage(noise2);
    return payload === undefined ? undefined : { payload, session: sessionOf(this.#noise) };
  }
}

/** A first message that a responder has read. */
export interface ReceivedInit {
  /** The static key that the initiator claims; confirmed by its first packet, not before. */
  readonly peerKey: Uint8Array;
  readonly payload: Uint8Array;
  /** The initiator's ephemeral key, which names the message. */
  readonly ephemeralKey: Uint8Array;
  /**
   * Command: the second message, once.
   *
   * @param ephemeral a key pair that is used for nothing else.
   */
  respond(payload: Uint8Array, ephemeral: KeyPair): Responded;
}

/** The side of who issued the ticket. */
export class ResponderHandshake implements ReceivedInit {
  readonly peerKey: Uint8Array;
  readonly payload: Uint8Array;
  readonly ephemeralKey: Uint8Array;
  readonly #keys: TicketKeys;
  readonly #noise: HandshakeState;

  private constructor(
    noise: HandshakeState,
    keys: TicketKeys,
    parts: { payload: Uint8Array; ephemeralKey: Uint8Array },
  ) {
    this.#noise = noise;
    this.#keys = keys;
    this.peerKey = noise.remoteStaticKey!;
    this.payload = parts.payload;
    this.ephemeralKey = parts.ephemeralKey;
  }

  /** The Noise message inside a first message of a holder of the ticket; `undefined` for everybody else. No state. */
  static openSeal(core1: Uint8Array, keys: TicketKeys): Uint8Array | undefined {
    if (core1.length < CORE1_OVERHEAD || core1.length > MAX_CORE_SIZE) return undefined;
    return openCore1(keys, core1);
  }

  /** Reads a Noise message that {@link openSeal} returned; `undefined` if it is not for this identity. */
  static read(noise1: Uint8Array, keys: TicketKeys, identity: KeyPair): ResponderHandshake | undefined {
    const { prologue, psk } = keys;
    const noise = new HandshakeState({ pattern: IKPSK2, suite: SUITE, role: "responder", prologue, s: identity, psk });
    const payload = noise.readMessage(noise1);
    if (payload === undefined) return undefined;
    return new ResponderHandshake(noise, keys, { payload, ephemeralKey: noise1.slice(0, KEY_SIZE) });
  }

  respond(payload: Uint8Array, ephemeral: KeyPair): Responded {
    if (payload.length > MAX_CORE_SIZE - CORE2_OVERHEAD) throw new RangeError(`payload of ${payload.length} bytes`);
    const core2 = sealCore2(this.#keys, this.ephemeralKey, this.#noise.writeMessage(payload, ephemeral));
    return { core2, session: sessionOf(this.#noise) };
  }
}

/** The secrets of the session of a complete handshake, which keeps none. */
export function sessionOf(noise: HandshakeState): SessionSecrets {
  const { initiator, responder } = noise.split();
  noise.wipe();
  return new SessionSecrets(initiator, responder, noise.handshakeHash);
}
