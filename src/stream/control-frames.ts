/**
 * Everything about streams that goes into packets beside their data: what is due, and what to do when it is lost.
 *
 * Nothing is queued but the fact that a frame is due: its contents are those of the moment in which it is written, so a
 * flood of causes makes one frame. The memory is bounded by the number of streams.
 *
 * @module
 */
import { Deque } from "../util/deque.ts";
import type { Frame, StreamDirection } from "../wire/frame.ts";
import { encodeFrame, frameLength } from "../wire/frame-codec.ts";
import type { Writer } from "../wire/writer.ts";
import type { ReceiveWindow, SendCredit } from "./flow-control.ts";
import { CONTROL, type Stream } from "./stream.ts";
import type { SentSink, StreamToken } from "./stream-events.ts";
import type { LocalStreams, PeerStreams } from "./stream-limits.ts";

/** One object for each direction. */
export type ByDirection<Value> = Readonly<Record<StreamDirection, Value>>;

/** What the frames speak of. */
export interface ControlContext {
  /** Credit of the connection in both directions. */
  readonly sendCredit: SendCredit;
  readonly receiveWindow: ReceiveWindow;
  readonly localStreams: ByDirection<LocalStreams>;
  readonly peerStreams: ByDirection<PeerStreams>;
}

const DIRECTIONS: readonly StreamDirection[] = ["bidi", "uni"];

/** The control frames that are due. */
export class ControlFrames {
  readonly #context: ControlContext;
  readonly #streams = new Deque<Stream>();
  #wantsMaxData = false;
  #wantsDataBlocked = false;
  readonly #wantsMaxStreams: Record<StreamDirection, boolean> = { bidi: false, uni: false };
  readonly #wantsStreamsBlocked: Record<StreamDirection, boolean> = { bidi: false, uni: false };

  constructor(context: ControlContext) {
    this.#context = context;
  }

  // Inputs

  /** Input: the frame behind `token` is lost. `stream` is the one it names, if that is not forgotten. */
  onLost(token: StreamToken, stream: Stream | undefined): void {
    const { sendCredit, receiveWindow, localStreams, peerStreams } = this.#context;
    // RFC 9000 §13.3: what is repaired is the present state, and only if no later frame has told it.
    switch (token.kind) {
      case "max-data":
        if (token.limit === receiveWindow.limit) this.#wantsMaxData = true;
        break;
      case "max-streams":
        if (token.limit === peerStreams[token.direction].limit) this.#wantsMaxStreams[token.direction] = true;
        break;
      case "data-blocked":
        if (token.limit === sendCredit.limit) this.#wantsDataBlocked = true;
        break;
      case "streams-blocked":
        if (token.limit === localStreams[token.direction].limit) this.#wantsStreamsBlocked[token.direction] = true;
        break;
      case "max-stream-data":
        if (stream?.receive?.limit === token.limit) this.want(stream, CONTROL.MAX_STREAM_DATA);
        break;
      case "stream-data-blocked":
        if (stream?.send?.limit === token.limit) this.want(stream, CONTROL.STREAM_DATA_BLOCKED);
        break;
      case "reset-stream":
        if (stream !== undefined) this.want(stream, CONTROL.RESET_STREAM);
        break;
      case "stop-sending":
        if (stream !== undefined) this.want(stream, CONTROL.STOP_SENDING);
        break;
    }
  }

  // Commands

  /** Command: a frame of `stream` is due; `bit` is one of {@link CONTROL}. */
  want(stream: Stream, bit: number): void {
    stream.control |= bit;
    if (stream.isInControlQueue) return;
    stream.isInControlQueue = true;
    this.#streams.push(stream);
  }

  /** Command: a MAX_DATA frame is due. */
  wantMaxData(): void {
    this.#wantsMaxData = true;
  }

  /** Command: a DATA_BLOCKED frame is due. */
  wantDataBlocked(): void {
    this.#wantsDataBlocked = true;
  }

  /** Command: a MAX_STREAMS frame is due. */
  wantMaxStreams(direction: StreamDirection): void {
    this.#wantsMaxStreams[direction] = true;
  }

  /** Command: a STREAMS_BLOCKED frame is due. */
  wantStreamsBlocked(direction: StreamDirection): void {
    this.#wantsStreamsBlocked[direction] = true;
  }

  // Outputs

