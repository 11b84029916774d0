/**
 * All streams of one connection: the commands of the application, the frames of the peer, the contents of packets.
 *
 * @module
 */
import type { Duration, Instant } from "../util/time.ts";
import type { CloseCode } from "../wire/codes.ts";
import type {
  DataBlockedFrame,
  MaxDataFrame,
  MaxStreamDataFrame,
  MaxStreamsFrame,
  ResetStreamFrame,
  StopSendingFrame,
  StreamDataBlockedFrame,
  StreamDirection,
  StreamFrame,
  StreamsBlockedFrame,
} from "../wire/frame.ts";
import type { Writer } from "../wire/writer.ts";
import type { SentSink, StreamEvent, StreamToken } from "./stream-events.ts";

export type { SentSink, StreamEvent, StreamToken } from "./stream-events.ts";

/** What one side allows the other, in bytes and streams since the start of the connection. */
export interface StreamLimits {
  readonly maxData: number;
  readonly maxStreamData: number;
  readonly maxStreamsBidi: number;
  readonly maxStreamsUni: number;
}

/** What {@link Streams} are made with. */
export interface StreamsOptions {
  readonly role: "initiator" | "responder";
  /** What the peer may send; `memoryBudget` is the most unread data of all streams together, in bytes. */
  readonly receive: StreamLimits & { readonly memoryBudget: number };
  /** Unsent bytes of one stream from which on `write` asks the writer to wait. */
  readonly sendBuffer: number;
}

/** Sizes at this moment, and totals since the start. */
export interface StreamsStats {
  /** Streams that are not forgotten. */
  readonly active: number;
  /** Received bytes that were not read yet. */
  readonly receiveBuffered: number;
  /** Written bytes that are unsent or unacknowledged. */
  readonly sendBuffered: number;
}

/** All streams of one connection. */
export class Streams {
  constructor(options: StreamsOptions) {
    void options;
    throw new Error("not yet");
  }
  /** Input: what the peer's handshake message allows. */
  setPeerLimits(limits: StreamLimits): void {
    void limits;
  }
  /** Input: bytes of a stream. Returns the code to close the connection with, 0 if all is well; so do all `on…Frame`s. */
  onStream(frame: StreamFrame, now: Instant, smoothedRtt: Duration): CloseCode {
    void [frame, now, smoothedRtt];
    return 0;
  }
  onResetStream(frame: ResetStreamFrame): CloseCode {
    void frame;
    return 0;
  }
  onStopSending(frame: StopSendingFrame): CloseCode {
    void frame;
    return 0;
  }
  onMaxData(frame: MaxDataFrame): CloseCode {
    void frame;
    return 0;
  }
  onMaxStreamData(frame: MaxStreamDataFrame): CloseCode {
    void frame;
    return 0;
  }
  onMaxStreams(frame: MaxStreamsFrame): CloseCode {
    void frame;
    return 0;
  }
  onBlocked(frame: DataBlockedFrame | StreamDataBlockedFrame | StreamsBlockedFrame): CloseCode {
    void frame;
    return 0;
  }
  /** Input: a packet with these bytes was acknowledged. */
  onStreamAcked(id: number, start: number, length: number, fin: 0 | 1): void {
    void [id, start, length, fin];
  }
  /** Input: a packet with these bytes was lost, or its contents are wanted again as a probe. */
  onStreamLost(id: number, start: number, length: number, fin: 0 | 1): void {
    void [id, start, length, fin];
  }
  onTokenAcked(token: StreamToken): void {
    void token;
  }
  onTokenLost(token: StreamToken): void {
    void token;
  }
  open(direction: StreamDirection): number | undefined {
    void direction;
    return undefined;
  }
  write(id: number, chunk: Uint8Array): boolean {
    void [id, chunk];
    return true;
  }
  finish(id: number): void {
    void id;
  }
  reset(id: number, code: number): void {
    void [id, code];
  }
  stopSending(id: number, code: number): void {
    void [id, code];
  }
  read(id: number): Uint8Array | undefined {
    void id;
    return undefined;
  }
  isFinished(id: number): boolean {
    void id;
    return false;
  }
  hasPending(): boolean {
    return false;
  }
  fill(writer: Writer, sink: SentSink): void {
    void [writer, sink];
  }
  pollEvent(): StreamEvent | undefined {
    return undefined;
  }
  /** Whether data waits for nothing but credit of the peer. */
  get sendWindowBlocked(): boolean {
    return false;
  }
  /** Stream bytes that could go into packets now, at most. */
  get sendableBytes(): number {
    return 0;
  }
  /** Streams that are not forgotten. */
  get activeCount(): number {
    return 0;
  }
  get stats(): StreamsStats {
    throw new Error("not yet");
  }
}
