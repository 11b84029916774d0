/**
 * What was written to a stream and is not yet acknowledged.
 *
 * Bytes are kept as references to the chunks that were written and copied once, into the packet. Offsets count from the
 * start of the stream:
 *
 * ```
 *  0        acked            sent               end
 *  |--------|----------------|------------------|
 *   released  in flight, lost      unsent
 *             or acked apart
 * ```
 *
 * Lost bytes are offered before unsent ones. Both sets of ranges exist only while something is out of order.
 *
 * @module
 */
import { RangeSet } from "../util/range-set.ts";

// Implementation

/** Shorter chunks are gathered in a block: an object for each would cost more than the bytes. */
const SMALL_CHUNK = 256;

/** Bytes of such a block. */
const BLOCK_SIZE = 4096;

/** Places of released chunks are cut off once there are so many, and more than half of all. */
const MAX_RELEASED = 32;

/** The unacknowledged bytes of one stream. */
export class SendBuffer {
  #chunks: Uint8Array[] = [];
  /** Offset behind the last byte of each chunk. */
  #ends: number[] = [];
  /** Index of the first chunk that is not released. */
  #head = 0;
  /** Offset of the first byte of that chunk. */
  #base = 0;
  #acked = 0;
  #sent = 0;
  #end = 0;
  /** Acknowledged bytes above {@link #acked}. */
  #ackedApart: RangeSet | undefined;
  /** Bytes to be sent again; never acknowledged ones. */
  #lost: RangeSet | undefined;
  /** The last chunk, if it is a block of ours with room behind its end. */
  #block: Uint8Array | undefined;
  /** Where the last copy ended, which is where the next one mostly starts. */
  #hint = 0;

  // Inputs

