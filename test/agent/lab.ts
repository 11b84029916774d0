/**
 * Two agents behind any two NATs, and a rendezvous server that both can reach, in the simulator.
 *
 * @module
 */
import { AgentMachine, type AgentServer } from "../../src/agent/agent.ts";
import type { AgentEvent } from "../../src/agent/events.ts";
import { DEFAULT_CONFIG } from "../../src/connection/config.ts";
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import type { CloseReason } from "../../src/connection/events.ts";
import { type KeyPair, keyPairFromSeed } from "../../src/crypto/primitives.ts";
import { serverPin } from "../../src/crypto/server-keys.ts";
import { ServerMachine } from "../../src/server/server-machine.ts";
import {
  type Address,
  address,
  type DuplexLinkOptions,
  type Host,
  type Nat,
  type NatOptions,
  World,
} from "../../src/testing/index.ts";
import type { TicketFields } from "../../src/ticket/ticket.ts";

/** What lies in front of a peer: nothing, or a NAT, perhaps with another one in front of it. */
export interface Side {
  readonly nat?: Partial<NatOptions> | undefined;
  readonly carrier?: Partial<NatOptions> | undefined;
}

/** A pair to be brought together. */
export interface LabOptions {
  readonly seed?: number | string;
  readonly dialer?: Side;
  readonly listener?: Side;
  /** Both live behind this NAT instead. */
  readonly sharedNat?: Partial<NatOptions>;
  /** Link of both peers and of the server: by default 10 ms each way, so that each round trip takes 40 ms. */
  readonly link?: DuplexLinkOptions;
  /** Places of the server: two, with two ports each, unless given. */
  readonly places?: 1 | 2;
  /** Servers, by default one; and which of them each side knows, by default all. */
  readonly servers?: number;
  readonly dialerServers?: readonly number[];
  readonly listenerServers?: readonly number[];
  /** Addresses of the listener in the ticket: none, unless given. */
  readonly isDirect?: boolean;
  /** Time that the listener has before the call, in ms. */
  readonly warmUp?: number;
  /** Whether the listener's application decides on each peer; the test answers. */
  readonly acceptHook?: boolean;
  /** Whether the addresses of interfaces are told to everybody. */
  readonly tellsHosts?: boolean;
  /** Fields of the ticket that differ from those of one for many calls. */
  readonly ticket?: Partial<TicketFields>;
  /** Whether servers answer from elsewhere if asked, as RFC 5780 §6 has it. */
  readonly diagnostics?: boolean;
  /** Calls that the ticket is good for: any number, unless given. */
  readonly uses?: number | undefined;
}

/** What a peer has sent since the call. */
export interface Cost {
  datagrams: number;
  bytes: number;
  /** Requests of STUN, repetitions included. */
  stun: number;
  /** Datagrams whose hop limit ends before the peer's NAT. */
  openers: number;
}

/** Which of the two. */
export type Who = "dialer" | "listener";

const PORT = 3_478;

/** Hop limits up to this are openers' (PATH-10). */
const MAX_OPENER_TTL = 4;

/** See the module. */
export class Lab {
  readonly world: World;
  readonly dialer: Host<AgentMachine>;
  readonly listener: Host<AgentMachine>;
  readonly servers: Host<ServerMachine>[];
  readonly ticket: TicketFields;
  readonly nats: Nat[] = [];
  readonly events: { readonly at: number; readonly who: Who; readonly event: AgentEvent }[] = [];
  /** Sockets beside the main ones that are open, by peer. */
  readonly extraSockets = { dialer: new Set<number>(), listener: new Set<number>() };
  readonly costs: Record<Who, Cost> = { dialer: noCost(), listener: noCost() };
  /** The name of the ticket in events of the listener. */
  ticketId = "";
  calledAt = 0;
  connection: ConnectionMachine | undefined;
  readonly #options: LabOptions;
  readonly #keys;
  readonly #identities: readonly KeyPair[];
  readonly #agentServers: readonly AgentServer[];
  #lastPort = 5_000;

