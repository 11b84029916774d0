/**
 * The cryptographic primitives, and the only file that imports node:crypto.
 *
 * X25519 (RFC 7748 §5), AES-GCM and ChaCha20-Poly1305 (RFC 8439 §2.8), SHA-2 and BLAKE2 with HMAC (RFC 2104 §2). What comes
 * out is plain `Uint8Array`, never a `Buffer`, whose `slice` would share memory where callers expect a copy.
 *
 * @module
 */
import {
  type Cipher,
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  diffieHellman as nodeDiffieHellman,
  randomBytes as nodeRandomBytes,
  timingSafeEqual,
} from "node:crypto";

// Specification

/** Bytes of an X25519 key, private or public. */
export const KEY_SIZE = 32;

/** Bytes of an AEAD's tag. */
const TAG_SIZE = 16;

/** Bytes of a block of AES. */
const BLOCK_SIZE = 16;

/** RFC 7748 §6.1: the public key is the private key times this point. */
const BASE_POINT = Uint8Array.of(9, ...new Uint8Array(KEY_SIZE - 1));

/** Hash functions, by their names in Noise. */
export type HashName = "SHA256" | "SHA512" | "BLAKE2s" | "BLAKE2b";

/** AEADs with a nonce of 12 bytes and a tag of 16. */
export type Aead = "aes-128-gcm" | "aes-256-gcm" | "chacha20-poly1305";

// Implementation

const OPENSSL_HASH: Readonly<Record<HashName, string>> = {
  SHA256: "sha256",
  SHA512: "sha512",
  BLAKE2s: "blake2s256",
  BLAKE2b: "blake2b512",
};

/** A block cipher by itself has no initialisation vector. */
const NO_IV = new Uint8Array(0);

/** One object for all calls: it would cost an allocation for each packet. */
const AEAD_OPTIONS = { authTagLength: TAG_SIZE } as const;

/** A private key that prints as a placeholder. Its bytes are held outside the heap of JavaScript. */
export class PrivateKey {
  readonly #handle: KeyObject;

  /** @internal Key pairs come from {@link keyPairFromSeed}. */
  constructor(handle: KeyObject) {
    this.#handle = handle;
  }

  /** @internal */
  static handleOf(key: PrivateKey): KeyObject {
    return key.#handle;
  }

  toJSON(): string {
    return "<secret>";
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "PrivateKey <secret>";
  }
}

/** An X25519 key pair. */
export interface KeyPair {
  /** {@link KEY_SIZE} bytes. */
  readonly publicKey: Uint8Array;
  readonly privateKey: PrivateKey;
}

/**
 * The key pair whose private key is these 32 bytes.
 *
 * @throws RangeError if there are not exactly 32.
 */
export function keyPairFromSeed(privateKey: Uint8Array): KeyPair {
  if (privateKey.length !== KEY_SIZE) throw new RangeError(`a private key has ${KEY_SIZE} bytes`);
  // A private key in this form is taken from `d` alone; `x` has to be there. The DER form takes twelve times as long.
  const jwk = { kty: "OKP", crv: "X25519", x: toBase64Url(BASE_POINT), d: toBase64Url(privateKey) };
  const pair = new PrivateKey(createPrivateKey({ key: jwk, format: "jwk" }));
  return { privateKey: pair, publicKey: multiply(pair, BASE_POINT)! };
}

/** The 32 bytes of the private key: for a key file, nothing else. */
export function exportPrivateKey(pair: KeyPair): Uint8Array {
  const jwk = PrivateKey.handleOf(pair.privateKey).export({ format: "jwk" });
  return new Uint8Array(Buffer.from(jwk.d!, "base64url"));
}

/**
 * The secret shared with the owner of `publicKey`; `undefined` if that is no public key, or one whose product with every
 * private key is zero (RFC 7748 §6.1).
 */
export function diffieHellman(pair: KeyPair, publicKey: Uint8Array): Uint8Array | undefined {
  return publicKey.length === KEY_SIZE ? multiply(pair.privateKey, publicKey) : undefined;
}

/** Whether the bytes are a public key that a secret can be shared with. */
export function isPublicKey(bytes: Uint8Array): boolean {
  // Any private key will do: those that give zero with one give zero with all (RFC 7748 §6.1).
  return diffieHellman(keyPairFromSeed(new Uint8Array(KEY_SIZE).fill(1)), bytes) !== undefined;
}

/** The SHA-256 of all parts, in order. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  return digest("SHA256", ...parts);
}

/** The HMAC-SHA256 of all parts, in order. */
export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  return hmac("SHA256", key, ...parts);
}

