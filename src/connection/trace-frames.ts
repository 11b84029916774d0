/**
 * Frames in the words of traces (draft-ietf-quic-qlog-quic-events-13, "QUIC Frames").
 *
 * @module
 */
import type { TraceFrame, TupleEndpoint } from "../trace/events.ts";
import { toHex } from "../util/bytes.ts";
import type { Address } from "../util/machine.ts";
import { CLOSE_CODE } from "../wire/codes.ts";
import type { AckFrame, CloseFrame, Frame, StreamDirection } from "../wire/frame.ts";
import { decodeFrame } from "../wire/frame-codec.ts";
import { Reader } from "../wire/reader.ts";

// Specification

/** What QUIC calls our codes of CLOSE by the transport, as far as it has them (RFC 9000 §20.1). */
const TRANSPORT_ERRORS: Readonly<Record<number, string>> = {
  [CLOSE_CODE.NO_ERROR]: "no_error",
  [CLOSE_CODE.INTERNAL]: "internal_error",
  [CLOSE_CODE.FLOW_CONTROL]: "flow_control_error",
  [CLOSE_CODE.STREAM_LIMIT]: "stream_limit_error",
  [CLOSE_CODE.STREAM_STATE]: "stream_state_error",
  [CLOSE_CODE.FINAL_SIZE]: "final_size_error",
  [CLOSE_CODE.FRAME_ENCODING]: "frame_encoding_error",
  [CLOSE_CODE.PROTOCOL_VIOLATION]: "protocol_violation",
  [CLOSE_CODE.CONNECTION_ID_LIMIT]: "connection_id_limit_error",
  [CLOSE_CODE.KEY_UPDATE]: "key_update_error",
  [CLOSE_CODE.AEAD_LIMIT]: "aead_limit_reached",
};

const STREAM_TYPE: Readonly<Record<StreamDirection, string>> = { bidi: "bidirectional", uni: "unidirectional" };

const reader = new Reader();

/** The frames between `start` and `end` of an open packet, up to the first that cannot be read. */
export function traceFrames(packet: Uint8Array, start: number, end: number): readonly TraceFrame[] {
  const frames: TraceFrame[] = [];
  reader.reset(packet, start, end);
  while (reader.remaining > 0) {
    const frame = decodeFrame(reader);
    if (frame === undefined) break;
    frames.push(traceFrame(frame));
  }
  return frames;
}

/** The name of an error of the transport, and its code if it has no name. */
export function transportError(code: number): { readonly name: string; readonly code: number | undefined } {
  const name = TRANSPORT_ERRORS[code];
  return name === undefined ? { name: "unknown", code } : { name, code: undefined };
}

/** An address as one half of a network tuple. */
export function tupleEndpoint({ family, host, port }: Address): TupleEndpoint {
  return family === 4 ? { ip_v4: host, port_v4: port } : { ip_v6: host, port_v6: port };
}

/** One frame. Neither payload nor tokens are told, only their lengths. */
export function traceFrame(frame: Frame): TraceFrame {
  switch (frame.type) {
    case "padding":
      return { frame_type: "padding", raw: { payload_length: frame.count } };
    case "ping":
      return { frame_type: "ping" };
    case "ack":
      return ackFrame(frame);
    case "stream": {
      const { streamId: stream_id, offset, data } = frame;
      // `length` is what the field was called in draft 0.3.
      const { length } = data;
      return { frame_type: "stream", stream_id, offset, length, fin: frame.fin || undefined, raw: { length } };
    }
    case "reset-stream": {
      const { streamId, code, finalSize } = frame;
      return {
        frame_type: "reset_stream",
        stream_id: streamId,
        error: "unknown",
        error_code: code,
        final_size: finalSize,
      };
    }
    case "stop-sending":
      return { frame_type: "stop_sending", stream_id: frame.streamId, error: "unknown", error_code: frame.code };
    case "max-data":
      return { frame_type: "max_data", maximum: frame.limit };
    case "max-stream-data":
      return { frame_type: "max_stream_data", stream_id: frame.streamId, maximum: frame.limit };
    case "max-streams":
      return { frame_type: "max_streams", stream_type: STREAM_TYPE[frame.direction], maximum: frame.limit };
    case "data-blocked":
      return { frame_type: "data_blocked", limit: frame.limit };
    case "stream-data-blocked":
      return { frame_type: "stream_data_blocked", stream_id: frame.streamId, limit: frame.limit };
    case "streams-blocked":
      return { frame_type: "streams_blocked", stream_type: STREAM_TYPE[frame.direction], limit: frame.limit };
    case "new-connection-id": {
      const { sequence, retirePriorTo, connectionId } = frame;
      return {
        frame_type: "new_connection_id",
        sequence_number: sequence,
        retire_prior_to: retirePriorTo,
        connection_id: toHex(connectionId),
      };
    }
    case "retire-connection-id":
      return { frame_type: "retire_connection_id", sequence_number: frame.sequence };
    case "path-challenge":
      return { frame_type: "path_challenge" };
    case "path-response":
      return { frame_type: "path_response" };
    case "close":
      return closeFrame(frame);
    case "immediate-ack":
      return { frame_type: "immediate_ack" };
    case "observed-address":
      return { frame_type: "observed_address", ...tupleEndpoint(frame.address) };
    case "candidates":
      return {
        frame_type: "candidates",
        generation: frame.generation,
        seen_generation: frame.seenGeneration,
        candidates: frame.candidates.length,
      };
    case "ack-frequency":
      return {
        frame_type: "ack_frequency",
        sequence_number: frame.sequence,
        ack_eliciting_threshold: frame.threshold,
        requested_max_ack_delay: frame.maxAckDelayUs / 1000,
        reordering_threshold: frame.reorderingThreshold,
      };
    case "datagram":
      return { frame_type: "datagram", raw: { length: frame.data.length } };
    case "extension":
      return { frame_type: "unknown", frame_type_bytes: frame.id, raw: { payload_length: frame.body.length } };
  }
}

function ackFrame({ delayUs, ranges, ecn }: AckFrame): TraceFrame {
  const acked_ranges: number[][] = [];
  for (let i = 0; i < ranges.length; i += 2) {
    const [first, last] = [ranges[i]!, ranges[i + 1]! - 1];
    acked_ranges.push(first === last ? [first] : [first, last]);
  }
  return { frame_type: "ack", ack_delay: delayUs / 1000, acked_ranges, ...ecn };
}

function closeFrame({ application, code, cause, reason }: CloseFrame): TraceFrame {
  const text = reason === "" ? undefined : reason;
  if (application) {
    const error_space = "application";
    return { frame_type: "connection_close", error_space, error: "unknown", error_code: code, reason: text };
  }
  const error = transportError(code);
  return {
    frame_type: "connection_close",
    error_space: "transport",
    error: error.name,
    error_code: error.code,
    reason: text,
    trigger_frame_type: cause === 0 ? undefined : cause,
  };
}
