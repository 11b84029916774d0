/**
 * Two ends on loopback, for tests of the public API on real sockets.
 *
 * @module
 */
import { createHash, randomBytes } from "node:crypto";
import {
  type ConnectOptions,
  connect,
  type Listener,
  type ListenOptions,
  listen,
  type PeerStream,
} from "../../src/index.ts";

/** A listener with one connection to it. */
export interface Pair extends AsyncDisposable {
  readonly listener: Listener;
  /** The end that called `connect`. */
  readonly near: PeerStream;
  /** The same stream at the listener. */
  readonly far: PeerStream;
  close(): Promise<void>;
}

/** A listener and a caller. The first stream shows at the listener as soon as it is announced. */
export async function pair(options: { listen?: ListenOptions; connect?: ConnectOptions } = {}): Promise<Pair> {
  const listener = await listen({ host: "127.0.0.1", ...options.listen });
  const [near, far] = await Promise.all([
    connect(listener.ticket, { timeout: 5_000, ...options.connect }),
    firstOf(listener),
  ]);
  const close = async (): Promise<void> => {
    await listener.close();
    await Promise.all([near.connection.close(), far.connection.close()]);
  };
  return { listener, near, far, close, [Symbol.asyncDispose]: close };
}

/** The next stream of a listener or connection. */
export async function firstOf(source: AsyncIterable<PeerStream>): Promise<PeerStream> {
  for await (const stream of source) return stream;
  throw new Error("closed before a stream came");
}

/** Everything that a stream brings. */
export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The hash of everything that a stream brings. */
export async function hashOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest("hex");
}

/** Chunks of random bytes and the hash of all. */
export function sample(chunkCount: number, chunkSize: number): { chunks: Buffer[]; hash: string } {
  const chunks = Array.from({ length: chunkCount }, () => randomBytes(chunkSize));
  const hash = createHash("sha256");
  for (const chunk of chunks) hash.update(chunk);
  return { chunks, hash: hash.digest("hex") };
}

/** Resolves after `delay` ms. */
export function sleep(delay: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delay));
}

/** The error that a stream is destroyed with; fails after 5 s. */
export function errorOf(stream: PeerStream): Promise<Error> {
  if (stream.errored) return Promise.resolve(stream.errored);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("the stream did not fail")), 5_000);
    stream.once("error", (error) => {
      clearTimeout(timer);
      resolve(error);
    });
  });
}
