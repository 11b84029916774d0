/**
 * The frozen vectors of the wire format. A change there is a change of the protocol.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { cut, recut } from "../../src/wire/datagram.ts";
import type { Frame } from "../../src/wire/frame.ts";
import { decodeErrorCode, decodeFrame, encodeFrame, frameLength } from "../../src/wire/frame-codec.ts";
import {
  type CookieDatagram,
  decodeCookie,
  decodeInit,
  decodeResp,
  encodeCookie,
  encodeInit,
  encodeResp,
  type InitDatagram,
  type RespDatagram,
} from "../../src/wire/handshake-datagram.ts";
import { HEADER_SIZE, type PacketHeader, writePacketHeader } from "../../src/wire/packet-header.ts";
import { expandPacketNumber, truncate } from "../../src/wire/packet-number.ts";
import { DEFAULT_PARAMETERS, decodeParameters, encodeParameters, type Parameters } from "../../src/wire/parameters.ts";
import { Reader } from "../../src/wire/reader.ts";
import { writeVarint } from "../../src/wire/varint.ts";
import { Writer } from "../../src/wire/writer.ts";

interface Vectors {
  readonly varints: readonly { value: number; hex: string }[];
  readonly longVarints: readonly { value: number; hex: string }[];
  readonly malformedVarints: readonly string[];
  readonly packetNumbers: readonly { largest: number; truncated: number; bits: number; packetNumber: number }[];
  readonly headers: readonly { header: PacketHeader; hex: string }[];
  readonly frames: readonly { frame: Frame; hex: string }[];
  readonly otherFrameForms: readonly { frame: Frame; hex: string }[];
  readonly malformedFrames: readonly { why: string; hex: string; code: number }[];
  readonly init: { fields: InitDatagram; hex: string };
  readonly resp: { fields: RespDatagram; hex: string };
  readonly cookie: { fields: CookieDatagram; hex: string };
  readonly parameters: readonly { parameters: Partial<Parameters>; grease: number; hex: string }[];
  readonly otherParameterForms: readonly { parameters: Partial<Parameters>; hex: string }[];
  readonly cuts: readonly CutVector[];
}

interface CutVector {
  readonly name: string;
  /** Datagrams as the kernel merged them: their first bytes, then zeros (or, for foreign ones, anything). */
  readonly datagrams: readonly { head: string; size: number }[];
  readonly hint: number;
  /** Offset and length of each piece. */
  readonly cut: readonly (readonly [number, number])[];
  readonly recut: readonly (readonly [number, number])[];
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

const PAGE = new URL("../../spec/vectors/wire.json", import.meta.url);
const vectors: Vectors = JSON.parse(readFileSync(PAGE, "utf8"), (_, value: unknown) =>
  typeof value === "string" && value.startsWith("hex:") ? bytesOf(value.slice(4)) : value,
);

describe("integers", () => {
  test.each(vectors.varints)("$value is $hex", ({ value, hex }) => {
    const target = new Uint8Array(8);
    expect(hexOf(target.subarray(0, writeVarint(target, 0, value)))).toBe(hex);
    expect(new Reader(bytesOf(hex)).varint()).toBe(value);
  });

  test.each(vectors.longVarints)("$hex is $value too", ({ value, hex }) => {
    expect(new Reader(bytesOf(hex)).varint()).toBe(value);
  });

  test.each(vectors.malformedVarints)('"%s" is none', (hex) => {
    const reader = new Reader(bytesOf(hex));
    reader.varint();
    expect(reader.failed).toBe(true);
  });
});

test.each(vectors.packetNumbers)("$truncated of $bits bits after $largest is packet $packetNumber", (vector) => {
  const { largest, truncated, bits, packetNumber } = vector;
  expect(expandPacketNumber(largest, truncated, bits)).toBe(packetNumber);
  if (bits === 32) expect(truncate(packetNumber)).toBe(truncated);
});

test.each(vectors.headers)("header $hex", ({ header, hex }) => {
  const target = new Uint8Array(HEADER_SIZE);
  writePacketHeader(target, 0, header);
  expect(hexOf(target)).toBe(hex);
});

describe("frames", () => {
  test.each(vectors.frames)("$frame.type is $hex", ({ frame, hex }) => {
    const writer = new Writer(new Uint8Array(frameLength(frame)));
    encodeFrame(writer, frame);
    expect(hexOf(writer.buffer)).toBe(hex);
    expect(decodeFrame(new Reader(bytesOf(hex)))).toEqual(frame);
  });

  test.each(vectors.otherFrameForms)("$hex is $frame.type too", ({ frame, hex }) => {
    const reader = new Reader(bytesOf(hex));
    expect(decodeFrame(reader)).toEqual(frame);
    expect(reader.remaining).toBe(0);
  });

  test.each(vectors.malformedFrames)("malformed, code $code: $why", ({ hex, code }) => {
    const reader = new Reader(bytesOf(hex));
    expect(decodeFrame(reader)).toBeUndefined();
    expect(decodeErrorCode(reader)).toBe(code);
  });
});

describe("handshake datagrams", () => {
  test("INIT", () => {
    expect(hexOf(encodeInit(vectors.init.fields))).toBe(vectors.init.hex);
    expect(decodeInit(bytesOf(vectors.init.hex))).toEqual(vectors.init.fields);
  });

  test("RESP", () => {
    expect(hexOf(encodeResp(vectors.resp.fields))).toBe(vectors.resp.hex);
    expect(decodeResp(bytesOf(vectors.resp.hex))).toEqual(vectors.resp.fields);
  });

  test("COOKIE", () => {
    expect(hexOf(encodeCookie(vectors.cookie.fields))).toBe(vectors.cookie.hex);
    expect(decodeCookie(bytesOf(vectors.cookie.hex))).toEqual(vectors.cookie.fields);
  });
});

describe("parameters", () => {
  test.each(vectors.parameters)("$hex", ({ parameters, grease, hex }) => {
    expect(hexOf(encodeParameters(parameters, grease))).toBe(hex);
    expect(decodeParameters(bytesOf(hex))).toEqual({ ...DEFAULT_PARAMETERS, ...parameters });
  });

  test.each(vectors.otherParameterForms)("$hex, as others may write it", ({ parameters, hex }) => {
    expect(decodeParameters(bytesOf(hex))).toEqual({ ...DEFAULT_PARAMETERS, ...parameters });
  });
});

describe("merged datagrams", () => {
  test.each(vectors.cuts)("$name", ({ datagrams, hint, cut: first, recut: second }) => {
    const buffer = new Uint8Array(datagrams.reduce((total, { size }) => total + size, 0));
    let offset = 0;
    for (const { head, size } of datagrams) {
      buffer.set(bytesOf(head), offset);
      offset += size;
    }
    const pieces = (by: typeof cut): [number, number][] => {
      const out: Uint8Array[] = [];
      by(buffer, hint, out);
      return out.map((piece) => [piece.byteOffset, piece.length]);
    };
    expect(pieces(cut)).toEqual(first);
    expect(pieces(recut)).toEqual(second);
  });
});
