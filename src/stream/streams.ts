/**
 * All streams of one connection: commands of the application, frames of the peer, contents of packets (spec/streams.md).
 *
 * This class only connects the parts. {@link StreamTable} knows which streams there are, {@link SendStream} and
 * {@link ReceiveStream} are the state machines of their halves, {@link SendScheduler} says whose data goes into the next
 * packet and {@link ControlFrames} what goes before it, {@link EventQueue} holds what the owner is to be told.
 *
 * Inputs from frames return the code to close the connection with, 0 if all is well. After an error the connection
 * closes, so nothing is undone. A frame for a stream that is done is late, not wrong, and ignored; so is a command.
 * Commands that make no sense at any time throw.
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
import { MAX_VARINT } from "../wire/varint.ts";
import type { Writer } from "../wire/writer.ts";
import { ControlFrames } from "./control-frames.ts";
import { EventQueue } from "./event-queue.ts";
import { ReceiveWindow, SendCredit } from "./flow-control.ts";
import { CONNECTION_SHARE } from "./receive-stream.ts";
import { SendScheduler } from "./send-scheduler.ts";
import { CONTROL, EVENT, type Stream } from "./stream.ts";
import type { SentSink, StreamEvent, StreamToken } from "./stream-events.ts";
import { directionOf } from "./stream-id.ts";
import { LocalStreams, PeerStreams } from "./stream-limits.ts";
import { type Half, StreamTable } from "./stream-table.ts";

// Implementation

/** Bytes in which every frame of this layer fits, a STREAM frame with a useful piece of data. */
export const MIN_ROOM = 64;

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

