/**
 * Where the events of a connection go, if anybody wants them.
 *
 * A connection whose owner wants no trace has no sink, and pays for that with one comparison wherever it could say
 * something. A sink must not throw, and must not keep the machine waiting.
 *
 * @module
 */
import type { TraceEvent } from "./events.ts";

/** Takes the events of one connection. */
export interface TraceSink {
  /** Input: what happened at `now`, in ms on the clock of the machine; never earlier than the event before. */
  record(event: TraceEvent, now: number): void;
  /** Input: nothing more will happen. */
  end(): void;
}

/** What tells one trace from another. */
export interface TraceIdentity {
  /** The first connection id of the initiator, in hexadecimal: both ends know it, and no other connection has it. */
  readonly groupId: string;
  /** The initiator is the client. */
  readonly vantagePoint: "client" | "server";
}

/** Begins a trace; `undefined` if there shall be none of this connection. */
export type OpenTrace = (identity: TraceIdentity) => TraceSink | undefined;
