/**
 * Two simulated hosts that speak punchline: a listener with a ticket and a dialer.
 *
 * @module
 */
import { type Config, DEFAULT_CONFIG } from "../../src/connection/config.ts";
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import { EndpointMachine } from "../../src/connection/endpoint.ts";
import type { EndpointEvent } from "../../src/connection/endpoint-events.ts";
import { keyPairFromSeed } from "../../src/crypto/primitives.ts";
import {
  address,
  type DuplexLinkOptions,
  type Host,
  type ProcessorOptions,
  type World,
} from "../../src/testing/index.ts";
import type { TicketFields } from "../../src/ticket/ticket.ts";
import type { OpenTrace } from "../../src/trace/sink.ts";

/** What the hosts can be made with. */
export interface HostsOptions {
  readonly config?: Partial<Config>;
  /** MTU of the interface of both; unknown unless given. */
  readonly interfaceMtu?: number;
  /** As in the options of a host, for both: timers are exact unless given. */
  readonly timerResolution?: number;
  /** As in the options of a host, for both: nothing takes time unless given. */
  readonly processor?: ProcessorOptions;
  /** Link of the listener; the dialer's is perfect unless given. */
  readonly link?: DuplexLinkOptions;
  readonly dialerLink?: DuplexLinkOptions;
  /** Begins the traces of both; see `qlog.ts`. */
  readonly openTrace?: OpenTrace | undefined;
  readonly onEvent?: (side: "listener" | "dialer", event: EndpointEvent) => void;
}

/** The two hosts and the ticket between them. */
export interface Hosts {
  readonly listener: Host<EndpointMachine>;
  readonly dialer: Host<EndpointMachine>;
  readonly ticket: TicketFields;
  /** Starts a call. */
  dial(timeout?: number): ConnectionMachine;
}

/** Adds the two hosts to a world. */
export function addHosts(world: World, options: HostsOptions = {}): Hosts {
  const config = { ...DEFAULT_CONFIG, ...options.config };
  const keys = world.rng.fork("keys");
  const identity = keyPairFromSeed(keys.random(32));
  const addHost = (name: "listener" | "dialer", host: string, link: DuplexLinkOptions | undefined) =>
    world.addHost({
      name,
      machine: new EndpointMachine({
        random: world.rng.fork(name).random,
        unixTime: world.unixTime,
        pool: world.pool,
        sockets: [{ id: 0, family: 4 }],
        identity,
        config,
        acceptHook: false,
        interfaceMtu: () => options.interfaceMtu,
        openTrace: options.openTrace,
      }),
      addresses: [address(host, 4_433)],
      ...(link === undefined ? {} : { link }),
      ...(options.timerResolution === undefined ? {} : { timerResolution: options.timerResolution }),
      ...(options.processor === undefined ? {} : { processor: options.processor }),
      onEvent: (event) => options.onEvent?.(name, event),
    });
  const listener = addHost("listener", "198.51.100.1", options.link);
  const dialer = addHost("dialer", "203.0.113.2", options.dialerLink);
  const ticket: TicketFields = {
    key: identity.publicKey,
    secret: keys.random(16),
    expiresAt: 0,
    singleUse: false,
    directOnly: false,
    relayOnly: false,
    paste: false,
    servers: [],
    addresses: [listener.address()],
  };
  listener.machine.addTicket(ticket, Number.POSITIVE_INFINITY);
  const dial = (timeout = 20_000) => {
    const caller = keyPairFromSeed(keys.random(32));
    const call = { ticket, identity: caller, timeout, openTrace: options.openTrace };
    const connection = dialer.machine.connect(call, world.now);
    world.wake(dialer);
    return connection;
  };
  return { listener, dialer, ticket, dial };
}