  /** Output: whether a frame is due. */
  hasPending(): boolean {
    this.#forgetIdle();
    if (this.#streams.length > 0 || this.#wantsMaxData || this.#needsDataBlocked) return true;
    for (const direction of DIRECTIONS) {
      if (this.#wantsMaxStreams[direction] || this.#needsStreamsBlocked(direction)) return true;
    }
    return false;
  }

  /** Output: puts what is due into the packet, until it is full. */
  fill(writer: Writer, sink: SentSink): void {
    if (!this.#fillConnection(writer, sink)) return;
    for (let stream = this.#streams.first; stream !== undefined; stream = this.#streams.first) {
      if (!this.#fillStream(stream, writer, sink)) return;
      this.#streams.shift();
      stream.isInControlQueue = false;
    }
  }

  // Private

  get #needsDataBlocked(): boolean {
    return this.#wantsDataBlocked && this.#context.sendCredit.isBlocked;
  }

  #needsStreamsBlocked(direction: StreamDirection): boolean {
    return this.#wantsStreamsBlocked[direction] && this.#context.localStreams[direction].isBlocked;
  }

  /** Frames of no stream. Returns false if the packet is full. */
  #fillConnection(writer: Writer, sink: SentSink): boolean {
    const { sendCredit, receiveWindow, peerStreams, localStreams } = this.#context;
    if (this.#wantsMaxData) {
      const limit = receiveWindow.grant();
      if (!put(writer, { type: "max-data", limit })) return false;
      sink.addToken({ kind: "max-data", limit });
      this.#wantsMaxData = false;
    }
    if (this.#needsDataBlocked) {
      const limit = sendCredit.limit;
      if (!put(writer, { type: "data-blocked", limit })) return false;
      sink.addToken({ kind: "data-blocked", limit });
    }
    this.#wantsDataBlocked = false;
    for (const direction of DIRECTIONS) {
      if (this.#wantsMaxStreams[direction]) {
        const limit = peerStreams[direction].grant();
        if (!put(writer, { type: "max-streams", direction, limit })) return false;
        sink.addToken({ kind: "max-streams", direction, limit });
        this.#wantsMaxStreams[direction] = false;
      }
      if (this.#needsStreamsBlocked(direction)) {
        const limit = localStreams[direction].limit;
        if (!put(writer, { type: "streams-blocked", direction, limit })) return false;
        sink.addToken({ kind: "streams-blocked", direction, limit });
      }
      this.#wantsStreamsBlocked[direction] = false;
    }
    return true;
  }

  /** Frames of one stream. Returns false if the packet is full. */
  #fillStream(stream: Stream, writer: Writer, sink: SentSink): boolean {
    this.#clearIdle(stream);
    while (stream.control !== 0) {
      const bit = stream.control & -stream.control;
      const frame = frameOf(stream, bit);
      if (!put(writer, frame)) return false;
      sink.addToken(tokenOf(frame));
      stream.control &= ~bit;
    }
    return true;
  }

  /** Removes from the front of the queue what has nothing to send any more. */
  #forgetIdle(): void {
    for (let stream = this.#streams.first; stream !== undefined; stream = this.#streams.first) {
      this.#clearIdle(stream);
      if (stream.control !== 0) return;
      this.#streams.shift();
      stream.isInControlQueue = false;
    }
  }

  /** Takes back what was due and has lost its sense since. */
  #clearIdle(stream: Stream): void {
    const { send, receive } = stream;
    if (send?.state !== "reset-sent") stream.control &= ~CONTROL.RESET_STREAM;
    if (!send?.isBlocked) stream.control &= ~CONTROL.STREAM_DATA_BLOCKED;
    if (!receive?.awaitsStop) stream.control &= ~CONTROL.STOP_SENDING;
    if (!receive?.canUseCredit) stream.control &= ~CONTROL.MAX_STREAM_DATA;
  }
}

/** A control frame of one stream. */
type StreamControlFrame = Extract<
  Frame,
  { type: "reset-stream" | "stop-sending" | "max-stream-data" | "stream-data-blocked" }
>;

function put(writer: Writer, frame: Frame): boolean {
  if (frameLength(frame) > writer.remaining) return false;
  encodeFrame(writer, frame);
  return true;
}

function frameOf(stream: Stream, bit: number): StreamControlFrame {
  const { id: streamId, send, receive } = stream;
  switch (bit) {
    case CONTROL.RESET_STREAM:
      return { type: "reset-stream", streamId, code: send!.resetCode, finalSize: send!.finalSize };
    case CONTROL.STOP_SENDING:
      return { type: "stop-sending", streamId, code: receive!.code };
    case CONTROL.MAX_STREAM_DATA:
      return { type: "max-stream-data", streamId, limit: receive!.grant() };
    default:
      return { type: "stream-data-blocked", streamId, limit: send!.limit };
  }
}

function tokenOf(frame: StreamControlFrame): StreamToken {
  switch (frame.type) {
    case "reset-stream":
    case "stop-sending":
      return { kind: frame.type, id: frame.streamId };
    case "max-stream-data":
    case "stream-data-blocked":
      return { kind: frame.type, id: frame.streamId, limit: frame.limit };
  }
}
