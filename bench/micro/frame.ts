/**
 * The frames that nearly every packet holds: STREAM with 1,400 bytes, ACK with one range and with 64.
 *
 * @module
 */
import benny from "benny";
import type { AckFrame } from "../../src/wire/frame.ts";
import { decodeFrame, encodeFrame, frameLength } from "../../src/wire/frame-codec.ts";
import { Reader } from "../../src/wire/reader.ts";
import { TO_END_OF_PACKET, writeStreamFrameHeader } from "../../src/wire/stream-frame.ts";
import { Writer } from "../../src/wire/writer.ts";

function ack(rangeCount: number): AckFrame {
  const ranges = Array.from({ length: rangeCount }, (_, i) => [1_000_000 - 20 * i - 15, 1_000_000 - 20 * i]).flat();
  return { type: "ack", largest: 999_999, delayUs: 1_000, ranges, ecn: undefined };
}

export async function run() {
  const writer = new Writer(new Uint8Array(1_452));
  const reader = new Reader();
  const data = new Uint8Array(1_400).fill(7);
  const encode = (frame: Parameters<typeof encodeFrame>[1]): Uint8Array => {
    writer.reset(writer.buffer);
    encodeFrame(writer, frame);
    return writer.buffer.slice(0, frameLength(frame));
  };
  const stream = encode({ type: "stream", streamId: 4, offset: 1_000_000_000, fin: false, data });
  const oneRange = encode(ack(1));
  const manyRanges = encode(ack(64));
  const frames = { one: ack(1), many: ack(64) };
  const decode = (bytes: Uint8Array) => () => {
    reader.reset(bytes);
    return decodeFrame(reader);
  };
  const write = (frame: AckFrame) => () => {
    writer.reset(writer.buffer);
    if (frameLength(frame) <= writer.remaining) encodeFrame(writer, frame);
    return writer.offset;
  };
  return benny.suite(
    "frame",
    benny.add("write a STREAM header", () => {
      writer.reset(writer.buffer);
      writeStreamFrameHeader(writer, 4, 1_000_000_000, TO_END_OF_PACKET, 0);
      return writer.offset;
    }),
    benny.add("write a STREAM header and copy 1,400 bytes", () => {
      writer.reset(writer.buffer);
      writeStreamFrameHeader(writer, 4, 1_000_000_000, TO_END_OF_PACKET, 0);
      writer.bytes(data);
      return writer.offset;
    }),
    benny.add("decode STREAM", decode(stream)),
    benny.add("measure and write ACK, 1 range", write(frames.one)),
    benny.add("measure and write ACK, 64 ranges", write(frames.many)),
    benny.add("decode ACK, 1 range", decode(oneRange)),
    benny.add("decode ACK, 64 ranges", decode(manyRanges)),
  );
}
