/**
 * What every command shares: it reports through one reporter, listens to signals, and ends with one exit code.
 *
 * @module
 */
import { isatty } from "node:tty";
import { Redaction } from "../index.ts";
import type { Reporter } from "./events.ts";
import { type Failure, toFailure } from "./failure.ts";
import { Interrupts } from "./interrupts.ts";
import { JsonReporter, TextReporter, type TextSink } from "./reporter.ts";

// Implementation

/** How long sockets and timers may keep the process after a command has ended, in milliseconds. */
const EXIT_TIMEOUT = 500;

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;

/** What the body of a command works with. */
export interface CommandContext {
  readonly reporter: Reporter;
  /** Aborts when the user has had enough; the reason is a {@link Failure}. */
  readonly signal: AbortSignal;
}

/** How a command reports. */
export interface CommandOptions {
  readonly json: boolean;
  /** Where events go: stdout only for commands without payload. */
  readonly sink: TextSink;
  /** Whether a line on the sink may be kept up to date. */
  readonly live: boolean;
  /** Whether addresses are hidden in all that is said. */
  readonly redact?: boolean;
  /** Whether a `closed` event comes last: commands that only answer a question have none. */
  readonly announcesEnd: boolean;
}

/** How commands report whose standard output belongs to payload. Nothing is painted over somebody's conversation. */
export function payloadOptions(flags: { readonly json?: true; readonly redact?: true }): CommandOptions {
  const live = isatty(STDERR) && !(isatty(STDIN) && isatty(STDOUT));
  const { json, redact } = flags;
  return { json: json === true, sink: process.stderr, live, announcesEnd: true, redact: redact === true };
}

/** Runs the body of a command, reports how it ended, and sets the exit code of the process. */
export async function runCommand(
  options: CommandOptions,
  body: (context: CommandContext) => Promise<void>,
): Promise<void> {
  const { json, live } = options;
  const sink = options.redact === true ? redacting(options.sink) : options.sink;
  const reporter = json ? new JsonReporter(sink) : new TextReporter(sink, { live });
  // Node would print warnings in a style of its own, between our lines.
  process.removeAllListeners("warning");
  process.on("warning", ({ message }) => reporter.report({ event: "warning", message }));
  const interrupts = new Interrupts();
  let exit = 0;
  try {
    await body({ reporter, signal: interrupts.signal });
  } catch (error) {
    const failure = toFailure(error);
    exit = failure.exit;
    reportFailure(reporter, failure);
  }
  if (options.announcesEnd) reporter.report({ event: "closed", exit });
  interrupts.finish();
  process.exitCode = exit;
  // The process ends by itself when nothing is left to do; this is for what should have been done by then.
  setTimeout(() => process.exit(), EXIT_TIMEOUT).unref();
}

/** A sink in which labels stand for addresses. */
function redacting(sink: TextSink): TextSink {
  const redaction = new Redaction();
  return {
    write: (text) => sink.write(redaction.scrub(text)),
    get isTTY() {
      return sink.isTTY === true;
    },
    get columns() {
      return sink.columns ?? 0;
    },
  };
}

/** Reports a failure; with PUNCHLINE_DEBUG=1 also where it arose. */
export function reportFailure(reporter: Reporter, failure: Failure): void {
  const { code, message, exit, hint, attempts } = failure;
  const stack = process.env.PUNCHLINE_DEBUG === "1" ? stackOf(failure) : undefined;
  reporter.report({
    event: "error",
    code,
    message,
    exit,
    ...(hint === undefined ? {} : { hint }),
    ...(attempts === undefined ? {} : { attempts }),
    ...(stack === undefined ? {} : { stack }),
  });
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by ${stackOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
