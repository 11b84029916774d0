/**
 * The bytes of frames (spec/wire.md#frames). Their layouts follow RFC 9000 §19 where QUIC has the frame.
 *
 * A frame is a type and fields. Types below 0x40 take one byte and are all known here; extensions carry a length.
 * Decoding makes nothing but the frame itself, and byte strings in it are views of the packet.
 *
 * @module
 */
import { ackFrameLength, encodeAckFrame, readAckFrame } from "./ack-frame.ts";
import { addressLength, readAddress, writeAddress } from "./address.ts";
import { candidatesLength, MAX_CANDIDATES, readCandidate, writeCandidate } from "./candidate.ts";
import { CLOSE_CODE } from "./codes.ts";
import {
  type AckFrequencyFrame,
  type CandidatesFrame,
  type CloseFrame,
  type ExtensionFrame,
  type Frame,
  frameType,
  type NewConnectionIdFrame,
} from "./frame.ts";
import { FIRST_EXTENSION_TYPE, FRAME_TYPE, STREAM_FIN, STREAM_LENGTH, STREAM_OFFSET } from "./frame-type.ts";
import { NAT_PROFILE_SIZE, readNatProfile, writeNatProfile } from "./nat-profile.ts";
import { CONNECTION_ID_SIZE } from "./packet-header.ts";
import type { Reader } from "./reader.ts";
import { encodeStreamFrame, readStreamFrame, streamFrameLength } from "./stream-frame.ts";
import { decodeReason, encodeReason, MAX_REASON_BYTES } from "./text.ts";
import { varintLength } from "./varint.ts";
import type { Writer } from "./writer.ts";

// Specification

/** Bytes of the token of a path challenge: as many as nobody guesses in its lifetime (RFC 9000 §8.2.1). */
export const PATH_TOKEN_SIZE = 8;

/** The most streams of one kind that an endpoint can ever open: the last one has the id 2^53 − 1 at most. */
export const MAX_STREAM_COUNT = 2 ** 51;

/** Why no frame could be read: the code with which to close. */
export type DecodeFailure = typeof CLOSE_CODE.FRAME_ENCODING | typeof CLOSE_CODE.UNSUPPORTED_FRAME;

/**
 * Reads the next frame; a run of padding is one. `undefined` means that the packet breaks the format: then
 * `reader.failed` holds and {@link decodeErrorCode} tells the code to close with. The caller reads while
 * `reader.remaining` is above 0.
 */
export function decodeFrame(reader: Reader): Frame | undefined {
  const start = reader.offset;
  const type = reader.varint();
  // RFC 9000 §12.4: a frame type takes its shortest form.
  if (reader.offset - start !== varintLength(type)) reader.fail();
  const frame = decodeBody(reader, type);
  return reader.failed ? undefined : frame;
}

/** Why {@link decodeFrame} failed. */
export function decodeErrorCode(reader: Reader): DecodeFailure {
  return reader.failure === "unsupported" ? CLOSE_CODE.UNSUPPORTED_FRAME : CLOSE_CODE.FRAME_ENCODING;
}

function decodeBody(reader: Reader, type: number): Frame | undefined {
  if (type >= FRAME_TYPE.STREAM && type <= (FRAME_TYPE.STREAM | STREAM_OFFSET | STREAM_LENGTH | STREAM_FIN)) {
    return readStreamFrame(reader, type);
  }
  if (type >= FIRST_EXTENSION_TYPE) return readExtension(reader, type);
  switch (type) {
    case FRAME_TYPE.PADDING:
      return { type: "padding", count: 1 + reader.skipRun(FRAME_TYPE.PADDING) };
    case FRAME_TYPE.PING:
      return { type: "ping" };
    case FRAME_TYPE.ACK:
    case FRAME_TYPE.ACK_ECN:
      return readAckFrame(reader, type);
    case FRAME_TYPE.RESET_STREAM:
      return { type: "reset-stream", streamId: reader.varint(), code: reader.varint(), finalSize: reader.varint() };
    case FRAME_TYPE.STOP_SENDING:
      return { type: "stop-sending", streamId: reader.varint(), code: reader.varint() };
    case FRAME_TYPE.MAX_DATA:
      return { type: "max-data", limit: reader.varint() };
    case FRAME_TYPE.MAX_STREAM_DATA:
      return { type: "max-stream-data", streamId: reader.varint(), limit: reader.varint() };
    case FRAME_TYPE.MAX_STREAMS_BIDI:
      return { type: "max-streams", direction: "bidi", limit: readStreamCount(reader) };
    case FRAME_TYPE.MAX_STREAMS_UNI:
      return { type: "max-streams", direction: "uni", limit: readStreamCount(reader) };
    case FRAME_TYPE.DATA_BLOCKED:
      return { type: "data-blocked", limit: reader.varint() };
    case FRAME_TYPE.STREAM_DATA_BLOCKED:
      return { type: "stream-data-blocked", streamId: reader.varint(), limit: reader.varint() };
    case FRAME_TYPE.STREAMS_BLOCKED_BIDI:
      return { type: "streams-blocked", direction: "bidi", limit: readStreamCount(reader) };
    case FRAME_TYPE.STREAMS_BLOCKED_UNI:
      return { type: "streams-blocked", direction: "uni", limit: readStreamCount(reader) };
    case FRAME_TYPE.DATAGRAM:
      return { type: "datagram", data: reader.rest() };
    case FRAME_TYPE.DATAGRAM_LENGTH:
      return { type: "datagram", data: reader.bytes(reader.varint()) };
    default:
      return decodeConnectionFrame(reader, type);
  }
}

