/**
 * How much may be sent to addresses that have not answered (spec/paths.md#budgets).
 *
 * Peers name the addresses that they want to be reached at. Whoever holds a ticket could name those of others, and have
 * every listener that he calls send there; these limits keep what comes of it below what is worth the trouble.
 *
 * @module
 */
import { after, type Duration, type Instant } from "../../util/time.ts";

// Specification

/** Bytes a second that all punching of an endpoint may send. */
export const MAX_RATE = 20_000;

/** Bytes beyond that rate that may go at once. */
export const MAX_BURST = 64 * 1024;

/** Invitations at once of an endpoint. */
export const MAX_INVITATIONS = 32;

/** Bytes to candidates for one invitation, in all rounds. */
export const MAX_INVITATION_BYTES = 10 * 1024;

/** Bytes of sprays, and of sockets that are opened for them, for one invitation. */
export const MAX_SPRAY_BYTES = 128 * 1024;

/** Time between the beginnings of two sprays of an endpoint, in ms. */
export const MIN_SPRAY_INTERVAL: Duration = 20_000;

/** Sockets beyond its usual ones that an endpoint opens for punching: one birthday, and some predictions beside it. */
export const MAX_EXTRA_SOCKETS = 272;

/** What all punching of one endpoint shares. */
export class PunchBudget {
  #tokens = MAX_BURST;
  #filledAt: Instant | undefined;
  #invitations = 0;
  #sockets = 0;
  #isSpraying = false;
  #sprayedAt: Instant | undefined;

  /** Command: a peer is to be reached. Its budget, or `undefined` if too many are. Call its `end` when it is over. */
  invite(): InvitationBudget | undefined {
    if (this.#invitations >= MAX_INVITATIONS) return undefined;
    this.#invitations += 1;
    return new InvitationBudget(this, () => {
      this.#invitations -= 1;
    });
  }

  /** Command: takes `size` bytes out; call it only if {@link readyAt} is no later than `now`. */
  take(size: number, now: Instant): void {
    this.#fill(now);
    this.#tokens -= size;
  }

  /** Command: begins a spray, if none is going on and the last one is long enough ago. */
  startSpray(now: Instant): boolean {
    if (this.#isSpraying) return false;
    if (this.#sprayedAt !== undefined && now - this.#sprayedAt < MIN_SPRAY_INTERVAL) return false;
    this.#isSpraying = true;
    this.#sprayedAt = now;
    return true;
  }

  /** Command: the spray is over. */
  endSpray(): void {
    this.#isSpraying = false;
  }

  /** Command: sets sockets aside, if so many are left. */
  reserveSockets(count: number): boolean {
    if (this.#sockets + count > MAX_EXTRA_SOCKETS) return false;
    this.#sockets += count;
    return true;
  }

  /** Command: sockets that were set aside are closed, or were not opened. */
  releaseSockets(count: number): void {
    this.#sockets -= count;
  }

  /** When `size` bytes may go: `now`, or a later instant. */
  readyAt(size: number, now: Instant): Instant {
    this.#fill(now);
    const missing = size - this.#tokens;
    return missing <= 0 ? now : after(now, Math.ceil((missing * 1000) / MAX_RATE));
  }

  #fill(now: Instant): void {
    const elapsed = now - (this.#filledAt ?? now);
    this.#filledAt = now;
    this.#tokens = Math.min(MAX_BURST, this.#tokens + (elapsed * MAX_RATE) / 1000);
  }
}

/** What all rounds for one peer share. */
export class InvitationBudget {
  readonly endpoint: PunchBudget;
  readonly #onEnd: () => void;
  #candidateBytes = 0;
  #sprayBytes = 0;
  #hasGuessed = false;
  #hasEnded = false;

  constructor(endpoint: PunchBudget, onEnd: () => void) {
    this.endpoint = endpoint;
    this.#onEnd = onEnd;
  }

  /** Command: takes bytes for a candidate; false if too few are left. */
  takeForCandidate(size: number): boolean {
    if (this.#candidateBytes + size > MAX_INVITATION_BYTES) return false;
    this.#candidateBytes += size;
    return true;
  }

  /** Command: takes bytes for a spray; false if too few are left. */
  takeForSpray(size: number): boolean {
    if (this.#sprayBytes + size > MAX_SPRAY_BYTES) return false;
    this.#sprayBytes += size;
    return true;
  }

  /** Command: hundreds of ports are about to be opened or tried. It is done once. */
  guess(): void {
    this.#hasGuessed = true;
  }

  /** Whether that was done, in this round or an earlier one. */
  get hasGuessed(): boolean {
    return this.#hasGuessed;
  }

  /** Command: the peer was reached, or was given up. */
  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#onEnd();
  }
}
