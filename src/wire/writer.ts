/**
 * A cursor that fills a buffer with integers and byte strings.
 *
 * The caller knows the size of what it writes ({@link Writer.remaining}, `frameLength`), so running into the limit is a
 * bug and throws.
 *
 * @module
 */
import { varintLength, writeVarint } from "./varint.ts";

const NO_BYTES = new Uint8Array(0);

/** Writes big-endian from `offset` up to before `limit`. Every method throws a RangeError rather than pass the limit. */
export class Writer {
  buffer: Uint8Array;
  /** Where the next byte goes. */
  offset: number;
  /** Where writing must stop; within the buffer. */
  limit: number;

  constructor(buffer: Uint8Array = NO_BYTES) {
    this.buffer = buffer;
    this.offset = 0;
    this.limit = buffer.length;
  }

  /** Starts anew. */
  reset(buffer: Uint8Array, offset = 0, limit = buffer.length): void {
    this.buffer = buffer;
    this.offset = offset;
    this.limit = limit;
  }

  /** One byte. */
  u8(value: number): void {
    const offset = this.#advance(1);
    this.buffer[offset] = value;
  }

  /** Two bytes. */
  u16(value: number): void {
    const offset = this.#advance(2);
    this.buffer[offset] = value >>> 8;
    this.buffer[offset + 1] = value;
  }

  /** Four bytes. */
  u32(value: number): void {
    const offset = this.#advance(4);
    const buffer = this.buffer;
    buffer[offset] = value >>> 24;
    buffer[offset + 1] = value >>> 16;
    buffer[offset + 2] = value >>> 8;
    buffer[offset + 3] = value;
  }

  /** A variable-length integer in its shortest form, RFC 9000 §16. */
  varint(value: number): void {
    const offset = this.offset;
    // Fast path: room for the longest form.
    if (this.limit - offset >= 8) this.offset = writeVarint(this.buffer, offset, value);
    else writeVarint(this.buffer, this.#advance(varintLength(value)), value);
  }

  /** The bytes as they are. */
  bytes(bytes: Uint8Array): void {
    this.buffer.set(bytes, this.#advance(bytes.length));
  }

  /** The same byte `count` times. */
  fill(byte: number, count: number): void {
    const offset = this.#advance(count);
    this.buffer.fill(byte, offset, offset + count);
  }

  /** Bytes that still fit. */
  get remaining(): number {
    return this.limit - this.offset;
  }

  #advance(count: number): number {
    const offset = this.offset;
    if (count > this.limit - offset) throw new RangeError(`${count} bytes do not fit into ${this.limit - offset}`);
    this.offset = offset + count;
    return offset;
  }
}
