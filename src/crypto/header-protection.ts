/**
 * Header protection (RFC 9001 §5.4): hides packet numbers and key phases from whoever watches.
 *
 * The mask is AES-128 of a sample of the ciphertext, for both AEADs.
 *
 * Deviates from RFC 9001 §5.4.4: one long-lived AES object masks a whole batch in one call, ChaCha20 would need a new
 * object for each packet.
 *
 * @module
 */
import { HEADER_SIZE, MASKED_BITS, PACKET_NUMBER_OFFSET, SAMPLE_OFFSET } from "../wire/packet-header.ts";
import { BlockCipher } from "./primitives.ts";

// Specification

/** RFC 9001 §5.4.2: bytes of ciphertext that make a mask, and bytes of the mask that AES returns. */
const SAMPLE_SIZE = 16;

const PACKET_NUMBER_SIZE = 4;

/** Packets in one batch (spec/handshake.md#packets). */
export const MAX_BATCH_PACKETS = 64;

/** Samples of one batch. Shared by all: a call fills it, uses it and is done. */
const SAMPLES = new Uint8Array(MAX_BATCH_PACKETS * SAMPLE_SIZE);

/** Packets whose headers are to be masked. */
export interface HeaderBatch {
  /** Where the first packet begins. */
  readonly start: number;
  /** Bytes from one packet to the next. */
  readonly segmentSize: number;
  /** Packets, {@link MAX_BATCH_PACKETS} at most. */
  readonly count: number;
}

/** The header protection of one direction. */
export class HeaderProtection {
  readonly #cipher: BlockCipher;

  /** `key` has 16 bytes. */
  constructor(key: Uint8Array) {
    this.#cipher = new BlockCipher(key);
  }

  /** Command: masks the headers of sealed packets, all with one call of AES. */
  maskBatch(buffer: Uint8Array, batch: HeaderBatch): void {
    const { start, segmentSize, count } = batch;
    const size = count * SAMPLE_SIZE;
    let offset = start + SAMPLE_OFFSET;
    for (let at = 0; at < size; at += SAMPLE_SIZE) {
      for (let i = 0; i < SAMPLE_SIZE; i++) SAMPLES[at + i] = buffer[offset + i]!;
      offset += segmentSize;
    }
    const masks = this.#cipher.encrypt(SAMPLES.subarray(0, size));
    offset = start;
    for (let at = 0; at < size; at += SAMPLE_SIZE) {
      applyMask(buffer, offset, masks, at);
      offset += segmentSize;
    }
  }

  /** Writes the unmasked header of a packet, of at least 31 bytes, to `header`; the packet stays as it is. */
  unmask(packet: Uint8Array, header: Uint8Array): void {
    for (let i = 0; i < HEADER_SIZE; i++) header[i] = packet[i]!;
    const mask = this.#cipher.encrypt(packet.subarray(SAMPLE_OFFSET, SAMPLE_OFFSET + SAMPLE_SIZE));
    applyMask(header, 0, mask, 0);
  }
}

/** RFC 9001 §5.4.1, with a packet number that always has four bytes. */
function applyMask(target: Uint8Array, offset: number, masks: Uint8Array, at: number): void {
  target[offset] = target[offset]! ^ (masks[at]! & MASKED_BITS);
  const number = offset + PACKET_NUMBER_OFFSET;
  for (let i = 0; i < PACKET_NUMBER_SIZE; i++) target[number + i] = target[number + i]! ^ masks[at + 1 + i]!;
}
