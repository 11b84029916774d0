/**
 * What an agent tells its owner: what its endpoint tells, and what it wants of the system.
 *
 * @module
 */
import type { ConnectionMachine } from "../connection/connection.ts";
import type { EndpointEvent } from "../connection/endpoint-events.ts";
import type { SocketId } from "../util/machine.ts";
import type { PeerAnswer } from "./outgoing-call.ts";
import type { PastingEvent } from "./pasting.ts";

/** How it stands between a listener and one of its servers. */
export type ServerState =
  /** Peers find the listener there. */
  | "registered"
  /** No session can be opened at present, or the one there was is lost; the agent goes on trying. */
  | "unreachable"
  /** The server refuses: it has no room, or doubts the key. */
  | "refused"
  /** Another process with the listener's identity has taken its place. */
  | "displaced";

/** See the module. */
export type AgentEvent =
  | Exclude<EndpointEvent, { readonly type: "answer" | "client" }>
  | PastingEvent
  /** A message for the channel of {@link AgentMachine.useChannel} or {@link AgentMachine.callByChannel}. */
  | { readonly type: "envelope"; readonly bytes: Uint8Array }
  /** Open sockets like the transport's own, at any port, and answer by {@link AgentMachine.onSockets}. */
  | { readonly type: "sockets-wanted"; readonly request: number; readonly count: number; readonly family: 4 | 6 }
  | { readonly type: "sockets-unwanted"; readonly sockets: readonly SocketId[] }
  /** Of a listener; `server` is the place in the list that {@link AgentMachine.useServers} was given. */
  | { readonly type: "server"; readonly server: number; readonly state: ServerState }
  /** What {@link AgentMachine.examine} asked for; the connection, which was for nothing else, is about to close. */
  | { readonly type: "examined"; readonly connection: ConnectionMachine; readonly answer: PeerAnswer };
