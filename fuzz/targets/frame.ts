/**
 * Frames: any bytes are decoded without a throw, and what was decoded can be encoded; any frame survives a round trip,
 * and is refused when cut short.
 *
 * @module
 */
import { deepStrictEqual } from "node:assert";
import fc from "fast-check";
import { assert } from "../../src/util/invariant.ts";
import { CLOSE_CODE } from "../../src/wire/codes.ts";
import { allowedIn, type Frame, frameType, isAckEliciting } from "../../src/wire/frame.ts";
import { decodeErrorCode, decodeFrame, encodeFrame, frameLength } from "../../src/wire/frame-codec.ts";
import { Reader } from "../../src/wire/reader.ts";
import { Writer } from "../../src/wire/writer.ts";
import { frame as anyFrame, bytes } from "../arbitraries.ts";
import type { FuzzTarget } from "../target.ts";

/** Bytes that begin like a frame, so that most of them get past the type. */
const typedBytes = fc.tuple(fc.nat(0x45), bytes(200)).map(([type, rest]) => Uint8Array.of(type, ...rest));

export const target: FuzzTarget = {
  name: "frame",
  property: () =>
    fc.property(bytes(1_200), typedBytes, fc.array(anyFrame, { maxLength: 5 }), fc.nat(), (raw, typed, frames, cut) => {
      decodeAll(raw);
      decodeAll(typed);
      roundTrip(mergePadding(frames));
      for (const frame of frames) cutShort(frame, cut);
    }),
};

function decodeAll(raw: Uint8Array): void {
  const reader = new Reader(raw);
  while (reader.remaining > 0) {
    const before = reader.offset;
    const frame = decodeFrame(reader);
    if (frame === undefined) {
      const code = decodeErrorCode(reader);
      assert(reader.failed, "no frame, but no failure");
      assert(code === CLOSE_CODE.FRAME_ENCODING || code === CLOSE_CODE.UNSUPPORTED_FRAME, `code ${code}`);
      return;
    }
    assert(reader.offset > before && reader.offset <= raw.length, "no progress");
    assert(allowedIn(frame.type, "data") || allowedIn(frame.type, "probe"), "belongs nowhere");
    assert(typeof isAckEliciting(frame.type) === "boolean" && frameType(frame) >= 0, "has no type");
    // A reason that was not UTF-8 grows when it is encoded again, and may be cut off.
    if (frame.type !== "close") deepStrictEqual(decodeOne(encodeOne(frame)), frame);
  }
}

function roundTrip(frames: readonly Frame[]): void {
  const encoded = frames.map(encodeOne);
  const packet = new Uint8Array(encoded.reduce((total, each) => total + each.length, 0));
  const writer = new Writer(packet);
  for (const each of encoded) writer.bytes(each);
  const reader = new Reader(packet);
  for (const frame of frames) deepStrictEqual(decodeFrame(reader), frame);
  assert(reader.remaining === 0 && !reader.failed, "bytes left over");
}

/** Runs of padding are one frame when decoded. */
function mergePadding(frames: readonly Frame[]): Frame[] {
  const merged: Frame[] = [];
  for (const frame of frames) {
    const last = merged.at(-1);
    if (frame.type === "padding" && last?.type === "padding") {
      merged[merged.length - 1] = { type: "padding", count: last.count + frame.count };
    } else merged.push(frame);
  }
  return merged;
}

function cutShort(frame: Frame, cut: number): void {
  if (frame.type === "padding") return;
  const encoded = encodeOne(frame);
  const piece = encoded.subarray(0, cut % encoded.length);
  assert(decodeOne(piece) === undefined, `${frame.type} cut to ${piece.length} of ${encoded.length} bytes is decoded`);
}

function encodeOne(frame: Frame): Uint8Array {
  const encoded = new Uint8Array(frameLength(frame));
  const writer = new Writer(encoded);
  encodeFrame(writer, frame);
  assert(writer.remaining === 0, `${frame.type} is shorter than its length`);
  return encoded;
}

function decodeOne(encoded: Uint8Array): Frame | undefined {
  return decodeFrame(new Reader(encoded));
}
