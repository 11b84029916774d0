/**
 * Who one is: a static key pair, made on the spot or kept in a file.
 *
 * @module
 */
import { exportPrivateKey, type KeyPair, keyPairFromSeed, randomBytes } from "../crypto/primitives.ts";
import { toHex } from "../util/bytes.ts";
import { PunchlineError } from "./errors.ts";

/** A key pair by which a peer is recognised. Printing it shows the public key only. */
export class Identity {
  /** @internal */
  readonly keyPair: KeyPair;

  private constructor(keyPair: KeyPair) {
    this.keyPair = keyPair;
  }

  /** A new identity that nobody knows yet. */
  static generate(): Identity {
    return new Identity(keyPairFromSeed(randomBytes(32)));
  }

  /**
   * The identity with this private key.
   *
   * @param privateKey 32 bytes; they are copied.
   * @throws {@link PunchlineError} `ERR_IDENTITY` if it has another length.
   */
  static fromPrivateKey(privateKey: Uint8Array): Identity {
    if (privateKey.length !== 32) throw new PunchlineError("ERR_IDENTITY", "a private key has 32 bytes");
    return new Identity(keyPairFromSeed(privateKey));
  }

  /** The private key, 32 bytes: whoever has it is this identity. */
  exportPrivateKey(): Uint8Array {
    return exportPrivateKey(this.keyPair);
  }

  /** The public key: 64 hexadecimal digits, the form that `allow` takes. */
  get key(): string {
    return toHex(this.keyPair.publicKey);
  }

  toJSON(): { readonly key: string } {
    return { key: this.key };
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `Identity ${this.key}`;
  }
}
