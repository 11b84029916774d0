/**
 * Sockets, one endpoint machine and its driver, and the connections that live on them.
 *
 * An endpoint keeps the process alive while it listens or has a connection, and closes its sockets afterwards.
 *
 * @module
 */
import { PathMemory } from "../congestion/path-memory.ts";
import type { Config } from "../connection/config.ts";
import type { ConnectionMachine } from "../connection/connection.ts";
import { EndpointMachine } from "../connection/endpoint.ts";
import type { ConnectionRequest, EndpointEvent } from "../connection/endpoint-events.ts";
import { type KeyPair, randomBytes } from "../crypto/primitives.ts";
import type { TicketFields } from "../ticket/ticket.ts";
import type { OpenTrace } from "../trace/sink.ts";
import { BufferPool } from "../util/buffer-pool.ts";
import type { Address, SocketId } from "../util/machine.ts";
import type { Duration, Instant } from "../util/time.ts";
import { CLOSE_CODE } from "../wire/codes.ts";
import { monotonicNow, unixTime } from "./clock.ts";
import { Connection, type ConnectionOwner, type PeerStream } from "./connection.ts";
import { Driver } from "./driver.ts";
import { interfaceMtu } from "./interface-mtu.ts";
import { openSockets, type SocketPlan } from "./open-sockets.ts";
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
}

/** What an endpoint is made of. */
export interface EndpointSetup {
  readonly plan: SocketPlan;
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
}

/** What all connections of this process learn of paths. */
const memory = new PathMemory();

/** Endpoints of this process that nobody needs any more, but that still answer peers who close. */
const leftovers = new Set<Endpoint>();

/** See the module. */
export class Endpoint implements ConnectionOwner {
  readonly #sockets: readonly UdpSocket[];
  readonly #machine: EndpointMachine;
  readonly #driver: Driver<EndpointEvent>;
  readonly #config: Config;
  readonly #handlers: EndpointHandlers | undefined;
  readonly #connections = new Map<ConnectionMachine, Connection>();
  readonly #onEnd: (() => void) | undefined;
  readonly #ended: Promise<void>;
  #tellEnded: () => void = () => {};
  #isListening: boolean;
  #isRef = true;
  #isOver = false;

  private constructor(sockets: readonly UdpSocket[], setup: EndpointSetup) {
    this.#sockets = sockets;
    this.#config = setup.config;
    this.#handlers = setup.handlers;
    this.#onEnd = setup.onEnd;
    this.#ended = new Promise((resolve) => {
      this.#tellEnded = resolve;
    });
    this.#isListening = setup.handlers !== undefined;
    const pool = new BufferPool();
    this.#machine = new EndpointMachine({
      random: randomBytes,
      unixTime,
      pool,
      sockets: sockets.map((socket) => ({ id: socket.id, family: socket.address.family })),
      memory,
      interfaceMtu: (via, remote) => interfaceMtu(sockets[via]!.address, remote),
      identity: setup.identity,
      config: setup.config,
      acceptHook: setup.handlers?.asksFirst ?? false,
      openTrace: setup.openTrace,
    });
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
    const { ticket, identity, config, timeout, metadata, signal, openTrace } = call;
    const machine = this.#machine.connect({ ticket, identity, timeout, metadata, config, openTrace }, monotonicNow());
    const connection = new Connection(machine, this, { closesWithLastStream: true, linger: config.linger });
    this.#connections.set(machine, connection);
    this.#settle();
    this.wake();
    return connection.connected(signal);
  }

  /** Command: honours a ticket from now on. Returns its id. */
  addTicket(fields: TicketFields, uses: number): string {
    return this.#machine.addTicket(fields, uses);
  }

  /** Command: refuses a ticket from now on. */
  revokeTicket(ticketId: string): boolean {
    return this.#machine.revokeTicket(ticketId);
  }

  /** Command: answers a request. `refusal` is the text for the peer, `undefined` lets it in. */
  answer(request: ConnectionRequest, refusal: string | undefined): void {
    const verdict = { accept: refusal === undefined, message: refusal ?? "" };
    this.#machine.answer(request.id, verdict, monotonicNow());
    this.wake();
  }

  /** Command: lets nobody in any more. Open connections live on. */
  stopListening(): void {
    this.#isListening = false;
    this.#machine.stopAccepting();
    this.wake();
  }

  /** Command: closes the sockets, unless somebody needs them. */
  release(): void {
    this.#settle();
  }

  /** Where the sockets are bound. */
  get addresses(): readonly Address[] {
    return this.#sockets.map((socket) => socket.address);
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

  #onEvent(event: EndpointEvent, now: Instant): void {
    switch (event.type) {
      case "connection": {
        const connection = this.#connections.get(event.connection);
        // Before anybody is told who might throw.
        if (event.event.type === "closed") this.#connections.delete(event.connection);
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
      for (const socket of this.#sockets) isNeeded ? socket.ref() : socket.unref();
    }
    if (isNeeded) {
      leftovers.delete(this);
      return;
    }
    // Connections that the peer has closed still answer its repetitions for a moment.
    if (this.#machine.connectionCount > 0) leftovers.add(this);
    else void this.#end();
  }

  #end(): Promise<void> {
    if (!this.#isOver) {
      this.#isOver = true;
      leftovers.delete(this);
      this.#driver.stop(this.#tellEnded);
      this.#onEnd?.();
    }
    return this.#ended;
  }
}
