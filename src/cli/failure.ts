/**
 * Exit codes, and the one error that commands end with (spec/cli.md#exit-codes).
 *
 * @module
 */
import { type Attempt, PunchlineError } from "../index.ts";
import { addressText } from "./describe.ts";
import type { AttemptReport } from "./events.ts";

// Specification

/** What each exit code means (CLI-4). Signals end with 128 plus their number. */
export const ExitCode = {
  /** Delivered, and the peer confirmed it. */
  OK: 0,
  /** A fault of punchline itself. */
  INTERNAL: 1,
  /** Wrong usage; a malformed or expired ticket. */
  USAGE: 2,
  /** Nobody answered. */
  UNREACHABLE: 3,
  /** The listener said no: ticket used up or revoked, key not allowed. */
  REFUSED: 4,
  /** The peer was lost, was killed, or gave up. */
  CUT: 5,
  /** What the peer confirmed is not what was sent. */
  INTEGRITY: 6,
  /** Local input or output failed: disk full, closed pipe, unreadable file, port in use. */
  LOCAL_IO: 7,
} as const;

/** Signals that end a command politely, and their numbers. */
export const SIGNAL_NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
export type EndingSignal = keyof typeof SIGNAL_NUMBERS;

/** The exit code of a command that `signal` ended. */
export function signalExitCode(signal: EndingSignal): number {
  return 128 + SIGNAL_NUMBERS[signal];
}

interface FailureDetails {
  readonly code: string;
  readonly exit: number;
  readonly hint?: string | undefined;
  readonly attempts?: readonly AttemptReport[] | undefined;
  readonly cause?: unknown;
}

/** Why a command ends without success. `message` is one clause in lower case, for people. */
export class Failure extends Error {
  /** Stable name of the reason, as in the `error` event. */
  readonly code: string;
  readonly exit: number;
  /** One clause on what to do, if there is something to do. */
  readonly hint: string | undefined;
  readonly attempts: readonly AttemptReport[] | undefined;

  constructor(message: string, details: FailureDetails) {
    super(message, "cause" in details ? { cause: details.cause } : undefined);
    this.name = "Failure";
    this.code = details.code;
    this.exit = details.exit;
    this.hint = details.hint;
    this.attempts = details.attempts;
  }
}

/** A mistake in how the command was called. */
export function usageFailure(message: string, hint?: string): Failure {
  return new Failure(message, { code: "ERR_USAGE", exit: ExitCode.USAGE, hint });
}

/** A file or stream of this machine that could not be used; `what` completes "cannot …". */
export function localFailure(what: string, code: "ERR_INPUT" | "ERR_OUTPUT" | "ERR_FILE", cause: unknown): Failure {
  return new Failure(`cannot ${what}: ${describeSystemError(cause)}`, {
    code,
    exit: ExitCode.LOCAL_IO,
    hint: LOCAL_HINTS[systemCode(cause) ?? ""],
    cause,
  });
}

/** Whatever was thrown, as the failure that the command reports. */
export function toFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (error instanceof PunchlineError) {
    return new Failure(error.message, {
      code: error.code,
      exit: EXIT_BY_CODE[error.code] ?? ExitCode.INTERNAL,
      hint: error.hint,
      attempts: error.attempts.length === 0 ? undefined : error.attempts.map(reportAttempt),
      cause: error,
    });
  }
  const text = error instanceof Error ? error.message : String(error);
  return new Failure(`internal fault: ${text}`, {
    code: "ERR_INTERNAL",
    exit: ExitCode.INTERNAL,
    hint: "please report this; PUNCHLINE_DEBUG=1 shows where it happened",
    cause: error,
  });
}

function reportAttempt(attempt: Attempt): AttemptReport {
  return {
    address: addressText(attempt.address),
    sent: attempt.sent,
    received: attempt.received,
    ms: Math.round(attempt.elapsed),
    outcome: attempt.outcome,
  };
}

const EXIT_BY_CODE: Readonly<Record<string, number>> = {
  ERR_TICKET: ExitCode.USAGE,
  ERR_TICKET_EXPIRED: ExitCode.USAGE,
  ERR_PASTED: ExitCode.USAGE,
  ERR_OPTION: ExitCode.USAGE,
  ERR_UNREACHABLE: ExitCode.UNREACHABLE,
  ERR_NATS: ExitCode.UNREACHABLE,
  ERR_UDP_BLOCKED: ExitCode.UNREACHABLE,
  ERR_SERVER: ExitCode.UNREACHABLE,
  ERR_NOT_THERE: ExitCode.UNREACHABLE,
  ERR_REFUSED: ExitCode.REFUSED,
  ERR_PEER_LOST: ExitCode.CUT,
  ERR_CLOSED_BY_PEER: ExitCode.CUT,
  ERR_STREAM_RESET: ExitCode.CUT,
  ERR_PROTOCOL: ExitCode.CUT,
  ERR_BIND: ExitCode.LOCAL_IO,
  ERR_IDENTITY: ExitCode.LOCAL_IO,
};

const LOCAL_HINTS: Readonly<Record<string, string>> = {
  ENOSPC: "free some space, then start again",
  EPIPE: "the program that our output was piped to has ended",
  EISDIR: "a directory has no bytes of its own; send an archive of it, as tar makes",
};

/** Plain words for the system errors that people meet most. */
const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  ENOSPC: "no space left on the device",
  EDQUOT: "the disk quota is used up",
  EPIPE: "nobody reads it any more",
  EISDIR: "it is a directory",
  ENOENT: "there is no such file",
  ENOTDIR: "part of the path is not a directory",
  EACCES: "permission denied",
  EPERM: "the operation is not permitted",
  EROFS: "the file system is read-only",
  EBADF: "it is not open for that",
  EIO: "the device reports an error",
  EFBIG: "the file would grow too large",
  EMFILE: "too many files are open",
};

/** The system's own name of an error (`ENOSPC`), if it has one. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** One clause about a system error, without file names, so that it may be told to the peer. */
export function describeSystemError(error: unknown): string {
  const code = systemCode(error);
  if (code === undefined) return error instanceof Error ? error.message : String(error);
  const words = SYSTEM_ERRORS[code];
  return words === undefined ? code : `${words} (${code})`;
}
