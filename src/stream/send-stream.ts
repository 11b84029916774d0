/**
 * The sending half of a stream, RFC 9000 §3.1.
 *
 * ```
 *   ready --first frame--> send --FIN sent--> data-sent --all acked--> data-recvd
 *     |                      |                    |
 *     +------- reset --------+--------------------+--> reset-sent --RESET acked--> reset-recvd
 * ```
 *
 * The half puts its own STREAM frames into packets: first what was lost, which costs no credit, then new data. A stream
 * that we opened is announced by its first frame, which may be empty; the end travels with the last byte, or alone.
 *
 * @module
 */
import { streamFrameHeaderLength, TO_END_OF_PACKET, writeStreamFrameHeader } from "../wire/stream-frame.ts";
import type { Writer } from "../wire/writer.ts";
import { SendCredit } from "./flow-control.ts";
import { SendBuffer } from "./send-buffer.ts";
import type { SentSink } from "./stream-events.ts";

// Implementation

/** Data is not cut to fit into less room than this: a frame header would cost as much. */
const MIN_FRAGMENT = 32;

/** States of the half, named as in RFC 9000 §3.1. */
export type SendState = "ready" | "send" | "data-sent" | "data-recvd" | "reset-sent" | "reset-recvd";

/** Where the end of the stream is: nowhere yet, written, in flight, lost, or acknowledged. */
type FinState = "none" | "wanted" | "sent" | "lost" | "acked";

/** What a {@link SendStream} is made with. */
export interface SendStreamOptions {
  readonly id: number;
  /** The peer's credit for this stream, from the handshake. */
  readonly limit: number;
  /** Unsent bytes from which on the writer is asked to wait. */
  readonly highWaterMark: number;
  /** Whether the peer learns of the stream by our first frame, because we opened it. */
  readonly isOpener: boolean;
}

/** The sending half of one stream. */
export class SendStream {
  readonly id: number;
  readonly #buffer = new SendBuffer();
  readonly #credit: SendCredit;
  readonly #highWaterMark: number;
  #state: SendState = "ready";
  #fin: FinState = "none";
  /** Whether a frame must go out even without data, so that the peer learns of the stream. */
  #needsAnnouncement: boolean;
  /** Whether the peer is known to know of the stream. */
  #isAnnounced: boolean;
  /** Whether a `write` returned false since there was room the last time. */
  #isWriterWaiting = false;
  #resetCode = 0;
  /** Bytes that were not acknowledged when the half was given up. */
  #givenUp = 0;

  constructor(options: SendStreamOptions) {
    this.id = options.id;
    this.#credit = new SendCredit(options.limit);
    this.#highWaterMark = options.highWaterMark;
    this.#needsAnnouncement = options.isOpener;
    this.#isAnnounced = !options.isOpener;
  }

  // Inputs

  /** Input: the peer's limit for this stream. Returns whether it is new credit. */
  onMaxStreamData(limit: number): boolean {
    return this.#credit.raise(limit);
  }

