/**
 * What ends a command from outside: Ctrl-C and its relatives, and faults of our own. The first is handled politely, so
 * that the peer can be told; the second ends the process at once.
 *
 * @module
 */
import { type EndingSignal, ExitCode, Failure, SIGNAL_NUMBERS, signalExitCode, toFailure } from "./failure.ts";

// Implementation

/**
 * Signals within this time are one, in milliseconds: npm hands its child a Ctrl-C that the terminal has already sent to
 * the whole group.
 */
const ECHO_TIME = 250;

/** How long a polite end may take after a fault of our own, in milliseconds: what is broken may never finish. */
const FAULT_TIMEOUT = 2_000;

/** Watches for the end from outside while a command runs. */
export class Interrupts {
  readonly #controller = new AbortController();
  #firstSignalAt: number | undefined;
  #isFinished = false;

  constructor() {
    for (const signal of Object.keys(SIGNAL_NUMBERS) as EndingSignal[]) {
      process.on(signal, () => this.#onSignal(signal));
    }
    // Rejections that nobody handles arrive here too.
    process.on("uncaughtException", (error) => this.#onFault(error));
  }

  /** Command: nothing is left to be ended politely. */
  finish(): void {
    this.#isFinished = true;
  }

  /** Aborts at the first reason to end; its `reason` is a {@link Failure}. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  #onSignal(signal: EndingSignal): void {
    const now = performance.now();
    const isEcho = this.#firstSignalAt !== undefined && now - this.#firstSignalAt < ECHO_TIME;
    if (isEcho) return;
    const exit = signalExitCode(signal);
    if (this.#firstSignalAt !== undefined) process.exit(exit);
    this.#firstSignalAt = now;
    this.#controller.abort(new Failure(`interrupted by ${signal}`, { code: "ERR_INTERRUPTED", exit }));
  }

  #onFault(error: unknown): void {
    const failure = toFailure(error);
    if (this.#isFinished || this.#controller.signal.aborted) {
      process.stderr.write(`punchline: ${failure.message}\n`);
      process.exit(ExitCode.INTERNAL);
    }
    this.#controller.abort(failure);
    setTimeout(() => process.exit(ExitCode.INTERNAL), FAULT_TIMEOUT).unref();
  }
}
