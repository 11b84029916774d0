/**
 * Puts the bytes of a stream back in order.
 *
 * Pieces lie ascending in two parallel arrays, disjoint, possibly with gaps; reading takes them from the front. The first
 * copy of a byte counts (RFC 9000 §2.2 forbids the peer to send another). A peer decides how its data is cut, so what a
 * piece costs is bounded in three ways: the number of gaps has a limit; a piece that would pin a much larger receive
 * buffer is copied; and when pieces have become small on average, neighbours are merged. So memory stays within a small
 * multiple of the bytes held, which flow control bounds.
 *
 * @module
 */

// Implementation

/**
 * Gaps in what has arrived of one stream. Loss leaves a few hundred at most; beyond, the peer attacks our memory
 * (RFC 9000 §21.7). quic-go allows as many, quinn 1,024.
 */
export const MAX_GAPS = 1_000;

/** Shorter pieces are copied, so that they do not pin the buffer they came in. */
const COPY_BELOW = 128;

/** So are pieces of which the buffer is more than this many times as long. */
const MAX_PINNED_RATIO = 2;

/** Neighbours are merged when the mean piece is shorter than this: the objects then cost as much as the bytes. */
const SMALL_MEAN = 512;

/** … and there are so many pieces, or twice as many as the last time left. */
const MIN_PIECES_TO_MERGE = 64;

/** Merging makes blocks of this size at most, so that a byte is copied a few times at most. */
const MERGED_SIZE = 16_384;

/** Places of pieces already read that are kept before the arrays are cut. */
const MAX_READ = 64;

/** The received and unread bytes of one stream. */
export class Reassembler {
  #starts: number[] = [];
  #pieces: Uint8Array[] = [];
  /** Index of the first unread piece. */
  #head = 0;
  #readOffset = 0;
  /** Offset behind the last piece, or the read offset. */
  #end = 0;
  /** Gaps between the read offset and {@link #end}. */
  #gaps = 0;
  #buffered = 0;
  #mergeAt = MIN_PIECES_TO_MERGE;

