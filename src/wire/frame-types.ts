/**
 * What a decoded frame is: plain data, told apart by `type` (spec/wire.md#frames).
 *
 * @module
 */
import type { Address } from "../util/machine.ts";

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
  | AckFrequencyFrame
  | DatagramFrame
  | ExtensionFrame;

/** The name of a kind of frame. */
export type FrameKind = Frame["type"];
