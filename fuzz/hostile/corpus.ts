/**
 * Datagrams as a stranger may send them: random ones, and damaged copies of real ones.
 *
 * Everything is written into one scratch buffer and lives until the next datagram is made: a million of them cost no
 * memory.
 *
 * @module
 */
import type { Rng } from "../../src/testing/rng.ts";
import { MAX_DATAGRAM_SIZE } from "../../src/wire/datagram.ts";

/** A real datagram, and what a stranger may do to it. */
export interface Sample {
  readonly name: string;
  readonly bytes: Uint8Array;
  /**
   * Spans `[start, end)` in which every change must be noticed. Undefined: the datagram was delivered before, so that
   * even a whole copy of it must be noticed.
   */
  readonly protectedSpans?: readonly (readonly [number, number])[];
}

// Implementation

/** Random bytes to take pieces from: drawing each anew would take longer than what is tested. */
const NOISE_SIZE = 1 << 20;

/** Bytes of most random datagrams: a path's largest, and some more. */
const MOST_BYTES = 1_500;

/** One in so many datagrams is huge. */
const HUGE_ONE_IN = 512;

/** First bytes that lead somewhere, and some that do not. */
const FIRST_BYTES = [0x00, 0x03, 0x40, 0x81, 0x82, 0x83, 0x84, 0x85, 0x9f, 0xa0, 0xc0, 0xc4, 0xe0, 0xff] as const;

/** Bytes in which most datagrams have their fields. */
const FRONT = 24;

/** Makes hostile datagrams; see the module. */
export class Corpus {
  readonly #samples: readonly Sample[];
  readonly #rng: Rng;
  readonly #noise: Uint8Array;
  readonly #scratch = new Uint8Array(MAX_DATAGRAM_SIZE + 64);

  constructor(samples: readonly Sample[], rng: Rng) {
    this.#samples = samples;
    this.#rng = rng;
    this.#noise = rng.random(NOISE_SIZE);
  }

  /** The next hostile datagram: a view that holds until the next call. */
  next(): Uint8Array {
    const rng = this.#rng;
    const draw = rng.u32();
    const kind = draw & 15;
    if ((draw >>> 4) % HUGE_ONE_IN === 0) return this.#random(rng.integer(60_000, MAX_DATAGRAM_SIZE + 1));
    if (kind === 0) return this.#random((draw >>> 8) % MOST_BYTES);
    if (kind === 1) return this.#labelled((draw >>> 8) % MOST_BYTES);
    if (this.#samples.length === 0) return this.#labelled((draw >>> 8) % MOST_BYTES);
    const sample = this.#samples[(draw >>> 8) % this.#samples.length]!;
    if (kind < 4) return this.#truncated(sample);
    if (kind < 7) return this.#edited(sample);
    if (sample.protectedSpans !== undefined || kind < 9) return this.#flipped(sample);
    if (kind < 10) return this.#copy(sample);
    if (kind < 12) return this.#overwritten(sample);
    if (kind < 14) return this.#readdressed(sample);
    return this.#coalesced();
  }

  /** Noise. */
  #random(length: number): Uint8Array {
    const at = this.#rng.u32() % (NOISE_SIZE - length);
    this.#scratch.set(this.#noise.subarray(at, at + length));
    return this.#scratch.subarray(0, length);
  }

  /** Noise that gives itself for something: right first byte, right length. */
  #labelled(length: number): Uint8Array {
    const bytes = this.#random(length);
    if (length > 0) bytes[0] = FIRST_BYTES[this.#rng.u32() % FIRST_BYTES.length]!;
    return relabel(bytes);
  }

