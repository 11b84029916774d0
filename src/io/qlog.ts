/**
 * Traces as text, for whoever asked for them (spec/qlog.md): in a directory, or wherever the application says.
 *
 * A trace must never hold up the connection that it is about, nor harm it. So records are gathered and passed on in
 * pieces; if the disk is slower than the connection, records are left out, and one in their place says how many. Whatever
 * goes wrong ends the trace, not the connection, and is told as a warning of Node, once for each kind of error.
 *
 * When the process exits, what is still in memory is written at once.
 *
 * @module
 */
import { closeSync, existsSync, mkdirSync, openSync, unlinkSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { TraceEvent } from "../trace/events.ts";
import { eventRecord, headerRecord, traceFileName } from "../trace/json-seq.ts";
import type { OpenTrace, TraceIdentity, TraceSink } from "../trace/sink.ts";
import { monotonicNow } from "./clock.ts";
import { PunchlineError } from "./errors.ts";
import { QlogFile } from "./qlog-file.ts";

/** Where the text of one trace goes: a Node `Writable` will do. */
export interface QlogTarget {
  /** What it keeps in memory, in bytes; events are left out while that is more than 16 MiB. */
  readonly writableLength?: number;
  /** Takes the next piece of the file: whole records. */
  write(text: string): unknown;
  /** The file is complete. */
  end(): unknown;
}

/** Makes the place for a file of this name, `0123456789abcdef_client.sqlog` for instance; `undefined` for no trace. */
export type OpenQlog = (name: string) => QlogTarget | undefined;

// Implementation

/** Characters that are gathered before they are passed on: a write for every few hundred packets. */
const PIECE_SIZE = 64 * 1024;

/** Bytes of one trace that may wait for the disk: half a second of the fastest connection. */
const MAX_WAITING = 16 * 1024 * 1024;

/** Longest time that a record waits for others, in ms; somebody may be reading along. */
const FLUSH_INTERVAL = 1_000;

/** Traces tell who talked to whom and when: they are nobody else's business. */
const FILE_MODE = 0o600;

/** What the warnings of this module are called. */
const WARNING = "PunchlineWarning";

/** Traces whose end has not come. */
const openTraces = new Set<TraceText>();

/** Kinds of errors that a warning has been given of. */
const warned = new Set<string>();

/**
 * Traces as files in `directory`, which is made if there is none.
 *
 * @throws {@link PunchlineError} `ERR_OPTION` if files cannot be made there.
 */
export function qlogInto(directory: string): OpenTrace {
  try {
    makeDirectory(resolve(directory));
    tryFile(directory);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PunchlineError("ERR_OPTION", `traces cannot be written to ${directory}: ${reason}`, {
      hint: "name a directory in which files can be made",
      cause,
    });
  }
  return (identity) =>
    begin(identity, (name) => {
      // Never replaces a file: names are as good as unique.
      const file = openSync(join(directory, name), "wx", FILE_MODE);
      return new QlogFile(file, warn);
    });
}

/** Traces whose text goes where `open` says. */
export function qlogTo(open: OpenQlog): OpenTrace {
  return (identity) => begin(identity, open);
}

/** Node's own recursion never ends where the system refuses with ENOENT, as in /proc. */
function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  makeDirectory(dirname(path));
  mkdirSync(path);
}

/** Permissions do not tell the whole truth: root has them all, and a disk may be full or read-only. */
function tryFile(directory: string): void {
  const path = join(directory, `.punchline-${process.pid}`);
  closeSync(openSync(path, "wx", FILE_MODE));
  unlinkSync(path);
}

function begin(identity: TraceIdentity, open: OpenQlog): TraceSink | undefined {
  try {
    const target = open(traceFileName(identity));
    return target === undefined ? undefined : new TraceText(identity, target);
  } catch (error) {
    warn(error);
    return undefined;
  }
}

/** Turns the events of one connection into text. */
class TraceText implements TraceSink {
  readonly #target: QlogTarget;
  readonly #startedAt = monotonicNow();
  #text: string;
  /** Events that were left out since the last one that was not. */
  #missing = 0;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(identity: TraceIdentity, target: QlogTarget) {
    this.#target = target;
    this.#text = headerRecord(identity, new Date().toISOString());
    if (openTraces.size === 0) process.on("exit", endAll);
    openTraces.add(this);
  }

  record(event: TraceEvent, now: number): void {
    if (this.#isOver) return;
    if (this.#isFull) {
      this.#missing += 1;
      return;
    }
    // The machine's time may be that of the beginning of its turn.
    const time = Math.max(0, now - this.#startedAt);
    if (this.#missing > 0) this.#tellMissing(time);
    this.#text += eventRecord(event, time);
    if (this.#text.length >= PIECE_SIZE) this.#pass();
    else this.#timer ??= setTimeout(() => this.#pass(), FLUSH_INTERVAL).unref();
  }

  end(): void {
    this.#finish("in the background");
  }

  /** The process exits: everything has to be written now. */
  endNow(): void {
    this.#finish("now");
  }

  get #isFull(): boolean {
    return (this.#target.writableLength ?? 0) > MAX_WAITING;
  }

  #tellMissing(time: number): void {
    const message = `events missing here: ${this.#missing}; the disk was too slow`;
    this.#missing = 0;
    this.#text += eventRecord({ name: "loglevel:warning", data: { message } }, time);
  }

  #finish(when: "now" | "in the background"): void {
    if (this.#isOver) return;
    if (this.#missing > 0) this.#tellMissing(monotonicNow() - this.#startedAt);
    this.#pass();
    if (this.#isOver) return;
    this.#giveUp();
    try {
      if (when === "now" && this.#target instanceof QlogFile) this.#target.endNow();
      else this.#target.end();
    } catch (error) {
      warn(error);
    }
  }

  #pass(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = this.#text;
    this.#text = "";
    if (text === "") return;
    try {
      this.#target.write(text);
    } catch (error) {
      warn(error);
      this.#giveUp();
    }
  }

  #giveUp(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    openTraces.delete(this);
    if (openTraces.size === 0) process.off("exit", endAll);
  }
}

function endAll(): void {
  for (const trace of openTraces) trace.endNow();
}

function warn(error: unknown): void {
  const kind = error instanceof Error && "code" in error ? String(error.code) : String(error);
  if (warned.has(kind)) return;
  warned.add(kind);
  const message = error instanceof Error ? error.message : String(error);
  process.emitWarning(`a trace is incomplete: ${message}`, { type: WARNING, code: "PUNCHLINE_QLOG" });
}
