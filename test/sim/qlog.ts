/**
 * Traces of simulated connections as files, for people who want to look at a run.
 *
 * Times are those of the world, so that both ends of a connection, and whatever a scenario does, share one clock. Unlike
 * the writer of the library this one waits for the disk: nothing else happens while a world runs.
 *
 * @module
 */
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { TraceEvent } from "../../src/trace/events.ts";
import { eventRecord, headerRecord, traceFileName } from "../../src/trace/json-seq.ts";
import type { OpenTrace, TraceSink } from "../../src/trace/sink.ts";

/** Characters that are written at once. */
const BUFFER_SIZE = 1 << 20;

/** Worlds end when they have shown what they should, not when connections do: these files end with the process. */
const openFiles = new Set<FileSink>();

/**
 * Begins traces in `directory`, which is made if there is none: for the `openTrace` of simulated hosts. Files of an
 * earlier run with the same seed are replaced. `onFile` is told the path of each.
 */
export function tracesInto(directory: string, onFile: (path: string) => void = () => {}): OpenTrace {
  mkdirSync(directory, { recursive: true });
  return (identity) => {
    const path = join(directory, traceFileName(identity));
    onFile(path);
    return new FileSink(path, headerRecord(identity));
  };
}

class FileSink implements TraceSink {
  readonly #file: number;
  #text: string;
  #isOpen = true;

  constructor(path: string, header: string) {
    this.#file = openSync(path, "w");
    this.#text = header;
    if (openFiles.size === 0) process.once("exit", endAll);
    openFiles.add(this);
  }

  record(event: TraceEvent, now: number): void {
    this.#text += eventRecord(event, now);
    if (this.#text.length >= BUFFER_SIZE) this.#flush();
  }

  end(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    openFiles.delete(this);
    this.#flush();
    closeSync(this.#file);
  }

  #flush(): void {
    writeSync(this.#file, this.#text);
    this.#text = "";
  }
}

function endAll(): void {
  for (const file of openFiles) file.end();
}
