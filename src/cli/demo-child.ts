/**
 * A `punchline` process that the demonstration starts, and what it reports.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { CliEvent } from "./events.ts";
import { ExitCode, Failure } from "./failure.ts";

// Implementation

/** How long a child may take to end politely, in milliseconds. */
const POLITE_TIMEOUT = 2_000;

const PROGRAM = fileURLToPath(new URL("../../bin/punchline.js", import.meta.url));

/** How a child is started: a file descriptor for each end, or `ignore` for an end that nobody uses. */
export interface DemoChildOptions {
  readonly args: readonly string[];
  readonly stdin: number | "ignore";
  readonly stdout: number | "ignore";
}

type EventOf<Name> = Extract<CliEvent, { event: Name }>;

/** One of the two processes. */
export class DemoChild {
  readonly #process: ChildProcess;
  readonly #events = new EventEmitter();
  readonly #exited: Promise<number>;
  #error: EventOf<"error"> | undefined;

  constructor(options: DemoChildOptions) {
    const { args, stdin, stdout } = options;
    this.#process = spawn(process.execPath, [PROGRAM, ...args, "--json"], { stdio: [stdin, stdout, "pipe"] });
    this.#exited = new Promise((resolve, reject) => {
      this.#process.once("error", reject);
      // `close` comes after the last line of stderr; a child that was killed has no code.
      this.#process.once("close", (code) => resolve(code ?? ExitCode.CUT));
    });
    this.#exited.catch(() => {});
    createInterface({ input: this.#process.stderr! }).on("line", (line) => this.#onLine(line));
  }

  /** Calls `handler` for each event of one kind. */
  on<Name extends CliEvent["event"]>(name: Name, handler: (event: EventOf<Name>) => void): void {
    this.#events.on(`event ${name}`, handler);
  }

  /** The next event of one kind. @throws Failure if the process ends before it comes. */
  async next<Name extends CliEvent["event"]>(name: Name): Promise<EventOf<Name>> {
    const event = new Promise<EventOf<Name>>((resolve) => this.#events.once(`event ${name}`, resolve));
    const ended = this.succeeded().then(() => {
      throw new Failure(`a process ended without a word of ${name}`, INTERNAL);
    });
    return Promise.race([event, ended]);
  }

  /** Resolves when the process has ended well. @throws Failure in its own words if it ended otherwise. */
  async succeeded(): Promise<void> {
    const exit = await this.#exited;
    if (exit === ExitCode.OK) return;
    const { code = INTERNAL.code, message = `a process ended with code ${exit}`, hint } = this.#error ?? {};
    throw new Failure(message, { code, exit, hint });
  }

  /** Ends the process, politely at first. */
  async stop(): Promise<void> {
    this.#process.kill("SIGTERM");
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), POLITE_TIMEOUT);
    await this.#exited.catch(() => {});
    clearTimeout(timer);
  }

  #onLine(line: string): void {
    const event = parseEvent(line);
    if (event === undefined) return;
    if (event.event === "error") this.#error = event;
    this.#events.emit(`event ${event.event}`, event);
  }
}

const INTERNAL = { code: "ERR_INTERNAL", exit: ExitCode.INTERNAL };

function parseEvent(line: string): CliEvent | undefined {
  try {
    return JSON.parse(line) as CliEvent;
  } catch {
    return undefined;
  }
}
