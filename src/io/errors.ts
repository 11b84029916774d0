/**
 * The one error class of the library, and how the reasons of the core become errors (spec/errors.md).
 *
 * @module
 */
import type { Attempt, CloseReason, Refusal } from "../connection/events.ts";
import { type Explained, type ExplainOptions, explain } from "../doctor/explain.ts";
import { formatAddress } from "../util/machine.ts";
import { CLOSE_CODE } from "../wire/codes.ts";

/** What went wrong; stable, unlike the message. spec/errors.md lists when each arises. */
export type ErrorCode =
  /** The text is no ticket. */
  | "ERR_TICKET"
  /** The ticket says itself that it is too old. */
  | "ERR_TICKET_EXPIRED"
  /** Nobody answered in the time given. */
  | "ERR_UNREACHABLE"
  /** The NATs on both sides choose and check ports in a way that leaves no path between them. */
  | "ERR_NATS"
  /** No UDP came back from any server: the network blocks it, or none of them is up. */
  | "ERR_UDP_BLOCKED"
  /** No server of the ticket, or of the listener, can be used. */
  | "ERR_SERVER"
  /** The servers of the ticket work, and know of no listener with it. */
  | "ERR_NOT_THERE"
  /** A string that the other side gave by hand cannot be used. */
  | "ERR_PASTED"
  /** The listener knows the ticket and said no; see {@link PunchlineError.refusal}. */
  | "ERR_REFUSED"
  /** An open connection has been silent for longer than `linger`. */
  | "ERR_PEER_LOST"
  /** The peer closed the connection before the stream was finished. */
  | "ERR_CLOSED_BY_PEER"
  /** The peer gave up the stream, or no longer reads what is written to it. */
  | "ERR_STREAM_RESET"
  /** The caller gave up; only where there is no `signal.reason` to throw. */
  | "ERR_ABORTED"
  /** One side broke the protocol, or a limit of it. */
  | "ERR_PROTOCOL"
  /** The local address cannot be used; `cause` is the error of the system. */
  | "ERR_BIND"
  /** The identity file cannot be used. */
  | "ERR_IDENTITY"
  /** The connection or listener was closed on this side. */
  | "ERR_CLOSED"
  /** An option or argument is out of its range. */
  | "ERR_OPTION";

/** Who ended it. `network` means nobody did: a time ran out. */
export type ErrorOrigin = "local" | "peer" | "network";

/** What an error carries beside code and message. */
export interface PunchlineErrorOptions {
  /** See {@link PunchlineError.hint}. */
  readonly hint?: string;
  /** See {@link PunchlineError.origin}; `local` if absent. */
  readonly origin?: ErrorOrigin;
  /** See {@link PunchlineError.attempts}. */
  readonly attempts?: readonly Attempt[];
  /** See {@link PunchlineError.refusal}. */
  readonly refusal?: Refusal;
  /** See {@link PunchlineError.peerCode}. */
  readonly peerCode?: number;
  /** See {@link PunchlineError.explain}. */
  readonly explained?: Explained | undefined;
  /** The error behind this one. */
  readonly cause?: unknown;
}

/** Why something failed. Branch on `code`; `message` is for people and may change. */
export class PunchlineError extends Error {
  override readonly name = "PunchlineError";
  /** What went wrong. */
  readonly code: ErrorCode;
  /** One sentence on what to do about it. */
  readonly hint: string;
  /** Who ended it. */
  readonly origin: ErrorOrigin;
  /** Each address that was tried while connecting; empty for any other error. */
  readonly attempts: readonly Attempt[];
  /** Why the listener said no; only with `ERR_REFUSED`. */
  readonly refusal: Refusal | undefined;
  /** The code that the peer sent along when it reset the stream or closed the connection, 0 to 2^53−1. */
  readonly peerCode: number | undefined;

  readonly #explained: Explained | undefined;

  constructor(code: ErrorCode, message: string, options: PunchlineErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.hint = options.hint ?? HINTS[code];
    this.origin = options.origin ?? "local";
    this.attempts = options.attempts ?? [];
    this.refusal = options.refusal;
    this.peerCode = options.peerCode;
    this.#explained = options.explained;
  }

