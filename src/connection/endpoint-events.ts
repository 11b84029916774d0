/**
 * What an endpoint tells its owner: events of its own, and those of its connections.
 *
 * @module
 */
import type { Address } from "../util/machine.ts";
import type { ConnectionMachine } from "./connection.ts";
import type { ConnectionEvent } from "./events.ts";

/** A peer that holds a ticket asks to be let in; its key is claimed, not yet confirmed. */
export interface ConnectionRequest {
  readonly id: number;
  readonly ticketId: string;
  /** Static public key that the peer claims, 32 bytes. */
  readonly peerKey: Uint8Array;
  /** Up to 256 bytes that the peer sent along for this decision. */
  readonly metadata: Uint8Array;
  /** Where the message came from; `undefined` if a carrier brought it. */
  readonly from: Address | undefined;
}

/** What an endpoint tells its owner. */
export type EndpointEvent =
  /** Only with `acceptHook`; to be answered by `EndpointMachine.answer`. */
  | { readonly type: "request"; readonly request: ConnectionRequest }
  /** The answer to a first message that came by a carrier; `connection` is half open, or missing if we refuse. */
  | {
      readonly type: "answer";
      readonly ref: number;
      readonly core: Uint8Array;
      readonly connection: ConnectionMachine | undefined;
    }
  /** Only of a server: an anonymous client has opened a connection. */
  | { readonly type: "client"; readonly connection: ConnectionMachine }
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
