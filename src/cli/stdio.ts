/**
 * Standard input and output as a source and a sink of payload.
 *
 * Pipes and sockets are read and written without blocking; files and devices by the thread pool. The two must not be
 * mixed up: a thread that waits for a pipe holds up the end of the process, and a blocking write to a pipe holds up the
 * event loop, so that a slow reader would look like a lost peer.
 *
 * @module
 */
import { once } from "node:events";
import { close, createReadStream, fstatSync, openSync, readFileSync, write } from "node:fs";
import { Socket } from "node:net";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { isatty } from "node:tty";
import { promisify } from "node:util";
import { localFailure, systemCode } from "./failure.ts";

// Implementation

const STDIN = 0;
const STDOUT = 1;

/** One read from a file: fewer turns of the event loop for each gigabyte, still small beside the send buffer. */
const FILE_CHUNK = 256 * 1024;

/** Pause before a device that cannot take more right now is tried again, in milliseconds. */
const RETRY_DELAY = 5;

const closeAsync = promisify(close);
const writeFile = promisify(write);

/** Where our payload comes from. */
export interface Input {
  readonly stream: Readable;
  readonly isTerminal: boolean;
}

/** Where the peer's payload goes. */
export interface Output {
  readonly isTerminal: boolean;
  /** Resolves when the system has taken all of `chunk`. */
  write(chunk: Uint8Array): Promise<void>;
  /** No more will be written: a reader behind a pipe sees the end. */
  close(): Promise<void>;
  /** Gives up at once, whatever is still waiting. */
  destroy(): void;
}

/**
 * Opens standard input. Closed input counts as empty (Node puts /dev/null there), and so does a terminal while we run
 * in the background, because reading it would stop us.
 *
 * @throws Failure if there is nothing to read there, as with a directory.
 */
export function openInput(): Input {
  const stat = fstatSync(STDIN);
  if (stat.isDirectory()) {
    throw localFailure("read standard input", "ERR_INPUT", Object.assign(new Error("EISDIR"), { code: "EISDIR" }));
  }
  const isTerminal = isatty(STDIN);
  if (isTerminal && isInBackground()) return { stream: createReadStream("/dev/null"), isTerminal };
  const isWaitable = isTerminal || stat.isFIFO() || stat.isSocket();
  const stream = isWaitable
    ? process.stdin
    : createReadStream("", { fd: STDIN, autoClose: false, highWaterMark: FILE_CHUNK });
  return { stream, isTerminal };
}

/** Opens standard output. */
export function openOutput(): Output {
  const stat = fstatSync(STDOUT);
  if (stat.isFIFO()) return new PipeOutput({ endFirst: false });
  if (stat.isSocket()) return new PipeOutput({ endFirst: true });
  return new FileOutput({ isTerminal: isatty(STDOUT) });
}

/** A regular file, a device or a terminal. */
class FileOutput implements Output {
  readonly isTerminal: boolean;

  constructor(options: { readonly isTerminal: boolean }) {
    this.isTerminal = options.isTerminal;
  }

  async write(chunk: Uint8Array): Promise<void> {
    let rest = chunk;
    while (rest.length > 0) {
      try {
        const { bytesWritten } = await writeFile(STDOUT, rest);
        rest = rest.subarray(bytesWritten);
      } catch (error) {
        // Somebody who shares the terminal with us has made it non-blocking.
        if (systemCode(error) !== "EAGAIN") throw error;
        await sleep(RETRY_DELAY);
      }
    }
  }

  /** Closing is when network file systems and quotas report what they could not store. */
  async close(): Promise<void> {
    if (!this.isTerminal) await closeFile(STDOUT);
  }

  destroy(): void {}
}

/** A pipe or a socket. */
class PipeOutput implements Output {
  readonly isTerminal = false;
  readonly #endFirst: boolean;
  readonly #socket = new Socket({ fd: STDOUT, readable: false, writable: true });

  /** `endFirst`: a socket may be shared with standard input, so that closing our descriptor alone ends nothing. */
  constructor(options: { readonly endFirst: boolean }) {
    this.#endFirst = options.endFirst;
    // Each write reports its own failure.
    this.#socket.on("error", () => {});
  }

  write(chunk: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(chunk, (error) => (error ? reject(error) : resolve()));
    });
  }

  async close(): Promise<void> {
    if (this.#endFirst) await new Promise<void>((resolve) => this.#socket.end(() => resolve()));
    const closed = once(this.#socket, "close");
    this.#socket.destroy();
    await closed;
    // Sockets leave the descriptors of standard streams open.
    await closeFile(STDOUT);
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/**
 * Closes a standard stream for good. Its descriptor is taken by nothing at once: the next socket would get it, and Node
 * ends the process when it closes a socket with such a number.
 */
async function closeFile(descriptor: number): Promise<void> {
  await closeAsync(descriptor);
  openSync("/dev/null", "r+");
}

/** Whether the terminal's foreground belongs to another job (proc(5): fields `pgrp` and `tpgid`). */
function isInBackground(): boolean {
  try {
    const stat = readFileSync("/proc/self/stat", "latin1");
    // The second field is the program's name in parentheses and may hold anything.
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // Without a terminal of our own (-1) nobody stops us for reading another one.
    return foreground !== "-1" && foreground !== group;
  } catch {
    return false;
  }
}
