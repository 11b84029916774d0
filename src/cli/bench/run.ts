/**
 * What both sides of a measurement share: progress, and how it ends.
 *
 * @module
 */
import type { Connection, ConnectionEvents } from "../../index.ts";
import type { CommandContext } from "../command.ts";
import { FailCode } from "../control-codec.ts";
import { pathReport } from "../describe.ts";
import { ExitCode, Failure, toFailure } from "../failure.ts";
import type { Meter } from "../meter.ts";
import { closedFailure } from "../peer-failure.ts";

// Implementation

/** Between two progress events, in milliseconds. */
const PROGRESS_INTERVAL = 250;

/** How long the end of a connection may take to reach the peer, in milliseconds. */
const CLOSE_TIMEOUT = 500;

/** One side's share of a measurement. */
export interface BenchRun<T> {
  readonly meter: Meter;
  /** What is to be done while the connection lives. */
  readonly body: () => Promise<T>;
  /** Whether all has been said: then it does not matter who closes. */
  readonly isDone: () => boolean;
  /** The command that we are, for a peer that is none of its kind. */
  readonly who: string;
}

/**
 * Does the work of one side, then closes the connection, in any case.
 *
 * @throws Failure if the work fails, the connection ends before, or the user has had enough.
 */
export async function runBench<T>(connection: Connection, context: CommandContext, run: BenchRun<T>): Promise<T> {
  const { reporter, signal } = context;
  const { meter } = run;
  let interrupt: (failure: Failure) => void = () => {};
  const interrupted = new Promise<never>((_resolve, reject) => {
    interrupt = reject;
  });
  const onAbort = (): void => interrupt(toFailure(signal.reason));
  const onClosed: ConnectionEvents["closed"] = (_reason, error) => {
    if (!run.isDone()) interrupt(error === undefined ? hungUpFailure() : closedFailure(error));
  };
  const onStalled = (): void => reporter.report({ event: "stalled" });
  const onResumed = (): void => reporter.report({ event: "resumed" });
  connection.on("closed", onClosed).on("stalled", onStalled).on("resumed", onResumed);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  const progress = setInterval(() => {
    const { sent, received } = meter;
    const rate = Math.round(meter.takeRate());
    reporter.report({ event: "progress", sent, received, rate, ...pathReport(connection) });
  }, PROGRESS_INTERVAL);
  let failure: Failure | undefined;
  try {
    return await Promise.race([run.body(), interrupted]);
  } catch (error) {
    failure = toFailure(error);
    throw failure;
  } finally {
    clearInterval(progress);
    signal.removeEventListener("abort", onAbort);
    connection.off("closed", onClosed).off("stalled", onStalled).off("resumed", onResumed);
    await leave(connection, failure, run.who);
  }
}

/** Closes, and tells the peer why if something went wrong. */
async function leave(connection: Connection, failure: Failure | undefined, who: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CLOSE_TIMEOUT);
  });
  await Promise.race([connection.close(...farewell(failure, who)), timeout]);
  clearTimeout(timer);
}

function farewell(failure: Failure | undefined, who: string): [code: number, reason: string] {
  switch (failure?.code) {
    case undefined:
      return [0, ""];
    case "ERR_INTERRUPTED":
      return [FailCode.INTERRUPTED, failure!.message];
    case "ERR_BENCH":
      return [FailCode.MISMATCH, `this is \`punchline ${who}\`: it only measures`];
    default:
      return [FailCode.INTERNAL, "internal fault"];
  }
}

function hungUpFailure(): Failure {
  return new Failure("the other side hung up before the measurement was over", {
    code: "ERR_BENCH",
    exit: ExitCode.CUT,
  });
}
