/**
 * A file that takes text without ever making its owner wait.
 *
 * Pieces are written in the background, one after the other, each at the place that its number of bytes before it gives.
 * So a piece that is on its way when the process exits can be written again there, to the same effect, with the rest
 * behind it. The first error of the system ends the file.
 *
 * @module
 */
import { closeSync, write, writeSync } from "node:fs";

/** See the module. */
export class QlogFile {
  readonly #file: number;
  readonly #onError: (error: unknown) => void;
  /** Oldest first; the first one may be on its way. */
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  /** Where the first piece belongs. */
  #position = 0;
  #isWriting = false;
  #isEnding = false;
  #isOver = false;

  /** Takes over an open file. `onError` is called once at most; the file is closed by then. */
  constructor(file: number, onError: (error: unknown) => void) {
    this.#file = file;
    this.#onError = onError;
  }

  /** Command: appends the text. */
  write(text: string): void {
    if (this.#isOver || this.#isEnding) return;
    const piece = Buffer.from(text);
    this.#waiting.push(piece);
    this.#waitingBytes += piece.length;
    this.#next();
  }

  /** Command: closes the file when all of it is written. */
  end(): void {
    this.#isEnding = true;
    this.#next();
  }

  /** Command: writes all that waits and closes the file, before it returns. */
  endNow(): void {
    if (this.#isOver) return;
    try {
      for (const piece of this.#waiting) {
        for (let done = 0; done < piece.length; ) {
          const count = writeSync(this.#file, piece, done, piece.length - done, this.#position);
          done += count;
          this.#position += count;
        }
      }
      this.#close();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Bytes that are not written yet. */
  get writableLength(): number {
    return this.#waitingBytes;
  }

  #next(): void {
    if (this.#isWriting || this.#isOver) return;
    const [piece] = this.#waiting;
    if (piece === undefined) {
      if (this.#isEnding) this.#close();
      return;
    }
    this.#isWriting = true;
    write(this.#file, piece, 0, piece.length, this.#position, (error, count) => {
      this.#isWriting = false;
      if (this.#isOver) return;
      if (error !== null) {
        this.#fail(error);
        return;
      }
      this.#position += count;
      this.#waitingBytes -= count;
      if (count < piece.length) this.#waiting[0] = piece.subarray(count);
      else this.#waiting.shift();
      this.#next();
    });
  }

  #fail(error: unknown): void {
    try {
      this.#close();
    } catch {
      // What matters is the first error.
    }
    this.#onError(error);
  }

  #close(): void {
    this.#isOver = true;
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    closeSync(this.#file);
  }
}
