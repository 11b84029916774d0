/**
 * The receiving half of a stream, RFC 9000 §3.2.
 *
 * ```
 *   recv --FIN--> size-known --all arrived--> data-recvd --end seen by the reader--> data-read
 *     |               |
 *     +-- RESET ------+--> reset-recvd
 *     +-- given up here, and nothing more to tell --> abandoned
 * ```
 *
 * Every byte is charged to the stream and to the connection when it first arrives, and consumed when it is read or given
 * up, so that the connection never holds more than it promised. Once a half has ended, all of it is consumed.
 *
 * @module
 */
import type { Duration, Instant } from "../util/time.ts";
import { CLOSE_CODE, type CloseCode } from "../wire/codes.ts";
import type { ResetStreamFrame, StreamFrame } from "../wire/frame.ts";
import { ReceiveWindow, type ReceiveWindowOptions } from "./flow-control.ts";
import { Reassembler } from "./reassembler.ts";

// Implementation

/** The window of the connection is at least this many times as large as that of any stream (as quiche has it). */
export const CONNECTION_SHARE = 1.5;

/** States of the half, named as in RFC 9000 §3.2 where it has them. */
export type ReceiveState = "recv" | "size-known" | "data-recvd" | "data-read" | "reset-recvd" | "abandoned";

const UNKNOWN = -1;

/** The receiving half of one stream. */
export class ReceiveStream {
  readonly #reassembler = new Reassembler();
  readonly #window: ReceiveWindow;
  readonly #connection: ReceiveWindow;
  #state: ReceiveState = "recv";
  /** RFC 9000 §4.5; fixed once it is known. */
  #finalSize = UNKNOWN;
  /** Whether we asked the peer to stop, so that what still comes is dropped. */
  #isStopped = false;
  /** Whether the peer is known to know that. */
  #isStopAcked = false;
  /** Code of our STOP_SENDING or of the peer's RESET_STREAM, whichever came last. */
  #code = 0;
  /** Whether the reader was told that there is something to read, and has not read on to the end of it. */
  #isReaderTold = false;

  constructor(window: ReceiveWindowOptions, connection: ReceiveWindow) {
    this.#window = new ReceiveWindow(window);
    this.#connection = connection;
  }

  // Inputs