  /** Input: bytes of the stream from `offset` on. Returns false if they make more than {@link MAX_GAPS} gaps. */
  insert(offset: number, data: Uint8Array): boolean {
    let start = offset;
    let rest = data;
    if (start < this.#readOffset) {
      if (start + rest.length <= this.#readOffset) return true;
      rest = rest.subarray(this.#readOffset - start);
      start = this.#readOffset;
    }
    // Fast path: data mostly arrives in order.
    if (start >= this.#end) this.#append(start, rest);
    else this.#insertBelowEnd(start, rest);
    if (this.#pieces.length - this.#head > this.#mergeAt) this.#mergeSmall();
    return this.#gaps <= MAX_GAPS;
  }

  /** Command: drops what is buffered. */
  discard(): void {
    this.#starts = [];
    this.#pieces = [];
    this.#head = 0;
    this.#end = this.#readOffset;
    this.#gaps = 0;
    this.#buffered = 0;
  }

  /** Output: the next bytes in order, `undefined` if they have not arrived. */
  read(): Uint8Array | undefined {
    if (!this.isReadable) return undefined;
    const piece = this.#pieces[this.#head]!;
    this.#pieces[this.#head] = NOTHING;
    this.#head += 1;
    this.#readOffset += piece.length;
    this.#buffered -= piece.length;
    if (this.#head >= MAX_READ) this.#cutRead();
    return piece;
  }

  /** Whether the next bytes in order have arrived. */
  get isReadable(): boolean {
    return this.#head < this.#pieces.length && this.#starts[this.#head] === this.#readOffset;
  }

  /** Offset of the next byte to be read. */
  get readOffset(): number {
    return this.#readOffset;
  }

  /** Offset behind the highest byte that has arrived. */
  get end(): number {
    return this.#end;
  }

  /** Bytes held. */
  get buffered(): number {
    return this.#buffered;
  }

  /** Gaps in what has arrived. */
  get gaps(): number {
    return this.#gaps;
  }

  #append(start: number, data: Uint8Array): void {
    if (start > this.#end) this.#gaps += 1;
    this.#starts.push(start);
    this.#pieces.push(keep(data));
    this.#buffered += data.length;
    this.#end = start + data.length;
  }

  /** Fills gaps from `from` on with what is new in `data`. */
  #insertBelowEnd(from: number, data: Uint8Array): void {
    let start = from;
    let rest = data;
    for (let index = this.#firstEndingAfter(start); rest.length > 0; index++) {
      if (index === this.#pieces.length) {
        this.#append(start, rest);
        return;
      }
      const next = this.#starts[index]!;
      if (start < next) {
        const length = Math.min(rest.length, next - start);
        this.#insertAt(index, start, rest.subarray(0, length));
        // The piece that was just inserted is skipped below, like one that had been there.
      }
      const covered = this.#starts[index]! + this.#pieces[index]!.length - start;
      start += covered;
      rest = rest.subarray(Math.min(covered, rest.length));
    }
  }

  /** Inserts a piece into the gap before the piece at `index`. */
  #insertAt(index: number, start: number, data: Uint8Array): void {
    const before = index === this.#head ? this.#readOffset : this.#endOf(index - 1);
    const behind = this.#starts[index]!;
    // One gap becomes none, one or two.
    this.#gaps += (start > before ? 1 : 0) + (start + data.length < behind ? 1 : 0) - 1;
    this.#starts.splice(index, 0, start);
    this.#pieces.splice(index, 0, keep(data));
    this.#buffered += data.length;
  }

  #endOf(index: number): number {
    return this.#starts[index]! + this.#pieces[index]!.length;
  }

  /** Index of the first unread piece that ends after `offset`. */
  #firstEndingAfter(offset: number): number {
    let low = this.#head;
    let high = this.#pieces.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#endOf(middle) > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Forgets the places of pieces that were read. */
  #cutRead(): void {
    if (this.#head === this.#pieces.length) {
      this.#starts = [];
      this.#pieces = [];
    } else {
      if (2 * this.#head < this.#pieces.length) return;
      this.#starts = this.#starts.slice(this.#head);
      this.#pieces = this.#pieces.slice(this.#head);
    }
    this.#head = 0;
  }

  /** Merges neighbouring pieces if they are small on average. */
  #mergeSmall(): void {
    if (this.#buffered >= SMALL_MEAN * (this.#pieces.length - this.#head)) return;
    const starts: number[] = [];
    const pieces: Uint8Array[] = [];
    for (let index = this.#head; index < this.#pieces.length; ) {
      const first = index;
      const start = this.#starts[first]!;
      index += 1;
      while (
        index < this.#pieces.length &&
        this.#starts[index] === this.#endOf(index - 1) &&
        this.#endOf(index) - start <= MERGED_SIZE
      ) {
        index += 1;
      }
      starts.push(start);
      pieces.push(index - first === 1 ? this.#pieces[first]! : this.#mergeRun(first, index));
    }
    this.#starts = starts;
    this.#pieces = pieces;
    this.#head = 0;
    this.#mergeAt = Math.max(MIN_PIECES_TO_MERGE, 2 * pieces.length);
  }

  /** The neighbouring pieces from `first` to before `last` in one. */
  #mergeRun(first: number, last: number): Uint8Array {
    const start = this.#starts[first]!;
    const merged = new Uint8Array(this.#endOf(last - 1) - start);
    for (let index = first; index < last; index++) merged.set(this.#pieces[index]!, this.#starts[index]! - start);
    return merged;
  }
}

const NOTHING = new Uint8Array(0);

/** The bytes themselves, or a copy if they would pin much more than they are. */
function keep(data: Uint8Array): Uint8Array {
  const pinsTooMuch = data.length < COPY_BELOW || data.buffer.byteLength > MAX_PINNED_RATIO * data.length;
  // Not `slice`: on a Buffer that makes a view.
  return pinsTooMuch ? new Uint8Array(data) : data;
}
