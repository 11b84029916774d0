/**
 * The STREAM frame, RFC 9000 §19.8: nearly every packet of a bulk transfer holds one.
 *
 * ```
 * +--------------+---------------+------------+------------+-------------+
 * | 0 0 0 0 1 OLF| stream id (v) | offset (v) | length (v) | data (…)    |
 * +--------------+---------------+------------+------------+-------------+
 *   O  offset is present, else 0    L  length is present, else data ends with the packet    F  last frame of the stream
 * ```
 *
 * @module
 */

import type { StreamFrame } from "./frame.ts";
import { FRAME_TYPE, STREAM_FIN, STREAM_LENGTH, STREAM_OFFSET } from "./frame-type.ts";
import type { Reader } from "./reader.ts";
import { MAX_VARINT, varintLength } from "./varint.ts";
import type { Writer } from "./writer.ts";

/** In place of a length: the data goes to the end of the packet. */
export const TO_END_OF_PACKET = -1;

/** Bytes before the data. `dataLength` may be {@link TO_END_OF_PACKET}. */
export function streamFrameHeaderLength(streamId: number, offset: number, dataLength: number): number {
  let length = 1 + varintLength(streamId);
  if (offset > 0) length += varintLength(offset);
  if (dataLength !== TO_END_OF_PACKET) length += varintLength(dataLength);
  return length;
}

/** Writes all before the data. `dataLength` may be {@link TO_END_OF_PACKET}; `fin` is 1 if the stream ends behind it. */
export function writeStreamFrameHeader(
  writer: Writer,
  streamId: number,
  offset: number,
  dataLength: number,
  fin: 0 | 1,
): void {
  let type: number = FRAME_TYPE.STREAM;
  if (fin === 1) type |= STREAM_FIN;
  if (offset > 0) type |= STREAM_OFFSET;
  if (dataLength !== TO_END_OF_PACKET) type |= STREAM_LENGTH;
  writer.u8(type);
  writer.varint(streamId);
  if (offset > 0) writer.varint(offset);
  if (dataLength !== TO_END_OF_PACKET) writer.varint(dataLength);
}

/** Bytes of the frame with a length field. */
export function streamFrameLength(frame: StreamFrame): number {
  const { streamId, offset, data } = frame;
  return streamFrameHeaderLength(streamId, offset, data.length) + data.length;
}

/** Writes the frame with a length field. */
export function encodeStreamFrame(writer: Writer, frame: StreamFrame): void {
  writeStreamFrameHeader(writer, frame.streamId, frame.offset, frame.data.length, frame.fin ? 1 : 0);
  writer.bytes(frame.data);
}

/** Reads what follows the type. */
export function readStreamFrame(reader: Reader, type: number): StreamFrame {
  const streamId = reader.varint();
  const offset = (type & STREAM_OFFSET) === 0 ? 0 : reader.varint();
  const data = (type & STREAM_LENGTH) === 0 ? reader.rest() : reader.bytes(reader.varint());
  // RFC 9000 §19.8: no byte of a stream lies beyond the greatest integer.
  if (data.length > MAX_VARINT - offset) reader.fail();
  return { type: "stream", streamId, offset, fin: (type & STREAM_FIN) !== 0, data };
}
