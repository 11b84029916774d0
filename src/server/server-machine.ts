/**
 * A server on its sockets: STUN for strangers, rendezvous for clients that have a session (spec/rendezvous.md).
 *
 * Theory of operation. All sockets are shared. What looks like STUN is answered on the spot, at a rate for each source and
 * in all, without any state of a client. Everything else belongs to the endpoint, whose connections are sessions: the first
 * stream of each carries control messages to the rendezvous and back. A server may have two ports and two addresses of each
 * family; the low bits of socket ids are the places of `stun/responder.ts`: bit 0 is the other port, bit 1 the other
 * address. The bits above name the group of up to four sockets that belong together.
 *
 * @module
 */

import type { Config } from "../connection/config.ts";
import type { ConnectionMachine } from "../connection/connection.ts";
import { EndpointMachine } from "../connection/endpoint.ts";
import type { EndpointEvent } from "../connection/endpoint-events.ts";
import type { ConnectionEvent } from "../connection/events.ts";
import type { KeyPair } from "../crypto/primitives.ts";
import { deriveServerKeys, serverPin } from "../crypto/server-keys.ts";
import type { ProbeSource } from "../signal/messages.ts";
import { MAX_ANSWER_SIZE, type StunPlaces, StunResponder } from "../stun/responder.ts";
import type { BufferPool } from "../util/buffer-pool.ts";
import { Deque } from "../util/deque.ts";
import type { Address, Datagram, Machine, SocketId, Transmit } from "../util/machine.ts";
import { type Duration, earliest, type Instant } from "../util/time.ts";
import { classify } from "../wire/datagram.ts";
import { type AdmissionLimits, HandshakeAdmission } from "./admission.ts";
import type { ServerLimits } from "./limits.ts";
import type { ServerOutput } from "./outbox.ts";
import { RendezvousServer, type ServerHealth } from "./rendezvous.ts";
import type { SessionId } from "./session.ts";
import { SourceLimiter } from "./source-limiter.ts";
import { DEFAULT_STUN_RATES, type StunRates } from "./stun-rates.ts";

/** What a server is made of. */
export interface ServerMachineOptions {
  readonly identity: KeyPair;
  /** Unpredictable bytes. */
  readonly random: (size: number) => Uint8Array;
  /** Milliseconds since 1970. */
  readonly unixMillis: () => number;
  readonly pool: BufferPool;
  /** Those that are open; see the module for their ids. */
  readonly sockets: readonly { readonly id: SocketId; readonly family: 4 | 6 }[];
  readonly config: Config;
  readonly limits?: Partial<ServerLimits>;
  /** How many handshakes are worked on. */
  readonly admission?: Partial<AdmissionLimits> | undefined;
  /** How often strangers are answered. */
  readonly stunRates?: StunRates;
  /**
   * Makes STUN answer as RFC 5780 §7 asks, by group of sockets; where it is missing, strangers learn their address, and nothing
   * else.
   */
  readonly diagnostics?: readonly (StunPlaces | undefined)[];
}

/** STUN since the server began. */
export interface StunCounters {
  answered: number;
  /** Over a rate. */
  limited: number;
  /** No request, or one that has no answer. */
  ignored: number;
}

/** How a server is at a moment. */
export interface ServerMachineHealth extends ServerHealth {
  readonly stun: Readonly<StunCounters>;
  /** Datagrams that came to nothing, by reason. */
  readonly rejected: Readonly<Record<string, number>>;
}

// Implementation

/** Answers to strangers that wait for the next turn; beyond this they are lost, as in any full queue. */
const MAX_OUTGOING = 4_096;

/** The stream of a session that carries control messages. */
const CONTROL_STREAM = 0;

/** The bits of a socket's id that are its place, and where its group begins. */
const PLACE_BITS = 3;
const GROUP_SHIFT = 2;

/** Sockets by what a probe asks for, as bits of a place. */
const PLACE_CHANGE: Readonly<Record<ProbeSource, number>> = { "other-port": 1, "other-address": 2, both: 3 };

/** Codes with which sessions are closed; for people who look. */
const CLOSE_CODES = { protocol: 1, limit: 2, draining: 3 } as const;