  constructor(options: LabOptions = {}) {
    this.#options = options;
    this.world = new World({ seed: options.seed ?? 1 });
    this.#keys = this.world.rng.fork("keys");
    this.#identities = Array.from({ length: options.servers ?? 1 }, () => this.newKey());
    this.servers = this.#identities.map((identity, index) => this.#addServer(identity, index));
    this.#agentServers = this.#identities.map(({ publicKey }, index) => ({
      pin: serverPin(publicKey),
      addresses: this.#places(index).filter(({ port }) => port === PORT),
    }));
    const shared = options.sharedNat && this.#addNat("nat", "203.0.113.1", options.sharedNat);
    const identity = this.newKey();
    this.dialer = this.#addPeer("dialer", 1, shared, identity);
    this.listener = this.#addPeer("listener", 2, shared, identity);
    this.ticket = {
      ...{ key: identity.publicKey, secret: this.#keys.random(16), expiresAt: 0, singleUse: false, directOnly: false },
      ...{ relayOnly: false, paste: false, servers: [] },
      addresses: options.isDirect === true ? [this.listener.address()] : [],
      ...options.ticket,
    };
    if (options.warmUp === undefined || options.warmUp > 0) this.listen();
    this.world.run({ for: options.warmUp ?? 3_000 });
  }

  /** The listener registers; done already, unless there is no time before the call. */
  listen(): void {
    const { machine } = this.listener;
    this.ticketId = machine.addTicket(this.ticket, this.#options.uses ?? Number.POSITIVE_INFINITY, this.world.now);
    machine.useServers(this.#serversOf(this.#options.listenerServers), this.world.now);
    this.world.wake(this.listener);
  }

  /** A server vanishes without a word. */
  stopServer(index = 0): void {
    this.servers[index]!.stop();
  }

  /** A server that has vanished is there again, with the identity that it had, unless another one is given. */
  startServer(index = 0, identity: KeyPair = this.#identities[index]!): void {
    this.servers[index] = this.#addServer(identity, index);
  }

  /** The server of the ticket with this index, as peers know it. */
  agentServer(index = 0): AgentServer {
    return this.#agentServers[index]!;
  }

  /** What a server is known by, and where it is: for one that takes its place. */
  serverParts(index = 0): {
    readonly identity: KeyPair;
    readonly places: readonly Address[];
    readonly link: DuplexLinkOptions;
  } {
    return { identity: this.#identities[index]!, places: this.#places(index), link: this.#link };
  }

  #serversOf(indices: readonly number[] | undefined): readonly AgentServer[] {
    return indices === undefined ? this.#agentServers : indices.map((index) => this.#agentServers[index]!);
  }

  newKey(): KeyPair {
    return keyPairFromSeed(this.#keys.random(32));
  }

  /** Calls; the first stream carries one byte as soon as it is there. */
  call(options: { readonly timeout?: number } = {}): ConnectionMachine {
    const { machine } = this.dialer;
    this.calledAt = this.world.now;
    for (const cost of [this.costs.dialer, this.costs.listener]) Object.assign(cost, noCost());
    const { timeout = 20_000 } = options;
    const connection = machine.connect({ ticket: this.ticket, identity: this.newKey(), timeout }, this.world.now);
    machine.introduce(connection, this.ticket, this.#serversOf(this.#options.dialerServers), this.world.now);
    this.world.wake(this.dialer);
    this.connection = connection;
    return connection;
  }

  /** Calls and waits for the end: time from the call to the first byte at the listener, in ms, or why there is none. */
  tryPair(options: { readonly timeout?: number } = {}): {
    readonly ms: number | undefined;
    readonly reason?: CloseReason;
  } {
    this.call(options);
    this.world.run({ until: () => this.firstByteAt !== undefined || this.reason !== undefined, for: 30_000 });
    const ms = this.firstByteAt === undefined ? undefined : this.firstByteAt - this.calledAt;
    return { ms, ...(this.reason === undefined ? {} : { reason: this.reason }) };
  }

  /** When the listener could read the first byte. */
  get firstByteAt(): number | undefined {
    return this.events.find(
      ({ who, event }) => who === "listener" && event.type === "connection" && event.event.type === "readable",
    )?.at;
  }

  /** The connection at the listener, once it is open. */
  get accepted(): ConnectionMachine | undefined {
    for (const { event } of this.events) if (event.type === "incoming") return event.connection;
    return undefined;
  }

  /** When the listener's state at a server has become this, in order of time. */
  serverStates(): readonly { readonly at: number; readonly server: number; readonly state: string }[] {
    return this.events.flatMap(({ at, event }) =>
      event.type === "server" ? [{ at, server: event.server, state: event.state }] : [],
    );
  }

  /** How the call ended, if it did. */
  get reason(): CloseReason | undefined {
    for (const { event } of this.events) {
      if (event.type !== "connection" || event.connection !== this.connection) continue;
      if (event.event.type === "closed") return event.event.reason;
    }
    return undefined;
  }

  #places(server: number): readonly Address[] {
    const hosts = [`192.0.2.${2 * server + 1}`, `192.0.2.${2 * server + 2}`].slice(0, this.#options.places ?? 2);
    return hosts.flatMap((host) => (hosts.length === 1 ? [PORT] : [PORT, PORT + 1]).map((port) => address(host, port)));
  }

  #addServer(identity: KeyPair, index: number): Host<ServerMachine> {
    const { world } = this;
    const places = this.#places(index);
    return world.addHost({
      name: `server ${index}`,
      addresses: places,
      link: this.#link,
      machine: new ServerMachine(
        {
          identity,
          random: world.rng.fork(`server ${index}`).random,
          unixMillis: () => 1_800_000_000_000 + world.now,
          pool: world.pool,
          sockets: places.map((_, id) => ({ id, family: 4 })),
          config: DEFAULT_CONFIG,
          ...(this.#options.diagnostics === true && { diagnostics: [{ primary: places[0]!, other: places.at(-1)! }] }),
        },
        world.now,
      ),
    });
  }

  #addPeer(name: Who, index: 1 | 2, shared: Nat | undefined, identity: KeyPair): Host<AgentMachine> {
    const { world } = this;
    const { nat, carrier } = this.#options[name] ?? {};
    const outer = carrier && this.#addNat(`carrier of ${name}`, `203.0.113.${index + 10}`, carrier);
    const home = outer ? `100.64.0.${index + 1}` : `203.0.113.${index}`;
    const inner = shared ?? (nat && this.#addNat(`nat of ${name}`, home, nat, outer));
    const behind = inner ?? outer;
    const host = behind === undefined ? `198.51.100.${index}` : `10.0.0.${index + 1}`;
    const port = 4_433;
    const machine = new AgentMachine({
      random: world.rng.fork(name).random,
      unixTime: world.unixTime,
      pool: world.pool,
      sockets: [{ id: 0, family: 4, port }],
      identity: name === "listener" ? identity : this.newKey(),
      config: DEFAULT_CONFIG,
      acceptHook: this.#options.acceptHook ?? false,
      tellsHosts: this.#options.tellsHosts ?? false,
    });
    machine.onInterfaces([address(host, 0)], world.now);
    const peer = world.addHost({
      name,
      machine,
      addresses: [address(host, port)],
      ...(behind && { behind }),
      link: this.#link,
      onEvent: (event, peer) => this.#onEvent(name, event, peer, host),
    });
    peer.link.up.filter = ({ payload, ttl }) => {
      const cost = this.costs[name];
      cost.datagrams += 1;
      cost.bytes += payload.length;
      if (payload[0] === 0) cost.stun += 1;
      if (ttl <= MAX_OPENER_TTL) cost.openers += 1;
      return "pass";
    };
    return peer;
  }

  #addNat(name: string, outer: string, options: Partial<NatOptions>, behind?: Nat): Nat {
    const nat = this.world.addNat({ name, address: outer, ...(behind && { behind }), ...options });
    this.nats.push(nat);
    return nat;
  }

  #onEvent(who: Who, event: AgentEvent, peer: Host<AgentMachine>, host: string): void {
    this.events.push({ at: this.world.now, who, event });
    const extra = this.extraSockets[who];
    if (event.type === "sockets-wanted") {
      const sockets = Array.from({ length: event.count }, () => {
        this.#lastPort += 1;
        const via = peer.bind(address(host, this.#lastPort));
        extra.add(via);
        return { via, localPort: this.#lastPort };
      });
      peer.machine.onSockets(event.request, sockets, this.world.now);
    }
    if (event.type === "sockets-unwanted") {
      for (const via of event.sockets) {
        extra.delete(via);
        peer.unbind(via);
      }
    }
    if (event.type === "connection" && event.event.type === "connected" && who === "dialer") {
      event.connection.write(0, Uint8Array.of(1));
    }
  }

  get #link(): DuplexLinkOptions {
    return this.#options.link ?? { delay: 10 };
  }
}

function noCost(): Cost {
  return { datagrams: 0, bytes: 0, stun: 0, openers: 0 };
}
