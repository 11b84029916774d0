/**
 * What the endpoint and its connections tell their owner.
 *
 * Events are plain data: the core never builds an `Error`, it reports a {@link CloseReason} that `io/` turns into one.
 *
 * @module
 */
import type { StreamEvent } from "../stream/streams.ts";
import type { Address, SocketId } from "../util/machine.ts";
import type { Duration } from "../util/time.ts";
import type { ConnectionMachine } from "./connection.ts";

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

/** A peer that holds a ticket asks to be let in; its key is claimed, not yet confirmed. */
export interface ConnectionRequest {
  readonly id: number;
  readonly ticketId: string;
  /** Static public key that the peer claims, 32 bytes. */
  readonly peerKey: Uint8Array;
  /** Up to 256 bytes that the peer sent along for this decision. */
  readonly metadata: Uint8Array;
  readonly from: Address;
}

/** What an endpoint tells its owner. */
export type EndpointEvent =
  /** Only with `acceptHook`; to be answered by `EndpointMachine.answer`. */
  | { readonly type: "request"; readonly request: ConnectionRequest }
  /** A peer's keys are confirmed: the connection is open. */
  | {
      readonly type: "incoming";
      readonly connection: ConnectionMachine;
      readonly ticketId: string;
      readonly peerKey: Uint8Array;
    }
  | { readonly type: "connection"; readonly connection: ConnectionMachine; readonly event: ConnectionEvent }
  /** A use of a ticket was counted; `usesLeft` may be `Infinity`. */
  | { readonly type: "ticket-used"; readonly ticketId: string; readonly usesLeft: number };
