/**
 * Where `listen --paste` takes the string of the other side from (CLI-37).
 *
 * @module
 */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type Listener, PunchlineError } from "../index.ts";
import type { Reporter } from "./events.ts";
import { ExitCode, Failure, localFailure, systemCode, usageFailure } from "./failure.ts";
import type { Input } from "./stdio.ts";
import { firstLine } from "./ticket-files.ts";

// Specification

/** How often the file is looked at, in ms. */
const POLL_INTERVAL = 200;

// Implementation

/** Longest line that is looked at for a string, in bytes: several times the longest string. */
const MAX_LINE = 8_192;

/** A peer that has not come so long after its string never will, in ms: the listener gives up after 20 s. */
const ARRIVAL_LIMIT = 25_000;

/** System errors that mean: not yet. */
const NOT_YET = ["ENOENT", "EAGAIN"];

/** Where the user says that the string comes from. */
export interface AnswerChoice {
  readonly listener: Listener;
  /** `--answer-from`. */
  readonly from: string | undefined;
  readonly input: Input;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}

/**
 * Checks that somebody can paste.
 *
 * @throws Failure if nobody can.
 */
export function checkAnswerChoice({ from, input }: Pick<AnswerChoice, "from" | "input">): void {
  if (from !== undefined || input.isTerminal) return;
  throw usageFailure("nobody can paste: standard input is no terminal", "name a file with --answer-from");
}

/**
 * Gives the other side's string to the listener, and waits for what comes of it. Ends with an error only: the connection
 * comes by the listener.
 *
 * @throws Failure or PunchlineError if the string cannot be used, leads nowhere, or our address has changed before.
 */
export async function answerByHand(choice: AnswerChoice): Promise<never> {
  const { signal } = choice;
  try {
    return await untilHopeless(choice);
  } catch (error) {
    // Whoever gives up says why.
    signal.throwIfAborted();
    throw error;
  }
}

async function untilHopeless(choice: AnswerChoice): Promise<never> {
  const { listener, from, signal } = choice;
  const moved = new Promise<never>((_, reject) => {
    listener.once("moved", () => reject(movedFailure()));
  });
  const answered = from === undefined ? answerFromTerminal(choice) : answerFromFile(choice, from);
  await Promise.race([answered, moved]);
  await sleep(ARRIVAL_LIMIT, undefined, { signal, ref: false });
  throw new Failure("the other side was not reached", {
    code: "ERR_UNREACHABLE",
    exit: ExitCode.UNREACHABLE,
    hint: "let both sides begin anew; if that does not help, a server both can reach will: see --server",
  });
}

/** Asks until a string can be used: people mark too much or too little. */
async function answerFromTerminal({ listener, input, reporter }: AnswerChoice): Promise<void> {
  for (;;) {
    reporter.note("Paste what the other side's command has printed, then press Enter:");
    const line = await firstLine(input.stream);
    try {
      listener.answer(line);
      return;
    } catch (error) {
      // A terminal that has ended gives nothing more.
      if (!(error instanceof PunchlineError) || error.code !== "ERR_PASTED" || input.stream.readableEnded) throw error;
      reporter.report({ event: "warning", message: `${error.message}; ${error.hint}` });
    }
  }
}

async function answerFromFile({ listener, signal }: AnswerChoice, path: string): Promise<void> {
  const file = new GrowingFile(path);
  try {
    for (let line = await file.line(); ; line = await file.line()) {
      if (line !== undefined) {
        listener.answer(line);
        return;
      }
      await sleep(POLL_INTERVAL, undefined, { signal });
    }
  } finally {
    await file.close();
  }
}

/** A file or FIFO that somebody writes a line into, perhaps in pieces. */
class GrowingFile {
  readonly #path: string;
  #pipe: FileHandle | undefined;
  #text = Buffer.alloc(0);

  constructor(path: string) {
    this.#path = path;
  }

  /** The first line, once it is whole. */
  async line(): Promise<string | undefined> {
    try {
      await this.#read();
    } catch (error) {
      if (!NOT_YET.includes(systemCode(error) ?? "")) {
        throw localFailure(`read a string from ${this.#path}`, "ERR_FILE", error);
      }
    }
    const end = this.#text.indexOf("\n");
    if (end === -1 && this.#text.length < MAX_LINE) return undefined;
    return this.#text.toString("utf8", 0, end === -1 ? MAX_LINE : end);
  }

  async close(): Promise<void> {
    await this.#pipe?.close();
  }

  async #read(): Promise<void> {
    const buffer = Buffer.alloc(MAX_LINE);
    if (this.#pipe !== undefined) {
      await this.#append(this.#pipe, buffer);
      return;
    }
    // Opening a pipe would otherwise wait for a writer, in a thread that could not be stopped.
    const file = await open(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
    if ((await file.stat()).isFIFO()) {
      this.#pipe = file;
      await this.#append(file, buffer);
      return;
    }
    try {
      // A file may have been written anew since.
      this.#text = Buffer.alloc(0);
      await this.#append(file, buffer);
    } finally {
      await file.close();
    }
  }

  async #append(file: FileHandle, buffer: Buffer): Promise<void> {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
    this.#text = Buffer.concat([this.#text, buffer.subarray(0, bytesRead)]).subarray(0, MAX_LINE);
  }
}

function movedFailure(): Failure {
  return new Failure("our address has changed: the ticket leads nowhere now", {
    code: "ERR_UNREACHABLE",
    exit: ExitCode.UNREACHABLE,
    hint: "run the command again, and give the other side the new ticket",
  });
}
