/**
 * The ACK frame, RFC 9000 §19.3, with a delay in fixed units of 8 µs.
 *
 * ```
 * +--------------+-------------+-----------+-----------------+-----------------+
 * | 0x02 or 0x03 | largest (v) | delay (v) | range count (v) | first range (v) |
 * +--------------+-------------+-----------+-----------------+-----------------+
 * | gap (v) | range (v) |   … range count times …
 * +---------+-----------+
 * | ECT(0) count (v) | ECT(1) count (v) | CE count (v) |      only with 0x03
 * +------------------+------------------+--------------+
 * ```
 *
 * Ranges descend. A range field holds its number of packets minus one, a gap its number of missing packets minus one.
 *
 * @module
 */
import { assert } from "../util/invariant.ts";
import type { AckFrame } from "./frame.ts";
import { FRAME_TYPE } from "./frame-type.ts";
import type { Reader } from "./reader.ts";
import { MAX_VARINT, varintLength } from "./varint.ts";
import type { Writer } from "./writer.ts";

// Specification

/** Ranges in one frame: bounds what a receiver remembers and what a sender must look at. The oldest are left out. */
export const MAX_ACK_RANGES = 64;

/** Microseconds in one unit of the delay field: what ack_delay_exponent 3 means in RFC 9000 §18.2. */
export const ACK_DELAY_UNIT_US = 8;

/** Bytes of the frame. */
export function ackFrameLength(frame: AckFrame): number {
  const { ranges, ecn } = frame;
  let start = ranges[0]!;
  let length = 1 + varintLength(frame.largest) + varintLength(delayField(frame.delayUs));
  length += varintLength(ranges.length / 2 - 1) + varintLength(ranges[1]! - start - 1);
  for (let i = 2; i < ranges.length; i += 2) {
    const nextStart = ranges[i]!;
    const nextEnd = ranges[i + 1]!;
    length += varintLength(start - nextEnd - 1) + varintLength(nextEnd - nextStart - 1);
    start = nextStart;
  }
  if (ecn !== undefined) length += varintLength(ecn.ect0) + varintLength(ecn.ect1) + varintLength(ecn.ce);
  return length;
}

/** Writes the frame, which has 1 to {@link MAX_ACK_RANGES} ranges. */
export function encodeAckFrame(writer: Writer, frame: AckFrame): void {
  const { largest, ranges, ecn } = frame;
  assert(ranges.length >= 2 && ranges.length <= 2 * MAX_ACK_RANGES, `ACK of ${ranges.length / 2} ranges`);
  assert(largest === ranges[1]! - 1, `ACK of ${largest} starts with ${ranges[1]! - 1}`);
  let start = ranges[0]!;
  writer.u8(ecn === undefined ? FRAME_TYPE.ACK : FRAME_TYPE.ACK_ECN);
  writer.varint(largest);
  writer.varint(delayField(frame.delayUs));
  writer.varint(ranges.length / 2 - 1);
  writer.varint(largest - start);
  for (let i = 2; i < ranges.length; i += 2) {
    const nextStart = ranges[i]!;
    const nextEnd = ranges[i + 1]!;
    writer.varint(start - nextEnd - 1);
    writer.varint(nextEnd - nextStart - 1);
    start = nextStart;
  }
  if (ecn === undefined) return;
  writer.varint(ecn.ect0);
  writer.varint(ecn.ect1);
  writer.varint(ecn.ce);
}

/** Reads what follows the type. The work is bounded by {@link MAX_ACK_RANGES}, however large the ranges are. */
export function readAckFrame(reader: Reader, type: number): AckFrame {
  const largest = reader.varint();
  const delayUs = Math.min(reader.varint() * ACK_DELAY_UNIT_US, MAX_VARINT);
  const moreRanges = reader.varint();
  if (moreRanges >= MAX_ACK_RANGES) reader.fail();
  let start = largest - reader.varint();
  if (start < 0) reader.fail();
  const ranges = [start, largest + 1];
  for (let i = 0; i < moreRanges && !reader.failed; i++) {
    const end = start - reader.varint() - 1;
    start = end - reader.varint() - 1;
    // RFC 9000 §19.3.1: a negative packet number makes the frame malformed.
    if (start < 0) reader.fail();
    ranges.push(start, end);
  }
  const ecn =
    type === FRAME_TYPE.ACK_ECN ? { ect0: reader.varint(), ect1: reader.varint(), ce: reader.varint() } : undefined;
  return { type: "ack", largest, delayUs, ranges, ecn };
}

function delayField(delayUs: number): number {
  return Math.floor(delayUs / ACK_DELAY_UNIT_US);
}
