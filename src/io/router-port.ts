/**
 * A port of the router for an endpoint, while it may help: the agent is told what the router gives and takes.
 *
 * @module
 */
import type { AgentMachine } from "../agent/agent.ts";
import type { Duration } from "../util/time.ts";
import { monotonicNow } from "./clock.ts";
import { PortMapper, type PortMapperEvent } from "./portmap/port-mapper.ts";

/** What it takes to ask the router. */
export interface RouterPortOptions {
  readonly agent: AgentMachine;
  /** Called when the agent was told something. */
  readonly wake: () => void;
  /** The port of our IPv4 socket. */
  readonly port: number;
}

/** See the module. */
export class RouterPort {
  readonly #options: RouterPortOptions;
  #mapper: PortMapper | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(options: RouterPortOptions) {
    this.#options = options;
  }

  /** Command: asks the router after `delay` ms; again has no effect. */
  start(delay: Duration): void {
    if (this.#isOver || this.#timer !== undefined || this.#mapper !== undefined) return;
    this.#timer = setTimeout(() => this.#begin(), delay).unref();
  }

  /** Command: does not ask after all, if it has not yet. */
  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Command: gives the port back; resolves when the router has heard of it, or will not. */
  async close(): Promise<void> {
    this.#isOver = true;
    this.cancel();
    await this.#mapper?.close();
  }

  #begin(): void {
    this.#timer = undefined;
    const { port } = this.#options;
    this.#mapper = new PortMapper({ internalPort: port, onEvent: (event) => this.#onEvent(event) });
    this.#mapper.start();
  }

  #onEvent(event: PortMapperEvent): void {
    const { agent, wake } = this.#options;
    const now = monotonicNow();
    if (event.type === "mapped") {
      const { external, reach } = event.mapping;
      agent.onRouterAddress(external.host, now);
      // Behind another NAT of ours nobody reaches it.
      agent.onMappedPort(reach === "private" ? undefined : { external, reach }, now);
    } else if (event.type === "lost" || event.type === "unavailable") {
      agent.onMappedPort(undefined, now);
    } else {
      return;
    }
    wake();
  }
}
