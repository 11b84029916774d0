/**
 * What the parts of an agent share.
 *
 * @module
 */
import type { ConnectionMachine } from "../connection/connection.ts";
import type { EndpointMachine } from "../connection/endpoint.ts";
import type { PunchBudget } from "../path/punch/budget.ts";
import type { Journal } from "./journal.ts";
import type { Sampler } from "./sampler.ts";
import type { SocketDesk } from "./socket-desk.ts";
import type { Surroundings } from "./surroundings.ts";

/** See the module. */
export interface AgentContext {
  readonly endpoint: EndpointMachine;
  readonly desk: SocketDesk;
  readonly surroundings: Surroundings;
  readonly sampler: Sampler;
  readonly budget: PunchBudget;
  /** What has happened to a connection that we called. */
  journal(connection: ConnectionMachine): Journal | undefined;
}
