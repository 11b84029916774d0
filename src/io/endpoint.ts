/**
 * Sockets, one endpoint machine and its driver, and the connections that live on them.
 *
 * An endpoint keeps the process alive while it listens or has a connection, and closes its sockets afterwards.
 *
 * @module
 */
import { AgentMachine, type AgentServer } from "../agent/agent.ts";
import type { AgentEvent, ServerState } from "../agent/events.ts";
import type { JournalEntry } from "../agent/journal.ts";
import { PathMemory } from "../congestion/path-memory.ts";
import type { Config } from "../connection/config.ts";
import type { ConnectionMachine } from "../connection/connection.ts";
import type { ConnectOptions } from "../connection/endpoint.ts";
import type { ConnectionRequest } from "../connection/endpoint-events.ts";
import { type KeyPair, randomBytes, sha256 } from "../crypto/primitives.ts";
import type { Signalling } from "../signal/carrier.ts";
import { encodePasted } from "../ticket/pasted.ts";
import type { TicketFields } from "../ticket/ticket.ts";
import type { OpenTrace } from "../trace/sink.ts";
import { BufferPool } from "../util/buffer-pool.ts";
import { type Address, formatAddress, type SocketId } from "../util/machine.ts";
import type { Duration, Instant } from "../util/time.ts";
import { CLOSE_CODE } from "../wire/codes.ts";
import { isLoopback, reachableAddresses } from "./addresses.ts";
import type { ChannelUse } from "./channel-use.ts";
import { monotonicNow, unixTime } from "./clock.ts";
import { Connection, type ConnectionOwner, type PeerStream } from "./connection.ts";
import { Driver } from "./driver.ts";
import { PunchlineError } from "./errors.ts";
import { openExtraSockets } from "./extra-sockets.ts";
import { interfaceMtu } from "./interface-mtu.ts";
import { openSockets, type SocketPlan } from "./open-sockets.ts";
import { RouterPort } from "./router-port.ts";
import { areElsewhere, resolveServers } from "./servers.ts";
import type { UdpSocket } from "./udp-socket.ts";

/** What an endpoint does with peers that call it. */
export interface EndpointHandlers {
  /** Whether to ask about each peer; `onRequest` then has to be answered by {@link Endpoint.answer}. */
  readonly asksFirst: boolean;
  onRequest(request: ConnectionRequest): void;
  /** A peer's keys are confirmed. */
  onIncoming(connection: Connection, ticketId: string): void;
  onFirstStream(stream: PeerStream): void;
  onTicketUsed(ticketId: string, usesLeft: number): void;
  /** How it stands with a server, by its place in the list that {@link Endpoint.useServers} was given. */
  onServer(server: number, state: ServerState): void;
  /** In paste mode: servers see the listener elsewhere than its tickets say. */
  onMoved(): void;
}

/** How an endpoint makes itself known, and to whom. */
export interface Reach {
  /** Tells peers the addresses of this machine, not only neighbours behind the same NAT. */
  readonly tellsHosts: boolean;
  /** Asks the router for a port. */
  readonly mapsPort: boolean;
}

/** What an endpoint is made of. */
export interface EndpointSetup {
  readonly plan: SocketPlan;
  readonly reach: Reach;
  readonly config: Config;
  readonly identity: KeyPair;
  /** Absent for an endpoint that only dials. */
  readonly handlers?: EndpointHandlers;
  /** Called when the sockets are about to close. */
  readonly onEnd?: () => void;
  /** Begins the trace of a connection that comes in. */
  readonly openTrace?: OpenTrace | undefined;
}

/** A call to a listener. */
export interface Call {
  readonly ticket: TicketFields;
  readonly identity: KeyPair;
  readonly config: Config;
  readonly timeout: Duration;
  readonly metadata: Uint8Array | undefined;
  readonly signal: AbortSignal | undefined;
  /** Begins the trace of the connection. */
  readonly openTrace: OpenTrace | undefined;
  /** For a listener that is told by hand. */
  readonly pasting: CallByHand | undefined;
  /** For a listener that is told by a channel of the application; the endpoint has no other call then. */
  readonly channel: ChannelUse | undefined;
}

/** How a listener is told by hand that somebody calls. */
export interface CallByHand {
  /** STUN servers. */
  readonly servers: readonly Address[];
  /** Takes a string for the listener, and another one whenever our address has changed. */
  readonly onInvitation: (text: string) => void;
}

// Implementation

/** A caller asks the router for a port if there is no connection after this long, in ms: nearly all need none. */
const ROUTER_DELAY: Duration = 1_000;

/** What all connections of this process learn of paths. */
const memory = new PathMemory();

