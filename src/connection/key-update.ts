/**
 * When the keys of a direction are replaced (RFC 9001 §6).
 *
 * @module
 */
import { after, type Duration, type Instant } from "../util/time.ts";
import type { Keys } from "./keys.ts";

// Specification

/** Longest use of one key, in ms. */
export const PHASE_LIFETIME: Duration = 600_000;

/** Old keys and the next update wait this many probe timeouts (RFC 9001 §6.5). */
const SETTLE_PROBE_TIMEOUTS = 3;

/** Decides for one connection; the keys themselves are the sealer's and the opener's. */
export class KeyUpdate {
  readonly #packetsPerPhase: number;
  /** First packet number of the current sending phase. */
  #phaseStart = 0;
  #phaseBeganAt: Instant;
  #phaseAcked = false;
  #settledAt: Instant | undefined;

  constructor(now: Instant, packetsPerPhase: number) {
    this.#phaseBeganAt = now;
    this.#packetsPerPhase = packetsPerPhase;
  }

  /** Input: the peer acknowledged `largest`. RFC 9001 §6.1: no update before a packet of this phase is acknowledged. */
  onAcked(largest: number): void {
    if (largest >= this.#phaseStart) this.#phaseAcked = true;
  }

  /** Input: a packet of the next phase opened: we follow at once (RFC 9001 §6.2). */
  follow(keys: Keys, nextPacketNumber: number, probeTimeout: Duration, now: Instant): void {
    if (keys.sealer.keyPhase !== keys.opener.keyPhase) this.#advance(keys, nextPacketNumber, now);
    this.#settledAt = after(now, SETTLE_PROBE_TIMEOUTS * probeTimeout);
  }

  /** Command: begins a new phase if its time has come; call before packets are numbered. */
  update(keys: Keys, nextPacketNumber: number, probeTimeout: Duration, now: Instant): void {
    const isUsedUp = keys.sealer.sealedInPhase >= this.#packetsPerPhase || now - this.#phaseBeganAt >= PHASE_LIFETIME;
    // Nothing sent in this phase: an idle connection does not change keys for the clock's sake alone.
    if (!isUsedUp || !this.#phaseAcked || nextPacketNumber === this.#phaseStart) return;
    if (this.#settledAt !== undefined) return;
    // The peer has not followed the last update yet.
    if (keys.sealer.keyPhase !== keys.opener.keyPhase) return;
    this.#advance(keys, nextPacketNumber, now);
    this.#settledAt = after(now, SETTLE_PROBE_TIMEOUTS * probeTimeout);
  }

  /** Input: time has passed; old receive keys go when they have had their time (RFC 9001 §6.5). */
  handleTimeout(keys: Keys, now: Instant): void {
    if (this.#settledAt === undefined || now < this.#settledAt) return;
    this.#settledAt = undefined;
    keys.opener.dropOldKeys();
  }

  /** When old keys go. */
  nextTimeout(): Instant | undefined {
    return this.#settledAt;
  }

  #advance(keys: Keys, nextPacketNumber: number, now: Instant): void {
    keys.sealer.advance();
    this.#phaseStart = nextPacketNumber;
    this.#phaseBeganAt = now;
    this.#phaseAcked = false;
  }
}