  /** Input: a STREAM frame. Returns the code to close with, 0 if all is well. */
  onStream(frame: StreamFrame, now: Instant, smoothedRtt: Duration): CloseCode {
    const { offset, data, fin } = frame;
    const end = offset + data.length;
    const code = this.#account(end, fin);
    if (code !== 0) return code;
    this.#connection.onArrival(now, smoothedRtt);
    if (this.#window.onArrival(now, smoothedRtt)) this.#connection.growTo(this.#window.size * CONNECTION_SHARE);
    if (this.#isStopped) {
      this.#drop();
      return 0;
    }
    if (this.#state !== "recv" && this.#state !== "size-known") return 0;
    if (data.length > 0 && !this.#reassembler.insert(offset, data)) return CLOSE_CODE.LIMIT_EXCEEDED;
    if (this.#finalSize === UNKNOWN) return 0;
    const isComplete = this.#reassembler.gaps === 0 && this.#reassembler.end === this.#finalSize;
    this.#state = isComplete ? "data-recvd" : "size-known";
    return 0;
  }

  /** Input: a RESET_STREAM frame. Returns the code to close with, 0 if all is well. */
  onReset(frame: ResetStreamFrame): CloseCode {
    const code = this.#account(frame.finalSize, true);
    if (code !== 0) return code;
    if (this.#isStopped) {
      // The answer to STOP_SENDING, or in its place.
      this.#isStopAcked = true;
      this.#drop();
      return 0;
    }
    // RFC 9000 §3.2: what has arrived as a whole may be delivered in spite of a reset.
    if (this.#state !== "recv" && this.#state !== "size-known") return 0;
    this.#state = "reset-recvd";
    this.#code = frame.code;
    this.#consumeAll();
    return 0;
  }

  /** Input: the peer knows of our STOP_SENDING. */
  onStopAcked(): void {
    if (!this.#isStopped) return;
    this.#isStopAcked = true;
    this.#drop();
  }

  // Commands

  /** Command: drops the rest of the stream. Returns whether a STOP_SENDING is to be sent. */
  stop(code: number): boolean {
    if (this.isOver || this.#isStopped) return false;
    this.#isStopped = true;
    this.#code = code;
    // RFC 9000 §3.5: there is nothing to stop once everything has arrived.
    if (this.#state === "data-recvd") this.#isStopAcked = true;
    this.#drop();
    return !this.isOver;
  }

  /** Command: gives the peer the credit of this moment and returns its limit. */
  grant(): number {
    return this.#window.grant();
  }

  // Outputs

  /** Output: the next bytes in order, `undefined` if there are none now. The end is seen by calling it once more. */
  read(): Uint8Array | undefined {
    const piece = this.#reassembler.read();
    if (piece === undefined) {
      this.#isReaderTold = false;
      this.takeEnd();
      return undefined;
    }
    this.#window.consume(piece.length);
    this.#connection.consume(piece.length);
    return piece;
  }

  /** Output: whether the reader has had all bytes and the end; from then on the half is over. */
  takeEnd(): boolean {
    if (this.#state === "data-recvd" && this.#reassembler.readOffset === this.#finalSize) this.#state = "data-read";
    return this.#state === "data-read";
  }

  /** Output: whether the reader should be told that there is something to read, or the end to see; true once. */
  takeReadable(): boolean {
    if (this.#isReaderTold || this.#isStopped || this.isOver) return false;
    const isAtEnd = this.#reassembler.readOffset === this.#finalSize;
    if (!isAtEnd && !this.#reassembler.isReadable) return false;
    this.#isReaderTold = true;
    return true;
  }

  // Getters

  /** Where the half is in its life. */
  get state(): ReceiveState {
    return this.#state;
  }

  /** Whether nothing of the half needs to be read or heard any more. */
  get isOver(): boolean {
    return this.#state === "data-read" || this.#state === "reset-recvd" || this.#state === "abandoned";
  }

  /** Whether the peer may need more credit than it has: not once the end is known. */
  get canUseCredit(): boolean {
    return this.#state === "recv" && !this.#isStopped;
  }

  /** Whether more data may come: the peer has credit that it has not used, or something is missing. */
  get awaitsData(): boolean {
    if (this.#isStopped) return false;
    return this.#state === "size-known" || (this.#state === "recv" && this.#window.received < this.#window.limit);
  }

  /** Whether there is so much new credit that the peer should hear of it. */
  get hasNewCredit(): boolean {
    return this.canUseCredit && this.#window.hasNewCredit;
  }

  /** Whether a STOP_SENDING still asks for something. */
  get awaitsStop(): boolean {
    return this.#isStopped && !this.#isStopAcked && !this.isOver;
  }

  /** The limit as promised last. */
  get limit(): number {
    return this.#window.limit;
  }

  /** Code of our STOP_SENDING, or of the peer's RESET_STREAM in the state `reset-recvd`. */
  get code(): number {
    return this.#code;
  }

  /** Bytes held. */
  get buffered(): number {
    return this.#reassembler.buffered;
  }

  // Private

  /** Checks that the stream may reach up to `end`, and charges what is new of it. `isFinal` if it ends there. */
  #account(end: number, isFinal: boolean): CloseCode {
    const window = this.#window;
    // RFC 9000 §4.5: the final size never changes, and no byte lies beyond it.
    if (this.#finalSize !== UNKNOWN && (isFinal ? end !== this.#finalSize : end > this.#finalSize)) {
      return CLOSE_CODE.FINAL_SIZE;
    }
    if (isFinal && end < window.received) return CLOSE_CODE.FINAL_SIZE;
    // RFC 9000 §4.1: both limits count the highest offset, not the bytes that arrived.
    const fresh = end - window.received;
    if (fresh > 0 && !(window.charge(fresh) && this.#connection.charge(fresh))) return CLOSE_CODE.FLOW_CONTROL;
    if (isFinal) this.#finalSize = end;
    return 0;
  }

  /** Drops what has arrived of a stream that was given up here. With its end known on both sides, it is over. */
  #drop(): void {
    this.#consumeAll();
    if (this.#finalSize !== UNKNOWN && this.#isStopAcked && !this.isOver) this.#state = "abandoned";
  }

  /** Frees the credit of all that has arrived, read or not. */
  #consumeAll(): void {
    const rest = this.#window.received - this.#window.consumed;
    this.#window.consume(rest);
    this.#connection.consume(rest);
    this.#reassembler.discard();
  }
}
