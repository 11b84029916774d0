/**
 * Calls between sessions: invitations, answers, and what follows (spec/rendezvous.md#calls).
 *
 * @module
 */
import { MAX_ENVELOPE_SIZE } from "../signal/envelope.ts";
import { CALL_FLAG, type MessageOf, NO_RELAY, SIGNAL_FLAG } from "../signal/messages.ts";
import type { Duration, Instant } from "../util/time.ts";
import { CallTable, microseconds, sidesOf, waits } from "./calls.ts";
import type { ServerLimits } from "./limits.ts";
import type { Outbox } from "./outbox.ts";
import type { Call, CallSide, Session } from "./session.ts";
import type { SlotTable } from "./slots.ts";

// Implementation

/** When to try again what fails for another reason than a rate, in ms. */
const RETRY_DELAY: Duration = 1_000;

/** Connects sessions by their slots and the numbers of their calls. */
export class Switchboard {
  readonly #limits: ServerLimits;
  readonly #slots: SlotTable;
  readonly #outbox: Outbox;
  readonly #calls = new CallTable();

  constructor(limits: ServerLimits, slots: SlotTable, outbox: Outbox) {
    this.#limits = limits;
    this.#slots = slots;
    this.#outbox = outbox;
  }

  /** Input: INVITE. The number is fresh. */
  invite(session: Session, message: MessageOf<"invite">, now: Instant): void {
    const { call: number, slot: name, flags, envelope } = message;
    this.#outbox.counters.invites += 1;
    if (!isEnvelope(envelope)) {
      this.#outbox.fail(session, number, "malformed", 0);
      return;
    }
    if (!session.invites.take(now)) {
      this.#outbox.fail(session, number, "limit", session.invites.waitFor(now));
      return;
    }
    const slot = this.#slots.find(name);
    if (slot === undefined) {
      this.#outbox.fail(session, number, "not-here", RETRY_DELAY);
      return;
    }
    const { maxCallsBegun, maxCallsInvited } = this.#limits;
    const listener = slot.session;
    if (
      session.callsBegun >= maxCallsBegun ||
      listener.callsInvited >= maxCallsInvited ||
      this.#outbox.isSlow(listener)
    ) {
      this.#outbox.fail(session, number, "limit", RETRY_DELAY);
      return;
    }
    if (!slot.invites.take(now)) {
      this.#outbox.fail(session, number, "limit", slot.invites.waitFor(now));
      return;
    }
    const invited = { session: listener, number: listener.nextInvitation() };
    this.#calls.open({ inviter: { session, number }, invited }, now);
    const attested = attest(session, flags);
    this.#outbox.send(listener, { type: "invited", call: invited.number, slot: name, flags, ...attested, envelope });
  }

  /** Input: ANSWER. */
  answer(session: Session, message: MessageOf<"answer">, now: Instant): void {
    const { call: number, flags, envelope } = message;
    const call = this.#findCall(session, number);
    if (call === undefined) return;
    const { inviter, invited } = call;
    if (call.isAnswered || sidesOf(call, number).own !== invited || !isEnvelope(envelope)) {
      this.#outbox.fail(session, number, "malformed", 0);
      return;
    }
    if (this.#outbox.isSlow(inviter.session)) {
      this.#outbox.fail(session, number, "limit", RETRY_DELAY);
      return;
    }
    call.isAnswered = true;
    this.#calls.touch(call, now);
    this.#outbox.counters.answers += 1;
    const wait = waits(call);
    this.#outbox.send(inviter.session, {
      type: "answered",
      call: inviter.number,
      flags,
      wait: wait.inviter,
      ...attest(session, flags),
      relay: NO_RELAY,
      envelope,
    });
    this.#outbox.send(session, { type: "go", call: number, wait: wait.invited, relay: NO_RELAY });
  }

  /** Input: SIGNAL. */
  signal(session: Session, message: MessageOf<"signal">, now: Instant): void {
    const { call: number, flags, envelope } = message;
    const call = this.#findCall(session, number);
    if (call === undefined) return;
    // Until the invited side has answered, nobody has shown that it cares for more.
    if (!call.isAnswered || !isEnvelope(envelope)) {
      this.#outbox.fail(session, number, "malformed", 0);
      return;
    }
    const { other } = sidesOf(call, number);
    if (this.#outbox.isSlow(other.session)) {
      this.#outbox.fail(session, number, "limit", RETRY_DELAY);
      return;
    }
    this.#calls.touch(call, now);
    this.#outbox.counters.signals += 1;
    this.#outbox.send(other.session, { type: "signal", call: other.number, flags, envelope });
    if ((flags & SIGNAL_FLAG.GO_WANTED) === 0) return;
    const wait = waits(call);
    this.#sendGo(call.inviter, wait.inviter);
    this.#sendGo(call.invited, wait.invited);
  }

  /** Input: CANCEL. */
  cancel(session: Session, number: number): void {
    const call = session.calls.get(number);
    if (call === undefined) return;
    const { other } = sidesOf(call, number);
    this.#calls.close(call);
    this.#outbox.fail(other.session, other.number, "gone", 0);
  }

  /** Input: a session is over; who had calls with it is told. */
  dropSession(session: Session): void {
    for (const number of session.calls.keys()) this.cancel(session, number);
  }

  /** Input: time has passed. */
  handleTimeout(now: Instant): void {
    this.#outbox.counters.callsExpired += this.#calls.expire(now);
  }

  /** Output: when the next call expires. */
  nextTimeout(): Instant | undefined {
    return this.#calls.nextExpiry();
  }

  /** Number of open calls. */
  get size(): number {
    return this.#calls.size;
  }

  /** The call that the session knows by this number; if there is none it is told so (RDV-17). */
  #findCall(session: Session, number: number): Call | undefined {
    const call = session.calls.get(number);
    if (call === undefined) this.#outbox.fail(session, number, "gone", 0);
    return call;
  }

  #sendGo(side: CallSide, wait: number): void {
    this.#outbox.send(side.session, { type: "go", call: side.number, wait, relay: NO_RELAY });
  }
}

/** What the other side is told about this one (RDV-15). */
function attest(session: Session, flags: number): { readonly rtt: number; readonly seen: string | undefined } {
  const isConcealed = (flags & CALL_FLAG.CONCEAL_ADDRESS) !== 0;
  return { rtt: microseconds(session.rtt ?? 0), seen: isConcealed ? undefined : session.remote.host };
}

function isEnvelope(bytes: Uint8Array): boolean {
  return bytes.length > 0 && bytes.length <= MAX_ENVELOPE_SIZE;
}
