/**
 * The streams of a measurement: the control stream, on which the sides take turns, and who gets what the peer opens.
 *
 * @module
 */
import type { Connection, PeerStream } from "../../index.ts";
import { ExitCode, Failure } from "../failure.ts";
import { BENCH_KIND, BenchDecoder, type BenchMessage, encodeMessage } from "./codec.ts";

// Implementation

/** Messages that may wait to be read. The sides take turns, so that more than one never waits. */
const MAX_WAITING = 16;

type MessageOf<Type extends BenchMessage["type"]> = Extract<BenchMessage, { type: Type }>;

/** One end of the control stream. */
export class BenchChannel {
  /** Resolves when the peer has ended its side, or the stream is over. */
  readonly ended: Promise<void>;
  readonly #stream: PeerStream;
  readonly #decoder = new BenchDecoder();
  readonly #messages: BenchMessage[] = [];
  #waiting: { resolve(message: BenchMessage): void; reject(failure: Failure): void } | undefined;
  #failure: Failure | undefined;

  constructor(stream: PeerStream) {
    this.#stream = stream;
    this.ended = new Promise((resolve) => stream.once("end", resolve).once("close", resolve));
    stream.once("close", () => this.#fail(goneFailure()));
  }

  /** The channel of the side that opens the stream. */
  static open(stream: PeerStream): BenchChannel {
    const channel = new BenchChannel(stream);
    stream.write(Uint8Array.of(BENCH_KIND));
    stream.on("data", (chunk: Buffer) => channel.push(chunk));
    return channel;
  }

  /** Input: bytes of the peer. */
  push(chunk: Uint8Array): void {
    const messages = this.#decoder.push(chunk);
    if (messages === undefined || this.#messages.length + messages.length > MAX_WAITING) {
      this.#fail(confusedFailure("sent a message that makes no sense"));
      return;
    }
    this.#messages.push(...messages);
    const waiting = this.#waiting;
    if (waiting === undefined || this.#messages.length === 0) return;
    this.#waiting = undefined;
    waiting.resolve(this.#messages.shift()!);
  }

  /** Command: says something to the peer. */
  send(message: BenchMessage): void {
    if (!this.#stream.writableEnded) this.#stream.write(encodeMessage(message));
  }

  /** Command: nothing more will be said. */
  end(): void {
    this.#stream.end();
  }

  /** The next message. @throws Failure if the stream is malformed or over. */
  next(): Promise<BenchMessage> {
    const message = this.#messages.shift();
    if (message !== undefined) return Promise.resolve(message);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  /** The next message, which has to be of one of these types. @throws Failure if it does not come within `ms`. */
  async expect<Type extends BenchMessage["type"]>(types: readonly Type[], ms: number): Promise<MessageOf<Type>> {
    const timer = setTimeout(() => this.#fail(silentFailure(ms)), ms);
    try {
      const message = await this.next();
      if ((types as readonly string[]).includes(message.type)) return message as MessageOf<Type>;
    } finally {
      clearTimeout(timer);
    }
    throw confusedFailure("answers what was not asked");
  }

  #fail(failure: Failure): void {
    this.#failure ??= failure;
    this.#waiting?.reject(this.#failure);
    this.#waiting = undefined;
  }
}

/** Takes the bytes of one stream, after its first. */
export type Sink = (bytes: Uint8Array) => void;

/**
 * Hands on the streams that the peer opens by their first byte; those that nobody wants are given up.
 *
 * @param choose Returns who takes the rest, if anybody.
 */
export async function acceptStreams(
  connection: Connection,
  choose: (kind: number, stream: PeerStream) => Sink | undefined,
): Promise<void> {
  for await (const stream of connection.streams()) {
    let sink: Sink | undefined;
    stream.on("data", (chunk: Buffer) => {
      if (sink !== undefined) {
        sink(chunk);
        return;
      }
      sink = choose(chunk[0]!, stream);
      if (sink === undefined) stream.destroy();
      else if (chunk.length > 1) sink(chunk.subarray(1));
    });
  }
}

/** The peer does not do what was agreed. */
export function confusedFailure(what: string): Failure {
  return new Failure(`the other side ${what}`, {
    code: "ERR_BENCH",
    exit: ExitCode.CUT,
    hint: "both sides should run the same version",
  });
}

function goneFailure(): Failure {
  return new Failure("the other side gave up the measurement", { code: "ERR_BENCH", exit: ExitCode.CUT });
}

function silentFailure(ms: number): Failure {
  const message = `the other side has not answered for ${Math.round(ms / 1000)} s`;
  return new Failure(message, { code: "ERR_BENCH", exit: ExitCode.CUT });
}
