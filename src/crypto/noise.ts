/**
 * The Noise protocol framework, revision 34: symmetric state and handshake state.
 *
 * This file transcribes the processing rules of the framework's specification (§5 and §9) and keeps its single letters:
 * `s` and `e` are our static and ephemeral key pairs, `rs` and `re` the public keys of the peer, `ck` the chaining key,
 * `h` the transcript hash, `k` and `n` the current cipher key and its nonce. It interprets any pattern with any of the
 * framework's hash functions and ciphers over X25519; which of them we use is said in `handshake.ts`.
 *
 * Reading works on a copy that replaces the state only if the whole message was right. A forged message therefore costs
 * its sender a datagram, and the handshake nothing.
 *
 * @module
 */
import { concatBytes } from "../util/bytes.ts";
import { assert } from "../util/invariant.ts";
import { wipe } from "../util/secret-bytes.ts";
import {
  type Aead,
  AeadKey,
  diffieHellman,
  digest,
  type HashName,
  hmac,
  KEY_SIZE,
  type KeyPair,
} from "./primitives.ts";

// Specification

/** Bytes of a tag. */
const TAG_SIZE = 16;

/** Bytes of a cipher key and of a psk. */
const CIPHER_KEY_SIZE = 32;

const EMPTY = new Uint8Array(0);

/** A step of a message pattern. */
export type Token = "e" | "s" | "ee" | "es" | "se" | "ss" | "psk";

/** Who sends the first message, and who the second. */
export type Role = "initiator" | "responder";

/** Which keys are sent and mixed, and when. */
export interface HandshakePattern {
  /** As it stands in the protocol name, modifiers included: `IKpsk2`. */
  readonly name: string;
  /** Who has told the other his static key before the first message. */
  readonly known: readonly Role[];
  /** The tokens of each message, the initiator's first; the two sides take turns. */
  readonly messages: readonly (readonly Token[])[];
}

/** The functions that a protocol is made of, beside X25519. */
export interface CipherSuite {
  /** As it stands in the protocol name: `25519_ChaChaPoly_SHA256`. */
  readonly name: string;
  readonly aead: Aead;
  readonly hash: HashName;
}

/** What a handshake begins with. */
export interface HandshakeOptions {
  readonly pattern: HandshakePattern;
  readonly suite: CipherSuite;
  readonly role: Role;
  /** What both sides must agree on. */
  readonly prologue: Uint8Array;
  readonly s?: KeyPair | undefined;
  readonly rs?: Uint8Array | undefined;
  readonly psk?: Uint8Array | undefined;
}

/** The keys of the session, one for each direction. */
export interface SplitKeys {
  /** What the initiator sends with. */
  readonly initiator: Uint8Array;
  /** What the responder sends with. */
  readonly responder: Uint8Array;
}

/** `SymmetricState` and the `CipherState` inside it. */
class SymmetricState {
  readonly #suite: CipherSuite;
  #ck: Uint8Array;
  #h: Uint8Array;
  #k: Uint8Array | undefined;
  #n = 0;

  constructor(suite: CipherSuite, h: Uint8Array, ck: Uint8Array) {
    this.#suite = suite;
    this.#h = h;
    this.#ck = ck;
  }

  static initialize(suite: CipherSuite, protocolName: string): SymmetricState {
    const name = new TextEncoder().encode(protocolName);
    const hashLength = digest(suite.hash).length;
    const h = new Uint8Array(hashLength);
    h.set(name.length <= hashLength ? name : digest(suite.hash, name));
    return new SymmetricState(suite, h, h.slice());
  }

