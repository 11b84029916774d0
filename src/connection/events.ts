/**
 * What a connection tells its owner.
 *
 * Events are plain data: the core never builds an `Error`, it reports a {@link CloseReason} that `io/` turns into one.
 *
 * @module
 */
import type { StreamEvent } from "../stream/stream-events.ts";
import type { Address, SocketId } from "../util/machine.ts";
import type { Duration } from "../util/time.ts";

/** What became of one address of the ticket while connecting. */
export interface Attempt {
  readonly address: Address;
  /** Handshake datagrams sent there. */
  readonly sent: number;
  /** Handshake answers that came from there and belonged to this attempt. */
  readonly received: number;
  /** From the first datagram to the end of the attempt, in milliseconds. */
  readonly elapsed: Duration;
  /** `unsent`: there is no local socket of that address family. */
  readonly outcome: "connected" | "no-answer" | "refused" | "unsent";
}

/** Why a listener that knows the ticket says no (spec/handshake.md). */
export type Refusal = "expired" | "revoked" | "used-up" | "not-allowed" | "busy" | "version";

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
  /** Nobody answered in the time given to connect. */
  | { readonly kind: "unreachable"; readonly attempts: readonly Attempt[] }
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

/** What a connection tells its owner. `closed` comes exactly once and last. */
export type ConnectionEvent =
  | { readonly type: "connected"; readonly path: PathInfo }
  | StreamEvent
  | { readonly type: "datagram"; readonly data: Uint8Array }
  | { readonly type: "path"; readonly path: PathInfo }
  /** Nothing authentic has arrived for longer than the path explains. */
  | { readonly type: "stalled" }
  /** The first authentic packet after `stalled`. */
  | { readonly type: "resumed" }
  | { readonly type: "closed"; readonly reason: CloseReason };
