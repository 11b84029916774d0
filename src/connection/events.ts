/**
 * What a connection tells its owner.
 *
 * Events are plain data: the core never builds an `Error`, it reports a {@link CloseReason} that `io/` turns into one.
 *
 * @module
 */
import type { ExhaustedReason } from "../path/punch/puncher.ts";
import type { ProbeKind } from "../path/punch/rung.ts";
import type { StreamEvent } from "../stream/stream-events.ts";
import type { Address, SocketId } from "../util/machine.ts";
import type { Duration } from "../util/time.ts";

/** What became of one address while connecting. */
export interface Attempt {
  /** With port 0 it stands for all ports that were guessed at that host. */
  readonly address: Address;
  /** How the address was known: from the ticket, by what the peer has announced or sent, or by guessing. */
  readonly kind: "ticket" | ProbeKind;
  /** Datagrams sent there. */
  readonly sent: number;
  /** Authentic answers and packets that came from there. */
  readonly received: number;
  /** From the first datagram to the end of the attempt, in milliseconds. */
  readonly elapsed: Duration;
  /**
   * `heard`: packets of the peer came from there, but no answer to ours. `unsent`: there is no local socket of that address
   * family. `not-tried`: nobody may make us send there (spec/paths.md#targets).
   */
  readonly outcome: "connected" | "heard" | "no-answer" | "refused" | "unsent" | "not-tried";
}

/** Why a listener that knows the ticket says no (spec/handshake.md). */
export type Refusal = "expired" | "revoked" | "used-up" | "not-allowed" | "busy" | "version";

/**
 * Why no path was found: what punching came to; no server of the ticket answered; the servers know nobody by this ticket; no
 * UDP comes through at all.
 */
export type UnreachableCause = ExhaustedReason | "no-server" | "not-there" | "udp-blocked";

/** Why a connection ended. Exactly one is reported for each connection. */
export type CloseReason =
  /** A CLOSE frame was sent or received; `code` is a transport code unless `application`. */
  | {
      readonly kind: "closed";
      readonly origin: "local" | "peer";
      readonly application: boolean;
      readonly code: number;
      readonly message: string;
    }
  /** The listener knows the ticket and refused it, authentically. */
  | {
      readonly kind: "refused";
      readonly refusal: Refusal;
      readonly message: string;
      readonly attempts: readonly Attempt[];
    }
  /** No path was found in the time given to connect, or none can be: `cause` says why, as far as that is known. */
  | { readonly kind: "unreachable"; readonly attempts: readonly Attempt[]; readonly cause?: UnreachableCause }
  /** Nothing authentic arrived for `silence` milliseconds. */
  | { readonly kind: "lost"; readonly silence: Duration }
  /** The owner gave up before the connection was open. */
  | { readonly kind: "aborted" };

/** A path as people may see it. */
export interface PathInfo {
  readonly local: SocketId;
  readonly remote: Address;
  readonly kind: "direct" | "relay";
  /** Smoothed round-trip time in milliseconds; 0 before the first sample. */
  readonly rtt: Duration;
}

/** Sockets that hole punching wants opened, or no longer needs. */
export type SocketRequest =
  | { readonly type: "open-sockets"; readonly id: number; readonly count: number; readonly family: 4 | 6 }
  | { readonly type: "close-sockets"; readonly sockets: readonly SocketId[] };

/** What a connection tells its owner. `closed` comes exactly once and last. */
export type ConnectionEvent =
  | { readonly type: "connected"; readonly path: PathInfo }
  | StreamEvent
  | { readonly type: "datagram"; readonly data: Uint8Array }
  | { readonly type: "path"; readonly path: PathInfo }
  /** Hole punching wants sockets, by `ConnectionMachine.onSockets`, or needs some no longer. */
  | { readonly type: "sockets"; readonly request: SocketRequest }
  /** All rounds of hole punching that were begun have ended, and found nothing. */
  | { readonly type: "exhausted"; readonly reason: ExhaustedReason }
  /** A message that went by hand was answered: keys are there, but no path. */
  | { readonly type: "answered" }
  /** The peer may be reached elsewhere than before. */
  | { readonly type: "peer-moved" }
  /** Nothing authentic has arrived for longer than the path explains. */
  | { readonly type: "stalled" }
  /** The first authentic packet after `stalled`. */
  | { readonly type: "resumed" }
  | { readonly type: "closed"; readonly reason: CloseReason };
