/**
 * The bytes of frames.
 *
 * @module
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { frame as anyFrame } from "../../fuzz/arbitraries.ts";
import { CLOSE_CODE } from "../../src/wire/codes.ts";
import type { Frame } from "../../src/wire/frame.ts";
import {
  decodeErrorCode,
  decodeFrame,
  encodeFrame,
  frameLength,
  MAX_STREAM_COUNT,
} from "../../src/wire/frame-codec.ts";
import { Reader } from "../../src/wire/reader.ts";
import { Writer } from "../../src/wire/writer.ts";

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}

function encode(frame: Frame): Uint8Array {
  const writer = new Writer(new Uint8Array(frameLength(frame)));
  encodeFrame(writer, frame);
  expect(writer.remaining).toBe(0);
  return writer.buffer;
}

/** The code with which to close because of these bytes, or the frame if there is none. */
function decode(hex: string): Frame | number {
  const reader = new Reader(bytesOf(hex));
  return decodeFrame(reader) ?? decodeErrorCode(reader);
}

test("any frame survives a round trip, and is malformed at every shorter length (WIRE-15)", () => {
  fc.assert(
    fc.property(anyFrame, (frame) => {
      const encoded = encode(frame);
      expect(decodeFrame(new Reader(encoded))).toEqual(frame);
      if (frame.type === "padding") return;
      for (let length = 0; length < encoded.length; length++) {
        const reader = new Reader(encoded.subarray(0, length));
        expect(decodeFrame(reader)).toBeUndefined();
        expect(reader.failed).toBe(true);
        const isOdd = frame.type === "extension" && frame.id % 2 === 1;
        expect(decodeErrorCode(reader)).toBe(isOdd ? CLOSE_CODE.UNSUPPORTED_FRAME : CLOSE_CODE.FRAME_ENCODING);
      }
    }),
    { numRuns: 500 },
  );
});

test("a frame that does not fit is not written beyond the limit", () => {
  fc.assert(
    fc.property(anyFrame, fc.nat(), (frame, cut) => {
      const buffer = new Uint8Array(frameLength(frame) + 4).fill(0xee);
      const writer = new Writer();
      const limit = cut % frameLength(frame);
      writer.reset(buffer, 0, limit);
      expect(() => encodeFrame(writer, frame)).toThrow(RangeError);
      expect(buffer.subarray(limit).every((byte) => byte === 0xee)).toBe(true);
    }),
  );
});

describe("PADDING", () => {
  test("a run is one frame, and ends with the first other byte", () => {
    const reader = new Reader(bytesOf("000000000100"));
    expect(decodeFrame(reader)).toEqual({ type: "padding", count: 4 });
    expect(decodeFrame(reader)).toEqual({ type: "ping" });
    expect(decodeFrame(reader)).toEqual({ type: "padding", count: 1 });
    expect(reader.remaining).toBe(0);
  });

  test("a whole packet of it is one frame", () => {
    expect(decodeFrame(new Reader(new Uint8Array(65_000)))).toEqual({ type: "padding", count: 65_000 });
  });

  test("of no bytes is nothing", () => {
    expect(encode({ type: "padding", count: 0 })).toHaveLength(0);
  });
});

describe("types", () => {
  test("that are not assigned are malformed: FRAME_ENCODING (WIRE-15)", () => {
    const assigned = new Set([0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x1f, 0x20, 0x21, 0x23, 0x30, 0x31]);
    for (let type = 0x08; type <= 0x1d; type++) assigned.add(type);
    for (let type = 0x00; type < 0x40; type++) {
      if (assigned.has(type)) continue;
      const bytes = Uint8Array.of(type, ...new Uint8Array(40));
      const reader = new Reader(bytes);
      expect(decodeFrame(reader)).toBeUndefined();
      expect(decodeErrorCode(reader)).toBe(CLOSE_CODE.FRAME_ENCODING);
    }
  });

  test.each(["4001", "80000001", "c000000000000001", "8000004200", "c00000000000004200"])(
    "in a longer form than needed are malformed: %s (WIRE-15, RFC 9000 §12.4)",
    (hex) => {
      expect(decode(hex)).toBe(CLOSE_CODE.FRAME_ENCODING);
    },
  );

  test("an empty packet holds no frame", () => {
    expect(decode("")).toBe(CLOSE_CODE.FRAME_ENCODING);
  });
});

describe("extensions", () => {
  test("of even type are passed over with their length (WIRE-22)", () => {
    const reader = new Reader(bytesOf("4042" + "03aabbcc" + "01"));
    expect(decodeFrame(reader)).toEqual({ type: "extension", id: 0x42, body: Uint8Array.of(0xaa, 0xbb, 0xcc) });
    expect(decodeFrame(reader)).toEqual({ type: "ping" });
  });

  test("of even type may be empty, and as large as an integer can be", () => {
    expect(decode("404000")).toEqual({ type: "extension", id: 0x40, body: new Uint8Array(0) });
    expect(decode("c01ffffffffffffe00")).toMatchObject({ id: 2 ** 53 - 2 });
  });

  test.each(["404100", "4043", "c01fffffffffffff00"])(
    "of odd type end the connection with UNSUPPORTED_FRAME: %s (WIRE-22)",
    (hex) => {
      expect(decode(hex)).toBe(CLOSE_CODE.UNSUPPORTED_FRAME);
    },
  );

  test("with a length beyond the packet are malformed", () => {
    expect(decode("404204aabbcc")).toBe(CLOSE_CODE.FRAME_ENCODING);
  });
});

