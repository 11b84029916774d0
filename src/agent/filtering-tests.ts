/**
 * The probes of how our NATs filter: one for each family of addresses, each with a fresh socket and a session of its own.
 *
 * @module
 */
import type { ConnectionMachine } from "../connection/connection.ts";
import type { EndpointMachine } from "../connection/endpoint.ts";
import type { ConnectionEvent } from "../connection/events.ts";
import { Deque } from "../util/deque.ts";
import type { Datagram } from "../util/machine.ts";
import { earliest, type Instant } from "../util/time.ts";
import type { NatBehavior } from "../wire/nat-profile.ts";
import { FilteringProbe } from "./filtering-probe.ts";
import type { ServerTarget } from "./server-link.ts";
import type { SocketDesk } from "./socket-desk.ts";

/** What was found out about one family. */
export interface FilteringVerdict {
  readonly family: 4 | 6;
  readonly filtering: NatBehavior;
}

/** What the tests need. */
export interface FilteringTestsOptions {
  readonly endpoint: EndpointMachine;
  readonly desk: SocketDesk;
  readonly random: (size: number) => Uint8Array;
}

/** See the module. */
export class FilteringTests {
  readonly #options: FilteringTestsOptions;
  readonly #probes = new Map<4 | 6, FilteringProbe>();
  /** Families for whose test a socket is awaited. */
  readonly #awaited = new Set<4 | 6>();
  readonly #verdicts = new Deque<FilteringVerdict>();
  /** Tells sockets that come too late from those that are awaited. */
  #generation = 0;

  constructor(options: FilteringTestsOptions) {
    this.#options = options;
  }

  /** Input: a WITNESS. */
  receive(datagram: Datagram, now: Instant): void {
    for (const probe of this.#probes.values()) probe.receive(datagram);
    this.#proceed(now);
  }

  /** Input: an event of a connection. Whether it is one of these tests'. */
  onEvent(connection: ConnectionMachine, event: ConnectionEvent, now: Instant): boolean {
    for (const probe of this.#probes.values()) {
      if (probe.link.connection !== connection) continue;
      probe.onEvent(event, now);
      this.#proceed(now);
      return true;
    }
    return false;
  }

  /** Input: time has passed. */
  handleTimeout(now: Instant): void {
    for (const probe of this.#probes.values()) probe.handleTimeout(now);
    this.#proceed(now);
  }

  /** Command: has a server that answers tell of a family, if it has two addresses of that. One test at a time for each. */
  begin(family: 4 | 6, { keys, addresses }: ServerTarget): void {
    const own = addresses.filter((address) => address.family === family);
    const [first] = own;
    if (first === undefined || own.every(({ host }) => host === first.host)) return;
    if (this.#probes.has(family) || this.#awaited.has(family)) return;
    this.#awaited.add(family);
    const generation = this.#generation;
    this.#options.desk.ask(1, family, ([socket], now) => {
      if (generation !== this.#generation) {
        if (socket !== undefined) this.#options.desk.close([socket.via]);
        return;
      }
      this.#awaited.delete(family);
      if (socket === undefined) return;
      const { endpoint, random } = this.#options;
      const target = { keys, addresses: [first] };
      this.#probes.set(family, new FilteringProbe({ endpoint, target, via: socket.via, random }, now));
    });
  }

  /** Command: nobody wants to know any more. */
  stop(now: Instant): void {
    this.#generation += 1;
    this.#awaited.clear();
    this.#verdicts.clear();
    for (const probe of this.#probes.values()) probe.close(now);
  }

  /** Output: the next result; call until `undefined`. */
  pollVerdict(): FilteringVerdict | undefined {
    return this.#verdicts.shift();
  }

  /** Output: when to call {@link handleTimeout}. */
  nextTimeout(): Instant | undefined {
    let next: Instant | undefined;
    for (const probe of this.#probes.values()) next = earliest(next, probe.nextTimeout());
    return next;
  }

  #proceed(now: Instant): void {
    for (const [family, probe] of this.#probes) {
      if (probe.isOver && probe.link.isHeld) {
        if (probe.verdict !== undefined) this.#verdicts.push({ family, filtering: probe.verdict });
        probe.close(now);
      }
      // The socket is needed until the session has ended.
      if (probe.link.isHeld || !probe.isClosed) continue;
      this.#probes.delete(family);
      this.#options.desk.close([probe.via]);
    }
  }
}
