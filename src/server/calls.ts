/**
 * The open calls of a rendezvous server: which session's which number belongs to which of another.
 *
 * @module
 */
import { after, type Duration, type Instant } from "../util/time.ts";
import type { Call, CallSide } from "./session.ts";

// Specification

/** How long a call lives after its last message, in ms (RDV-18). */
export const CALL_LIFETIME: Duration = 60_000;

/** All calls, in order of their last use. */
export class CallTable {
  readonly #calls = new Set<Call>();

  /** Command: opens a call. */
  open(sides: { inviter: CallSide; invited: CallSide }, now: Instant): Call {
    const call = { ...sides, isAnswered: false, usedAt: now };
    this.#calls.add(call);
    call.inviter.session.calls.set(call.inviter.number, call);
    call.inviter.session.callsBegun += 1;
    call.invited.session.calls.set(call.invited.number, call);
    return call;
  }

  /** Command: a call was used and lives on. */
  touch(call: Call, now: Instant): void {
    call.usedAt = now;
    this.#calls.delete(call);
    this.#calls.add(call);
  }

  /** Command: ends a call. */
  close(call: Call): void {
    if (!this.#calls.delete(call)) return;
    call.inviter.session.calls.delete(call.inviter.number);
    call.inviter.session.callsBegun -= 1;
    call.invited.session.calls.delete(call.invited.number);
  }

  /** Command: ends the calls that nobody used for {@link CALL_LIFETIME}; returns how many. */
  expire(now: Instant): number {
    let count = 0;
    for (const call of this.#calls) {
      // In order of use: the first that is young enough ends the walk.
      if (now < after(call.usedAt, CALL_LIFETIME)) break;
      this.close(call);
      count += 1;
    }
    return count;
  }

  /** When the next call expires. */
  nextExpiry(): Instant | undefined {
    for (const call of this.#calls) return after(call.usedAt, CALL_LIFETIME);
    return undefined;
  }

  /** Number of open calls. */
  get size(): number {
    return this.#calls.size;
  }
}

/** The side of a call that a session's number stands for, and the opposite one. */
export function sidesOf(call: Call, number: number): { readonly own: CallSide; readonly other: CallSide } {
  // Numbers of inviters are even, those of invitations odd: a session that calls itself is two sides.
  return number % 2 === 0 ? { own: call.inviter, other: call.invited } : { own: call.invited, other: call.inviter };
}

/** How long each side waits after the message so that both begin at the same moment, in µs (RDV-16). */
export function waits(call: Call): { readonly inviter: number; readonly invited: number } {
  const inviter = call.inviter.session.rtt;
  const invited = call.invited.session.rtt;
  if (inviter === undefined || invited === undefined) return { inviter: 0, invited: 0 };
  const latest = Math.max(inviter, invited) / 2;
  return { inviter: microseconds(latest - inviter / 2), invited: microseconds(latest - invited / 2) };
}

/** Milliseconds as whole microseconds. */
export function microseconds(duration: Duration): number {
  return Math.round(duration * 1000);
}