describe("limits on streams", () => {
  const most = "c008000000000000";
  const tooMany = "c008000000000001";

  test("the largest count still has ids that are integers of ours", () => {
    expect(4 * (MAX_STREAM_COUNT - 1) + 3).toBe(Number.MAX_SAFE_INTEGER);
  });

  test.each(["12", "13", "16", "17"])("type %s takes 2^51 and refuses more (WIRE-17, RFC 9000 §19.11)", (type) => {
    expect(decode(type + most)).toMatchObject({ limit: MAX_STREAM_COUNT });
    expect(decode(type + tooMany)).toBe(CLOSE_CODE.FRAME_ENCODING);
  });
});

describe("NEW_CONNECTION_ID", () => {
  const id = "b1b2b3b4b5b6b7b8";

  test("may retire all before itself, not itself or later ones (WIRE-18, RFC 9000 §19.15)", () => {
    expect(decode(`180505${id}`)).toMatchObject({ sequence: 5, retirePriorTo: 5 });
    expect(decode(`180506${id}`)).toBe(CLOSE_CODE.FRAME_ENCODING);
  });
});

describe("CLOSE", () => {
  test("by the transport names the frame that caused it, by the application does not", () => {
    expect(decode("1c" + "07" + "08" + "026869")).toEqual({
      type: "close",
      application: false,
      code: 7,
      cause: 8,
      reason: "hi",
    });
    expect(decode("1d" + "4100" + "026869")).toEqual({
      type: "close",
      application: true,
      code: 0x100,
      cause: 0,
      reason: "hi",
    });
  });

  test("with a reason of 64 bytes is good, with 65 malformed (WIRE-21)", () => {
    expect(decode(`1d00${"4040"}${"61".repeat(64)}`)).toMatchObject({ reason: "a".repeat(64) });
    expect(decode(`1d00${"4041"}${"61".repeat(65)}`)).toBe(CLOSE_CODE.FRAME_ENCODING);
  });

  test("with a reason that is not UTF-8 still closes (WIRE-21)", () => {
    expect(decode("1d0003" + "61ff62")).toMatchObject({ reason: "a\ufffdb" });
  });

  test("is written with a long reason cut off, at the length that was promised (WIRE-21)", () => {
    const frame: Frame = { type: "close", application: false, code: 1, cause: 0, reason: "é".repeat(50) };
    expect(decodeFrame(new Reader(encode(frame)))).toEqual({ ...frame, reason: "é".repeat(32) });
  });
});

describe("DATAGRAM", () => {
  test("goes to the end of the packet, or as far as its length says (RFC 9221 §4)", () => {
    expect(decode("30686901")).toEqual({ type: "datagram", data: bytesOf("686901") });
    expect(decode("3102686901")).toEqual({ type: "datagram", data: bytesOf("6869") });
    expect(decode("30")).toEqual({ type: "datagram", data: new Uint8Array(0) });
    expect(decode("310368")).toBe(CLOSE_CODE.FRAME_ENCODING);
  });
});

test("integers of 2^53 and above make any frame malformed (WIRE-2)", () => {
  const tooLarge = "c020000000000000";
  for (const prefix of [
    "02",
    "0200",
    "04",
    "0400",
    "040000",
    "05",
    "08",
    "0c00",
    "10",
    "1100",
    "14",
    "18",
    "19",
    "1c",
    "23",
    "230000",
    "31",
    "4042",
  ])
    expect(decode(prefix + tooLarge)).toBe(CLOSE_CODE.FRAME_ENCODING);
});

describe("CANDIDATES (PATH-1, PATH-2)", () => {
  const decode = (hex: string) => decodeFrame(new Reader(Uint8Array.from(Buffer.from(hex, "hex"))));

  test("without candidates and profile", () => {
    expect(decode("2101000000")).toEqual({
      ...{ type: "candidates", generation: 1, seenGeneration: 0, candidates: [], profile: undefined },
    });
  });

  test("a seventeenth candidate and a profile of another length are malformed", () => {
    const candidate = "011151cb007109";
    expect(decode(`21010010${candidate.repeat(16)}00`)).toMatchObject({ type: "candidates", generation: 1 });
    expect(decode(`21010011${candidate.repeat(17)}00`)).toBeUndefined();
    expect(decode(`2101000009${"00".repeat(9)}`)).toBeUndefined();
    expect(decode(`210100000a${"00".repeat(10)}`)).toMatchObject({ profile: { step: 0 } });
  });
});
