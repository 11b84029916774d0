/**
 * Those who wait until the peer allows one more stream.
 *
 * @module
 */

type Direction = "bidi" | "uni";

interface Opening<Stream> {
  readonly direction: Direction;
  /** Takes the stream, or learns why there will be none. */
  readonly settle: (stream: Stream | undefined, error: unknown) => void;
}

/** Opens streams in the order in which they were asked for, each direction for itself. */
export class Openings<Stream> {
  readonly #tryOpen: (direction: Direction) => Stream | undefined;
  readonly #waiting: Opening<Stream>[] = [];

  /** @param tryOpen Opens a stream, or returns `undefined` while the peer allows no more. */
  constructor(tryOpen: (direction: Direction) => Stream | undefined) {
    this.#tryOpen = tryOpen;
  }

  /** Command: opens a stream as soon as possible. Rejects with `signal.reason` on abort. */
  open(direction: Direction, signal: AbortSignal | undefined): Promise<Stream> {
    const isFirst = this.#waiting.every((each) => each.direction !== direction);
    const stream = isFirst ? this.#tryOpen(direction) : undefined;
    return stream === undefined ? this.#wait(direction, signal) : Promise.resolve(stream);
  }

  /** Command: the peer may allow more than before. */
  serve(): void {
    for (const opening of [...this.#waiting]) {
      const stream = this.#tryOpen(opening.direction);
      if (stream === undefined) continue;
      this.#remove(opening);
      opening.settle(stream, undefined);
    }
  }

  /** Command: there will be no more streams. */
  fail(error: unknown): void {
    for (const opening of this.#waiting.splice(0)) opening.settle(undefined, error);
  }

  #wait(direction: Direction, signal: AbortSignal | undefined): Promise<Stream> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#remove(opening);
        opening.settle(undefined, signal?.reason);
      };
      const opening: Opening<Stream> = {
        direction,
        settle: (stream, error) => {
          signal?.removeEventListener("abort", onAbort);
          if (stream === undefined) reject(error);
          else resolve(stream);
        },
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiting.push(opening);
    });
  }

  #remove(opening: Opening<Stream>): void {
    const index = this.#waiting.indexOf(opening);
    if (index !== -1) this.#waiting.splice(index, 1);
  }
}
