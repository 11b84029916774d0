/**
 * Bytes that must not be shown.
 *
 * Keys and secrets travel through objects that somebody will print one day. These bytes print as a placeholder, alone
 * and inside anything, and so do views and copies made of them.
 *
 * @module
 */

/** What is shown in place of the bytes. */
const PLACEHOLDER = "<secret>";

/** A byte string whose contents neither `console.log` nor `JSON.stringify` shows. */
export class SecretBytes extends Uint8Array {
  toJSON(): string {
    return PLACEHOLDER;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return PLACEHOLDER;
  }
}

/** A copy of `bytes` that is not shown. */
export function secretBytes(bytes: Uint8Array): SecretBytes {
  return new SecretBytes(bytes);
}

/** Overwrites secrets that are no longer needed. Copies that the runtime made of them cannot be reached. */
export function wipe(...secrets: readonly Uint8Array[]): void {
  for (const secret of secrets) secret.fill(0);
}
