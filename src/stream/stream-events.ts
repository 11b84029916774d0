/**
 * What the streams tell their owner, and what they leave with the ledger of sent packets.
 *
 * @module
 */
import type { StreamDirection } from "../wire/frame.ts";

/** What the streams tell their owner. Each half of a stream ends with exactly one of the events marked "end". */
export type StreamEvent =
  /** The peer opened a stream. Its first event. */
  | { readonly type: "opened"; readonly id: number }
  /** There is something to read, or the end to see; not repeated before `read` has returned `undefined`. */
  | { readonly type: "readable"; readonly id: number }
  /** After a `write` that returned false: there is room again. */
  | { readonly type: "writable"; readonly id: number }
  /** End of the sending half: the peer has acknowledged every byte and the end. */
  | { readonly type: "finished"; readonly id: number }
  /** End of the sending half: the peer has acknowledged that it was given up. */
  | { readonly type: "reset-acked"; readonly id: number }
  /** End of the receiving half: the peer gave its half up; what was not read yet is gone. */
  | { readonly type: "reset"; readonly id: number; readonly code: number }
  /** The peer wants no more; the sending half was given up in answer, and `reset-acked` follows. */
  | { readonly type: "stopped"; readonly id: number; readonly code: number }
  /** Both halves are over and the stream is forgotten. Its last event. */
  | { readonly type: "done"; readonly id: number }
  /** After an `open` that returned `undefined`: the peer allows more streams. */
  | { readonly type: "streams-available"; readonly direction: StreamDirection };

/**
 * What a packet carried beside stream data, in the form in which the ledger keeps it.
 *
 * A lost limit is repaired with the limit of that moment, and not at all if a later one was sent already.
 */
export type StreamToken =
  | { readonly kind: "max-data"; readonly limit: number }
  | { readonly kind: "max-stream-data"; readonly id: number; readonly limit: number }
  | { readonly kind: "max-streams"; readonly direction: StreamDirection; readonly limit: number }
  | { readonly kind: "data-blocked"; readonly limit: number }
  | { readonly kind: "stream-data-blocked"; readonly id: number; readonly limit: number }
  | { readonly kind: "streams-blocked"; readonly direction: StreamDirection; readonly limit: number }
  | { readonly kind: "reset-stream"; readonly id: number }
  | { readonly kind: "stop-sending"; readonly id: number };

/** Who remembers what a packet carried: the ledger of sent packets. */
export interface SentSink {
  /** The packet carries bytes of a stream; `fin` is 1 if with its end. `length` 0 without `fin` announces a stream. */
  addStream(streamId: number, start: number, length: number, fin: 0 | 1): void;
  /** The packet carries something else that is to be repaired when lost. */
  addToken(token: StreamToken): void;
}