/** The digest of all parts, in order. */
export function digest(hash: HashName, ...parts: readonly Uint8Array[]): Uint8Array {
  const state = createHash(OPENSSL_HASH[hash]);
  for (const part of parts) state.update(part);
  return plain(state.digest());
}

/** The HMAC (RFC 2104 §2) of all parts, in order. */
export function hmac(hash: HashName, key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const state = createHmac(OPENSSL_HASH[hash], key);
  for (const part of parts) state.update(part);
  return plain(state.digest());
}

/** Whether two secrets are equal, in a time that does not depend on where they differ. */
export function equalConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Unpredictable bytes. For composition roots only: machines are given their randomness. */
export function randomBytes(size: number): Uint8Array {
  return plain(nodeRandomBytes(size));
}

/** One key of an AEAD. The caller keeps the rule that makes it safe: no nonce is used twice for sealing. */
export class AeadKey {
  /** One of {@link Aead}. Node's types have an overload for each mode; this one fits all three. */
  readonly #aead: "aes-256-gcm";
  readonly #key: Uint8Array;

  /** The key is copied. */
  constructor(aead: Aead, key: Uint8Array) {
    this.#aead = aead as "aes-256-gcm";
    this.#key = key.slice();
  }

  /** The ciphertext and the tag after it. */
  seal(nonce: Uint8Array, associatedData: Uint8Array, plaintext: Uint8Array): Uint8Array {
    const sealed = new Uint8Array(plaintext.length + TAG_SIZE);
    sealed.set(plaintext);
    this.sealInPlace(nonce, associatedData, sealed);
    return sealed;
  }

  /** Seals all but the last 16 bytes of `region`, which receive the tag. */
  sealInPlace(nonce: Uint8Array, associatedData: Uint8Array, region: Uint8Array): void {
    const tagOffset = region.length - TAG_SIZE;
    const cipher = createCipheriv(this.#aead, this.#key, nonce, AEAD_OPTIONS);
    cipher.setAAD(associatedData);
    region.set(cipher.update(region.subarray(0, tagOffset)));
    cipher.final();
    region.set(cipher.getAuthTag(), tagOffset);
  }

  /** The plaintext, or `undefined` if anything but this key, nonce and data made `sealed`. */
  open(nonce: Uint8Array, associatedData: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    const tagOffset = sealed.length - TAG_SIZE;
    if (tagOffset < 0) return undefined;
    const decipher = createDecipheriv(this.#aead, this.#key, nonce, AEAD_OPTIONS);
    decipher.setAAD(associatedData);
    decipher.setAuthTag(sealed.subarray(tagOffset));
    const plaintext = decipher.update(sealed.subarray(0, tagOffset));
    try {
      decipher.final();
    } catch {
      plaintext.fill(0);
      return undefined;
    }
    return plain(plaintext);
  }

  /** Overwrites the key; using it afterwards is a bug. */
  wipe(): void {
    this.#key.fill(0);
  }
}

/** AES-128 on single blocks, with one long-lived cipher object: it makes masks, and hides nothing by itself. */
export class BlockCipher {
  readonly #cipher: Cipher;

  /** `key` has 16 bytes. */
  constructor(key: Uint8Array) {
    this.#cipher = createCipheriv("aes-128-ecb", key, NO_IV).setAutoPadding(false);
  }

  /** Each block of 16 bytes, encrypted by itself. The length is a multiple of 16. */
  encrypt(blocks: Uint8Array): Uint8Array {
    if (blocks.length % BLOCK_SIZE !== 0) throw new RangeError(`whole blocks of ${BLOCK_SIZE} bytes only`);
    return plain(this.#cipher.update(blocks));
  }
}

function multiply(privateKey: PrivateKey, publicKey: Uint8Array): Uint8Array | undefined {
  const jwk = { kty: "OKP", crv: "X25519", x: toBase64Url(publicKey) };
  let secret: Uint8Array;
  try {
    const handle = createPublicKey({ key: jwk, format: "jwk" });
    secret = nodeDiffieHellman({ privateKey: PrivateKey.handleOf(privateKey), publicKey: handle });
  } catch {
    // OpenSSL refuses points of low order itself.
    return undefined;
  }
  // RFC 7748 §6.1: an all-zero secret is refused, whatever the library does.
  if (equalConstantTime(secret, new Uint8Array(KEY_SIZE))) return undefined;
  return plain(secret);
}

function toBase64Url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64url");
}

/** The same memory without the methods of `Buffer`. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
