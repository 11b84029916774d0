/**
 * Credit for bytes, RFC 9000 §4: how much may be sent, and how much the peer may send.
 *
 * Both classes serve one stream or the whole connection. Credit is an absolute offset that never goes down, so a late or
 * repeated frame does no harm.
 *
 * A receive window starts small and follows the flow: once a round trip, it grows to eight times what was read in that
 * time. It must cover one round trip of flight and one until the next credit arrives, at a rate that may have grown
 * meanwhile by slow start, and where packets are lost one or two more, in which nothing can be read because the start is
 * missing. It is measured when bytes arrive, not when they are read, because only then a slow reader shows. After a pause
 * the window is as small as at first; what was promised stays promised.
 *
 * @module
 */
import type { Duration, Instant } from "../util/time.ts";
import { MAX_VARINT } from "../wire/varint.ts";

// Implementation

/**
 * Round trips of data that a window holds at the rate at which it is read. Startup of BBR sends 2.77 times as much in each
 * round trip as in the one before, and credit is two round trips old when it is used.
 */
const ROUND_TRIPS = 8;

/** New credit is announced when this part of the window has been read; four times a window costs few frames. */
const UPDATE_FRACTION = 1 / 4;

/** A flow rests when nothing arrives for this many round trips … */
const IDLE_ROUND_TRIPS = 8;

/** … and this long, so that pauses of an ordinary sender do not count, in ms. */
const IDLE_MINIMUM: Duration = 2_000;

/** Credit that the peer has given us. */
export class SendCredit {
  #limit: number;
  #used = 0;
  /** The limit for which a BLOCKED frame was last wanted; each gets one. */
  #blockedAt = -1;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Input: the peer's limit. Returns whether that is more credit than before; RFC 9000 §4.1: a lower one is old news. */
  raise(limit: number): boolean {
    if (limit <= this.#limit) return false;
    this.#limit = limit;
    return true;
  }

  /** Command: takes from the credit. The caller asked {@link available} first. */
  use(bytes: number): void {
    this.#used += bytes;
  }

  /**
   * Command: someone wants to send and there is no credit. Returns whether that calls for a BLOCKED frame, which it does
   * once for each limit (RFC 9000 §4.1).
   */
  block(): boolean {
    if (this.isBlocked) return false;
    this.#blockedAt = this.#limit;
    return true;
  }

  /** Whether someone has waited for more than the present limit. */
  get isBlocked(): boolean {
    return this.#blockedAt === this.#limit;
  }

  /** Bytes that may still be sent. */
  get available(): number {
    return this.#limit - this.#used;
  }

  /** The offset up to which the peer takes data. */
  get limit(): number {
    return this.#limit;
  }

  /** Bytes sent so far. */
  get used(): number {
    return this.#used;
  }
}

/** What a {@link ReceiveWindow} is made with, in bytes. */
export interface ReceiveWindowOptions {
  /** Size at the start and after a pause; the peer knows it from the handshake. */
  readonly initial: number;
  /** Size up to which the window may grow. */
  readonly maximum: number;
}

/** Credit that we give to the peer. */
export class ReceiveWindow {
  readonly #initial: number;
  readonly #maximum: number;
  #size: number;
  /** Promised to the peer; never lowered. */
  #limit: number;
  /** Offset up to which bytes arrived, or were accounted for. */
  #received = 0;
  /** Of these, bytes that are read or given up. */
  #consumed = 0;
  /** Of these, bytes at the start of the measurement. */
  #measuredFrom = 0;
  #measuredSince = Number.NEGATIVE_INFINITY as Instant;
  #lastArrivalAt = Number.NEGATIVE_INFINITY as Instant;

  constructor(options: ReceiveWindowOptions) {
    this.#initial = options.initial;
    this.#maximum = Math.max(options.initial, options.maximum);
    this.#size = options.initial;
    this.#limit = options.initial;
  }

  /** Input: data has arrived. Adapts the window; returns whether it grew. */
  onArrival(now: Instant, smoothedRtt: Duration): boolean {
    const idleFor = now - this.#lastArrivalAt;
    this.#lastArrivalAt = now;
    if (idleFor > IDLE_MINIMUM && idleFor > IDLE_ROUND_TRIPS * smoothedRtt) {
      this.#size = this.#initial;
      this.#measure(now);
      return false;
    }
    const elapsed = now - this.#measuredSince;
    if (elapsed < smoothedRtt || elapsed === 0) return false;
    const readPerRoundTrip = ((this.#consumed - this.#measuredFrom) * smoothedRtt) / elapsed;
    this.#measure(now);
    return this.growTo(ROUND_TRIPS * readPerRoundTrip);
  }

  /** Input: the peer has used `bytes` of its credit. Returns false if it had less: a violation of RFC 9000 §4.1. */
  charge(bytes: number): boolean {
    if (bytes > this.#limit - this.#received) return false;
    this.#received += bytes;
    return true;
  }

  /** Input: so many of the received bytes take no more memory. */
  consume(bytes: number): void {
    this.#consumed += bytes;
  }

  /** Command: makes the window at least so large, within its maximum. Returns whether it grew. */
  growTo(size: number): boolean {
    const grown = Math.floor(Math.min(size, this.#maximum));
    if (grown <= this.#size) return false;
    this.#size = grown;
    return true;
  }

  /** Command: gives all credit that the window allows now, and returns the new limit for a MAX frame. */
  grant(): number {
    // Never below the promise: the window may have become smaller since.
    this.#limit = Math.max(this.#limit, this.#affordable());
    return this.#limit;
  }

  /** Whether there is so much new credit that the peer should hear of it. */
  get hasNewCredit(): boolean {
    return this.#affordable() - this.#limit >= this.#size * UPDATE_FRACTION;
  }

  /** The offset up to which the peer may send, as promised last. */
  get limit(): number {
    return this.#limit;
  }

  /** Present size in bytes. */
  get size(): number {
    return this.#size;
  }

  /** Offset up to which bytes arrived, or were accounted for. */
  get received(): number {
    return this.#received;
  }

  /** Bytes that are read or given up. */
  get consumed(): number {
    return this.#consumed;
  }

  /** The limit that the window allows now; no offset is above the greatest integer on the wire. */
  #affordable(): number {
    return Math.min(this.#consumed + this.#size, MAX_VARINT);
  }

  #measure(now: Instant): void {
    this.#measuredSince = now;
    this.#measuredFrom = this.#consumed;
  }
}
