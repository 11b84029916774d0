/**
 * Which streams there are: making them, finding them, forgetting them.
 *
 * Identifiers of a kind are given out in order, so a stream that is not in the table is done if its number is below that
 * of the next one, and does not exist yet otherwise. Nothing is kept of a stream that is done.
 *
 * @module
 */
import { CLOSE_CODE, type CloseCode } from "../wire/codes.ts";
import type { StreamDirection } from "../wire/frame.ts";
import type { ByDirection } from "./control-frames.ts";
import type { EventQueue } from "./event-queue.ts";
import type { ReceiveWindow, ReceiveWindowOptions } from "./flow-control.ts";
import { ReceiveStream } from "./receive-stream.ts";
import { SendStream } from "./send-stream.ts";
import { EVENT, Stream } from "./stream.ts";
import { directionOf, openerOf, sequenceOf, streamIdOf } from "./stream-id.ts";
import type { LocalStreams, PeerStreams } from "./stream-limits.ts";

/** A half of a stream, from our side. */
export type Half = "send" | "receive";

/** What a {@link StreamTable} is made with. */
export interface StreamTableOptions {
  readonly role: "initiator" | "responder";
  readonly localStreams: ByDirection<LocalStreams>;
  readonly peerStreams: ByDirection<PeerStreams>;
  readonly events: EventQueue;
  /** Receive window of the connection. */
  readonly connection: ReceiveWindow;
  /** Receive window of each stream. */
  readonly window: ReceiveWindowOptions;
  /** Unsent bytes of one stream from which on the writer is asked to wait. */
  readonly highWaterMark: number;
}

/** The streams that are not forgotten. */
export class StreamTable {
  /** The peer's credit for each stream, from the handshake. */
  peerStreamLimit = 0;
  readonly #options: StreamTableOptions;
  readonly #streams = new Map<number, Stream>();
  /** The stream found last: with one bulk stream, every time. */
  #recent: Stream | undefined;

  constructor(options: StreamTableOptions) {
    this.#options = options;
  }

  // Inputs

  /**
   * Input: a frame of the peer about one of its or our streams, which makes the stream if it does not exist. Returns a
   * code to close with if there can be no such frame, 0 if the stream is done and the frame came late.
   *
   * `half` is the half that the frame is about.
   */
  onFrame(id: number, half: Half): Stream | CloseCode {
    const found = this.find(id);
    if (found !== undefined) return found[half] === undefined ? CLOSE_CODE.STREAM_STATE : found;
    const isOurs = openerOf(id) === this.#options.role;
    // RFC 9000 §19.4, §19.5, §19.8, §19.10, §19.13: the opener of a unidirectional stream sends, the other receives.
    if (directionOf(id) === "uni" && isOurs !== (half === "send")) return CLOSE_CODE.STREAM_STATE;
    if (this.hasExisted(id)) return CLOSE_CODE.NO_ERROR;
    // RFC 9000 §19.8: only we open our streams.
    return isOurs ? CLOSE_CODE.STREAM_STATE : this.#openPeerStream(id);
  }

  // Commands

  /** Command: makes a stream of ours; `undefined` if the peer allows no more. */
  open(direction: StreamDirection): Stream | undefined {
    const sequence = this.#options.localStreams[direction].open();
    if (sequence === undefined) return undefined;
    return this.#make(streamIdOf(this.#options.role, direction, sequence));
  }

  /** Command: forgets a stream of which both halves are over. Returns whether it was the peer's. */
  forget(id: number): boolean {
    this.#streams.delete(id);
    this.#recent = undefined;
    const isPeers = openerOf(id) !== this.#options.role;
    if (isPeers) this.#options.peerStreams[directionOf(id)].onDone();
    return isPeers;
  }

  // Getters

  /** The stream, if it exists and is not forgotten. */
  find(id: number): Stream | undefined {
    // Fast path: one bulk stream.
    if (this.#recent?.id === id) return this.#recent;
    const stream = this.#streams.get(id);
    if (stream !== undefined) this.#recent = stream;
    return stream;
  }

  /** Whether the stream exists or is done. */
  hasExisted(id: number): boolean {
    const { role, localStreams, peerStreams } = this.#options;
    const kind = openerOf(id) === role ? localStreams : peerStreams;
    return Number.isSafeInteger(id) && id >= 0 && sequenceOf(id) < kind[directionOf(id)].opened;
  }

  /** Whether we send, or receive, on streams with such an id. */
  hasHalf(id: number, half: Half): boolean {
    return directionOf(id) === "bidi" || (openerOf(id) === this.#options.role) === (half === "send");
  }

  /** All streams that are not forgotten. */
  all(): IterableIterator<Stream> {
    return this.#streams.values();
  }

  /** How many streams are not forgotten. */
  get size(): number {
    return this.#streams.size;
  }

  // Private

  /** RFC 9000 §2.1: opening a stream opens all lower ones of its kind. The limit bounds how many that can be. */
  #openPeerStream(id: number): Stream | CloseCode {
    const { role, peerStreams, events } = this.#options;
    const direction = directionOf(id);
    const streams = peerStreams[direction];
    const sequence = sequenceOf(id);
    // RFC 9000 §4.6
    if (sequence >= streams.limit) return CLOSE_CODE.STREAM_LIMIT;
    const opener = role === "initiator" ? "responder" : "initiator";
    for (let next = streams.opened; next <= sequence; next++) {
      events.tell(this.#make(streamIdOf(opener, direction, next)), EVENT.OPENED);
    }
    streams.openUpTo(sequence + 1);
    return this.#streams.get(id)!;
  }

  #make(id: number): Stream {
    const { role, connection, window, highWaterMark } = this.#options;
    const isOpener = openerOf(id) === role;
    const limit = this.peerStreamLimit;
    const stream = new Stream(id, {
      send: this.hasHalf(id, "send") ? new SendStream({ id, limit, highWaterMark, isOpener }) : undefined,
      receive: this.hasHalf(id, "receive") ? new ReceiveStream(window, connection) : undefined,
    });
    this.#streams.set(id, stream);
    return stream;
  }
}