  clone(): SymmetricState {
    const copy = new SymmetricState(this.#suite, this.#h, this.#ck.slice());
    copy.#k = this.#k?.slice();
    copy.#n = this.#n;
    return copy;
  }

  mixKey(input: Uint8Array): void {
    const [ck, k] = this.#hkdf(input, 2);
    this.#initialize(ck!, k!);
  }

  mixHash(data: Uint8Array): void {
    this.#h = digest(this.#suite.hash, this.#h, data);
  }

  mixKeyAndHash(input: Uint8Array): void {
    const [ck, h, k] = this.#hkdf(input, 3);
    this.mixHash(h!);
    this.#initialize(ck!, k!);
  }

  encryptAndHash(plaintext: Uint8Array): Uint8Array {
    const ciphertext = this.#k === undefined ? plaintext : this.#key(this.#k).seal(this.#nonce(), this.#h, plaintext);
    this.#n += 1;
    this.mixHash(ciphertext);
    return ciphertext;
  }

  decryptAndHash(ciphertext: Uint8Array): Uint8Array | undefined {
    const plaintext = this.#k === undefined ? ciphertext : this.#key(this.#k).open(this.#nonce(), this.#h, ciphertext);
    if (plaintext === undefined) return undefined;
    this.#n += 1;
    this.mixHash(ciphertext);
    return plaintext;
  }

  split(): SplitKeys {
    const [initiator, responder] = this.#hkdf(EMPTY, 2);
    return { initiator: initiator!.slice(0, CIPHER_KEY_SIZE), responder: responder!.slice(0, CIPHER_KEY_SIZE) };
  }

  wipe(): void {
    wipe(this.#ck, this.#k ?? EMPTY);
  }

  get h(): Uint8Array {
    return this.#h;
  }

  get hasKey(): boolean {
    return this.#k !== undefined;
  }

  #initialize(ck: Uint8Array, k: Uint8Array): void {
    this.wipe();
    this.#ck = ck;
    // Hash functions of 64 bytes: the key is the first half.
    this.#k = k.slice(0, CIPHER_KEY_SIZE);
    this.#n = 0;
    wipe(k);
  }

  /** HKDF with the chaining key as salt and no info (RFC 5869 §2). */
  #hkdf(input: Uint8Array, outputs: 2 | 3): Uint8Array[] {
    const { hash } = this.#suite;
    const extracted = hmac(hash, this.#ck, input);
    const expanded: Uint8Array[] = [];
    let previous: Uint8Array = EMPTY;
    for (let i = 1; i <= outputs; i++) {
      previous = hmac(hash, extracted, previous, Uint8Array.of(i));
      expanded.push(previous);
    }
    wipe(extracted);
    return expanded;
  }

  #key(k: Uint8Array): AeadKey {
    return new AeadKey(this.#suite.aead, k);
  }

  #nonce(): Uint8Array {
    return noiseNonce(this.#suite.aead, this.#n);
  }
}

/** The nonce of a cipher for message `n`: Noise §12.3 counts little-endian, §12.4 big-endian. */
export function noiseNonce(aead: Aead, n: number): Uint8Array {
  const nonce = new Uint8Array(12);
  const view = new DataView(nonce.buffer);
  const littleEndian = aead === "chacha20-poly1305";
  view.setUint32(littleEndian ? 4 : 8, n >>> 0, littleEndian);
  view.setUint32(littleEndian ? 8 : 4, Math.floor(n / 0x1_0000_0000), littleEndian);
  return nonce;
}

/** How far a handshake has come. */
interface Progress {
  readonly symmetric: SymmetricState;
  e: KeyPair | undefined;
  rs: Uint8Array | undefined;
  re: Uint8Array | undefined;
  /** Index of the next message. */
  next: number;
}

/** One side of a handshake. */
export class HandshakeState {
  readonly #options: HandshakeOptions;
  #progress: Progress;

  /** The second argument is for {@link clone}. */
  constructor(options: HandshakeOptions, progress: Progress = initialize(options)) {
    this.#options = options;
    this.#progress = progress;
  }