/** Endpoints of this process that nobody needs any more, but that still answer peers who close. */
const leftovers = new Set<Endpoint>();

/** See the module. */
export class Endpoint implements ConnectionOwner {
  /** By id; those that were closed leave a gap. */
  readonly #sockets: (UdpSocket | undefined)[];
  /** Those that the endpoint began with. */
  readonly #mainSockets: readonly UdpSocket[];
  readonly #machine: AgentMachine;
  readonly #driver: Driver<AgentEvent>;
  readonly #routerPort: RouterPort | undefined;
  readonly #config: Config;
  readonly #handlers: EndpointHandlers | undefined;
  readonly #connections = new Map<ConnectionMachine, Connection>();
  /** The channel of the application by which peers find each other, if there is one. */
  #signalling: Signalling | undefined;
  /** Who takes strings for listeners, by call. */
  readonly #scribes = new WeakMap<ConnectionMachine, CallByHand["onInvitation"]>();
  /** Hears where the listener can be reached, or that no server has answered. */
  #onFound: (addresses: readonly Address[] | undefined) => void = () => {};
  readonly #onEnd: (() => void) | undefined;
  readonly #ended: Promise<void>;
  #tellEnded: () => void = () => {};
  #isListening: boolean;
  #isRef = true;
  #isOver = false;

