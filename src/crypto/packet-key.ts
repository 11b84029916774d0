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
  readonly #iv: Uint8Array;

  constructor(secret: Uint8Array, aead: AeadId) {
    const { key, iv } = deriveKey(secret, aead);
    this.#key = new AeadKey(PACKET_AEAD[aead].aead, key);
    this.#iv = Uint8Array.from(iv);
    wipe(key, iv);
  }

  sealBatch(buffer: Uint8Array, batch: Batch): void {
    const { start, end, segmentSize } = batch;
    let packetNumber = batch.firstPacketNumber;
    for (let offset = start; offset < end; offset += segmentSize) {
      const packetEnd = Math.min(offset + segmentSize, end);
      for (let i = 0; i < HEADER_SIZE; i++) HEADER[i] = buffer[offset + i]!;
      writeNonce(this.#iv, packetNumber);
      this.#key.sealInPlace(NONCE, HEADER, buffer.subarray(offset + HEADER_SIZE, packetEnd));
      packetNumber += 1;
    }
  }

  open(packet: Uint8Array, header: Uint8Array, packetNumber: number): Uint8Array | undefined {
    writeNonce(this.#iv, packetNumber);
    return this.#key.open(NONCE, header, packet.subarray(HEADER_SIZE));
  }

  wipe(): void {
    this.#key.wipe();
    wipe(this.#iv);
  }
}

/** RFC 9001 §5.3: the nonce is the packet number, left-padded with zeros, XOR the initialisation vector. */
function writeNonce(iv: Uint8Array, packetNumber: number): void {
  // Two halves of 32 bits: bit operations on numbers see no more.
  const high = Math.floor(packetNumber / 0x1_0000_0000);
  const low = packetNumber >>> 0;
  for (let i = 0; i < 4; i++) NONCE[i] = iv[i]!;
  for (let i = 0; i < 4; i++) NONCE[4 + i] = iv[4 + i]! ^ (high >>> (24 - 8 * i));
  for (let i = 0; i < 4; i++) NONCE[8 + i] = iv[8 + i]! ^ (low >>> (24 - 8 * i));
}
