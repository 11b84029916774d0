/**
 * How many streams each side may open, RFC 9000 §4.6: one object for each direction and each side.
 *
 * Identifiers are sequential, so which streams of a kind are done needs no memory of its own: those below the number of
 * opened ones that are not in the table.
 *
 * @module
 */
import { MAX_STREAM_COUNT } from "../wire/frame-codec.ts";

// Implementation

/** The peer hears of a higher limit when this part of the streams is done, as with quinn: few frames, and room enough. */
const UPDATE_FRACTION = 1 / 8;

/** The streams of one direction that we open. */
export class LocalStreams {
  #opened = 0;
  #limit = 0;
  /** The limit for which a STREAMS_BLOCKED frame was last wanted; each gets one. */
  #blockedAt = -1;

  /** Input: the peer's limit. Returns whether someone has waited for it. */
  raise(limit: number): boolean {
    if (limit <= this.#limit) return false;
    const wasWaitedFor = this.isBlocked;
    this.#limit = limit;
    return wasWaitedFor;
  }

  /** Command: the sequence number of a new stream, `undefined` if the peer allows no more. */
  open(): number | undefined {
    if (this.#opened < this.#limit) return this.#opened++;
    this.#blockedAt = this.#limit;
    return undefined;
  }

  /** Whether a stream was wanted that the present limit forbids. */
  get isBlocked(): boolean {
    return this.#blockedAt === this.#limit;
  }

  /** Streams opened so far. */
  get opened(): number {
    return this.#opened;
  }

  /** Streams that the peer allows since the start. */
  get limit(): number {
    return this.#limit;
  }
}

/** The streams of one direction that the peer opens. */
export class PeerStreams {
  readonly #maximum: number;
  #opened = 0;
  #done = 0;
  #limit: number;
  /** Whether the peer wants a stream that the present limit forbids. */
  #isWaitedFor = false;

  /** `maximum` streams may be open at once. */
  constructor(maximum: number) {
    this.#maximum = Math.min(maximum, MAX_STREAM_COUNT);
    this.#limit = this.#maximum;
  }

  /** Input: one of the streams is forgotten. */
  onDone(): void {
    this.#done += 1;
  }

  /** Input: the peer could not open a stream beyond `limit`. */
  onBlocked(limit: number): void {
    // Told of an older limit, it has heard of the new one by now, or will.
    if (limit >= this.#limit) this.#isWaitedFor = true;
  }

  /** Command: counts all streams up to `count` as opened. The caller checked the limit. */
  openUpTo(count: number): void {
    this.#opened = count;
  }

  /** Command: allows as many more as are done, and returns the new limit for a MAX_STREAMS frame. */
  grant(): number {
    this.#limit = this.#affordable();
    this.#isWaitedFor = false;
    return this.#limit;
  }

  /** Whether the limit can rise at all. */
  get canGrant(): boolean {
    return this.#affordable() > this.#limit;
  }

  /** Whether the limit can rise by so much that the peer should hear of it: by anything, if it waits. */
  get hasNewCredit(): boolean {
    if (!this.canGrant) return false;
    return this.#isWaitedFor || this.#affordable() - this.#limit >= this.#maximum * UPDATE_FRACTION;
  }

  /** Streams opened so far, counting those that were skipped (RFC 9000 §2.1). */
  get opened(): number {
    return this.#opened;
  }

  /** Streams that we allow since the start, as promised last. */
  get limit(): number {
    return this.#limit;
  }

  #affordable(): number {
    return Math.min(this.#done + this.#maximum, MAX_STREAM_COUNT);
  }
}
