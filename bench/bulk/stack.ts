/**
 * What the bulk benchmark asks of each stack that it measures.
 *
 * @module
 */
import type { Readable, Writable } from "node:stream";

/** One stack: how to offer a stream, and how to open it from elsewhere. */
export interface Stack {
  readonly isEncrypted: boolean;
  /** Listens on `host`. */
  receive(host: string): Promise<Receiver>;
  /** Opens a stream to what {@link Receiver.target} said. */
  send(target: string, host: string): Promise<Writable>;
}

/** A listening stack. */
export interface Receiver {
  /** All that the sender must know. */
  readonly target: string;
  /** The stream of the first sender. */
  readonly stream: Promise<Readable>;
  /** Lets go of everything. */
  close(): void;
}