  /** A part of a real one, which says how long it is or was. */
  #truncated(sample: Sample): Uint8Array {
    const draw = this.#rng.u32();
    const length = sample.bytes.length === 0 ? 0 : (draw >>> 1) % sample.bytes.length;
    this.#scratch.set(sample.bytes);
    const bytes = this.#scratch.subarray(0, length);
    return (draw & 1) === 0 ? bytes : relabel(bytes);
  }

  /** One to eight flipped bits. */
  #flipped(sample: Sample): Uint8Array {
    const bytes = this.#copy(sample);
    const rng = this.#rng;
    const flips = 1 + (rng.u32() & 7 & rng.u32());
    const first = this.#place(sample);
    if (first < 0) return bytes;
    bytes[first]! ^= 1 << (rng.u32() & 7);
    for (let i = 1; i < flips; i++) {
      const at = this.#place(sample);
      // The first flip must not be undone.
      if (at !== first) bytes[at]! ^= 1 << (rng.u32() & 7);
    }
    return bytes;
  }

  /** A small number in the place of another: lengths and counts that are too low, types that mean something else. */
  #edited(sample: Sample): Uint8Array {
    const bytes = this.#copy(sample);
    const at = this.#place(sample);
    if (at < 0) return bytes;
    const value = this.#rng.u32() & 31;
    bytes[at] = bytes[at] === value ? value ^ 1 : value;
    return bytes;
  }

  #copy(sample: Sample): Uint8Array {
    this.#scratch.set(sample.bytes);
    return this.#scratch.subarray(0, sample.bytes.length);
  }

  /** A stretch of noise in a real one. */
  #overwritten(sample: Sample): Uint8Array {
    const bytes = this.#copy(sample);
    if (bytes.length === 0) return bytes;
    const start = this.#rng.u32() % bytes.length;
    const length = Math.min(bytes.length - start, 1 + (this.#rng.u32() % 64));
    const at = this.#rng.u32() % (NOISE_SIZE - length);
    bytes.set(this.#noise.subarray(at, at + length), start);
    return bytes;
  }

  /** Another connection id, which is at the same place in every packet. */
  #readdressed(sample: Sample): Uint8Array {
    const bytes = this.#copy(sample);
    for (let at = 3; at < 11 && at < bytes.length; at++) bytes[at] = this.#rng.u32();
    return bytes;
  }

  /** Several of one size in one buffer, damaged or not. */
  #coalesced(): Uint8Array {
    const rng = this.#rng;
    const delivered = this.#samples.filter(({ protectedSpans }) => protectedSpans === undefined);
    if (delivered.length === 0) return this.#labelled(rng.u32() % MOST_BYTES);
    const first = delivered[rng.u32() % delivered.length]!;
    const size = first.bytes.length;
    const count = 2 + (rng.u32() & 7);
    let length = 0;
    for (let i = 0; i < count && length + size <= MAX_DATAGRAM_SIZE; i++) {
      const { bytes } = delivered[rng.u32() % delivered.length]!;
      this.#scratch.set(bytes.subarray(0, size), length);
      if ((rng.u32() & 1) === 0 && size > 0) this.#scratch[length + (rng.u32() % size)]! ^= 1 << (rng.u32() & 7);
      length += i === count - 1 ? Math.min(size, bytes.length) : size;
    }
    return this.#scratch.subarray(0, length);
  }

  /** A place in a real datagram at which a change must be noticed. */
  #place(sample: Sample): number {
    const spans = sample.protectedSpans;
    if (spans === undefined) {
      const { length } = sample.bytes;
      // Half of them at the front, where the fields are that decide.
      const most = (this.#rng.u32() & 1) === 0 ? length : Math.min(length, FRONT);
      return most === 0 ? -1 : this.#rng.u32() % most;
    }
    const [start, end] = spans[this.#rng.u32() % spans.length]!;
    return start + (this.#rng.u32() % (end - start));
  }
}

/** Lets a datagram of ours state the length that it has. */
function relabel(bytes: Uint8Array): Uint8Array {
  if (bytes.length >= 3) {
    bytes[1] = bytes.length >>> 8;
    bytes[2] = bytes.length & 0xff;
  }
  return bytes;
}
