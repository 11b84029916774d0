import { describe, expect, test } from "vitest";
import { MAX_GAPS, Reassembler } from "../../src/stream/reassembler.ts";

function counting(start: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => start + i);
}

function readAll(reassembler: Reassembler): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let piece = reassembler.read(); piece !== undefined; piece = reassembler.read()) pieces.push(piece);
  return pieces;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces));
}

describe("order (STR-10, RFC 9000 §2.2)", () => {
  test("data in order is handed on as it came, without a copy", () => {
    const reassembler = new Reassembler();
    const data = counting(0, 1_400);
    expect(reassembler.insert(0, data)).toBe(true);
    expect(reassembler.read()).toBe(data);
    expect([reassembler.read(), reassembler.readOffset, reassembler.buffered]).toEqual([undefined, 1_400, 0]);
  });

  test("data out of order waits for what is missing", () => {
    const reassembler = new Reassembler();
    reassembler.insert(200, counting(200, 200));
    expect([reassembler.isReadable, reassembler.gaps, reassembler.end, reassembler.buffered]).toEqual([
      false,
      1,
      400,
      200,
    ]);
    reassembler.insert(0, counting(0, 200));
    expect([reassembler.isReadable, reassembler.gaps]).toEqual([true, 0]);
    expect(joined(readAll(reassembler))).toEqual(counting(0, 400));
  });

  test("the first copy of a byte counts, wherever pieces overlap", () => {
    const reassembler = new Reassembler();
    const other = new Uint8Array(1_000).fill(0xee);
    reassembler.insert(200, counting(200, 200));
    reassembler.insert(600, counting(600, 200));
    reassembler.insert(100, other);
    reassembler.insert(0, counting(0, 100));
    const all = joined(readAll(reassembler));
    const expected = counting(0, 1_100);
    expected.fill(0xee, 100, 200).fill(0xee, 400, 600).fill(0xee, 800, 1_100);
    expect(all).toEqual(expected);
    // All of it is late now, or partly.
    reassembler.insert(0, other);
    expect(reassembler.read()).toBe(undefined);
    reassembler.insert(1_050, counting(0, 100));
    expect(reassembler.read()).toEqual(counting(50, 50));
  });

  test("nothing is left after discarding", () => {
    const reassembler = new Reassembler();
    reassembler.insert(0, counting(0, 200));
    reassembler.read();
    reassembler.insert(300, counting(0, 200));
    reassembler.discard();
    expect([reassembler.buffered, reassembler.gaps, reassembler.end, reassembler.read()]).toEqual([
      0,
      0,
      200,
      undefined,
    ]);
  });
});

describe("memory (STR-12, RFC 9000 §21.7)", () => {
  test(`${MAX_GAPS} gaps are kept, one more is too many`, () => {
    const reassembler = new Reassembler();
    for (let i = 1; i <= MAX_GAPS; i++) expect(reassembler.insert(2 * i, Uint8Array.of(i))).toBe(true);
    expect(reassembler.gaps).toBe(MAX_GAPS);
    // Filling one makes room for one.
    expect(reassembler.insert(3, Uint8Array.of(0))).toBe(true);
    expect(reassembler.insert(2 * MAX_GAPS + 2, Uint8Array.of(0))).toBe(true);
    expect(reassembler.insert(2 * MAX_GAPS + 4, Uint8Array.of(0))).toBe(false);
  });

  test("a small piece, or one of a much larger packet, is copied and does not pin the packet", () => {
    const packet = new Uint8Array(1_400).fill(1);
    for (const length of [1, 127, 400, 699]) {
      const reassembler = new Reassembler();
      reassembler.insert(0, packet.subarray(100, 100 + length));
      expect(reassembler.read()!.buffer.byteLength).toBe(length);
    }
    const reassembler = new Reassembler();
    reassembler.insert(0, packet.subarray(100, 800));
    expect(reassembler.read()!.buffer).toBe(packet.buffer);
  });

  test("a view of a Buffer is copied for good", () => {
    const reassembler = new Reassembler();
    const packet = Buffer.from("abcdef");
    reassembler.insert(0, packet.subarray(1, 4));
    packet.fill(0);
    expect(Buffer.from(reassembler.read()!).toString()).toBe("bcd");
  });

  const ONE_BYTE_ORDERS: readonly (readonly [string, (i: number, count: number) => number])[] = [
    ["forwards", (i) => i],
    ["forwards behind a gap", (i) => i + 1],
    ["backwards", (_, count) => count],
    ["even ones, then odd ones", (i) => i],
  ];

  test.each(ONE_BYTE_ORDERS)("single bytes %s cost few objects", (name) => {
    const reassembler = new Reassembler();
    const total = 1_900;
    const offsets = Array.from({ length: total }, (_, i) => i);
    if (name === "backwards") offsets.reverse();
    if (name.startsWith("even")) offsets.sort((a, b) => (a % 2) - (b % 2) || a - b);
    const shift = name.endsWith("gap") ? 1 : 0;
    for (const offset of offsets) expect(reassembler.insert(offset + shift, Uint8Array.of(offset))).toBe(true);
    if (shift === 1) reassembler.insert(0, Uint8Array.of(255));
    const pieces = readAll(reassembler);
    expect(joined(pieces)).toEqual(shift === 1 ? joined([Uint8Array.of(255), counting(0, total)]) : counting(0, total));
    expect(pieces.length).toBeLessThan(2 * MAX_GAPS);
    if (!name.startsWith("even")) expect(pieces.length).toBeLessThan(70);
  });

  test("a megabyte of single bytes that nobody reads takes a megabyte and few objects", () => {
    const reassembler = new Reassembler();
    const packet = new Uint8Array(1_400);
    for (let offset = 0; offset < 2 ** 20; offset++) reassembler.insert(offset, packet.subarray(5, 6));
    const pieces = readAll(reassembler);
    const pinned = pieces.reduce((sum, piece) => sum + piece.buffer.byteLength, 0);
    expect(pinned).toBe(2 ** 20);
    // The mean piece is never much shorter than 512 bytes.
    expect(pieces.length).toBeLessThan(2 ** 20 / 512 + 64);
  });
});
