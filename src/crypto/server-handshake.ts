/**
 * The handshake with a server (spec/rendezvous.md#handshake): `Noise_NX_25519_ChaChaPoly_SHA256` inside an outer seal
 * that is keyed from the server's pin.
 *
 * The client stays anonymous and checks that the key which the server sends is the pinned one. The cores have the form
 * of those between peers, so they travel in the same datagrams. The seal keeps away who lacks the pin, no more: what is
 * in the first message must be fit for everybody to read.
 *
 * @module
 */
import { equalBytes } from "../util/bytes.ts";
import { type Opened, type ReceivedInit, type Responded, SUITE, sessionOf } from "./handshake.ts";
import { type HandshakePattern, HandshakeState } from "./noise.ts";
import {
  MAX_CORE_SIZE,
  openCore1,
  openCore2,
  SEAL1_OVERHEAD,
  SEAL2_OVERHEAD,
  sealCore1,
  sealCore2,
} from "./outer-seal.ts";
import { isPublicKey, KEY_SIZE, type KeyPair } from "./primitives.ts";
import { type ServerKeys, serverPin } from "./server-keys.ts";

// Specification

/** The pattern with a server: nobody knows a key before, the responder sends his. */
export const NX: HandshakePattern = {
  name: "NX",
  known: [],
  messages: [["e"], ["e", "ee", "s", "es"]],
};

/** Bytes that the first core adds to its payload: the seal and a key. */
export const SERVER_CORE1_OVERHEAD = SEAL1_OVERHEAD + KEY_SIZE;

/** Bytes that the second core adds to its payload: the seal, two keys and two tags. */
export const SERVER_CORE2_OVERHEAD = SEAL2_OVERHEAD + 2 * KEY_SIZE + 32;

/** What a client needs to begin. */
export interface ClientHandshakeOptions {
  readonly keys: ServerKeys;
  /** Fresh for this handshake: two messages under one ephemeral key would share a nonce. */
  readonly ephemeral: KeyPair;
  readonly payload: Uint8Array;
}

/** What the second message gives to the client. */
export interface ServerOpened extends Opened {
  /** The server's static public key, which the pin names. */
  readonly serverKey: Uint8Array;
}

/** A first message that a server has read. Nobody claims to have sent it. */
export type AnonymousInit = Omit<ReceivedInit, "peerKey">;

/** The side of who knows the pin. */
export class ClientHandshake {
  /** The first message, the same bytes for every address. */
  readonly core1: Uint8Array;
  readonly #keys: ServerKeys;
  readonly #ephemeralKey: Uint8Array;
  #noise: HandshakeState;

  /** @throws RangeError if the payload is too long for one datagram. */
  constructor(options: ClientHandshakeOptions) {
    const { keys, ephemeral, payload } = options;
    checkPayload(payload, SERVER_CORE1_OVERHEAD);
    this.#noise = new HandshakeState({ pattern: NX, suite: SUITE, role: "initiator", prologue: keys.prologue });
    this.#keys = keys;
    this.#ephemeralKey = ephemeral.publicKey;
    this.core1 = sealCore1(keys, keys.hintCipher, this.#noise.writeMessage(payload, ephemeral));
  }

  /** Input: an answer. `undefined` if it is not one to our message, or not the server's; nothing has changed then. */
  readCore2(core2: Uint8Array): ServerOpened | undefined {
    if (core2.length < SERVER_CORE2_OVERHEAD || core2.length > MAX_CORE_SIZE || this.#noise.isComplete)
      return undefined;
    const noise2 = openCore2(this.#keys, this.#ephemeralKey, core2);
    if (noise2 === undefined) return undefined;
    // Anybody who saw our message can make a right answer with a key of his own, so the pin is checked on a copy.
    const trial = this.#noise.clone();
    const payload = trial.readMessage(noise2);
    const serverKey = trial.remoteStaticKey;
    if (payload === undefined || serverKey === undefined || !equalBytes(serverPin(serverKey), this.#keys.pin)) {
      trial.wipe();
      return undefined;
    }
    this.#noise.wipe();
    this.#noise = trial;
    return { payload, session: sessionOf(trial), serverKey };
  }
}

/** The side of the server. */
export class ServerHandshake implements AnonymousInit {
  readonly payload: Uint8Array;
  readonly ephemeralKey: Uint8Array;
  readonly #keys: ServerKeys;
  readonly #noise: HandshakeState;

  private constructor(noise: HandshakeState, keys: ServerKeys, noise1: Uint8Array, payload: Uint8Array) {
    this.#noise = noise;
    this.#keys = keys;
    this.ephemeralKey = noise1.slice(0, KEY_SIZE);
    this.payload = payload;
  }

  /** The Noise message inside a first message of who knows the pin; `undefined` for everybody else. No state. */
  static openSeal(core1: Uint8Array, keys: ServerKeys): Uint8Array | undefined {
    if (core1.length < SERVER_CORE1_OVERHEAD || core1.length > MAX_CORE_SIZE) return undefined;
    return openCore1(keys, core1);
  }

  /** Reads a Noise message that {@link openSeal} returned; `undefined` if no secret can be shared with its sender. */
  static read(noise1: Uint8Array, keys: ServerKeys, identity: KeyPair): ServerHandshake | undefined {
    // The pattern has no Diffie-Hellman before the answer, where a useless key would be found too late to drop it.
    if (!isPublicKey(noise1.slice(0, KEY_SIZE))) return undefined;
    const { prologue } = keys;
    const noise = new HandshakeState({ pattern: NX, suite: SUITE, role: "responder", prologue, s: identity });
    const payload = noise.readMessage(noise1);
    return payload === undefined ? undefined : new ServerHandshake(noise, keys, noise1, payload.slice());
  }

  /**
   * Command: the second message, once.
   *
   * @param ephemeral a key pair that is used for nothing else.
   * @throws RangeError if the payload is too long.
   */
  respond(payload: Uint8Array, ephemeral: KeyPair): Responded {
    checkPayload(payload, SERVER_CORE2_OVERHEAD);
    const core2 = sealCore2(this.#keys, this.ephemeralKey, this.#noise.writeMessage(payload, ephemeral));
    return { core2, session: sessionOf(this.#noise) };
  }
}

function checkPayload(payload: Uint8Array, overhead: number): void {
  if (payload.length > MAX_CORE_SIZE - overhead) throw new RangeError(`payload of ${payload.length} bytes`);
}