  private constructor(sockets: readonly UdpSocket[], setup: EndpointSetup) {
    this.#sockets = [...sockets];
    this.#mainSockets = sockets;
    this.#config = setup.config;
    this.#handlers = setup.handlers;
    this.#onEnd = setup.onEnd;
    this.#ended = new Promise((resolve) => {
      this.#tellEnded = resolve;
    });
    this.#isListening = setup.handlers !== undefined;
    const pool = new BufferPool();
    this.#machine = new AgentMachine({
      random: randomBytes,
      unixTime,
      pool,
      sockets: sockets.map(({ id, address: { family, port } }) => ({ id, family, port })),
      memory,
      interfaceMtu: (via, remote) => this.#interfaceMtu(via, remote),
      identity: setup.identity,
      config: setup.config,
      acceptHook: setup.handlers?.asksFirst ?? false,
      openTrace: setup.openTrace,
      tellsHosts: setup.reach.tellsHosts,
    });
    const ipv4 = sockets.find(({ address }) => address.family === 4);
    if (setup.reach.mapsPort && ipv4 !== undefined) {
      const wake = (): void => this.wake();
      this.#routerPort = new RouterPort({ agent: this.#machine, wake, port: ipv4.address.port });
    }
    this.#driver = new Driver({
      machine: this.#machine,
      sockets,
      pool,
      onEvent: (event, now) => this.#onEvent(event, now),
      onIdle: () => this.#settle(),
    });
  }

  /**
   * Binds the sockets and begins.
   *
   * @throws {@link PunchlineError} `ERR_BIND`.
   */
  static async open(setup: EndpointSetup): Promise<Endpoint> {
    // An endpoint that nobody needs any more must not hold a port that is asked for.
    if (setup.plan.port !== 0) await Promise.all([...leftovers].map((endpoint) => endpoint.#end()));
    return new Endpoint(await openSockets(setup.plan), setup);
  }

  /** Input: a machine of this endpoint was given a command. */
  wake(): void {
    this.#driver.wake();
  }

  /** Command: calls the listener of a ticket. Resolves with the first stream. */
  connect(call: Call): Promise<PeerStream> {
    const { ticket, identity, config, timeout, metadata, signal, openTrace, pasting, channel } = call;
    // It is the application's, and may throw.
    if (channel !== undefined) this.#join(channel.signalling);
    const options = { ticket, identity, timeout, metadata, config, openTrace };
    const machine =
      pasting === undefined ? this.#machine.connect(options, monotonicNow()) : this.#connectPasted(options, pasting);
    const connection = new Connection(machine, this, { closesWithLastStream: true, linger: config.linger });
    this.#connections.set(machine, connection);
    this.#settle();
    this.wake();
    if (ticket.servers.length > 0) void this.#introduce(machine, ticket);
    if (channel !== undefined) this.#callByChannel(machine, channel.servers);
    return connection.connected(signal);
  }

  /** Command: lets peers find this listener by a channel of the application. Once. */
  useChannel({ signalling, servers }: ChannelUse): void {
    this.#lookAround(servers);
    this.#machine.useChannel(servers, monotonicNow());
    this.#join(signalling);
    this.wake();
  }

  /** Command: lets peers find this listener by these servers. Once. */
  useServers(servers: readonly AgentServer[]): void {
    this.#machine.onInterfaces(reachableAddresses(this.addresses), monotonicNow());
    this.#machine.useServers(servers, monotonicNow());
    if (areElsewhere(servers)) this.#routerPort?.start(0);
    this.wake();
  }

  /**
   * Command: finds out where callers may reach us who tell by hand that they call. Once.
   *
   * @throws {@link PunchlineError} `ERR_SERVER` if no server tells it.
   */
  async listenPasted(servers: readonly Address[]): Promise<readonly Address[]> {
    this.#lookAround(servers);
    const found = new Promise<readonly Address[] | undefined>((resolve) => {
      this.#onFound = resolve;
    });
    this.#machine.listenPasted(servers, monotonicNow());
    this.wake();
    const addresses = await found;
    if (addresses !== undefined) return addresses;
    const places = servers.map(formatAddress).join(", ");
    throw new PunchlineError("ERR_SERVER", `no answer by ${places}`, { origin: "network" });
  }

  /** Input: a message that came by hand. Returns why nothing comes of it, if so. */
  onPasted(core1: Uint8Array): string | undefined {
    const dropped = this.#machine.onPasted(core1, monotonicNow());
    this.wake();
    return dropped;
  }

  /** Command: honours a ticket from now on. Returns its id. */
  addTicket(fields: TicketFields, uses: number): string {
    const id = this.#machine.addTicket(fields, uses, monotonicNow());
    this.wake();
    return id;
  }

  /** Command: refuses a ticket from now on. */
  revokeTicket(ticketId: string): boolean {
    return this.#machine.endpoint.revokeTicket(ticketId);
  }

  /** Command: answers a request. `refusal` is the text for the peer, `undefined` lets it in. */
  answer(request: ConnectionRequest, refusal: string | undefined): void {
    const verdict = { accept: refusal === undefined, message: refusal ?? "" };
    this.#machine.endpoint.answer(request.id, verdict, monotonicNow());
    this.wake();
  }

  /** Command: lets nobody in any more. Open connections live on. */
  stopListening(): void {
    this.#isListening = false;
    this.#machine.stopAccepting(monotonicNow());
    void this.#routerPort?.close();
    this.wake();
  }

  /** Command: closes the sockets, unless somebody needs them. */
  release(): void {
    this.#settle();
  }

  /** Where the sockets are bound. */
  get addresses(): readonly Address[] {
    return this.#mainSockets.map((socket) => socket.address);
  }

  /** The connections that are not over. */
  get connections(): readonly Connection[] {
    return [...this.#connections.values()];
  }

  /** Resolves when the sockets are closed. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /** Whether the sockets are closed, or about to be. */
  get isOver(): boolean {
    return this.#isOver;
  }

  localAddress(socket: SocketId): Address | undefined {
    return this.#sockets[socket]?.address;
  }

  journal(machine: ConnectionMachine): readonly JournalEntry[] {
    return this.#machine.journal(machine);
  }

  /** Brings a call to the servers of its ticket, once it is known where these are. */
  async #introduce(machine: ConnectionMachine, ticket: TicketFields): Promise<void> {
    const servers = await resolveServers(ticket.servers);
    const now = monotonicNow();
    if (servers.length === 0 && ticket.addresses.length === 0) {
      machine.giveUp("no-server", now);
    } else {
      this.#machine.onInterfaces(reachableAddresses(this.addresses), now);
      this.#machine.introduce(machine, ticket, servers, now);
      if (areElsewhere(servers)) this.#routerPort?.start(ROUTER_DELAY);
    }
    this.wake();
  }

  #connectPasted(options: ConnectOptions, { servers, onInvitation }: CallByHand): ConnectionMachine {
    this.#lookAround(servers);
    const machine = this.#machine.connectPasted(options, servers, monotonicNow());
    this.#scribes.set(machine, onInvitation);
    return machine;
  }

  #callByChannel(machine: ConnectionMachine, servers: readonly Address[]): void {
    this.#machine.onInterfaces(reachableAddresses(this.addresses), monotonicNow());
    this.#machine.callByChannel(machine, servers, monotonicNow());
    if (servers.some(({ host }) => !isLoopback(host))) this.#routerPort?.start(ROUTER_DELAY);
    this.wake();
  }

  #join(signalling: Signalling): void {
    this.#signalling = signalling;
    signalling.onMessage((envelope) => {
      if (this.#isOver || !(envelope instanceof Uint8Array)) return;
      this.#machine.onChannelMessage(envelope, monotonicNow());
      this.wake();
    });
  }

  /** What this machine and its router know of where we are, beside what servers tell. */
  #lookAround(servers: readonly Address[]): void {
    this.#machine.onInterfaces(reachableAddresses(this.addresses), monotonicNow());
    if (servers.some(({ host }) => !isLoopback(host))) this.#routerPort?.start(0);
  }

  #onEvent(event: AgentEvent, now: Instant): void {
    switch (event.type) {
      case "pasting-invitation": {
        const text = encodePasted(event.core1, sha256);
        const onInvitation = this.#scribes.get(event.connection);
        // Whatever it throws is not the endpoint's concern.
        queueMicrotask(() => onInvitation?.(text));
        return;
      }
      case "pasting-ready":
        this.#onFound(event.addresses);
        return;
      case "pasting-blocked":
        this.#onFound(undefined);
        return;
      case "pasting-moved":
        this.#handlers?.onMoved();
        return;
      case "envelope": {
        const { bytes } = event;
        // What cannot be sent is lost, as anything may be there.
        void Promise.resolve()
          .then(() => this.#signalling?.send(bytes))
          .catch(() => {});
        return;
      }
      case "sockets-wanted":
        void this.#openSockets(event);
        return;
      case "sockets-unwanted":
        for (const id of event.sockets) this.#closeSocket(id);
        return;
      case "server":
        this.#handlers?.onServer(event.server, event.state);
        return;
      case "connection": {
        const connection = this.#connections.get(event.connection);
        // Before anybody is told who might throw.
        if (event.event.type === "closed") this.#connections.delete(event.connection);
        if (event.event.type === "connected" && !this.#isListening) this.#routerPort?.cancel();
        connection?.onEvent(event.event, now);
        return;
      }
      case "incoming":
        this.#onIncoming(event.connection, event.ticketId);
        return;
      case "request":
        this.#handlers?.onRequest(event.request);
        return;
      case "ticket-used":
        this.#handlers?.onTicketUsed(event.ticketId, event.usesLeft);
        return;
    }
  }

  async #openSockets(wanted: Extract<AgentEvent, { type: "sockets-wanted" }>): Promise<void> {
    const { request, count, family } = wanted;
    const main = this.#mainSockets.find(({ address }) => address.family === family);
    const nextId = (): SocketId => this.#sockets.push(undefined) - 1;
    const opened = main === undefined ? [] : await openExtraSockets({ count, host: main.address.host, nextId });
    if (this.#isOver) {
      for (const socket of opened) socket.close();
      return;
    }
    for (const socket of opened) {
      this.#sockets[socket.id] = socket;
      if (!this.#isRef) socket.unref();
      this.#driver.addSocket(socket);
    }
    const fresh = opened.map(({ id: via, address: { port: localPort } }) => ({ via, localPort }));
    this.#machine.onSockets(request, fresh, monotonicNow());
    this.wake();
  }

  #closeSocket(id: SocketId): void {
    this.#sockets[id] = undefined;
    this.#driver.removeSocket(id);
  }

  #interfaceMtu(via: SocketId, remote: Address): number | undefined {
    const socket = this.#sockets[via];
    return socket === undefined ? undefined : interfaceMtu(socket.address, remote);
  }

  #onIncoming(machine: ConnectionMachine, ticketId: string): void {
    const handlers = this.#handlers;
    if (handlers === undefined || !this.#isListening) {
      machine.closeTransport(CLOSE_CODE.SHUTTING_DOWN, "the listener is closed", monotonicNow());
      return;
    }
    const connection = new Connection(machine, this, {
      closesWithLastStream: false,
      linger: this.#config.linger,
      onFirstStream: (stream) => handlers.onFirstStream(stream),
    });
    this.#connections.set(machine, connection);
    handlers.onIncoming(connection, ticketId);
  }

  /** Keeps the process alive as long as there is a reason, and no longer. */
  #settle(): void {
    if (this.#isOver) return;
    const isNeeded = this.#isListening || this.#connections.size > 0;
    if (isNeeded !== this.#isRef) {
      this.#isRef = isNeeded;
      for (const socket of this.#sockets) isNeeded ? socket?.ref() : socket?.unref();
    }
    if (isNeeded) {
      leftovers.delete(this);
      return;
    }
    // Connections that the peer has closed still answer its repetitions for a moment.
    if (this.#machine.endpoint.connectionCount > 0) leftovers.add(this);
    else void this.#end();
  }

  #end(): Promise<void> {
    if (!this.#isOver) {
      this.#isOver = true;
      leftovers.delete(this);
      void this.#routerPort?.close();
      this.#driver.stop(this.#tellEnded);
      this.#onEnd?.();
    }
    return this.#ended;
  }
}
