/**
 * One key of packets: the AEAD of a batch, without header protection (RFC 9001 §5.3).
 *
 * The interface takes a whole batch, because that is what a native implementation needs to be fast. The one here goes
 * through node:crypto, which takes a new cipher object for each packet; nothing else is allocated but the views that it
 * is given and the buffers that it returns.
 *
 * @module
 */
import { wipe } from "../util/secret-bytes.ts";
import { HEADER_SIZE } from "../wire/packet-header.ts";
import { type AeadId, deriveKey, IV_SIZE, PACKET_AEAD } from "./key-schedule.ts";
import { AeadKey } from "./primitives.ts";

/** Packets that lie one behind the other in a buffer, with consecutive numbers. */
export interface Batch {
  /** Where the first packet begins. */
  readonly start: number;
  /** Where the last one ends. */
  readonly end: number;
  /** Bytes of each packet; the last may be shorter. */
  readonly segmentSize: number;
  readonly firstPacketNumber: number;
}

/** Seals and opens packets under one key. */
export interface PacketKey {
  /**
   * Command: seals each packet in its place. Its header is there, unmasked, and is the associated data; the last 16
   * bytes of each packet receive the tag. The caller never repeats a packet number.
   */
  sealBatch(buffer: Uint8Array, batch: Batch): void;
  /** The payload of a packet whose unmasked header is `header`, or `undefined` if it was not sealed like this. */
  open(packet: Uint8Array, header: Uint8Array, packetNumber: number): Uint8Array | undefined;
  /** Command: overwrites the key. */
  wipe(): void;
}

/** Makes a key from a secret of the data or probe space. */
export type PacketKeyFactory = (secret: Uint8Array, aead: AeadId) => PacketKey;

// Shared by all keys: a call fills them, uses them and is done.
const HEADER = new Uint8Array(HEADER_SIZE);
const NONCE = new Uint8Array(IV_SIZE);

/** The key through node:crypto. */
export const createPacketKey: PacketKeyFactory = (secret, aead) => new NodePacketKey(secret, aead);

class NodePacketKey implements PacketKey {
  readonly #key: AeadKey;
  // The initialisation vector as three words: an array of its own would cost an idle connection 1 KiB.
  #iv0: number;
  #iv1: number;
  #iv2: number;

  constructor(secret: Uint8Array, aead: AeadId) {
    const { key, iv } = deriveKey(secret, aead);
    this.#key = new AeadKey(PACKET_AEAD[aead].aead, key);
    this.#iv0 = wordAt(iv, 0);
    this.#iv1 = wordAt(iv, 4);
    this.#iv2 = wordAt(iv, 8);
    wipe(key, iv);
  }

  sealBatch(buffer: Uint8Array, batch: Batch): void {
    const { start, end, segmentSize } = batch;
    let packetNumber = batch.firstPacketNumber;
    for (let offset = start; offset < end; offset += segmentSize) {
      const packetEnd = Math.min(offset + segmentSize, end);
      for (let i = 0; i < HEADER_SIZE; i++) HEADER[i] = buffer[offset + i]!;
      this.#writeNonce(packetNumber);
      this.#key.sealInPlace(NONCE, HEADER, buffer.subarray(offset + HEADER_SIZE, packetEnd));
      packetNumber += 1;
    }
  }

  open(packet: Uint8Array, header: Uint8Array, packetNumber: number): Uint8Array | undefined {
    this.#writeNonce(packetNumber);
    return this.#key.open(NONCE, header, packet.subarray(HEADER_SIZE));
  }

  wipe(): void {
    this.#key.wipe();
    this.#iv0 = this.#iv1 = this.#iv2 = 0;
  }

  /** RFC 9001 §5.3: the nonce is the packet number, left-padded with zeros, XOR the initialisation vector. */
  #writeNonce(packetNumber: number): void {
    // Two halves of 32 bits: bit operations on numbers see no more.
    writeWord(0, this.#iv0);
    writeWord(4, this.#iv1 ^ Math.floor(packetNumber / 0x1_0000_0000));
    writeWord(8, this.#iv2 ^ packetNumber);
  }
}

/** Four bytes as a signed word, big-endian. */
function wordAt(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! << 24) | (bytes[offset + 1]! << 16) | (bytes[offset + 2]! << 8) | bytes[offset + 3]!;
}

/** Writes a word into the nonce, big-endian. */
function writeWord(offset: number, word: number): void {
  NONCE[offset] = word >>> 24;
  NONCE[offset + 1] = word >>> 16;
  NONCE[offset + 2] = word >>> 8;
  NONCE[offset + 3] = word;
}