interface Client {
  readonly id: SessionId;
  readonly connection: ConnectionMachine;
  /** Whether the first stream is there: the packet that opens a connection may overtake it. */
  hasControl: boolean;
}

/** See the module. It tells nothing: `health` says what there is to say. */
export class ServerMachine implements Machine<never> {
  readonly #options: ServerMachineOptions;
  readonly #endpoint: EndpointMachine;
  readonly #rendezvous: RendezvousServer;
  /** By group of sockets. */
  readonly #responders: readonly StunResponder[];
  readonly #stunLimiter: SourceLimiter;
  readonly #byConnection = new Map<ConnectionMachine, Client>();
  readonly #byId = new Map<SessionId, Client>();
  readonly #outgoing = new Deque<Transmit>();
  readonly #answer = new Uint8Array(MAX_ANSWER_SIZE);
  readonly #stun: StunCounters = { answered: 0, limited: 0, ignored: 0 };
  #isStrangersTurn = false;
  #nextSession: SessionId = 1;
  #now: Instant;

  constructor(options: ServerMachineOptions, now: Instant) {
    const { identity, random, unixMillis, pool, sockets, config, limits, diagnostics } = options;
    this.#options = options;
    this.#now = now;
    this.#endpoint = new EndpointMachine({
      random,
      unixTime: () => Math.floor(unixMillis() / 1000),
      pool,
      sockets,
      identity,
      config,
      acceptHook: false,
      admission: new HandshakeAdmission(now, options.admission),
      server: deriveServerKeys(serverPin(identity.publicKey)),
    });
    const places = new Set(sockets.map(({ id }) => id & PLACE_BITS));
    this.#rendezvous = new RendezvousServer(
      { random, unixMillis, backlogOf: (id) => this.#byId.get(id)?.connection.unacknowledged(CONTROL_STREAM) ?? 0 },
      { identity, limits: limits ?? {}, hasOtherPort: places.has(1), hasOtherAddress: places.has(2) },
    );
    const groups = 1 + Math.max(0, ...sockets.map(({ id }) => id >> GROUP_SHIFT));
    this.#responders = Array.from({ length: groups }, (_, group) => {
      const own = diagnostics?.[group];
      return new StunResponder(own === undefined ? {} : { diagnostics: own });
    });
    this.#stunLimiter = new SourceLimiter(options.stunRates ?? DEFAULT_STUN_RATES, now);
  }

  receive(datagram: Datagram, now: Instant): void {
    this.#advance(now);
    const { payload, via, from, segmentSize } = datagram;
    if (payload.length === 0 || classify(payload[0]!) !== "stun") {
      this.#endpoint.receive(datagram, this.#now);
      this.#proceed();
      return;
    }
    for (let start = 0; start < payload.length; start += segmentSize) {
      this.#answerStun(payload.subarray(start, start + segmentSize), via, from);
    }
  }

  handleTimeout(now: Instant): void {
    this.#advance(now);
    this.#endpoint.handleTimeout(this.#now);
    this.#rendezvous.handleTimeout(this.#now);
    this.#proceed();
  }

  /** Command: takes no new sessions, tells those that there are to go elsewhere, and closes them after `lifetime` ms. */
  drain(lifetime: Duration, now: Instant): void {
    this.#advance(now);
    this.#rendezvous.drain(lifetime, this.#now);
    this.#proceed();
  }

  pollTransmit(now: Instant): Transmit | undefined {
    this.#advance(now);
    // They take turns: a crowd of strangers must not keep sessions waiting.
    this.#isStrangersTurn = !this.#isStrangersTurn;
    const answer = this.#isStrangersTurn ? this.#outgoing.shift() : undefined;
    const transmit = answer ?? this.#endpoint.pollTransmit(this.#now);
    // Polling may end connections.
    if (transmit === undefined) this.#proceed();
    return transmit ?? this.#outgoing.shift();
  }

  pollEvent(): undefined {
    this.#proceed();
    return undefined;
  }

  nextTimeout(): Instant | undefined {
    return earliest(this.#endpoint.nextTimeout(), this.#rendezvous.nextTimeout());
  }

  /** How the server is. */
  get health(): ServerMachineHealth {
    return { ...this.#rendezvous.health, stun: { ...this.#stun }, rejected: { ...this.#endpoint.stats.dropped } };
  }

  #answerStun(request: Uint8Array, via: SocketId, from: Address): void {
    if (!this.#stunLimiter.take(from.host, this.#now)) {
      this.#stun.limited += 1;
      return;
    }
    const responder = this.#responders[via >> GROUP_SHIFT]!;
    const answer = responder.answer(request, from, via & PLACE_BITS, this.#answer);
    if (answer === undefined) {
      this.#stun.ignored += 1;
      return;
    }
    this.#stun.answered += 1;
    const payload = this.#answer.slice(0, answer.length);
    this.#send(payload, (via & ~PLACE_BITS) | answer.place, { ...from, port: answer.port });
  }

  /** Brings what the endpoint tells to the rendezvous, and what that wants done to the endpoint. */
  #proceed(): void {
    for (let event = this.#endpoint.pollEvent(); event !== undefined; event = this.#endpoint.pollEvent()) {
      this.#onEvent(event);
    }
    for (let output = this.#rendezvous.pollOutput(); output !== undefined; output = this.#rendezvous.pollOutput()) {
      this.#perform(output);
    }
  }

  #onEvent(event: EndpointEvent): void {
    if (event.type === "client") this.#open(event.connection);
    if (event.type !== "connection") return;
    const client = this.#byConnection.get(event.connection);
    if (client !== undefined) this.#onClientEvent(client, event.event);
  }

  #open(connection: ConnectionMachine): void {
    const [path] = connection.paths();
    const { handshakeHash } = connection;
    if (path === undefined || handshakeHash === undefined) return;
    const client = { id: this.#nextSession++, connection, hasControl: false };
    this.#byConnection.set(connection, client);
    this.#byId.set(client.id, client);
    // Before the first sample it is 0.
    const rtt = (): Duration | undefined => connection.stats().rtt || undefined;
    this.#rendezvous.onSessionOpened({ id: client.id, handshakeHash, remote: path.remote, rtt }, this.#now);
  }

  #onClientEvent(client: Client, event: ConnectionEvent): void {
    const { id, connection } = client;
    switch (event.type) {
      case "readable":
        if (event.id === CONTROL_STREAM) this.#read(client);
        return;
      case "opened":
        client.hasControl ||= event.id === CONTROL_STREAM;
        // Nothing is said on other streams.
        if (event.id !== CONTROL_STREAM) connection.stopSending(event.id, CLOSE_CODES.protocol);
        return;
      case "path":
        this.#rendezvous.onAddressChanged(id, event.path.remote);
        return;
      case "closed":
        this.#byConnection.delete(connection);
        this.#byId.delete(id);
        this.#rendezvous.onSessionClosed(id);
        return;
      default:
        return;
    }
  }

  #read({ id, connection }: Client): void {
    for (let bytes = connection.read(CONTROL_STREAM); bytes !== undefined; bytes = connection.read(CONTROL_STREAM)) {
      this.#rendezvous.onMessageBytes(id, bytes, this.#now);
    }
  }

  #perform(output: ServerOutput): void {
    const client = this.#byId.get(output.session);
    switch (output.type) {
      case "send":
        // What waits is bounded by the rendezvous, which asks for the backlog.
        if (client?.hasControl) client.connection.write(CONTROL_STREAM, output.bytes);
        return;
      case "witness": {
        const [path] = client?.connection.paths() ?? [];
        if (path !== undefined) this.#send(output.payload, path.local ^ PLACE_CHANGE[output.which], output.to);
        return;
      }
      case "close":
        client?.connection.close(CLOSE_CODES[output.reason], output.reason, this.#now);
        return;
    }
  }

  #send(payload: Uint8Array, via: SocketId, to: Address): void {
    if (this.#outgoing.length >= MAX_OUTGOING || !this.#options.sockets.some(({ id }) => id === via)) return;
    this.#outgoing.push({ via, to, payload, segmentSize: payload.length, ttl: undefined });
  }

  #advance(now: Instant): void {
    if (now > this.#now) this.#now = now;
  }
}
