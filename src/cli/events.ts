/**
 * What a command reports while it runs: the events of `--json`, and what the sentences for people are made from
 * (spec/cli.md#events).
 *
 * @module
 */
import type { NetworkReport, PairVerdict, ServerHealth } from "../index.ts";
import type { BenchReport } from "./bench/report.ts";
import type { PathReport } from "./describe.ts";

/** One event; `v` and `time` are added when it is written. */
export type CliEvent =
  /** The listener can be reached. */
  | {
      readonly event: "listening";
      readonly ticket: string;
      readonly addresses: readonly string[];
      /** Servers through which the other side finds us. */
      readonly servers: readonly string[];
      /** What to run on the other machine. */
      readonly command: string;
    }
  /** `key`: our public key, if a file keeps it. */
  | {
      readonly event: "connecting";
      readonly addresses: readonly string[];
      /** Servers through which the listener is found. */
      readonly servers: readonly string[];
      readonly timeout: number;
      readonly key?: string;
    }
  /** In paste mode: what the other side has to paste. `changed`: it replaces an earlier one, as our address has changed. */
  | { readonly event: "invitation"; readonly text: string; readonly changed: boolean }
  /** `ms`: since the command began to listen or to connect. */
  | ({ readonly event: "connected"; readonly ms: number; readonly peer: string } & PathReport)
  | ({ readonly event: "path" } & PathReport)
  /** Nothing has come from the peer for longer than the path explains. */
  | { readonly event: "stalled" }
  | { readonly event: "resumed" }
  /** `rate`: payload bytes per second in both directions since the last such event. */
  | ({
      readonly event: "progress";
      readonly sent: number;
      readonly received: number;
      readonly rate: number;
    } & PathReport)
  | ({ readonly event: "summary" } & Summary)
  | {
      readonly event: "error";
      readonly code: string;
      readonly message: string;
      readonly exit: number;
      readonly hint?: string;
      readonly attempts?: readonly AttemptReport[];
      /** Only with PUNCHLINE_DEBUG=1. */
      readonly stack?: string;
    }
  /** Something is amiss that does not stop the command. */
  | { readonly event: "warning"; readonly message: string }
  | ({ readonly event: "demo"; readonly sha256: HashReport } & Summary)
  | ({ readonly event: "ticket" } & TicketReport)
  /** What `bench` has found. */
  | ({ readonly event: "bench" } & BenchReport)
  /** The listener's side of it is over: bytes of load in both directions. */
  | ({
      readonly event: "measured";
      readonly sent: number;
      readonly received: number;
      readonly seconds: number;
    } & PathReport)
  /** `server` can be reached; `address` is what clients need. */
  | { readonly event: "serving"; readonly address: string; readonly addresses: readonly string[] }
  /** How `server` is, now and then and at its end; `rss` is its memory in bytes. */
  | ({ readonly event: "health"; readonly rss: number } & ServerHealth)
  /** What `doctor` has found out about this network, and the same as a word. */
  | ({ readonly event: "report"; readonly report: string } & NetworkReport)
  /** What two networks come to. */
  | ({ readonly event: "verdict" } & PairVerdict)
  /** What was tried to reach the other side, one line for each event and each address (DOC-17). */
  | { readonly event: "explanation"; readonly lines: readonly string[] }
  /** The last event of commands with a connection: the command ends with this code. */
  | { readonly event: "closed"; readonly exit: number };

/** SHA-256 of a file at both ends, in hexadecimal. */
export interface HashReport {
  readonly sent: string;
  readonly received: string;
  readonly isEqual: boolean;
}

/** What a ticket says, without its secret. */
export interface TicketReport {
  readonly id: string;
  /** The listener's public key. */
  readonly key: string;
  readonly addresses: readonly string[];
  /** Servers through which the listener is found. */
  readonly servers: readonly string[];
  /** ISO 8601; absent if the ticket never ends. */
  readonly expiresAt?: string;
  readonly expired: boolean;
  readonly singleUse: boolean;
}

/** One address that was tried, in words. */
export interface AttemptReport {
  readonly address: string;
  readonly sent: number;
  readonly received: number;
  readonly ms: number;
  readonly outcome: string;
}

/** A whole connection in numbers. Times are milliseconds since the Unix epoch, pauses are milliseconds. */
export interface Summary {
  /** Whether the peer confirmed that every byte was delivered. */
  readonly confirmed: boolean;
  /** Payload bytes in both directions. */
  readonly bytes: number;
  readonly sent: number;
  readonly received: number;
  /** From the moment the connection was open to its end. */
  readonly seconds: number;
  readonly firstByteAt: number | undefined;
  readonly lastByteAt: number | undefined;
  /** Longest time between two moves of payload. */
  readonly longestPause: number;
  /** Stream bytes that were sent more than once. */
  readonly retransmitted: number;
  readonly path: "direct" | "relay";
  readonly remote: string;
  readonly rtt: number;
}

/** Where a command's events go. */
export interface Reporter {
  report(event: CliEvent): void;
  /** A sentence for people that no program needs. */
  note(text: string): void;
  /** Payload is about to be written to the terminal: nothing may be painted there from now on. */
  yieldTerminal(): void;
}

/** Milliseconds since the Unix epoch, with fractions, on a clock that never steps back while we run. */
export function epochNow(): number {
  return Math.round((performance.timeOrigin + performance.now()) * 1000) / 1000;
}
