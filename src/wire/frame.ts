/**
 * Frames: what packets carry (spec/wire.md#frames). Here they are plain data, told apart by `type`; their bytes are the
 * business of `frame-codec.ts`.
 *
 * @module
 */
import type { Address } from "../util/machine.ts";
import type { Candidate } from "./candidate.ts";
import { FRAME_TYPE } from "./frame-type.ts";
import type { NatProfile } from "./nat-profile.ts";
import type { PacketSpace } from "./packet-header.ts";

/** Which streams a limit is about. */
export type StreamDirection = "bidi" | "uni";

/** `count` bytes of nothing. */
export interface PaddingFrame {
  readonly type: "padding";
  readonly count: number;
}

/** Asks for an acknowledgement. */
export interface PingFrame {
  readonly type: "ping";
}

/** Totals of packets received with each ECN mark, RFC 9000 §19.3.2. */
export interface EcnCounts {
  readonly ect0: number;
  readonly ect1: number;
  readonly ce: number;
}

/** Which packets have arrived. */
export interface AckFrame {
  readonly type: "ack";
  /** The highest packet number received; equals `ranges[1] − 1`. */
  readonly largest: number;
  /** How long the acknowledgement of `largest` was withheld, in microseconds. */
  readonly delayUs: number;
  /** `[start0, end0, start1, end1, …]`: half-open and descending, with at least one number missing between two. */
  readonly ranges: readonly number[];
  readonly ecn: EcnCounts | undefined;
}

/** The sender gives up its half of a stream, of which `finalSize` bytes count as sent. */
export interface ResetStreamFrame {
  readonly type: "reset-stream";
  readonly streamId: number;
  readonly code: number;
  readonly finalSize: number;
}

/** The receiver wants no more of a stream. */
export interface StopSendingFrame {
  readonly type: "stop-sending";
  readonly streamId: number;
  readonly code: number;
}

/** A piece of a stream. */
export interface StreamFrame {
  readonly type: "stream";
  readonly streamId: number;
  /** Place of the first byte of `data` in the stream. */
  readonly offset: number;
  /** Whether the stream ends behind `data`. */
  readonly fin: boolean;
  /** A view of the packet when decoded. */
  readonly data: Uint8Array;
}

/** Credit for all streams together, in bytes since the start. */
export interface MaxDataFrame {
  readonly type: "max-data";
  readonly limit: number;
}

/** Credit for one stream, in bytes since its start. */
export interface MaxStreamDataFrame {
  readonly type: "max-stream-data";
  readonly streamId: number;
  readonly limit: number;
}

/** Streams that the receiver of the frame may have opened since the start. */
export interface MaxStreamsFrame {
  readonly type: "max-streams";
  readonly direction: StreamDirection;
  readonly limit: number;
}

/** The sender could send more but for the credit of the connection. */
export interface DataBlockedFrame {
  readonly type: "data-blocked";
  readonly limit: number;
}

/** The sender could send more but for the credit of the stream. */
export interface StreamDataBlockedFrame {
  readonly type: "stream-data-blocked";
  readonly streamId: number;
  readonly limit: number;
}

/** The sender could open a stream but for the limit. */
export interface StreamsBlockedFrame {
  readonly type: "streams-blocked";
  readonly direction: StreamDirection;
  readonly limit: number;
}

/** A further id by which the sender can be reached. */
export interface NewConnectionIdFrame {
  readonly type: "new-connection-id";
  readonly sequence: number;
  readonly retirePriorTo: number;
  readonly connectionId: Uint8Array;
}

/** An id of the receiver that the sender of the frame no longer uses. */
export interface RetireConnectionIdFrame {
  readonly type: "retire-connection-id";
  readonly sequence: number;
}

/** A token to be returned on the same path. */
export interface PathChallengeFrame {
  readonly type: "path-challenge";
  readonly token: Uint8Array;
}

/** The token of a challenge. */
export interface PathResponseFrame {
  readonly type: "path-response";
  readonly token: Uint8Array;
}

/** The connection is over. `cause` is the type of the frame that broke the rules, 0 if none or if `application`. */
export interface CloseFrame {
  readonly type: "close";
  readonly application: boolean;
  readonly code: number;
  readonly cause: number;
  /** For people; cut off at 64 bytes of UTF-8 when encoded. */
  readonly reason: string;
}

/** Asks for an acknowledgement without delay. */
export interface ImmediateAckFrame {
  readonly type: "immediate-ack";
}

/** Where the packet that is being answered came from. */
export interface ObservedAddressFrame {
  readonly type: "observed-address";
  readonly address: Address;
}

/** Where the sender may be reached, all of it; repeated until the peer's frame shows that it has it. */
export interface CandidatesFrame {
  readonly type: "candidates";
  /** Grows with each change of what follows; the frame with the highest one counts. */
  readonly generation: number;
  /** The highest generation that the sender has of the peer, 0 for none. */
  readonly seenGeneration: number;
  readonly candidates: readonly Candidate[];
  readonly profile: NatProfile | undefined;
}

/** How often the sender of the frame wants acknowledgements. */
export interface AckFrequencyFrame {
  readonly type: "ack-frequency";
  /** The frame with the highest one counts. */
  readonly sequence: number;
  /** Ack-eliciting packets that may arrive without an acknowledgement. */
  readonly threshold: number;
  readonly maxAckDelayUs: number;
  /** Packets out of order that call for an acknowledgement at once; 0 for none. */
  readonly reorderingThreshold: number;
}

/** Bytes that are delivered at most once, or lost. */
export interface DatagramFrame {
  readonly type: "datagram";
  readonly data: Uint8Array;
}

