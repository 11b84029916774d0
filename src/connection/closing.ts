/**
 * The end of a connection: CLOSE is answered by CLOSE, so that both ends finish at once (spec/connection.md#close).
 *
 * The side that closes repeats its CLOSE at growing intervals until the answer comes, five times at most. The other
 * side answers each CLOSE that arrives during the next three probe timeouts (RFC 9000 §10.2), and is silent otherwise.
 *
 * @module
 */
import { after, type Duration, type Instant } from "../util/time.ts";

// Specification

/** CLOSE is sent this often at most. */
const MAX_CLOSES = 5;

/** A drained connection is forgotten after this many probe timeouts (RFC 9000 §10.2). */
const DRAIN_PROBE_TIMEOUTS = 3;

// Implementation

/** Longest patience of the side that closes, in ms: a peer that is gone must not hold up the end. */
const MAX_PATIENCE: Duration = 3_000;

/** Why this side wants to close. */
export interface CloseIntent {
  readonly application: boolean;
  readonly code: number;
  /** Type of the frame that caused a transport close, 0 if none. */
  readonly cause: number;
  readonly message: string;
}

/** One side's way out; see the module. */
export class Closing {
  readonly intent: CloseIntent;
  readonly isInitiating: boolean;
  readonly #probeTimeout: Duration;
  readonly #endsAt: Instant;
  #sent = 0;
  #nextAt: Instant | undefined;

  /** `isInitiating` on the side that closes; the other side answers. */
  constructor(intent: CloseIntent, options: { isInitiating: boolean; probeTimeout: Duration }, now: Instant) {
    this.intent = intent;
    this.isInitiating = options.isInitiating;
    this.#probeTimeout = options.probeTimeout;
    this.#nextAt = now;
    this.#endsAt = options.isInitiating
      ? after(now, Math.min((2 ** MAX_CLOSES - 1) * options.probeTimeout, MAX_PATIENCE))
      : after(now, DRAIN_PROBE_TIMEOUTS * options.probeTimeout);
  }

  /** Input: another CLOSE of the peer arrived. The answering side repeats its answer, as often as it may. */
  onPeerClose(now: Instant): void {
    if (!this.isInitiating && this.#sent < MAX_CLOSES) this.#nextAt = now;
  }

  /** Output: whether a CLOSE is to be sent now; it counts as sent then. */
  takeDue(now: Instant): boolean {
    if (this.#nextAt === undefined || now < this.#nextAt) return false;
    this.#sent += 1;
    const repeats = this.isInitiating && this.#sent < MAX_CLOSES;
    this.#nextAt = repeats ? after(now, this.#probeTimeout * 2 ** (this.#sent - 1)) : undefined;
    return true;
  }

  /** Whether nothing more is to be waited for. */
  isOver(now: Instant): boolean {
    return now >= this.#endsAt;
  }

  /** When to look again. */
  nextTimeout(): Instant {
    return this.#nextAt === undefined || this.#nextAt > this.#endsAt ? this.#endsAt : this.#nextAt;
  }
}
