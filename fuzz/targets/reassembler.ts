/**
 * The reassembler against a model that keeps one flag for each byte.
 *
 * @module
 */
import fc from "fast-check";
import { MAX_GAPS, Reassembler } from "../../src/stream/reassembler.ts";
import { assert } from "../../src/util/invariant.ts";
import { record } from "../arbitraries.ts";
import type { FuzzTarget } from "../target.ts";

/** Bytes of the stream; more than two blocks of merged pieces. */
const LENGTH = 20_000;

/** The stream; a piece at an offset is right if it equals this there. */
const STREAM = Uint8Array.from({ length: LENGTH }, (_, offset) => (offset * 31 + (offset >> 8) * 17) & 0xff);

const offset = fc.nat(LENGTH - 1);

const operation = fc.oneof(
  { weight: 4, arbitrary: record({ kind: fc.constant("insert" as const), offset, length: fc.nat(1_500) }) },
  { weight: 4, arbitrary: record({ kind: fc.constant("insert" as const), offset: fc.nat(600), length: fc.nat(4) }) },
  // What a peer does that wants us to keep many small pieces.
  {
    weight: 1,
    arbitrary: record({
      kind: fc.constant("scatter" as const),
      offset,
      length: fc.integer({ min: 1, max: 3 }),
      step: fc.integer({ min: -4, max: 4 }),
      count: fc.nat(1_500),
    }),
  },
  { weight: 2, arbitrary: record({ kind: fc.constant("read" as const), count: fc.nat(20) }) },
);

class Model {
  readonly reassembler = new Reassembler();
  readonly #has = new Uint8Array(LENGTH);
  #read = 0;
  /** Whether the limit on gaps was passed; the connection would be closed. */
  isOver = false;

  insert(start: number, wanted: number): void {
    if (this.isOver || start < 0 || start >= LENGTH) return;
    const end = Math.min(start + wanted, LENGTH);
    if (end === start) return;
    // A view of a larger buffer, as data is a view of its packet.
    const packet = new Uint8Array(end - start + 60);
    packet.set(STREAM.subarray(start, end), 30);
    const isWithin = this.reassembler.insert(start, packet.subarray(30, 30 + end - start));
    this.#has.fill(1, start, end);
    const { gaps } = this.reassembler;
    assert(isWithin === gaps <= MAX_GAPS, `${gaps} gaps, within limits: ${isWithin}`);
    this.isOver = !isWithin;
    packet.fill(0, 0, 30);
  }

  read(): boolean {
    const piece = this.reassembler.read();
    if (piece === undefined) {
      assert(this.#read === LENGTH || this.#has[this.#read] === 0, `byte ${this.#read} is there and not readable`);
      return false;
    }
    assert(piece.length > 0, "an empty piece");
    assert(piece.buffer.byteLength <= 2 * piece.length, `${piece.length} bytes pin ${piece.buffer.byteLength}`);
    for (let i = 0; i < piece.length; i++) {
      assert(this.#has[this.#read + i] === 1, `byte ${this.#read + i} was never received`);
      assert(piece[i] === STREAM[this.#read + i], `byte ${this.#read + i} is wrong`);
    }
    this.#read += piece.length;
    return true;
  }

  check(): void {
    let end = LENGTH;
    while (end > this.#read && this.#has[end - 1] === 0) end -= 1;
    let buffered = 0;
    for (let i = this.#read; i < end; i++) buffered += this.#has[i]!;
    const { reassembler } = this;
    assert(reassembler.readOffset === this.#read, `read offset ${reassembler.readOffset}, not ${this.#read}`);
    assert(reassembler.end === end, `end ${reassembler.end}, not ${end}`);
    assert(reassembler.buffered === buffered, `${reassembler.buffered} bytes held, not ${buffered}`);
    assert(reassembler.gaps === this.#gaps(), `${reassembler.gaps} gaps, not ${this.#gaps()}`);
  }

  #gaps(): number {
    let gaps = 0;
    let isInGap = false;
    for (let i = this.#read; i < LENGTH; i++) {
      if (this.#has[i] === 1 && isInGap) gaps += 1;
      isInGap = this.#has[i] === 0;
    }
    return gaps;
  }
}

export const target: FuzzTarget = {
  name: "reassembler",
  property: () =>
    fc.property(fc.array(operation, { maxLength: 40, size: "max" }), (operations) => {
      const model = new Model();
      for (const each of operations) {
        if (model.isOver) return true;
        if (each.kind === "insert") model.insert(each.offset, each.length);
        else if (each.kind === "read") for (let i = 0; i < each.count && model.read(); i++);
        else scatter(model, each);
        model.check();
      }
      while (model.read());
      return true;
    }),
};

function scatter(
  model: Model,
  { offset, length, step, count }: { offset: number; length: number; step: number; count: number },
): void {
  for (let i = 0; i < count; i++) model.insert(offset + i * step, length);
}
