/**
 * One endpoint: all connections that share a set of sockets, dialled and accepted.
 *
 * Theory of operation. A received buffer is cut into datagrams, and the first byte of each says whom it concerns
 * (spec/wire.md#first-byte): the acceptor, a dial, or the connection that owns its connection id. Everything else is
 * dropped and counted. Connections that have something to do are kept on a list, so that the cost of a turn depends on
 * the connections that are busy, not on those that exist; their deadlines lie in one heap.
 *
 * @module
 */

import { PathMemory } from "../congestion/path-memory.ts";
import type { CookieKeys } from "../crypto/cookie.ts";
import { InitiatorHandshake } from "../crypto/handshake.ts";
import { type KeyPair, keyPairFromSeed } from "../crypto/primitives.ts";
import { ClientHandshake } from "../crypto/server-handshake.ts";
import type { ServerKeys } from "../crypto/server-keys.ts";
import { deriveTicketKeys } from "../crypto/ticket-keys.ts";
import { type TicketFields, ticketCore } from "../ticket/ticket.ts";
import type { OpenTrace } from "../trace/sink.ts";
import type { BufferPool } from "../util/buffer-pool.ts";
import { DeadlineHeap } from "../util/deadline-heap.ts";
import { Deque } from "../util/deque.ts";
import type { Address, Datagram, Machine, SocketId, Transmit } from "../util/machine.ts";
import { after, type Duration, earliest, type Instant } from "../util/time.ts";
import { CLOSE_CODE } from "../wire/codes.ts";
import { classify, cut, MAX_SEGMENTS, split } from "../wire/datagram.ts";
import { type CookieDatagram, decodeCookie, decodeInit, decodeResp } from "../wire/handshake-datagram.ts";
import { CONNECTION_ID_OFFSET, CONNECTION_ID_SIZE, connectionIdKey, MIN_PACKET_SIZE } from "../wire/packet-header.ts";
import { encodeParameters, type Parameters } from "../wire/parameters.ts";
import { Acceptor, type CarrierRef, type HalfOpened, type HalfOpenOptions } from "./acceptor.ts";
import type { AdmissionPolicy } from "./admission.ts";
import type { Config } from "./config.ts";
import { ConnectionMachine } from "./connection.ts";
import type { InterfaceMtu } from "./core.ts";
import { Dial, type Question } from "./dial.ts";
import type { EndpointEvent } from "./endpoint-events.ts";
import { keysFor } from "./keys.ts";
import { chooseAead, localParameters } from "./negotiation.ts";
import { NO_SITUATION, type Situation } from "./situation.ts";
import type { TicketEntry } from "./ticket-table.ts";

// Specification

/** Bytes by which a listener recognises two handshakes of one call (spec/handshake.md). */
const ATTEMPT_SIZE = 8;

/** What an endpoint is made of. */
export interface EndpointOptions {
  /** Unpredictable bytes. */
  readonly random: (size: number) => Uint8Array;
  /** Unix time in seconds; used for nothing but the expiry of tickets. */
  readonly unixTime: () => number;
  readonly pool: BufferPool;
  readonly sockets: readonly { readonly id: SocketId; readonly family: 4 | 6 }[];
  /** Unknown unless given. */
  readonly interfaceMtu?: InterfaceMtu;
  /** What connections learn of paths, for those that come after; the endpoint's own unless given. */
  readonly memory?: PathMemory;
  /** Static key of a listener; a dialling endpoint has one for each call. */
  readonly identity: KeyPair;
  readonly config: Config;
  /** Whether the application decides on each peer, by `request` events. */
  readonly acceptHook: boolean;
  /** Begins the trace of a connection that comes in. */
  readonly openTrace?: OpenTrace | undefined;
  /** Makes the endpoint a server; the keys belong to its identity. */
  readonly server?: ServerKeys | undefined;
  /** Which first messages are worked on; a listener's policy unless given. */
  readonly admission?: AdmissionPolicy | undefined;
  /** Where a peer that came by this carrier may reach us; nowhere unless given. */
  readonly situationFor?: (carrier: CarrierRef) => Situation;
}

/** A call to a server. */
export interface ServerCallOptions {
  readonly keys: ServerKeys;
  readonly addresses: readonly Address[];
  /** How long to try, in ms. */
  readonly timeout: Duration;
  /** Replaces the endpoint's configuration for this connection. */
  readonly config?: Config | undefined;
  /** The only socket to call from; the first of each family unless given. */
  readonly via?: SocketId | undefined;
}

