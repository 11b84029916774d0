/**
 * The STREAM frame.
 *
 * @module
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytes, streamFrame, varint } from "../../fuzz/arbitraries.ts";
import type { StreamFrame } from "../../src/wire/frame.ts";
import { decodeFrame } from "../../src/wire/frame-codec.ts";
import { Reader } from "../../src/wire/reader.ts";
import {
  encodeStreamFrame,
  streamFrameHeaderLength,
  streamFrameLength,
  TO_END_OF_PACKET,
  writeStreamFrameHeader,
} from "../../src/wire/stream-frame.ts";
import { Writer } from "../../src/wire/writer.ts";

function decode(hex: string): unknown {
  return decodeFrame(new Reader(Uint8Array.from(Buffer.from(hex, "hex"))));
}

const EMPTY = new Uint8Array(0);
const HI = Uint8Array.of(0x68, 0x69);

describe("layout, RFC 9000 §19.8", () => {
  test.each([
    { hex: "08046869", streamId: 4, offset: 0, fin: false, data: HI },
    { hex: "09046869", streamId: 4, offset: 0, fin: true, data: HI },
    { hex: "0a04026869", streamId: 4, offset: 0, fin: false, data: HI },
    { hex: "0b0400", streamId: 4, offset: 0, fin: true, data: EMPTY },
    { hex: "0c0444006869", streamId: 4, offset: 1024, fin: false, data: HI },
    { hex: "0d044400", streamId: 4, offset: 1024, fin: true, data: EMPTY },
    { hex: "0e044400026869", streamId: 4, offset: 1024, fin: false, data: HI },
    { hex: "0f044400026869", streamId: 4, offset: 1024, fin: true, data: HI },
    { hex: "0c04006869", streamId: 4, offset: 0, fin: false, data: HI },
    { hex: "0804", streamId: 4, offset: 0, fin: false, data: EMPTY },
  ])("$hex", ({ hex, ...fields }) => {
    expect(decode(hex)).toEqual({ type: "stream", ...fields });
  });

  test("a length leaves the rest of the packet to other frames", () => {
    const reader = new Reader(Uint8Array.from(Buffer.from("0a0402686901", "hex")));
    expect(decodeFrame(reader)).toMatchObject({ type: "stream", data: HI });
    expect(decodeFrame(reader)).toEqual({ type: "ping" });
    expect(reader.remaining).toBe(0);
  });

  test("data is a view of the packet, not a copy", () => {
    const packet = Uint8Array.of(0x08, 0x04, 0x68, 0x69);
    const frame = decodeFrame(new Reader(packet)) as StreamFrame;
    expect([frame.data.buffer, frame.data.byteOffset]).toEqual([packet.buffer, 2]);
  });
});

describe("bounds", () => {
  test("the last byte may lie at offset 2^53 − 2, so that the length of a stream is at most 2^53 − 1 (WIRE-20)", () => {
    expect(decode("0c04" + "c01ffffffffffffe" + "68")).toMatchObject({ offset: 2 ** 53 - 2 });
    expect(decode("0c04" + "c01ffffffffffffe" + "6869")).toBeUndefined();
    expect(decode("0c04" + "c01fffffffffffff")).toMatchObject({ offset: 2 ** 53 - 1, data: EMPTY });
    expect(decode("0e04" + "c01fffffffffffff" + "0168")).toBeUndefined();
  });

  test("a length beyond the packet is malformed", () => {
    expect(decode("0a04036869")).toBeUndefined();
    expect(decode("0a04c01fffffffffffff6869")).toBeUndefined();
  });

  test.each(["0a04026869", "0e44444400026869"])("%s is malformed at every shorter length", (hex) => {
    for (let length = 0; length < hex.length; length += 2) expect(decode(hex.slice(0, length))).toBeUndefined();
  });
});

describe("writing", () => {
  test("a header and its data, with a length or to the end of the packet, are what is read", () => {
    fc.assert(
      fc.property(
        varint(),
        varint(2 ** 53 - 200),
        bytes(100),
        fc.constantFrom(0 as const, 1 as const),
        fc.boolean(),
        (streamId, offset, data, fin, toEnd) => {
          const length = toEnd ? TO_END_OF_PACKET : data.length;
          const headerLength = streamFrameHeaderLength(streamId, offset, length);
          const writer = new Writer(new Uint8Array(headerLength + data.length));
          writeStreamFrameHeader(writer, streamId, offset, length, fin);
          expect(writer.offset).toBe(headerLength);
          writer.bytes(data);
          expect(decodeFrame(new Reader(writer.buffer))).toEqual({
            type: "stream",
            streamId,
            offset,
            fin: fin === 1,
            data,
          });
        },
      ),
    );
  });

  test("the whole frame takes the length that was promised", () => {
    fc.assert(
      fc.property(streamFrame, (frame) => {
        const writer = new Writer(new Uint8Array(streamFrameLength(frame)));
        encodeStreamFrame(writer, frame);
        expect(writer.remaining).toBe(0);
      }),
    );
  });
});