  /** Input: bytes have arrived, with the end if `fin` is 1. Returns whether that completes the half. */
  onAcked(start: number, length: number, fin: 0 | 1): boolean {
    this.#isAnnounced = true;
    this.#needsAnnouncement = false;
    if (this.isOver || this.#state === "reset-sent") return false;
    this.#buffer.ack(start, start + length);
    if (fin === 1) this.#fin = "acked";
    if (this.#fin !== "acked" || !this.#buffer.isAllAcked) return false;
    this.#state = "data-recvd";
    return true;
  }

  /** Input: a packet with these bytes is lost, or its contents are wanted in a probe. */
  onLost(start: number, length: number, fin: 0 | 1): void {
    if (this.isOver || this.#state === "reset-sent") return;
    if (length > 0) this.#buffer.lose(start, start + length);
    if (fin === 1 && this.#fin === "sent") this.#fin = "lost";
    if (!this.#isAnnounced) this.#needsAnnouncement = true;
  }

  /** Input: the peer knows of the reset. Returns whether that completes the half. */
  onResetAcked(): boolean {
    if (this.#state !== "reset-sent") return false;
    this.#state = "reset-recvd";
    return true;
  }

  // Commands

  /** Command: appends data. Returns false when so much is unsent that the writer should wait. */
  write(chunk: Uint8Array): boolean {
    this.#buffer.write(chunk);
    if (this.#buffer.unsent < this.#highWaterMark) return true;
    this.#isWriterWaiting = true;
    return false;
  }

  /** Command: the stream ends behind what was written. */
  finish(): void {
    if (this.#fin === "none") this.#fin = "wanted";
  }

  /** Command: gives the half up. Returns whether a RESET_STREAM is to be sent: not if all is over anyway. */
  reset(code: number): boolean {
    if (this.isOver || this.#state === "reset-sent") return false;
    this.#state = "reset-sent";
    this.#resetCode = code;
    this.#givenUp = this.#buffer.buffered;
    this.#buffer.discard();
    this.#needsAnnouncement = false;
    this.#isWriterWaiting = false;
    return true;
  }

  /** Command: the peer should hear that this stream lacks credit. Returns whether it has not heard so yet. */
  block(): boolean {
    return this.isBlocked && this.#credit.block();
  }

  // Outputs

  /** Output: puts what needs no credit into the packet: lost data, a lone end, an announcement. */
  fillRepair(writer: Writer, sink: SentSink, connection: SendCredit): void {
    const buffer = this.#buffer;
    while (buffer.lostLength > 0) {
      const start = buffer.lostStart;
      const written = this.#writeFrame(writer, sink, start, buffer.lostLength);
      if (written < 0) return;
      buffer.takeLost(written);
    }
    // New data that may go serves as announcement.
    if (this.hasRepair) this.#fillNew(writer, sink, connection);
  }

  /** Output: puts new data into the packet, as much as fits and both credits allow. */
  fillFresh(writer: Writer, sink: SentSink, connection: SendCredit): void {
    if (this.hasFresh && connection.available > 0) this.#fillNew(writer, sink, connection);
  }

  /** Output: whether the writer that was asked to wait may go on; true once. */
  takeWritable(): boolean {
    if (!this.#isWriterWaiting || 2 * this.#buffer.unsent > this.#highWaterMark) return false;
    this.#isWriterWaiting = false;
    return true;
  }

  // Getters

  /** Whether there is something to send that needs no credit. */
  get hasRepair(): boolean {
    if (this.#buffer.lostLength > 0 || this.#needsAnnouncement) return true;
    return (this.#fin === "wanted" || this.#fin === "lost") && this.#buffer.unsent === 0 && !this.isReset;
  }

  /** Whether there is new data and the peer's credit for this stream. */
  get hasFresh(): boolean {
    return this.#buffer.unsent > 0 && this.#credit.available > 0;
  }

  /** Whether there is new data and no credit for this stream. */
  get isBlocked(): boolean {
    return this.#buffer.unsent > 0 && this.#credit.available === 0;
  }

  /** Where the half is in its life. */
  get state(): SendState {
    return this.#state;
  }

  /** Whether the half was given up. */
  get isReset(): boolean {
    return this.#state === "reset-sent" || this.#state === "reset-recvd";
  }

  /** Whether nothing of the half needs to be sent or heard any more. */
  get isOver(): boolean {
    return this.#state === "data-recvd" || this.#state === "reset-recvd";
  }

  /** Whether `finish` was called. */
  get isEnding(): boolean {
    return this.#fin !== "none";
  }

  /** Code of the RESET_STREAM. */
  get resetCode(): number {
    return this.#resetCode;
  }

  /** RFC 9000 §4.5: with a reset, the final size is what was sent at all. */
  get finalSize(): number {
    return this.#buffer.sent;
  }

  /** The peer's limit for this stream. */
  get limit(): number {
    return this.#credit.limit;
  }

  /** Bytes that were never sent. */
  get unsent(): number {
    return this.#buffer.unsent;
  }

  /** Bytes from the first unacknowledged one on. */
  get buffered(): number {
    return this.#buffer.buffered;
  }

  /** Bytes that the peer has not acknowledged, those that a reset gave up included. */
  get unacknowledged(): number {
    return this.isReset ? this.#givenUp : this.#buffer.buffered;
  }

  /** Bytes to be sent again. */
  get lostBytes(): number {
    return this.#buffer.lostBytes;
  }

  /** Bytes that the credit for this stream lets go now. */
  get sendable(): number {
    return Math.min(this.#buffer.unsent, this.#credit.available);
  }

  // Private

  /** Writes one frame behind all that was sent; it may be empty if it carries the end or announces the stream. */
  #fillNew(writer: Writer, sink: SentSink, connection: SendCredit): void {
    const available = Math.min(this.#buffer.unsent, this.#credit.available, connection.available);
    const written = this.#writeFrame(writer, sink, this.#buffer.sent, available);
    if (written <= 0) return;
    this.#buffer.takeUnsent(written);
    this.#credit.use(written);
    connection.use(written);
  }

  /**
   * Writes a frame with up to `available` bytes from `start` on, with the end if it gets there, and reports it to the
   * ledger. Returns the bytes written, −1 if there is no room for a useful frame.
   */
  #writeFrame(writer: Writer, sink: SentSink, start: number, available: number): number {
    const id = this.id;
    let stated = TO_END_OF_PACKET;
    let length = writer.remaining - streamFrameHeaderLength(id, start, TO_END_OF_PACKET);
    if (length > available) {
      const room = writer.remaining - streamFrameHeaderLength(id, start, available);
      length = stated = Math.min(available, room);
    }
    if (length < 0 || (length < available && length < MIN_FRAGMENT)) return -1;
    const fin = this.#fin !== "none" && start + length === this.#buffer.end ? 1 : 0;
    writeStreamFrameHeader(writer, id, start, stated, fin);
    if (length > 0) {
      this.#buffer.copyTo(writer.buffer, writer.offset, start, length);
      writer.offset += length;
    }
    sink.addStream(id, start, length, fin);
    this.#needsAnnouncement = false;
    if (fin === 1) this.#onFinSent();
    else if (this.#state === "ready") this.#state = "send";
    return length;
  }

  #onFinSent(): void {
    // A late copy of an end that was acknowledged changes nothing.
    if (this.#fin !== "acked") this.#fin = "sent";
    this.#state = "data-sent";
  }
}