/** A call to a listener. */
export interface ConnectOptions {
  readonly ticket: TicketFields;
  /** Static key of the caller. */
  readonly identity: KeyPair;
  /** How long to try, in ms. */
  readonly timeout: Duration;
  /** Up to 256 bytes for the listener's decision. */
  readonly metadata?: Uint8Array | undefined;
  /** Replaces the endpoint's configuration for this connection. */
  readonly config?: Config | undefined;
  /** Begins the trace of this connection. */
  readonly openTrace?: OpenTrace | undefined;
}

/** Datagrams since the endpoint began. */
export interface EndpointStats {
  received: number;
  sent: number;
  /** Dropped datagrams by reason. */
  readonly dropped: Record<string, number>;
}

/** All connections of a set of sockets; see the module's theory of operation. */
export class EndpointMachine implements Machine<EndpointEvent> {
  readonly stats: EndpointStats = { received: 0, sent: 0, dropped: {} };
  readonly #options: EndpointOptions;
  readonly #memory: PathMemory;
  readonly #acceptor: Acceptor;
  readonly #byId = new Map<number, ConnectionMachine>();
  readonly #connections = new Set<ConnectionMachine>();
  /** Those that call, and some that have done so: nobody else asks for proof of our address. */
  readonly #callers = new Set<ConnectionMachine>();
  readonly #tickets = new Map<ConnectionMachine, TicketEntry>();
  /** Clients of ours as a server that have not opened their connection yet. */
  readonly #clients = new Set<ConnectionMachine>();
  readonly #deadlines = new DeadlineHeap<ConnectionMachine>();
  /** Connections that may have something to send. */
  readonly #touched = new Deque<ConnectionMachine>();
  /** Connections that may have something to tell. */
  readonly #telling = new Deque<ConnectionMachine>();
  readonly #events = new Deque<EndpointEvent>();
  readonly #pieces: Uint8Array[] = new Array(MAX_SEGMENTS);
  #now = 0 as Instant;

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#memory = options.memory ?? new PathMemory();
    const host = {
      random: options.random,
      unixTime: options.unixTime,
      openHalf: (half: HalfOpenOptions, now: Instant) => this.#openHalf(half, now),
      dropHalf: (connection: ConnectionMachine) => connection.abort(),
      request: (request: Extract<EndpointEvent, { type: "request" }>["request"]) =>
        this.#events.push({ type: "request", request }),
      answerByCarrier: (ref: CarrierRef, core: Uint8Array, connection: ConnectionMachine | undefined) =>
        this.#events.push({ type: "answer", ref, core, connection }),
    };
    const { acceptHook, server, admission } = options;
    this.#acceptor = new Acceptor(host, options.identity, options.config, { acceptHook, server, admission });
  }

  // Inputs

  receive(datagram: Datagram, now: Instant): void {
    this.#advance(now);
    const { payload, via, from, segmentSize } = datagram;
    if (payload.length === 0) {
      this.#drop("empty");
      return;
    }
    const isSplit = segmentSize < payload.length;
    const count = isSplit ? split(payload, segmentSize, this.#pieces) : cut(payload, 0, this.#pieces);
    for (let i = 0; i < count; i++) {
      this.stats.received += 1;
      const reason = this.#receivePiece(this.#pieces[i]!, via, from, this.#now);
      if (reason !== undefined) this.#drop(reason);
    }
  }

  handleTimeout(now: Instant): void {
    this.#advance(now);
    const acceptAt = this.#acceptor.nextTimeout();
    if (acceptAt !== undefined && acceptAt <= this.#now) this.#acceptor.handleTimeout(this.#now);
    for (
      let due = this.#deadlines.first();
      due !== undefined && due.deadline <= this.#now;
      due = this.#deadlines.first()
    ) {
      // It comes back with its next deadline once it has been polled.
      this.#deadlines.set(due, undefined);
      due.handleTimeout(this.#now);
    }
  }

  /**
   * Input: a first message that a carrier has brought. Its answer, if there is one, comes as an `answer` event with the same
   * `ref`. Returns why the message was dropped, if it was.
   */
  onInvitation(core: Uint8Array, ref: CarrierRef, now: Instant): string | undefined {
    this.#advance(now);
    const reason = this.#acceptor.receiveByCarrier(core, ref, this.#now);
    if (reason !== undefined) this.#drop(reason);
    return reason;
  }

  /**
   * Input: a packet of the probe space that a carrier has brought, which may concern anybody. Returns the connection that has
   * taken it.
   */
  onEnvelope(packet: Uint8Array, now: Instant): ConnectionMachine | undefined {
    this.#advance(now);
    const hasId = packet.length >= MIN_PACKET_SIZE;
    const connection = hasId ? this.#byId.get(connectionIdKey(packet, CONNECTION_ID_OFFSET)) : undefined;
    const reason = connection === undefined ? "unknown-id" : connection.onEnvelope(packet, this.#now);
    if (reason === undefined) return connection;
    this.#drop(reason);
    return undefined;
  }

  onMtuProbeRefused(via: SocketId, to: Address, size: number, now: Instant): void {
    this.#advance(now);
    for (const connection of this.#connections) connection.onMtuProbeRefused(via, to, size, this.#now);
  }

  // Commands

  /** Calls the listener of a ticket. The connection tells by events what becomes of it. */
  connect(options: ConnectOptions, now: Instant): ConnectionMachine {
    this.#advance(now);
    const { ticket, identity } = options;
    const { random } = this.#options;
    const config = options.config ?? this.#options.config;
    const ticketKeys = deriveTicketKeys({ key: ticket.key, secret: ticket.secret, core: ticketCore(ticket) });
    const connection = this.#newInitiator(config, options.openTrace);
    const parameters = {
      ...localParameters(config, connection.connectionIds),
      attempt: random(ATTEMPT_SIZE),
      metadata: options.metadata ?? new Uint8Array(),
    };
    const newHandshake = (situation = NO_SITUATION) =>
      new InitiatorHandshake({
        keys: ticketKeys,
        listenerKey: ticket.key,
        identity,
        ephemeral: keyPairFromSeed(random(32)),
        payload: encodeParameters({ ...parameters, ...situationParameters(situation) }, random(1)[0]!),
      });
    connection.dial({
      dial: this.#newDial(newHandshake, ticketKeys, ticket.addresses),
      deadline: after(this.#now, options.timeout),
      peerKey: ticket.key,
      makeKeys: (secrets, aead) => keysFor("initiator", secrets, aead),
      invite: newHandshake,
    });
    return connection;
  }

  /** Calls a server. The connection is one like others, but the server does not learn who we are. */
  connectServer(call: ServerCallOptions, now: Instant): ConnectionMachine {
    this.#advance(now);
    const { keys, addresses, timeout, config = this.#options.config, via } = call;
    const { random } = this.#options;
    const connection = this.#newInitiator(config, undefined);
    const payload = encodeParameters(localParameters(config, connection.connectionIds), random(1)[0]!);
    const newHandshake = () => new ClientHandshake({ keys, ephemeral: keyPairFromSeed(random(32)), payload });
    connection.dial({
      dial: this.#newDial(newHandshake, keys, addresses, via),
      deadline: after(this.#now, timeout),
      peerKey: undefined,
      makeKeys: (secrets, aead) => keysFor("initiator", secrets, aead),
    });
    return connection;
  }

  /** Honours a ticket with this endpoint's identity. Returns the name under which it appears in events. */
  addTicket(fields: TicketFields, uses: number): string {
    const keys = deriveTicketKeys({ key: fields.key, secret: fields.secret, core: ticketCore(fields) });
    return this.#acceptor.tickets.add(fields, keys, uses).id;
  }

  /** Refuses a ticket from now on. False if it is not one of this endpoint. */
  revokeTicket(ticketId: string): boolean {
    return this.#acceptor.tickets.revoke(ticketId, this.#options.unixTime());
  }

  /** Answers a `request` event. An answer that comes too late has no effect. */
  answer(requestId: number, verdict: { readonly accept: boolean; readonly message: string }, now: Instant): void {
    this.#advance(now);
    this.#acceptor.answer(requestId, verdict, this.#now);
  }

  /** Forgets all tickets: nobody gets in but who was answered already. Open connections live on. */
  stopAccepting(): void {
    this.#acceptor.stop();
  }

  // Outputs

  pollTransmit(now: Instant): Transmit | undefined {
    this.#advance(now);
    const answer = this.#acceptor.pollTransmit();
    if (answer !== undefined) return this.#count(answer);
    for (let connection = this.#touched.shift(); connection !== undefined; connection = this.#touched.shift()) {
      const transmit = connection.pollTransmit(this.#now);
      if (transmit !== undefined) {
        // To the back of the list: busy connections take turns.
        this.#touched.push(connection);
        return this.#count(transmit);
      }
      connection.isTouched = false;
      // What to send next may be that there is nothing left to try.
      this.#listen(connection);
      this.#deadlines.set(connection, connection.nextTimeout());
    }
    return undefined;
  }

  pollEvent(): EndpointEvent | undefined {
    const event = this.#events.shift();
    if (event !== undefined) return event;
    for (let connection = this.#telling.first; connection !== undefined; connection = this.#telling.first) {
      const told = connection.pollEvent();
      if (told !== undefined) return { type: "connection", connection, event: told };
      this.#telling.shift();
      connection.isTelling = false;
    }
    return undefined;
  }

  nextTimeout(): Instant | undefined {
    const next = earliest(this.#acceptor.nextTimeout(), this.#deadlines.first()?.deadline);
    // A connection that has not been polled since it was touched is due at once.
    return this.#touched.length > 0 ? earliest(next, this.#now) : next;
  }

  // Getters

  /** Connections that are not over, half-open ones included. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /**
   * For tests: recomputes what is kept up to date by increments.
   *
   * @throws Error if a connection's bytes in flight are not the sum of its packets in flight.
   */
  audit(): void {
    for (const connection of this.#connections) connection.audit();
  }

  #newInitiator(config: Config, openTrace: OpenTrace | undefined): ConnectionMachine {
    const { random, pool, interfaceMtu = unknownMtu } = this.#options;
    const parts = { config, random, pool, interfaceMtu, memory: this.#memory, openTrace };
    const connection = ConnectionMachine.initiator(this.#host, parts, this.#now);
    this.#connections.add(connection);
    this.#callers.add(connection);
    return connection;
  }

  #newDial(newHandshake: () => Question, cookieKeys: CookieKeys, addresses: readonly Address[], via?: SocketId): Dial {
    const { random, sockets } = this.#options;
    const socketFor = (family: 4 | 6) => via ?? sockets.find((socket) => socket.family === family)?.id;
    return new Dial({ newHandshake, cookieKeys, addresses, socketFor, random }, this.#now);
  }

  #receivePiece(piece: Uint8Array, via: SocketId, from: Address, now: Instant): string | undefined {
    const kind = classify(piece[0]!);
    switch (kind) {
      case "protected":
        return this.#receivePacket(piece, via, from, now);
      case "init": {
        const init = decodeInit(piece);
        return init === undefined ? "malformed" : this.#acceptor.receive(init, piece.length, via, from, now);
      }
      case "resp": {
        const response = decodeResp(piece);
        if (response === undefined) return "malformed";
        const connection = this.#byId.get(connectionIdKey(response.connectionId, 0));
        return connection === undefined ? "unknown-id" : connection.onResponse(response, via, from, now);
      }
      case "cookie": {
        const cookie = decodeCookie(piece);
        return cookie === undefined ? "malformed" : this.#receiveCookie(cookie, now);
      }
      case "pad":
        return undefined;
      case "stun":
      case "turn":
      case "discover":
      case "discovered":
      case "witness":
      case "relay":
      case "foreign":
        return kind;
    }
  }

  #receiveCookie(cookie: CookieDatagram, now: Instant): string | undefined {
    for (const connection of this.#callers) {
      if (connection.state !== "connecting") this.#callers.delete(connection);
      else if (connection.onCookie(cookie, now)) return undefined;
    }
    return "unknown-id";
  }

  #receivePacket(packet: Uint8Array, via: SocketId, from: Address, now: Instant): string | undefined {
    if (packet.length < MIN_PACKET_SIZE) return "malformed";
    const connection = this.#byId.get(connectionIdKey(packet, CONNECTION_ID_OFFSET));
    return connection === undefined ? "unknown-id" : connection.receive(packet, via, from, now);
  }

  /** Makes the connection for a verified first message, and the answer to it. */
  #openHalf(half: HalfOpenOptions, now: Instant): HalfOpened | undefined {
    const { random, config, pool, interfaceMtu = unknownMtu, openTrace } = this.#options;
    const aead = chooseAead(half.offer.aeads, config.aeads);
    if (aead === undefined) return undefined;
    const parts = { config, random, pool, interfaceMtu, memory: this.#memory, openTrace };
    const connection = ConnectionMachine.responder(this.#host, parts, now);
    // Who has not told where it may be reached has no use for where we are.
    const [carrier] = half.offer.candidates === undefined ? [] : half.carriers;
    const situation = carrier === undefined ? undefined : this.#options.situationFor?.(carrier);
    const parameters = {
      ...localParameters(config, connection.connectionIds),
      ...situationParameters(situation ?? NO_SITUATION),
      aeads: [aead],
    };
    const payload = encodeParameters(parameters, random(1)[0]!);
    const { core2, session } = half.received.respond(payload, keyPairFromSeed(random(32)));
    const handshakeHash = half.entry === undefined ? session.handshakeHash.slice() : undefined;
    const keys = keysFor("responder", session, aead);
    connection.establish({ keys, parameters: half.offer, peerKey: half.peerKey, handshakeHash }, now);
    this.#connections.add(connection);
    if (half.entry === undefined) this.#clients.add(connection);
    else this.#tickets.set(connection, half.entry);
    return { connection, core2 };
  }

  #onOpened(connection: ConnectionMachine): void {
    if (this.#clients.delete(connection)) this.#events.push({ type: "client", connection });
    const entry = this.#tickets.get(connection);
    if (entry === undefined) return;
    this.#tickets.delete(connection);
    const unixTime = this.#options.unixTime();
    const refusal = this.#acceptor.tickets.refusal(entry, unixTime);
    // Two calls may race for the last use: the first to open wins.
    if (refusal === "used-up") {
      connection.closeTransport(CLOSE_CODE.TICKET_SPENT, "the ticket was used by another call", this.#now);
      return;
    }
    if (refusal === "revoked") {
      connection.closeTransport(CLOSE_CODE.REFUSED_BY_PEER, "the ticket was revoked", this.#now);
      return;
    }
    this.#acceptor.tickets.countUse(entry, unixTime);
    this.#events.push({ type: "ticket-used", ticketId: entry.id, usesLeft: entry.usesLeft });
    this.#events.push({ type: "incoming", connection, ticketId: entry.id, peerKey: connection.peerKey! });
  }

  readonly #host = {
    touch: (connection: ConnectionMachine) => this.#touch(connection),
    assignId: (connection: ConnectionMachine) => this.#assignId(connection),
    releaseId: (id: Uint8Array) => {
      this.#byId.delete(connectionIdKey(id, 0));
    },
    opened: (connection: ConnectionMachine) => {
      this.#acceptor.confirm(connection);
      this.#onOpened(connection);
    },
    finished: (connection: ConnectionMachine) => {
      this.#connections.delete(connection);
      this.#callers.delete(connection);
      this.#tickets.delete(connection);
      this.#clients.delete(connection);
    },
  };

  /** An id that no connection of this endpoint uses. */
  #assignId(connection: ConnectionMachine): Uint8Array {
    for (;;) {
      const id = this.#options.random(CONNECTION_ID_SIZE);
      const key = connectionIdKey(id, 0);
      if (this.#byId.has(key)) continue;
      this.#byId.set(key, connection);
      return id;
    }
  }

  #touch(connection: ConnectionMachine): void {
    if (!connection.isTouched) {
      connection.isTouched = true;
      this.#touched.push(connection);
    }
    this.#listen(connection);
  }

  #listen(connection: ConnectionMachine): void {
    if (connection.isTelling) return;
    connection.isTelling = true;
    this.#telling.push(connection);
  }

  #count(transmit: Transmit): Transmit {
    this.stats.sent += Math.ceil(transmit.payload.length / transmit.segmentSize);
    return transmit;
  }

  #drop(reason: string): void {
    this.stats.dropped[reason] = (this.stats.dropped[reason] ?? 0) + 1;
  }

  /** Time never goes back. */
  #advance(now: Instant): void {
    if (now > this.#now) this.#now = now;
  }
}

/** The parameters of the handshake that tell a situation. */
function situationParameters({ generation, candidates, profile }: Situation): Partial<Parameters> {
  if (generation === 0) return {};
  return { candidates: { generation, list: candidates }, natProfile: profile };
}

function unknownMtu(): undefined {
  return undefined;
}
