/**
 * Load on a stream of any kind: as many bytes as it takes, and how many of them arrive.
 *
 * @module
 */
import type { Writable } from "node:stream";

// Implementation

/** Bytes given to a stream at a time: what the commands that pipe read from a file at once. */
const CHUNK_SIZE = 256 * 1024;

/** Any number but 0, where the generator would stand still. */
const SEED = 0x2545_f491;

let chunk: Uint8Array | undefined;

/**
 * Writes as much as the stream takes for `ms`, then gives it up with all that has not arrived: what waits in buffers
 * would keep a slow link busy for long.
 *
 * @param giveUp Ends the stream at once.
 * @param onSent Told of each piece that the stream has taken.
 * @returns A promise that resolves when the time or the stream is over.
 */
export function pour(
  stream: Writable,
  ms: number,
  { giveUp, onSent }: { readonly giveUp: () => void; readonly onSent: (bytes: number) => void },
): Promise<void> {
  chunk ??= sampleBytes(CHUNK_SIZE);
  const bytes = chunk;
  if (stream.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const onTaken = (error: Error | null | undefined): void => {
      if (!error) onSent(bytes.length);
    };
    const fill = (): void => {
      while (!stream.destroyed && !stream.writableEnded && stream.write(bytes, onTaken));
    };
    const timer = setTimeout(giveUp, ms);
    stream.on("drain", fill).once("close", () => {
      clearTimeout(timer);
      stream.off("drain", fill);
      resolve();
    });
    fill();
  });
}

/**
 * Counts what arrives in the `ms` after the first piece. The first piece starts the clock and is not counted, for the
 * time that it took is not known.
 */
export class LoadCounter {
  /** Resolves when nothing more counts. */
  readonly ended: Promise<void>;
  readonly #ms: number;
  #resolve: () => void = () => {};
  #firstAt: number | undefined;
  #endedAt: number | undefined;
  #bytes = 0;

  constructor(ms: number) {
    this.#ms = ms;
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Input: bytes have arrived. */
  onArrived(bytes: number, now: number): void {
    if (this.#firstAt === undefined) this.#firstAt = now;
    else if (this.#endedAt === undefined && now - this.#firstAt <= this.#ms) this.#bytes += bytes;
  }

  /** Input: nothing more counts. */
  end(now: number): void {
    this.#endedAt ??= now;
    this.#resolve();
  }

  /** Bytes counted, and the milliseconds that they took. */
  get result(): { readonly bytes: number; readonly ms: number } {
    if (this.#firstAt === undefined || this.#endedAt === undefined) return { bytes: 0, ms: 0 };
    return { bytes: this.#bytes, ms: Math.min(this.#endedAt - this.#firstAt, this.#ms) };
  }
}

/** Bytes that nothing along the way can make smaller (Marsaglia's xorshift: not secret, but fast). */
function sampleBytes(size: number): Uint8Array {
  const words = new Uint32Array(size / 4);
  let state = SEED;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer);
}
