/**
 * Telling datagrams apart and cutting merged buffers.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { classify, cut, type DatagramKind, recut, statedLength } from "../../src/wire/datagram.ts";

/** A protected packet of `size` bytes that states `stated`. */
function packet(size: number, stated = size): Uint8Array {
  const bytes = new Uint8Array(size);
  bytes.set(Uint8Array.of(0xe0, stated >>> 8, stated).subarray(0, size));
  return bytes;
}

/** A STUN message of `size` bytes. */
function stun(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  bytes.set([0x01, 0x01, (size - 20) >>> 8, size - 20]);
  return bytes;
}

function merge(...datagrams: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(datagrams.flatMap((each) => Array.from(each)));
}

/** Offset and length of each piece. */
function pieces(buffer: Uint8Array, by: typeof cut = cut, hint = 0): [number, number][] {
  const out: Uint8Array[] = [];
  const count = by(buffer, hint, out);
  expect(out).toHaveLength(count);
  return out.map((piece) => [piece.byteOffset - buffer.byteOffset, piece.length]);
}

describe("classify", () => {
  const table: readonly [number, number, DatagramKind][] = [
    [0x00, 0x03, "stun"],
    [0x04, 0x3f, "foreign"],
    [0x40, 0x4f, "turn"],
    [0x50, 0x80, "foreign"],
    [0x81, 0x81, "init"],
    [0x82, 0x82, "resp"],
    [0x83, 0x83, "cookie"],
    [0x84, 0x84, "discover"],
    [0x85, 0x85, "discovered"],
    [0x86, 0x86, "witness"],
    [0x87, 0x9e, "foreign"],
    [0x9f, 0x9f, "pad"],
    [0xa0, 0xa0, "relay"],
    [0xa1, 0xbf, "foreign"],
    [0xc0, 0xff, "protected"],
  ];

  test("covers every first byte once", () => {
    expect(table.reduce((total, [first, last]) => total + last - first + 1, 0)).toBe(256);
  });

  test.each(table)("%i to %i is %s (WIRE-3, RFC 7983 §7)", (first, last, kind) => {
    for (let byte = first; byte <= last; byte++) expect(classify(byte)).toBe(kind);
  });
});

describe("statedLength", () => {
  test("of ours is the 16 bits after the first byte (INV-1)", () => {
    for (const first of [0x80, 0x81, 0x9f, 0xbf, 0xc0, 0xff])
      expect(statedLength(Uint8Array.of(9, first, 0x12, 0x34), 1, 3)).toBe(0x1234);
  });

  test("of STUN is that of its attributes and header (RFC 8489 §5)", () => {
    expect(statedLength(Uint8Array.of(0x01, 0x01, 0x00, 0x0c), 0, 4)).toBe(32);
  });

  test("of all others is what there is", () => {
    for (const first of [0x04, 0x16, 0x40, 0x7f]) expect(statedLength(Uint8Array.of(first, 0, 1), 0, 3)).toBe(3);
  });

  test("is 0 if there are too few bytes to state it", () => {
    expect(statedLength(new Uint8Array(0), 0, 0)).toBe(0);
    for (const length of [1, 2]) expect(statedLength(Uint8Array.of(0xe0, 0, 2), 0, length)).toBe(0);
    for (const length of [1, 2, 3]) expect(statedLength(Uint8Array.of(0, 1, 0, 0), 0, length)).toBe(0);
  });
});

describe("cut", () => {
  test("leaves one datagram whole, and hands up the buffer itself (WIRE-4)", () => {
    const buffer = packet(100);
    const out: Uint8Array[] = [new Uint8Array(1), new Uint8Array(1)];
    expect(cut(buffer, 50, out)).toBe(1);
    expect(out).toEqual([buffer]);
    expect(out[0]).toBe(buffer);
  });

  test.each([
    {
      name: "equal pieces",
      buffer: merge(packet(50), packet(50), packet(50)),
      result: [
        [0, 50],
        [50, 50],
        [100, 50],
      ],
    },
    {
      name: "a short tail",
      buffer: merge(packet(50), packet(50), packet(40)),
      result: [
        [0, 50],
        [50, 50],
        [100, 40],
      ],
    },
    {
      name: "a tail of one byte, which is dropped",
      buffer: merge(packet(50), packet(50), packet(1)),
      result: [
        [0, 50],
        [50, 50],
      ],
    },
    { name: "a tail of two bytes, which is dropped", buffer: merge(packet(50), packet(2, 2)), result: [[0, 50]] },
    {
      name: "STUN in the middle",
      buffer: merge(packet(48), stun(48), packet(48)),
      result: [
        [0, 48],
        [48, 48],
        [96, 48],
      ],
    },
    {
      name: "STUN at the front",
      buffer: merge(stun(48), packet(48), stun(28)),
      result: [
        [0, 48],
        [48, 48],
        [96, 28],
      ],
    },
    {
      name: "a piece that lies, which is dropped",
      buffer: merge(packet(50), packet(50, 49), packet(50)),
      result: [
        [0, 50],
        [100, 50],
      ],
    },
    {
      name: "a tail that lies, which is dropped",
      buffer: merge(packet(50), packet(50), packet(40, 41)),
      result: [
        [0, 50],
        [50, 50],
      ],
    },
    {
      name: "the smallest pieces",
      buffer: merge(packet(16), packet(16)),
      result: [
        [0, 16],
        [16, 16],
      ],
    },
  ])("separates $name (WIRE-4, INV-4)", ({ buffer, result }) => {
    expect(pieces(buffer)).toEqual(result);
  });

  test("looks at no more than 64 pieces (WIRE-5)", () => {
    const buffer = merge(...Array.from({ length: 65 }, () => packet(20)));
    expect(pieces(buffer)).toHaveLength(64);
    expect(pieces(buffer, recut, 20)).toHaveLength(63);
  });

  test.each([
    { name: "states more than there is", first: packet(50, 151) },
    { name: "states less than 16 bytes", first: packet(50, 15) },
    { name: "states nothing", first: packet(50, 0) },
  ])("uses the hint when the first datagram $name, and drops that one (WIRE-6)", ({ first }) => {
    const buffer = merge(first, packet(50), packet(50));
    expect(pieces(buffer, cut, 50)).toEqual([
      [50, 50],
      [100, 50],
    ]);
    expect(pieces(buffer, cut, 0)).toEqual([]);
  });

  test("a forged first datagram costs only itself once the hint is used (WIRE-6)", () => {
    const buffer = merge(packet(50, 25), packet(50), packet(50), packet(30));
    expect(pieces(buffer)).toEqual([[0, 25]]);
    expect(pieces(buffer, recut, 50)).toEqual([
      [50, 50],
      [100, 50],
      [150, 30],
    ]);
  });

  test.each([0, 1, 15, 150, 151, 70_000])("no hint, or one that cannot be, finds nothing: %d (WIRE-6)", (hint) => {
    expect(pieces(merge(packet(50), packet(50), packet(50)), recut, hint)).toEqual([]);
  });

  test("an empty buffer holds nothing", () => {
    expect(pieces(new Uint8Array(0))).toEqual([]);
  });

  test("foreign bytes are one datagram", () => {
    const buffer = Uint8Array.from({ length: 3_000 }, () => 0x16);
    expect(pieces(buffer)).toEqual([[0, 3_000]]);
  });

  test("views respect the offset of a buffer in its memory", () => {
    const memory = merge(new Uint8Array(7), packet(40), packet(40));
    expect(pieces(memory.subarray(7))).toEqual([
      [0, 40],
      [40, 40],
    ]);
  });
});
