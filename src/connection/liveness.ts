/**
 * Silence: when to break it, when to mention it, and when it ends the connection.
 *
 * There is one clock of silence, `linger`, counted from the last authentic packet (spec/connection.md). Keepalives make
 * silence meaningful: a side that sent nothing for a while challenges its path, and the peer answers.
 *
 * @module
 */
import { after, type Duration, earliest, type Instant } from "../util/time.ts";

// Implementation

/** Bounds of the silence after which a busy connection counts as stalled, in ms. */
const MIN_STALL: Duration = 1_000;
const MAX_STALL: Duration = 5_000;

/** A stall is this many probe timeouts without an authentic packet: what a few lost probes do not explain. */
const STALL_PROBE_TIMEOUTS = 3;

/** Watches one connection; the connection tells it what is sent and received. */
export class Liveness {
  readonly #keepalive: Duration;
  #linger: Duration;
  #heardAt: Instant;
  #sentAt: Instant;
  /** Since when an answer has been due, `undefined` while nothing is owed. */
  #waitingSince: Instant | undefined;
  #stallDelay: Duration = MIN_STALL;
  #isStalled = false;

  constructor(options: { readonly linger: Duration; readonly keepalive: Duration }, now: Instant) {
    this.#linger = options.linger;
    this.#keepalive = options.keepalive;
    this.#heardAt = now;
    this.#sentAt = now;
  }

  /** Command: the smaller of both sides' holds counts. */
  limitLinger(linger: Duration): void {
    this.#linger = Math.min(this.#linger, linger);
  }

  /** Input: an authentic packet arrived. Returns true if that ends a stall. */
  onReceived(now: Instant): boolean {
    this.#heardAt = now;
    this.#waitingSince = undefined;
    const wasStalled = this.#isStalled;
    this.#isStalled = false;
    return wasStalled;
  }

  /** Input: something was sent. */
  onSent(now: Instant): void {
    this.#sentAt = now;
  }

  /** Input: something was sent that the peer has to answer within a probe timeout. */
  onAnswerOwed(now: Instant, probeTimeout: Duration): void {
    if (this.#waitingSince !== undefined) return;
    this.#waitingSince = now;
    this.#stallDelay = Math.min(Math.max(STALL_PROBE_TIMEOUTS * probeTimeout, MIN_STALL), MAX_STALL);
  }

  /** Whether the path should be challenged now. */
  isKeepaliveDue(now: Instant): boolean {
    return now >= after(this.#sentAt, this.#keepalive);
  }

  /** Whether the silence has ended the connection. */
  isLost(now: Instant): boolean {
    return now >= after(this.#heardAt, this.#linger);
  }

  /** Whether a stall begins now; true once for each stall. */
  beginsStall(now: Instant): boolean {
    if (this.#isStalled || this.#waitingSince === undefined) return false;
    if (now < after(this.#waitingSince, this.#stallDelay)) return false;
    this.#isStalled = true;
    return true;
  }

  /** How long the peer has been silent, in ms. */
  silence(now: Instant): Duration {
    return now - this.#heardAt;
  }

  /** When to ask again. */
  nextTimeout(): Instant | undefined {
    const stallAt =
      this.#isStalled || this.#waitingSince === undefined ? undefined : after(this.#waitingSince, this.#stallDelay);
    const next = earliest(after(this.#heardAt, this.#linger), after(this.#sentAt, this.#keepalive));
    return earliest(next, stallAt);
  }
}