/** Sizes at this moment. */
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
  readonly #sendCredit = new SendCredit(0);
  readonly #receiveWindow: ReceiveWindow;
  readonly #localStreams = { bidi: new LocalStreams(), uni: new LocalStreams() };
  readonly #peerStreams: { readonly bidi: PeerStreams; readonly uni: PeerStreams };
  readonly #events = new EventQueue();
  readonly #table: StreamTable;
  readonly #control: ControlFrames;
  readonly #scheduler: SendScheduler;

  /** @throws RangeError if more is allowed to the peer at once than the memory budget holds. */
  constructor(options: StreamsOptions) {
    const { role, receive, sendBuffer } = options;
    const { maxData, maxStreamData, memoryBudget } = receive;
    if (maxData > memoryBudget)
      throw new RangeError(`maxData is above the memory budget: ${maxData} > ${memoryBudget}`);
    this.#receiveWindow = new ReceiveWindow({ initial: maxData, maximum: memoryBudget });
    this.#peerStreams = { bidi: new PeerStreams(receive.maxStreamsBidi), uni: new PeerStreams(receive.maxStreamsUni) };
    this.#table = new StreamTable({
      role,
      localStreams: this.#localStreams,
      peerStreams: this.#peerStreams,
      events: this.#events,
      connection: this.#receiveWindow,
      window: { initial: maxStreamData, maximum: Math.floor(memoryBudget / CONNECTION_SHARE) },
      highWaterMark: sendBuffer,
    });
    this.#control = new ControlFrames({
      sendCredit: this.#sendCredit,
      receiveWindow: this.#receiveWindow,
      localStreams: this.#localStreams,
      peerStreams: this.#peerStreams,
    });
    this.#scheduler = new SendScheduler(this.#sendCredit);
  }

  // Inputs

  /** Input: what the peer's handshake message allows. */
  setPeerLimits(limits: StreamLimits): void {
    this.#table.peerStreamLimit = limits.maxStreamData;
    this.#sendCredit.raise(limits.maxData);
    this.#onLocalLimit("bidi", limits.maxStreamsBidi);
    this.#onLocalLimit("uni", limits.maxStreamsUni);
  }

  /** Input: bytes of a stream, perhaps its end. */
  onStream(frame: StreamFrame, now: Instant, smoothedRtt: Duration): CloseCode {
    const stream = this.#table.onFrame(frame.streamId, "receive");
    if (typeof stream === "number") return stream;
    const receive = stream.receive!;
    const code = receive.onStream(frame, now, smoothedRtt);
    if (code !== 0) return code;
    if (receive.takeReadable()) this.#events.tell(stream, EVENT.READABLE);
    this.#afterReceiving(stream);
    return 0;
  }

  /** Input: the peer gives up its half of a stream. */
  onResetStream(frame: ResetStreamFrame): CloseCode {
    const stream = this.#table.onFrame(frame.streamId, "receive");
    if (typeof stream === "number") return stream;
    const receive = stream.receive!;
    const wasOver = receive.isOver;
    const code = receive.onReset(frame);
    if (code !== 0) return code;
    if (!wasOver && receive.state === "reset-recvd") {
      this.#events.takeBack(stream, EVENT.READABLE);
      this.#events.tell(stream, EVENT.RESET);
    }
    this.#afterReceiving(stream);
    return 0;
  }

  /** Input: the peer wants no more of a stream. */
  onStopSending(frame: StopSendingFrame): CloseCode {
    const stream = this.#table.onFrame(frame.streamId, "send");
    if (typeof stream === "number") return stream;
    // RFC 9000 §3.5: answered by RESET_STREAM with the same code.
    if (this.#resetHalf(stream, frame.code)) this.#events.tell(stream, EVENT.STOPPED);
    return 0;
  }

  /** Input: credit for all streams together. */
  onMaxData(frame: MaxDataFrame): CloseCode {
    this.#sendCredit.raise(frame.limit);
    return 0;
  }

  /** Input: credit for one stream. */
  onMaxStreamData(frame: MaxStreamDataFrame): CloseCode {
    const stream = this.#table.onFrame(frame.streamId, "send");
    if (typeof stream === "number") return stream;
    if (stream.send!.onMaxStreamData(frame.limit)) this.#scheduler.update(stream);
    return 0;
  }

  /** Input: how many streams we may open. */
  onMaxStreams(frame: MaxStreamsFrame): CloseCode {
    this.#onLocalLimit(frame.direction, frame.limit);
    return 0;
  }

  /** Input: the peer lacks credit. RFC 9000 §4.1: credit never waits for this; it is only checked. */
  onBlocked(frame: DataBlockedFrame | StreamDataBlockedFrame | StreamsBlockedFrame): CloseCode {
    switch (frame.type) {
      case "data-blocked":
        return 0;
      case "stream-data-blocked": {
        const stream = this.#table.onFrame(frame.streamId, "receive");
        return typeof stream === "number" ? stream : 0;
      }
      case "streams-blocked": {
        const streams = this.#peerStreams[frame.direction];
        // What is too little to be announced unasked is given to who waits for it, now or when a stream is done.
        streams.onBlocked(frame.limit);
        if (streams.hasNewCredit) this.#control.wantMaxStreams(frame.direction);
        return 0;
      }
    }
  }

  /** Input: a packet with these bytes was acknowledged; `fin` is 1 if with the end. */
  onStreamAcked(id: number, start: number, length: number, fin: 0 | 1): void {
    const stream = this.#table.find(id);
    if (stream?.send?.onAcked(start, length, fin)) this.#endHalf(stream, EVENT.FINISHED);
  }

  /** Input: a packet with these bytes is lost, or a probe should repeat them. */
  onStreamLost(id: number, start: number, length: number, fin: 0 | 1): void {
    const stream = this.#table.find(id);
    if (stream?.send === undefined) return;
    stream.send.onLost(start, length, fin);
    this.#scheduler.update(stream);
  }

  /** Input: a packet with the frame behind `token` was acknowledged. */
  onTokenAcked(token: StreamToken): void {
    if (token.kind === "reset-stream") {
      const stream = this.#table.find(token.id);
      if (stream?.send?.onResetAcked()) this.#endHalf(stream, EVENT.RESET_ACKED);
    } else if (token.kind === "stop-sending") {
      const stream = this.#table.find(token.id);
      stream?.receive?.onStopAcked();
      if (stream !== undefined) this.#settle(stream);
    }
  }

  /** Input: a packet with the frame behind `token` is lost, or a probe should repeat it. */
  onTokenLost(token: StreamToken): void {
    this.#control.onLost(token, "id" in token ? this.#table.find(token.id) : undefined);
  }

  // Commands

  /** Command: opens a stream and returns its id; `undefined` if the peer allows no more (`streams-available` follows). */
  open(direction: StreamDirection): number | undefined {
    const local = this.#localStreams[direction];
    const wasBlocked = local.isBlocked;
    const stream = this.#table.open(direction);
    if (stream === undefined) {
      if (!wasBlocked) this.#control.wantStreamsBlocked(direction);
      return undefined;
    }
    this.#scheduler.update(stream);
    return stream.id;
  }

  /**
   * Command: appends `chunk`, which must not change until it is acknowledged. Returns false if the writer should wait
   * (`writable` follows). What is written to a half that was given up is dropped.
   *
   * @throws TypeError if we do not send on this stream, after `finish`, or if `chunk` is no Uint8Array.
   */
  write(id: number, chunk: Uint8Array): boolean {
    if (!(chunk instanceof Uint8Array)) throw new TypeError("only a Uint8Array can be written");
    const stream = this.#commanded(id, "send");
    if (stream === undefined || stream.send!.isReset) return true;
    if (stream.send!.isEnding) throw new TypeError(`write after finish on stream ${id}`);
    const hasRoom = stream.send!.write(chunk);
    this.#afterWriting(stream);
    return hasRoom;
  }

  /**
   * Command: the sending half ends behind what was written (`finished` follows).
   *
   * @throws TypeError if we do not send on this stream.
   */
  finish(id: number): void {
    const stream = this.#commanded(id, "send");
    if (stream === undefined || stream.send!.isReset) return;
    stream.send!.finish();
    this.#afterWriting(stream);
  }

  /**
   * Command: gives the sending half up (`reset-acked` follows). Nothing happens if the peer has all of it.
   *
   * @throws TypeError if we do not send on this stream. RangeError if `code` is no integer of the wire.
   */
  reset(id: number, code: number): void {
    checkCode(code);
    const stream = this.#commanded(id, "send");
    if (stream !== undefined) this.#resetHalf(stream, code);
  }

  /**
   * Command: gives the receiving half up: nothing more is told about it, and what still comes is dropped. Nothing is
   * sent if everything has arrived.
   *
   * @throws TypeError if we do not receive on this stream. RangeError if `code` is no integer of the wire.
   */
  stopSending(id: number, code: number): void {
    checkCode(code);
    const stream = this.#commanded(id, "receive");
    if (stream === undefined) return;
    if (stream.receive!.stop(code)) this.#control.want(stream, CONTROL.STOP_SENDING);
    this.#events.takeBack(stream, EVENT.READABLE);
    this.#afterReceiving(stream);
  }

  /**
   * Command: takes the next bytes in order; `undefined` if there are none now (`readable` follows) or ever, which
   * {@link isFinished} tells apart.
   *
   * @throws TypeError if we do not receive on this stream.
   */
  read(id: number): Uint8Array | undefined {
    const stream = this.#commanded(id, "receive");
    if (stream === undefined) return undefined;
    const piece = stream.receive!.read();
    // The reader came before it was told.
    if (piece === undefined) this.#events.takeBack(stream, EVENT.READABLE);
    this.#afterReceiving(stream);
    return piece;
  }

  /** Whether the reader has had all bytes up to the end. False of a stream that was reset, given up or is forgotten. */
  isFinished(id: number): boolean {
    const stream = this.#table.find(id);
    if (!stream?.receive?.takeEnd()) return false;
    this.#events.takeBack(stream, EVENT.READABLE);
    this.#settle(stream);
    return true;
  }

  /** Bytes that were written and not acknowledged, those that a reset gave up included; 0 of a forgotten stream. */
  unacknowledged(id: number): number {
    return this.#table.find(id)?.send?.unacknowledged ?? 0;
  }

  // Outputs

  /** Output: whether {@link fill} would put something into an empty packet. */
  hasPending(): boolean {
    return this.#control.hasPending() || this.#scheduler.hasPending();
  }

  /**
   * Output: puts frames into the packet: control frames, then lost data, then new data. A last STREAM frame that reaches
   * the end of the packet has no length, so nothing may be appended. A packet with {@link MIN_ROOM} bytes gets something
   * if {@link hasPending}.
   */
  fill(writer: Writer, sink: SentSink): void {
    this.#control.fill(writer, sink);
    for (
      let stream = this.#scheduler.fillNext(writer, sink);
      stream !== undefined;
      stream = this.#scheduler.fillNext(writer, sink)
    ) {
      if (stream.send!.takeWritable()) this.#events.tell(stream, EVENT.WRITABLE);
      if (stream.send!.block()) this.#control.want(stream, CONTROL.STREAM_DATA_BLOCKED);
    }
    this.#noteBlocked();
  }

  /** Output: the next event. */
  pollEvent(): StreamEvent | undefined {
    const event = this.#events.poll();
    if (event?.type === "done") this.#forget(event.id);
    return event;
  }

  // Getters

  /** Whether new data waits for credit of the peer and there is nothing else to send. */
  get sendWindowBlocked(): boolean {
    if (this.#scheduler.hasPending()) return false;
    if (this.#scheduler.isBlocked()) return true;
    for (const stream of this.#table.all()) if (stream.send?.isBlocked) return true;
    return false;
  }

  /** Stream bytes that could go into packets now. */
  get sendableBytes(): number {
    return this.#scheduler.sendableBytes;
  }

  /** Whether the peer may have more to send on a stream; takes time in proportion to the number of streams. */
  get awaitsData(): boolean {
    for (const stream of this.#table.all()) if (stream.receive?.awaitsData) return true;
    return false;
  }

  /** Streams that are not forgotten. */
  get activeCount(): number {
    return this.#table.size;
  }

  /** Sizes at this moment; takes time in proportion to the number of streams. */
  get stats(): StreamsStats {
    let receiveBuffered = 0;
    let sendBuffered = 0;
    for (const stream of this.#table.all()) {
      receiveBuffered += stream.receive?.buffered ?? 0;
      sendBuffered += stream.send?.buffered ?? 0;
    }
    return { active: this.#table.size, receiveBuffered, sendBuffered };
  }

  // Private

  #onLocalLimit(direction: StreamDirection, limit: number): void {
    if (this.#localStreams[direction].raise(limit)) this.#events.tellAvailable(direction);
  }

  /** The stream that a command names, `undefined` if it is done. */
  #commanded(id: number, half: Half): Stream | undefined {
    const stream = this.#table.find(id);
    if (stream?.[half] !== undefined) return stream;
    if (!this.#table.hasExisted(id)) throw new TypeError(`there is no stream ${id}`);
    if (!this.#table.hasHalf(id, half)) throw new TypeError(`stream ${id} has no half to ${half}`);
    return undefined;
  }

  /** Gives the sending half up, on our wish or the peer's. Returns false if it had ended. */
  #resetHalf(stream: Stream, code: number): boolean {
    if (!stream.send!.reset(code)) return false;
    this.#events.takeBack(stream, EVENT.WRITABLE);
    this.#control.want(stream, CONTROL.RESET_STREAM);
    return true;
  }

  #endHalf(stream: Stream, event: number): void {
    this.#events.takeBack(stream, EVENT.WRITABLE);
    this.#events.tell(stream, event);
    this.#settle(stream);
  }

  #afterWriting(stream: Stream): void {
    this.#scheduler.update(stream);
    if (stream.send!.block()) this.#control.want(stream, CONTROL.STREAM_DATA_BLOCKED);
    this.#noteBlocked();
  }

  #afterReceiving(stream: Stream): void {
    if (stream.receive!.hasNewCredit) this.#control.want(stream, CONTROL.MAX_STREAM_DATA);
    if (this.#receiveWindow.hasNewCredit) this.#control.wantMaxData();
    if (stream.receive!.isOver) this.#settle(stream);
  }

  /** Tells the peer once for each limit that the connection lacks credit. */
  #noteBlocked(): void {
    if (this.#sendCredit.available > 0 || this.#sendCredit.isBlocked) return;
    if (this.#scheduler.isBlocked() && this.#sendCredit.block()) this.#control.wantDataBlocked();
  }

  /** Ends a stream of which both halves have ended. */
  #settle(stream: Stream): void {
    if (stream.isOver) this.#events.tell(stream, EVENT.DONE);
  }

  #forget(id: number): void {
    const direction = directionOf(id);
    if (!this.#table.forget(id)) return;
    if (this.#peerStreams[direction].hasNewCredit) this.#control.wantMaxStreams(direction);
  }
}

/** Codes of the application travel as integers of the wire. */
function checkCode(code: number): void {
  if (!Number.isSafeInteger(code) || code < 0 || code > MAX_VARINT)
    throw new RangeError(`no code of a stream: ${code}`);
}
