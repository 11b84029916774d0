/**
 * What a rendezvous server wants to be done, and what it has counted.
 *
 * @module
 */
import { encodeMessage } from "../signal/message-codec.ts";
import type { Failure, Message, ProbeSource } from "../signal/messages.ts";
import { Deque } from "../util/deque.ts";
import type { Address } from "../util/machine.ts";
import type { Duration } from "../util/time.ts";
import type { Session, SessionId } from "./session.ts";

/** Why a session is closed: it broke the rules, went beyond a limit, or the server stops. */
export type ServerCloseReason = "protocol" | "limit" | "draining";

/** What the owner has to do. */
export type ServerOutput =
  | { readonly type: "send"; readonly session: SessionId; readonly bytes: Uint8Array }
  /** One datagram to the address of the session, from elsewhere than where the session is (RDV-20). */
  | {
      readonly type: "witness";
      readonly session: SessionId;
      readonly which: ProbeSource;
      readonly to: Address;
      readonly payload: Uint8Array;
    }
  /** The session is forgotten already. */
  | { readonly type: "close"; readonly session: SessionId; readonly reason: ServerCloseReason };

/** What has happened since the server began. */
export interface ServerCounters {
  sessionsOpened: number;
  sessionsRefused: number;
  sessionsBroken: number;
  registered: number;
  registrationsRefused: number;
  displaced: number;
  badProofs: number;
  invites: number;
  notHere: number;
  limited: number;
  answers: number;
  signals: number;
  witnesses: number;
  callsExpired: number;
}

/** Everything at zero. */
function noCounts(): ServerCounters {
  return {
    sessionsOpened: 0,
    sessionsRefused: 0,
    sessionsBroken: 0,
    registered: 0,
    registrationsRefused: 0,
    displaced: 0,
    badProofs: 0,
    invites: 0,
    notHere: 0,
    limited: 0,
    answers: 0,
    signals: 0,
    witnesses: 0,
    callsExpired: 0,
  };
}

/** How messages get to sessions. */
export interface OutboxOptions {
  /** Bytes that have been sent to a session and not been acknowledged. */
  readonly backlogOf: (session: SessionId) => number;
  /** Bytes that may wait for a session before nothing more is forwarded to it; twice as many end it. */
  readonly maxBacklog: number;
}

/** The outputs of a server, in order. */
export class Outbox {
  readonly counters: ServerCounters = noCounts();
  readonly #options: OutboxOptions;
  readonly #outputs = new Deque<ServerOutput>();
  /** Sessions that read too slowly even for their own answers; the server closes them when it has done what it does. */
  readonly #overflowing = new Set<Session>();

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Command: a message for a session. */
  send(session: Session, message: Message): void {
    this.sendBytes(session, encodeMessage(message));
  }

  /** Command: a message in bytes. */
  sendBytes(session: Session, bytes: Uint8Array): void {
    if (session.isClosed) return;
    const { backlogOf, maxBacklog } = this.#options;
    if (backlogOf(session.id) > 2 * maxBacklog) this.#overflowing.add(session);
    else this.#outputs.push({ type: "send", session: session.id, bytes });
  }

  /** Command: tells a session that a call or request of its has failed. */
  fail(session: Session, id: number, failure: Failure, retry: Duration): void {
    if (failure === "not-here") this.counters.notHere += 1;
    if (failure === "limit") this.counters.limited += 1;
    this.send(session, { type: "failed", id, failure, retry });
  }

  /** Command: anything but a message. */
  push(output: Exclude<ServerOutput, { type: "send" }>): void {
    this.#outputs.push(output);
  }

  /** Output: the next thing to do. */
  poll(): ServerOutput | undefined {
    return this.#outputs.shift();
  }

  /** Output: a session that is to be closed for its slowness; call until `undefined`. */
  pollOverflow(): Session | undefined {
    for (const session of this.#overflowing) {
      this.#overflowing.delete(session);
      return session;
    }
    return undefined;
  }

  /** Whether so much waits for a session that nothing more is forwarded to it. */
  isSlow(session: Session): boolean {
    return this.#options.backlogOf(session.id) > this.#options.maxBacklog;
  }
}
