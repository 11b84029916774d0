/**
 * What peers without a path say to each other: sealed messages that any carrier may bring (spec/rendezvous.md#envelopes).
 *
 * ```
 * +----------+-----------+
 * | kind (8) | content … |      1: core1      2: core2      3: a protected packet of the probe space
 * +----------+-----------+
 * ```
 *
 * The contents are sealed by the ticket or the connection, so an envelope has no protection of its own.
 *
 * @module
 */
import { concatBytes } from "../util/bytes.ts";

// Specification

/** Bytes of the largest envelope: what fits into one datagram of the base size. */
export const MAX_ENVELOPE_SIZE = 1_200;

/** What an envelope holds: the two messages of a handshake, or a packet that carries candidates and punch orders. */
export type EnvelopeKind = "core1" | "core2" | "probe";

const KINDS: readonly EnvelopeKind[] = ["core1", "core2", "probe"];

/** One sealed message on its way. */
export interface Envelope {
  readonly kind: EnvelopeKind;
  readonly content: Uint8Array;
}

/**
 * The bytes of an envelope.
 *
 * @throws RangeError if they are more than {@link MAX_ENVELOPE_SIZE}, or there is no content.
 */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  const { kind, content } = envelope;
  if (content.length < 1 || content.length >= MAX_ENVELOPE_SIZE)
    throw new RangeError(`envelope of ${content.length + 1} bytes`);
  return concatBytes(Uint8Array.of(KINDS.indexOf(kind) + 1), content);
}

/** The envelope in the bytes, with a view of them; `undefined` if they hold none that we know. */
export function decodeEnvelope(bytes: Uint8Array): Envelope | undefined {
  if (bytes.length < 2 || bytes.length > MAX_ENVELOPE_SIZE) return undefined;
  const kind = KINDS[bytes[0]! - 1];
  return kind === undefined ? undefined : { kind, content: bytes.subarray(1) };
}