/** A frame of an extension that this version does not know and may ignore; `id` is even and at least 0x40. */
export interface ExtensionFrame {
  readonly type: "extension";
  readonly id: number;
  readonly body: Uint8Array;
}

/** Any frame. */
export type Frame =
  | PaddingFrame
  | PingFrame
  | AckFrame
  | ResetStreamFrame
  | StopSendingFrame
  | StreamFrame
  | MaxDataFrame
  | MaxStreamDataFrame
  | MaxStreamsFrame
  | DataBlockedFrame
  | StreamDataBlockedFrame
  | StreamsBlockedFrame
  | NewConnectionIdFrame
  | RetireConnectionIdFrame
  | PathChallengeFrame
  | PathResponseFrame
  | CloseFrame
  | ImmediateAckFrame
  | ObservedAddressFrame
  | CandidatesFrame
  | AckFrequencyFrame
  | DatagramFrame
  | ExtensionFrame;

/** The name of a kind of frame. */
export type FrameKind = Frame["type"];

interface FrameRule {
  /** `both`, or the one space in which packets may carry the frame. */
  readonly space: PacketSpace | "both";
  /** Whether a data packet with it must be acknowledged (RFC 9002 §2). */
  readonly ackEliciting: boolean;
}

/** Where each frame belongs (spec/wire.md#frames). */
const RULES: Readonly<Record<FrameKind, FrameRule>> = {
  padding: { space: "both", ackEliciting: false },
  ping: { space: "data", ackEliciting: true },
  ack: { space: "data", ackEliciting: false },
  "reset-stream": { space: "data", ackEliciting: true },
  "stop-sending": { space: "data", ackEliciting: true },
  stream: { space: "data", ackEliciting: true },
  "max-data": { space: "data", ackEliciting: true },
  "max-stream-data": { space: "data", ackEliciting: true },
  "max-streams": { space: "data", ackEliciting: true },
  "data-blocked": { space: "data", ackEliciting: true },
  "stream-data-blocked": { space: "data", ackEliciting: true },
  "streams-blocked": { space: "data", ackEliciting: true },
  "new-connection-id": { space: "data", ackEliciting: true },
  "retire-connection-id": { space: "data", ackEliciting: true },
  "path-challenge": { space: "probe", ackEliciting: false },
  "path-response": { space: "both", ackEliciting: true },
  close: { space: "both", ackEliciting: false },
  "immediate-ack": { space: "data", ackEliciting: true },
  "observed-address": { space: "probe", ackEliciting: false },
  candidates: { space: "probe", ackEliciting: false },
  "ack-frequency": { space: "data", ackEliciting: true },
  datagram: { space: "data", ackEliciting: true },
  extension: { space: "both", ackEliciting: true },
};

/** Whether a data packet with such a frame must be acknowledged. */
export function isAckEliciting(kind: FrameKind): boolean {
  return RULES[kind].ackEliciting;
}

/** Whether a packet of `space` may carry such a frame; if not, receiving one is a PROTOCOL_VIOLATION. */
export function allowedIn(kind: FrameKind, space: PacketSpace): boolean {
  const rule = RULES[kind].space;
  return rule === "both" || rule === space;
}

/** The number of the frame's type on the wire; of a STREAM frame the one without flags. */
export function frameType(frame: Frame): number {
  switch (frame.type) {
    case "extension":
      return frame.id;
    case "ack":
      return frame.ecn === undefined ? FRAME_TYPE.ACK : FRAME_TYPE.ACK_ECN;
    case "max-streams":
      return frame.direction === "bidi" ? FRAME_TYPE.MAX_STREAMS_BIDI : FRAME_TYPE.MAX_STREAMS_UNI;
    case "streams-blocked":
      return frame.direction === "bidi" ? FRAME_TYPE.STREAMS_BLOCKED_BIDI : FRAME_TYPE.STREAMS_BLOCKED_UNI;
    case "close":
      return frame.application ? FRAME_TYPE.CLOSE_APPLICATION : FRAME_TYPE.CLOSE_TRANSPORT;
    default:
      return FIXED_TYPES[frame.type];
  }
}

/** Types of the frames that have only one, or of which we send only one. */
const FIXED_TYPES = {
  padding: FRAME_TYPE.PADDING,
  ping: FRAME_TYPE.PING,
  "reset-stream": FRAME_TYPE.RESET_STREAM,
  "stop-sending": FRAME_TYPE.STOP_SENDING,
  stream: FRAME_TYPE.STREAM,
  "max-data": FRAME_TYPE.MAX_DATA,
  "max-stream-data": FRAME_TYPE.MAX_STREAM_DATA,
  "data-blocked": FRAME_TYPE.DATA_BLOCKED,
  "stream-data-blocked": FRAME_TYPE.STREAM_DATA_BLOCKED,
  "new-connection-id": FRAME_TYPE.NEW_CONNECTION_ID,
  "retire-connection-id": FRAME_TYPE.RETIRE_CONNECTION_ID,
  "path-challenge": FRAME_TYPE.PATH_CHALLENGE,
  "path-response": FRAME_TYPE.PATH_RESPONSE,
  "immediate-ack": FRAME_TYPE.IMMEDIATE_ACK,
  "observed-address": FRAME_TYPE.OBSERVED_ADDRESS,
  candidates: FRAME_TYPE.CANDIDATES,
  "ack-frequency": FRAME_TYPE.ACK_FREQUENCY,
  datagram: FRAME_TYPE.DATAGRAM_LENGTH,
} as const;