  /** An independent copy. */
  clone(): HandshakeState {
    return new HandshakeState(this.#options, copy(this.#progress));
  }

  /**
   * Command: the next message, with `payload` in it.
   *
   * @param e our ephemeral key pair, for the message that sends it: fresh, used for no other handshake.
   * @throws Error if it is not our turn or a key is missing; RangeError if no secret can be shared with the peer's key.
   */
  writeMessage(payload: Uint8Array, e?: KeyPair): Uint8Array {
    const { s } = this.#options;
    const progress = copy(this.#progress);
    const parts: Uint8Array[] = [];
    for (const token of this.#take(progress, "write")) {
      if (token === "e") {
        progress.e = e;
        const { publicKey } = required(e, "e");
        parts.push(publicKey);
        this.#mixEphemeral(progress, publicKey);
      } else if (token === "s") {
        parts.push(progress.symmetric.encryptAndHash(required(s, "s").publicKey));
      } else if (!this.#mix(progress, token)) {
        throw new RangeError("the peer's public key is of low order");
      }
    }
    parts.push(progress.symmetric.encryptAndHash(payload));
    this.#commit(progress);
    return concatBytes(...parts);
  }

  /**
   * Input: the peer's next message. Returns its payload, or `undefined` if the message is not right in every byte; then
   * nothing has changed.
   *
   * @throws Error if it is our turn to write.
   */
  readMessage(message: Uint8Array): Uint8Array | undefined {
    const progress = copy(this.#progress);
    const payload = this.#read(progress, message);
    if (payload === undefined) progress.symmetric.wipe();
    else this.#commit(progress);
    return payload;
  }

  /**
   * The keys of the session, once all messages are through.
   *
   * @throws Error before.
   */
  split(): SplitKeys {
    assert(this.isComplete, "a handshake is split once it is complete");
    return this.#progress.symmetric.split();
  }

  /** Command: overwrites the secrets of the handshake; it can't go on. */
  wipe(): void {
    this.#progress.symmetric.wipe();
  }

  /** Whether all messages are through. */
  get isComplete(): boolean {
    return this.#progress.next === this.#options.pattern.messages.length;
  }

  /** The hash of all that both sides have said, unique to this session once it is complete (Noise §11.2). */
  get handshakeHash(): Uint8Array {
    return this.#progress.symmetric.h;
  }

  /** Whether the payload of the next message is encrypted even if its tokens add no key. */
  get hasKey(): boolean {
    return this.#progress.symmetric.hasKey;
  }

  /** The peer's static public key, as soon as it is known. */
  get remoteStaticKey(): Uint8Array | undefined {
    return this.#progress.rs;
  }

  #read(progress: Progress, message: Uint8Array): Uint8Array | undefined {
    let offset = 0;
    for (const token of this.#take(progress, "read")) {
      const start = offset;
      if (token === "e") {
        offset += KEY_SIZE;
        if (offset > message.length) return undefined;
        progress.re = message.slice(start, offset);
        this.#mixEphemeral(progress, progress.re);
      } else if (token === "s") {
        offset += KEY_SIZE + (progress.symmetric.hasKey ? TAG_SIZE : 0);
        if (offset > message.length) return undefined;
        progress.rs = progress.symmetric.decryptAndHash(message.slice(start, offset));
        if (progress.rs === undefined) return undefined;
      } else if (!this.#mix(progress, token)) {
        return undefined;
      }
    }
    return progress.symmetric.decryptAndHash(message.slice(offset));
  }

  /** Mixes what a token other than `e` and `s` stands for. False if a public key of the peer is of no use. */
  #mix(progress: Progress, token: Exclude<Token, "e" | "s">): boolean {
    const { psk, role, s } = this.#options;
    if (token === "psk") {
      progress.symmetric.mixKeyAndHash(required(psk, "psk"));
      return true;
    }
    // The first letter of a token is the initiator's key, the second the responder's.
    const [own, other] = role === "initiator" ? token : [token[1], token[0]];
    const publicKey = required(other === "e" ? progress.re : progress.rs, `r${other}`);
    const shared = diffieHellman(required(own === "e" ? progress.e : s, own!), publicKey);
    if (shared === undefined) return false;
    progress.symmetric.mixKey(shared);
    wipe(shared);
    return true;
  }

  #mixEphemeral(progress: Progress, publicKey: Uint8Array): void {
    progress.symmetric.mixHash(publicKey);
    // Noise §9.2: with a psk in the pattern every ephemeral key also goes into the chaining key.
    if (this.#options.psk !== undefined) progress.symmetric.mixKey(publicKey);
  }

  /** The tokens of the next message, whose turn it must be. */
  #take(progress: Progress, act: "read" | "write"): readonly Token[] {
    const { pattern, role } = this.#options;
    const writer = progress.next % 2 === 0 ? "initiator" : "responder";
    assert((writer === role) === (act === "write"), `it is not our turn to ${act}`);
    const tokens = required(pattern.messages[progress.next], "message");
    progress.next += 1;
    return tokens;
  }

  #commit(progress: Progress): void {
    this.#progress.symmetric.wipe();
    this.#progress = progress;
  }
}

function initialize(options: HandshakeOptions): Progress {
  const { pattern, suite, role, s, rs } = options;
  const symmetric = SymmetricState.initialize(suite, `Noise_${pattern.name}_${suite.name}`);
  symmetric.mixHash(options.prologue);
  // The initiator's key first, if both are known.
  for (const owner of ["initiator", "responder"] as const) {
    if (!pattern.known.includes(owner)) continue;
    symmetric.mixHash(owner === role ? required(s, "s").publicKey : required(rs, "rs"));
  }
  return { symmetric, e: undefined, rs, re: undefined, next: 0 };
}

function copy(progress: Progress): Progress {
  return { ...progress, symmetric: progress.symmetric.clone() };
}

function required<Value>(value: Value | undefined, name: string): Value {
  assert(value !== undefined, `the handshake has no ${name}`);
  return value;
}