/** Frames about the connection and its paths. */
function decodeConnectionFrame(reader: Reader, type: number): Frame | undefined {
  switch (type) {
    case FRAME_TYPE.NEW_CONNECTION_ID:
      return readNewConnectionId(reader);
    case FRAME_TYPE.RETIRE_CONNECTION_ID:
      return { type: "retire-connection-id", sequence: reader.varint() };
    case FRAME_TYPE.PATH_CHALLENGE:
      return { type: "path-challenge", token: reader.bytes(PATH_TOKEN_SIZE) };
    case FRAME_TYPE.PATH_RESPONSE:
      return { type: "path-response", token: reader.bytes(PATH_TOKEN_SIZE) };
    case FRAME_TYPE.CLOSE_TRANSPORT:
      return {
        type: "close",
        application: false,
        code: reader.varint(),
        cause: reader.varint(),
        reason: readReason(reader),
      };
    case FRAME_TYPE.CLOSE_APPLICATION:
      return { type: "close", application: true, code: reader.varint(), cause: 0, reason: readReason(reader) };
    case FRAME_TYPE.IMMEDIATE_ACK:
      return { type: "immediate-ack" };
    case FRAME_TYPE.OBSERVED_ADDRESS:
      return { type: "observed-address", address: readAddress(reader) };
    case FRAME_TYPE.CANDIDATES:
      return readCandidates(reader);
    case FRAME_TYPE.ACK_FREQUENCY:
      return {
        type: "ack-frequency",
        sequence: reader.varint(),
        threshold: reader.varint(),
        maxAckDelayUs: reader.varint(),
        reorderingThreshold: reader.varint(),
      };
    default:
      reader.fail();
      return undefined;
  }
}

function readExtension(reader: Reader, id: number): ExtensionFrame | undefined {
  // An odd type must be understood (spec/wire.md#extensions); we know none.
  if (id % 2 === 1) reader.fail("unsupported");
  return { type: "extension", id, body: reader.bytes(reader.varint()) };
}

/** RFC 9000 §19.11: a count of streams whose ids could not be expressed is malformed. */
function readStreamCount(reader: Reader): number {
  const count = reader.varint();
  if (count > MAX_STREAM_COUNT) reader.fail();
  return count;
}

function readNewConnectionId(reader: Reader): NewConnectionIdFrame {
  const sequence = reader.varint();
  const retirePriorTo = reader.varint();
  // RFC 9000 §19.15: an id that would retire itself is malformed.
  if (retirePriorTo > sequence) reader.fail();
  return { type: "new-connection-id", sequence, retirePriorTo, connectionId: reader.bytes(CONNECTION_ID_SIZE) };
}

function readCandidates(reader: Reader): CandidatesFrame {
  const generation = reader.varint();
  const seenGeneration = reader.varint();
  const count = reader.varint();
  if (count > MAX_CANDIDATES) reader.fail();
  const candidates = [];
  for (let i = 0; i < count && !reader.failed; i++) candidates.push(readCandidate(reader));
  const profileSize = reader.varint();
  if (profileSize !== 0 && profileSize !== NAT_PROFILE_SIZE) reader.fail();
  const profile = profileSize === 0 ? undefined : readNatProfile(reader);
  return { type: "candidates", generation, seenGeneration, candidates, profile };
}

function readReason(reader: Reader): string {
  const length = reader.varint();
  if (length > MAX_REASON_BYTES) reader.fail();
  return decodeReason(reader.bytes(length));
}

/** Bytes that {@link encodeFrame} writes. */
export function frameLength(frame: Frame): number {
  switch (frame.type) {
    case "padding":
      return frame.count;
    case "ping":
    case "immediate-ack":
      return 1;
    case "ack":
      return ackFrameLength(frame);
    case "stream":
      return streamFrameLength(frame);
    case "reset-stream":
      return 1 + varintLength(frame.streamId) + varintLength(frame.code) + varintLength(frame.finalSize);
    case "stop-sending":
      return 1 + varintLength(frame.streamId) + varintLength(frame.code);
    case "max-data":
    case "max-streams":
    case "data-blocked":
    case "streams-blocked":
      return 1 + varintLength(frame.limit);
    case "max-stream-data":
    case "stream-data-blocked":
      return 1 + varintLength(frame.streamId) + varintLength(frame.limit);
    case "new-connection-id":
      return 1 + varintLength(frame.sequence) + varintLength(frame.retirePriorTo) + CONNECTION_ID_SIZE;
    case "retire-connection-id":
      return 1 + varintLength(frame.sequence);
    case "path-challenge":
    case "path-response":
      return 1 + PATH_TOKEN_SIZE;
    case "close":
      return closeLength(frame);
    case "observed-address":
      return 1 + addressLength(frame.address);
    case "candidates":
      return candidatesFrameLength(frame);
    case "ack-frequency":
      return ackFrequencyLength(frame);
    case "datagram":
      return 1 + varintLength(frame.data.length) + frame.data.length;
    case "extension":
      return varintLength(frame.id) + varintLength(frame.body.length) + frame.body.length;
  }
}