  /** Input: the bytes in `[start, end)` have arrived. */
  ack(start: number, end: number): void {
    if (end <= this.#acked) return;
    this.#lost?.remove(start, end);
    if (start > this.#acked) {
      this.#ackedApart ??= new RangeSet();
      this.#ackedApart.add(start, end);
      return;
    }
    this.#acked = end;
    this.#absorb();
    this.#release();
  }

  /** Input: a packet with the bytes in `[start, end)` is lost. Those that are not acknowledged must be sent again. */
  lose(start: number, end: number): void {
    if (end <= this.#acked) return;
    this.#lost ??= new RangeSet();
    this.#lost.add(Math.max(start, this.#acked), end);
    const apart = this.#ackedApart;
    if (apart !== undefined) {
      for (let i = apart.indexOfRangeAfter(start); i < apart.rangeCount && apart.start(i) < end; i++) {
        this.#lost.remove(apart.start(i), apart.end(i));
      }
    }
  }

  // Commands

  /** Command: appends a chunk, which must not change any more. */
  write(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#end += chunk.length;
    if (chunk.length < SMALL_CHUNK) {
      this.#gather(chunk);
      return;
    }
    this.#chunks.push(chunk);
    this.#ends.push(this.#end);
    this.#block = undefined;
  }

  /** Command: counts the next `length` unsent bytes as sent. */
  takeUnsent(length: number): void {
    this.#sent += length;
  }

  /** Command: counts the first `length` lost bytes as sent again. */
  takeLost(length: number): void {
    const start = this.lostStart;
    this.#lost?.remove(start, start + length);
  }

  /** Command: drops everything. */
  discard(): void {
    this.#acked = this.#sent;
    this.#end = this.#sent;
    this.#clear();
    this.#lost = undefined;
    this.#ackedApart = undefined;
  }

  // Outputs

  /** Output: copies `length` bytes of the stream from `offset` on to `target` at `at`. They must be unacknowledged. */
  copyTo(target: Uint8Array, at: number, offset: number, length: number): void {
    let index = this.#find(offset);
    let from = offset - (index === this.#head ? this.#base : this.#ends[index - 1]!);
    let to = at;
    const stop = at + length;
    for (;;) {
      const chunk = this.#chunks[index]!;
      const count = Math.min(stop - to, this.#ends[index]! - offset - (to - at));
      target.set(from === 0 && count === chunk.length ? chunk : chunk.subarray(from, from + count), to);
      to += count;
      if (to === stop) break;
      from = 0;
      index += 1;
    }
    this.#hint = index;
  }

  // Getters

  /** Offset of the first lost byte, if {@link lostLength} is above 0. */
  get lostStart(): number {
    return this.#lost?.first ?? 0;
  }

  /** Bytes that are lost in one piece from {@link lostStart} on. */
  get lostLength(): number {
    const lost = this.#lost;
    return lost === undefined || lost.isEmpty ? 0 : lost.end(0) - lost.start(0);
  }

  /** Bytes that are lost in all. */
  get lostBytes(): number {
    const lost = this.#lost;
    let bytes = 0;
    if (lost !== undefined) for (let i = 0; i < lost.rangeCount; i++) bytes += lost.end(i) - lost.start(i);
    return bytes;
  }

  /** Offset behind the last byte that was sent. */
  get sent(): number {
    return this.#sent;
  }

  /** Offset behind the last byte that was written. */
  get end(): number {
    return this.#end;
  }

  /** Bytes that were never sent. */
  get unsent(): number {
    return this.#end - this.#sent;
  }

  /** Bytes from the first unacknowledged one on. */
  get buffered(): number {
    return this.#end - this.#acked;
  }

  /** Whether the peer has every byte that was written. */
  get isAllAcked(): boolean {
    return this.#acked === this.#end;
  }

  // Private

  /** Copies a small chunk behind others like it. */
  #gather(chunk: Uint8Array): void {
    const last = this.#chunks.length - 1;
    if (this.#block !== undefined) {
      const used = this.#ends[last]! - (last === this.#head ? this.#base : this.#ends[last - 1]!);
      if (used + chunk.length <= BLOCK_SIZE) {
        this.#block.set(chunk, used);
        this.#ends[last] = this.#end;
        return;
      }
    }
    this.#block = new Uint8Array(BLOCK_SIZE);
    this.#block.set(chunk);
    this.#chunks.push(this.#block);
    this.#ends.push(this.#end);
  }

  /** Moves {@link #acked} over what was acknowledged apart. */
  #absorb(): void {
    const apart = this.#ackedApart;
    if (apart === undefined) return;
    while (!apart.isEmpty && apart.start(0) <= this.#acked) {
      this.#acked = Math.max(this.#acked, apart.end(0));
      apart.remove(0, this.#acked);
    }
    if (apart.isEmpty) this.#ackedApart = undefined;
  }

  /** Lets go of chunks that are acknowledged as a whole. */
  #release(): void {
    if (this.#acked === this.#end) {
      this.#clear();
      if (this.#lost?.isEmpty) this.#lost = undefined;
      return;
    }
    while (this.#ends[this.#head]! <= this.#acked) {
      this.#base = this.#ends[this.#head]!;
      this.#chunks[this.#head] = NOTHING;
      this.#head += 1;
    }
    if (this.#head < MAX_RELEASED || 2 * this.#head < this.#chunks.length) return;
    this.#chunks = this.#chunks.slice(this.#head);
    this.#ends = this.#ends.slice(this.#head);
    this.#hint = Math.max(0, this.#hint - this.#head);
    this.#head = 0;
  }

  #clear(): void {
    this.#chunks = [];
    this.#ends = [];
    this.#head = 0;
    this.#hint = 0;
    this.#base = this.#end;
    this.#block = undefined;
  }

  /** Index of the chunk that holds the byte at `offset`. */
  #find(offset: number): number {
    const ends = this.#ends;
    let low = this.#head;
    let high = ends.length - 1;
    // Fast path: unsent bytes are copied in order.
    const hint = this.#hint;
    if (hint >= low && hint <= high && offset >= (hint === low ? this.#base : ends[hint - 1]!)) {
      if (offset < ends[hint]!) return hint;
      low = hint + 1;
    }
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ends[middle]! > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

const NOTHING = new Uint8Array(0);
