/**
 * The short texts that travel with a close or a refusal.
 *
 * @module
 */

// Specification

/** Bytes of a reason; enough for a sentence, too few to matter in a packet (spec/wire.md#close). */
export const MAX_REASON_BYTES = 64;

const encoder = new TextEncoder();
// Without `ignoreBOM` the decoder would swallow a leading U+FEFF.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The text as at most {@link MAX_REASON_BYTES} bytes of UTF-8; what does not fit is cut off between characters. */
export function encodeReason(text: string): Uint8Array {
  const bytes = new Uint8Array(MAX_REASON_BYTES);
  return bytes.subarray(0, encoder.encodeInto(text, bytes).written);
}

/** The text that the bytes hold; what is not UTF-8 becomes U+FFFD. It may hold any character, control ones included. */
export function decodeReason(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