  /**
   * What was tried to reach the peer, one line for each event and each address; for people to read.
   *
   * @param options `redact` puts labels in the place of all addresses, so that the text can be shown to anybody.
   */
  explain(options: ExplainOptions = {}): string {
    return explain(this.#explained ?? { attempts: this.attempts, events: [], hint: this.hint }, options);
  }
}

// Specification

/** Codes of this library in RESET_STREAM, STOP_SENDING and application CLOSE (spec/errors.md). Callers use 0x100 and up. */
export const APPLICATION_CODE = {
  /** Nothing went wrong. */
  none: 0,
  /** `destroy()` without an error. */
  cancelled: 1,
  /** `destroy(error)`. */
  internal: 2,
  /** The stream was disposed of cleanly and what comes from the other side is no longer read. */
  disposed: 3,
  /** The application does not take its incoming connections fast enough. */
  busy: 4,
  /** The first one that is left to applications. */
  first: 0x100,
} as const;

// Implementation

/** Codes of the transport that accuse nobody. */
const HARMLESS: ReadonlySet<number> = new Set([
  CLOSE_CODE.NO_ERROR,
  CLOSE_CODE.REFUSED_BY_PEER,
  CLOSE_CODE.SHUTTING_DOWN,
]);

const HINTS: Readonly<Record<ErrorCode, string>> = {
  ERR_TICKET: "copy the whole ticket again: it is one word that begins with pl1",
  ERR_TICKET_EXPIRED: "ask the listener for a new ticket, and check the clock of this machine",
  ERR_UNREACHABLE: "check that the listener is still running and that a firewall lets its UDP port through",
  ERR_NATS:
    "let the router of one side open a port (UPnP, NAT-PMP or by hand), use IPv6, or connect from another network; `punchline doctor` tells more",
  ERR_UDP_BLOCKED:
    "either this network lets no UDP through, or no server of the ticket is up: try another network, or ask whoever runs the server",
  ERR_SERVER: "check that the server runs, and that a firewall lets its UDP port through",
  ERR_NOT_THERE: "check that the listener is still running, and that it uses the same server",
  ERR_PASTED: "copy the whole string again: it is one word that begins with pa1",
  ERR_REFUSED: "ask the listener for a new ticket",
  ERR_PEER_LOST: "the peer's machine or the network between went away; connect again",
  ERR_CLOSED_BY_PEER: "the peer ended the connection; ask there why",
  ERR_STREAM_RESET: "the peer gave up this stream; ask there why",
  ERR_ABORTED: "the caller gave up",
  ERR_PROTOCOL: "both sides should run the same version; if they do, please report this",
  ERR_BIND: "choose another port or address, or stop the program that uses it",
  ERR_IDENTITY: "name another file, or repair this one",
  ERR_CLOSED: "it was closed on this side; open a new one",
  ERR_OPTION: "see the documentation of the option",
};

const REFUSALS: Readonly<Record<Refusal, string>> = {
  expired: "the ticket has expired",
  revoked: "the ticket was revoked",
  "used-up": "the ticket was used as often as it may be",
  "not-allowed": "this key is not allowed in",
  busy: "the listener is busy",
  version: "the two sides share no version of the protocol",
};

/** The error for the end of a connection; `explained` is the story of one that never opened. */
export function closeError(reason: CloseReason, explained?: Explained): PunchlineError {
  switch (reason.kind) {
    case "closed":
      return closedError(reason);
    case "refused":
      return new PunchlineError("ERR_REFUSED", `refused: ${reason.message || REFUSALS[reason.refusal]}`, {
        origin: "peer",
        refusal: reason.refusal,
        attempts: reason.attempts,
        hint: refusalHint(reason.refusal),
        explained,
      });
    case "unreachable":
      return unreachableError(reason, explained);
    case "lost":
      return new PunchlineError("ERR_PEER_LOST", `nothing heard from the peer for ${Math.round(reason.silence)} ms`, {
        origin: "network",
      });
    case "aborted":
      return new PunchlineError("ERR_ABORTED", "the connection was given up while connecting");
  }
}

/** The error of a stream that the peer reset, or whose data the peer no longer takes. */
export function streamResetError(what: "reset" | "stopped", code: number): PunchlineError {
  const message = what === "reset" ? "the peer reset the stream" : "the peer no longer reads from this stream";
  return new PunchlineError("ERR_STREAM_RESET", `${message} (code ${code})`, { origin: "peer", peerCode: code });
}

/** Whether the connection ended as both sides wished. */
export function isCleanClose(reason: CloseReason): boolean {
  return reason.kind === "closed" && reason.code === 0;
}

function closedError(reason: Extract<CloseReason, { kind: "closed" }>): PunchlineError {
  if (!reason.application && reason.origin === "peer" && reason.code === CLOSE_CODE.TICKET_SPENT) {
    // Another call was faster with the last use of the ticket.
    return closeError({ kind: "refused", refusal: "used-up", message: "", attempts: [] });
  }
  const text = reason.message === "" ? "" : `: ${reason.message}`;
  if (reason.application || HARMLESS.has(reason.code)) {
    if (reason.origin === "local") return new PunchlineError("ERR_CLOSED", `the connection was closed${text}`);
    const message = `the peer closed the connection (code ${reason.code})${text}`;
    return new PunchlineError("ERR_CLOSED_BY_PEER", message, { origin: "peer", peerCode: reason.code });
  }
  const who = reason.origin === "peer" ? "the peer reports" : "the peer committed";
  return new PunchlineError("ERR_PROTOCOL", `${who} a protocol violation, code ${reason.code}${text}`, {
    origin: reason.origin,
    peerCode: reason.code,
  });
}

/** By what is known of the cause; a path that was tried and not found is told by what was tried. */
function unreachableError(
  { attempts, cause }: Extract<CloseReason, { kind: "unreachable" }>,
  explained: Explained | undefined,
): PunchlineError {
  const options = { origin: "network", attempts, explained } as const;
  switch (cause) {
    case "hopeless":
      return new PunchlineError(
        "ERR_NATS",
        "both NATs use ports that nobody can foretell: no direct path exists",
        options,
      );
    case "udp-blocked":
      return new PunchlineError("ERR_UDP_BLOCKED", "UDP seems to be blocked: no server has answered anything", options);
    case "no-server":
      return new PunchlineError("ERR_SERVER", "no server of the ticket can be reached", options);
    case "not-there":
      return new PunchlineError("ERR_NOT_THERE", "the server knows of no listener with this ticket", options);
    case "busy":
      return new PunchlineError("ERR_UNREACHABLE", unreachableMessage(attempts), {
        ...options,
        hint: "this process is looking for many peers at once; try again in half a minute",
      });
    case "one-way":
      return new PunchlineError(
        "ERR_UNREACHABLE",
        `packets come in, but none gets out: ${unreachableMessage(attempts)}`,
        {
          ...options,
          hint: "a firewall on the way lets UDP through in one direction only; try another network",
        },
      );
    default:
      return new PunchlineError("ERR_UNREACHABLE", unreachableMessage(attempts), options);
  }
}

function unreachableMessage(attempts: readonly Attempt[]): string {
  if (attempts.length === 0) return "no answer: nothing is known of where the listener is";
  const elapsed = Math.round(Math.max(...attempts.map((attempt) => attempt.elapsed)));
  const tried = attempts.map((attempt) => `${formatAddress(attempt.address)} (${describe(attempt)})`).join(", ");
  return `no answer in ${elapsed} ms from ${tried}`;
}

function describe(attempt: Attempt): string {
  return attempt.outcome === "unsent" ? "no local address of that kind" : `${attempt.sent} sent`;
}

function refusalHint(refusal: Refusal): string {
  switch (refusal) {
    case "expired":
    case "revoked":
    case "used-up":
      return "ask the listener for a new ticket";
    case "not-allowed":
      return "give the listener your key, so that it can allow it";
    case "busy":
      return "try again in a while";
    case "version":
      return "install the same version on both sides";
  }
}