function closeLength(frame: CloseFrame): number {
  const reason = encodeReason(frame.reason).length;
  const cause = frame.application ? 0 : varintLength(frame.cause);
  return 1 + varintLength(frame.code) + cause + varintLength(reason) + reason;
}

function candidatesFrameLength({ generation, seenGeneration, candidates, profile }: CandidatesFrame): number {
  const numbers = varintLength(generation) + varintLength(seenGeneration) + varintLength(candidates.length);
  return 1 + numbers + candidatesLength(candidates) + 1 + (profile === undefined ? 0 : NAT_PROFILE_SIZE);
}

function ackFrequencyLength(frame: AckFrequencyFrame): number {
  const counts = varintLength(frame.sequence) + varintLength(frame.threshold);
  return 1 + counts + varintLength(frame.maxAckDelayUs) + varintLength(frame.reorderingThreshold);
}

/**
 * Writes a frame. STREAM and DATAGRAM get a length, so that another frame may follow.
 *
 * @throws RangeError if it does not fit, or a field is out of range.
 */
export function encodeFrame(writer: Writer, frame: Frame): void {
  switch (frame.type) {
    case "padding":
      writer.fill(FRAME_TYPE.PADDING, frame.count);
      return;
    case "ack":
      encodeAckFrame(writer, frame);
      return;
    case "stream":
      encodeStreamFrame(writer, frame);
      return;
    default:
      writer.varint(frameType(frame));
      encodeFields(writer, frame);
  }
}

function encodeFields(writer: Writer, frame: Exclude<Frame, { readonly type: "padding" | "ack" | "stream" }>): void {
  switch (frame.type) {
    case "ping":
    case "immediate-ack":
      break;
    case "max-data":
    case "max-streams":
    case "data-blocked":
    case "streams-blocked":
      writer.varint(frame.limit);
      break;
    case "max-stream-data":
    case "stream-data-blocked":
      writer.varint(frame.streamId);
      writer.varint(frame.limit);
      break;
    case "stop-sending":
      writer.varint(frame.streamId);
      writer.varint(frame.code);
      break;
    case "reset-stream":
      writer.varint(frame.streamId);
      writer.varint(frame.code);
      writer.varint(frame.finalSize);
      break;
    case "new-connection-id":
      writer.varint(frame.sequence);
      writer.varint(frame.retirePriorTo);
      writer.bytes(frame.connectionId);
      break;
    case "retire-connection-id":
      writer.varint(frame.sequence);
      break;
    case "path-challenge":
    case "path-response":
      writer.bytes(frame.token);
      break;
    case "close":
      encodeClose(writer, frame);
      break;
    case "observed-address":
      writeAddress(writer, frame.address);
      break;
    case "candidates":
      encodeCandidates(writer, frame);
      break;
    case "ack-frequency":
      encodeAckFrequency(writer, frame);
      break;
    case "datagram":
      writeWithLength(writer, frame.data);
      break;
    case "extension":
      writeWithLength(writer, frame.body);
      break;
  }
}

function encodeClose(writer: Writer, frame: CloseFrame): void {
  writer.varint(frame.code);
  if (!frame.application) writer.varint(frame.cause);
  writeWithLength(writer, encodeReason(frame.reason));
}

function encodeCandidates(writer: Writer, { generation, seenGeneration, candidates, profile }: CandidatesFrame): void {
  if (candidates.length > MAX_CANDIDATES) throw new RangeError(`${candidates.length} candidates`);
  writer.varint(generation);
  writer.varint(seenGeneration);
  writer.varint(candidates.length);
  for (const candidate of candidates) writeCandidate(writer, candidate);
  writer.varint(profile === undefined ? 0 : NAT_PROFILE_SIZE);
  if (profile !== undefined) writeNatProfile(writer, profile);
}

function encodeAckFrequency(writer: Writer, frame: AckFrequencyFrame): void {
  writer.varint(frame.sequence);
  writer.varint(frame.threshold);
  writer.varint(frame.maxAckDelayUs);
  writer.varint(frame.reorderingThreshold);
}

function writeWithLength(writer: Writer, bytes: Uint8Array): void {
  writer.varint(bytes.length);
  writer.bytes(bytes);
}
