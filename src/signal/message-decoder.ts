/**
 * Finds the control messages in the bytes of a stream, which arrive in pieces of any size.
 *
 * At most one message is held in part, so the memory of a decoder is bounded by {@link MAX_BODY_SIZE} and the piece that
 * it was given last. Messages of unknown types are passed over; anything else that is wrong is final (RDV-9).
 *
 * @module
 */
import { Reader } from "../wire/reader.ts";
import { decodeBody } from "./message-codec.ts";
import { MAX_BODY_SIZE, type Message } from "./messages.ts";

const NO_BYTES = new Uint8Array(0);

/** A decoder for one direction of one session. */
export class MessageDecoder {
  /** Bytes not yet consumed lie from `#start` to `#end`. Those before are never written again: views of them may live. */
  #buffer: Uint8Array = NO_BYTES;
  #start = 0;
  #end = 0;
  /** Whether the buffer is ours, so that bytes may be appended. */
  #isOwn = false;
  #failed = false;

  /** Input: the next bytes of the stream. All messages before them have been taken by {@link next}. */
  push(bytes: Uint8Array): void {
    if (this.#failed || bytes.length === 0) return;
    if (this.#start === this.#end) {
      // Fast path: most messages arrive whole.
      this.#buffer = bytes;
      this.#start = 0;
      this.#end = bytes.length;
      this.#isOwn = false;
      return;
    }
    if (!this.#isOwn || this.#buffer.length - this.#end < bytes.length) this.#grow(bytes.length);
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Output: the next message; `undefined` until more bytes have come. Its byte strings are views of bytes that were pushed. */
  next(): Message | undefined {
    while (!this.#failed) {
      const header = this.#header();
      if (header === undefined || header.bodyStart + header.length > this.#end) {
        this.#keep();
        return undefined;
      }
      const end = header.bodyStart + header.length;
      const message = decodeBody(header.type, this.#buffer.subarray(header.bodyStart, end));
      if (message === "malformed") {
        this.#fail();
        return undefined;
      }
      this.#start = end;
      if (message !== undefined) return message;
    }
    return undefined;
  }

  /** Whether the stream broke the rules; nothing more comes of it then. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Bytes of a message that has not come whole. */
  get held(): number {
    return this.#end - this.#start;
  }

  /** Type and length of the next message, if they are here whole. */
  #header(): { readonly type: number; readonly length: number; readonly bodyStart: number } | undefined {
    const available = this.#end - this.#start;
    if (available < 2) return undefined;
    // RFC 9000 §16: the two high bits of an integer tell its size.
    const typeSize = 1 << (this.#buffer[this.#start]! >>> 6);
    if (available <= typeSize) return undefined;
    const headerSize = typeSize + (1 << (this.#buffer[this.#start + typeSize]! >>> 6));
    if (available < headerSize) return undefined;
    const reader = new Reader(this.#buffer.subarray(this.#start, this.#start + headerSize));
    const type = reader.varint();
    const length = reader.varint();
    if (reader.failed || length > MAX_BODY_SIZE) {
      this.#fail();
      return undefined;
    }
    return { type, length, bodyStart: this.#start + headerSize };
  }

  /** Copies what is left of a piece that was lent to us. */
  #keep(): void {
    if (this.#isOwn || this.#start === this.#end) return;
    this.#buffer = this.#buffer.slice(this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
    this.#isOwn = true;
  }

  /** Makes room for `count` bytes, at least twice what is held: many small pieces cost no more than a few large ones. */
  #grow(count: number): void {
    const held = this.#end - this.#start;
    const larger = new Uint8Array(Math.max(held + count, 2 * held));
    larger.set(this.#buffer.subarray(this.#start, this.#end));
    this.#buffer = larger;
    this.#start = 0;
    this.#end = held;
    this.#isOwn = true;
  }

  #fail(): void {
    this.#failed = true;
    this.#buffer = NO_BYTES;
    this.#start = 0;
    this.#end = 0;
  }
}
