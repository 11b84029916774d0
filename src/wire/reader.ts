/**
 * A cursor over received bytes that cannot throw.
 *
 * Whoever reads checks once, at the end, whether anything went wrong: a failure sticks, leaves nothing to read, and from
 * then on every method returns 0 or no bytes.
 *
 * @module
 */

/** Why reading failed: the bytes break the format, or they use something that we do not support. */
export type ReadFailure = "malformed" | "unsupported";

const NO_BYTES = new Uint8Array(0);

// Specification

/** High halves from here on are integers of 2^53 and above, malformed on our wire (spec/wire.md, WIRE-2). */
const FIRST_UNSAFE_HIGH = 0x20_0000;

const TWO_POW_32 = 0x1_0000_0000;

/** Reads integers and byte strings, big-endian, from first to last. */
export class Reader {
  #bytes: Uint8Array;
  #offset: number;
  #end: number;
  #failure: ReadFailure | undefined;

  constructor(bytes: Uint8Array = NO_BYTES) {
    this.#bytes = bytes;
    this.#offset = 0;
    this.#end = bytes.length;
    this.#failure = undefined;
  }

  /** Starts anew on the bytes from `start` to before `end`, which lie within `bytes`. */
  reset(bytes: Uint8Array, start = 0, end = bytes.length): void {
    this.#bytes = bytes;
    this.#offset = start;
    this.#end = end;
    this.#failure = undefined;
  }

  /** One byte. */
  u8(): number {
    const offset = this.#offset;
    if (offset >= this.#end) return this.#failed();
    this.#offset = offset + 1;
    return this.#bytes[offset]!;
  }

  /** Two bytes. */
  u16(): number {
    const offset = this.#offset;
    if (this.#end - offset < 2) return this.#failed();
    this.#offset = offset + 2;
    return (this.#bytes[offset]! << 8) | this.#bytes[offset + 1]!;
  }

  /** Four bytes. */
  u32(): number {
    const offset = this.#offset;
    if (this.#end - offset < 4) return this.#failed();
    this.#offset = offset + 4;
    return this.#u32At(offset);
  }

  /** A variable-length integer, RFC 9000 §16; one above 2^53 − 1 is a failure. */
  varint(): number {
    const bytes = this.#bytes;
    const offset = this.#offset;
    const remaining = this.#end - offset;
    if (remaining < 1) return this.#failed();
    const first = bytes[offset]!;
    if (first < 0x40) {
      this.#offset = offset + 1;
      return first;
    }
    if (first < 0x80) {
      if (remaining < 2) return this.#failed();
      this.#offset = offset + 2;
      return ((first & 0x3f) << 8) | bytes[offset + 1]!;
    }
    if (first < 0xc0) {
      if (remaining < 4) return this.#failed();
      this.#offset = offset + 4;
      return this.#u32At(offset) & 0x3fff_ffff;
    }
    if (remaining < 8) return this.#failed();
    const high = this.#u32At(offset) & 0x3fff_ffff;
    if (high >= FIRST_UNSAFE_HIGH) return this.#failed();
    this.#offset = offset + 8;
    return high * TWO_POW_32 + this.#u32At(offset + 4);
  }

  /** The next `length` bytes, as a view of the input. */
  bytes(length: number): Uint8Array {
    const offset = this.#offset;
    if (length > this.#end - offset) {
      this.fail();
      return NO_BYTES;
    }
    this.#offset = offset + length;
    return this.#bytes.subarray(offset, offset + length);
  }

  /** All bytes that remain, as a view of the input. */
  rest(): Uint8Array {
    return this.bytes(this.#end - this.#offset);
  }

  /** Passes over `length` bytes. */
  skip(length: number): void {
    if (length > this.#end - this.#offset) this.fail();
    else this.#offset += length;
  }

  /** Passes over all next bytes that equal `byte`, and counts them. */
  skipRun(byte: number): number {
    const start = this.#offset;
    let offset = start;
    while (offset < this.#end && this.#bytes[offset] === byte) offset += 1;
    this.#offset = offset;
    return offset - start;
  }

  /** Marks what was read as bad. The first failure is the one that is kept. */
  fail(failure: ReadFailure = "malformed"): void {
    this.#failure ??= failure;
    this.#offset = this.#end;
  }

  /** Where the next byte lies in the array given. */
  get offset(): number {
    return this.#offset;
  }

  /** Bytes left to read. */
  get remaining(): number {
    return this.#end - this.#offset;
  }

  /** Whether anything was wrong so far. */
  get failed(): boolean {
    return this.#failure !== undefined;
  }

  /** What was wrong first. */
  get failure(): ReadFailure | undefined {
    return this.#failure;
  }

  #u32At(offset: number): number {
    const bytes = this.#bytes;
    return ((bytes[offset]! << 24) | (bytes[offset + 1]! << 16) | (bytes[offset + 2]! << 8) | bytes[offset + 3]!) >>> 0;
  }

  #failed(): 0 {
    this.fail();
    return 0;
  }
}
