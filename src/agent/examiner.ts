/**
 * Examines what lies in front of one family of addresses, with nobody to call: what STUN servers see, and what our own
 * servers tell beside that (spec/doctor.md#asking).
 *
 * Theory of operation. STUN is asked at all places of all servers by one socket, as ever. Beside that, each of our own
 * servers is asked for a session by a fresh socket, which shows that the server is there, and how we are filtered: the
 * first that can tell is believed. Sessions are opened at once, so that their mappings are older than those by which
 * discovery learns how ports are chosen.
 *
 * @module
 */
import { DEFAULT_CONFIG } from "../connection/config.ts";
import { EndpointMachine } from "../connection/endpoint.ts";
import type { EndpointEvent } from "../connection/endpoint-events.ts";
import { keyPairFromSeed } from "../crypto/primitives.ts";
import { deriveServerKeys } from "../crypto/server-keys.ts";
import { Discovery, type DiscoveryEvent, type DiscoveryServer } from "../stun/discovery/discovery.ts";
import type { BufferPool } from "../util/buffer-pool.ts";
import { Deque } from "../util/deque.ts";
import type { Address, Datagram, Machine, SocketId, Transmit } from "../util/machine.ts";
import { after, type Duration, earliest, type Instant } from "../util/time.ts";
import { classify } from "../wire/datagram.ts";
import type { NatProfile } from "../wire/nat-profile.ts";
import { FilteringProbe } from "./filtering-probe.ts";
import { discoveryServers } from "./server-places.ts";
import { type FreshSocket, SocketDesk, type SocketWish } from "./socket-desk.ts";

// Implementation

/** A server that has opened no session after this long counts as down, in ms: as long as it takes to prove that UDP is blocked. */
const SESSION_LIMIT: Duration = 3_000;

/** What the owner is told, and asked for. */
export type ExaminerEvent =
  | SocketWish
  | Extract<DiscoveryEvent, { readonly type: "mapped" }>
  /** Nothing more will become known. */
  | { readonly type: "finished" };

/** One of our own servers. */
export interface ExaminedServer {
  readonly pin: Uint8Array;
  /** Where it can be reached, its main place first. */
  readonly addresses: readonly Address[];
}

/** Whom to ask, and with what. */
export interface ExaminerOptions {
  readonly family: 4 | 6;
  /** The socket that is examined, and its port. */
  readonly via: SocketId;
  readonly localPort: number;
  readonly random: (size: number) => Uint8Array;
  readonly pool: BufferPool;
  /** Servers that speak nothing but STUN. */
  readonly stun: readonly Address[];
  readonly servers: readonly ExaminedServer[];
}

/** A session with one server; without a probe before there is a socket, and after the end. */
interface Session {
  probe: FilteringProbe | undefined;
  hasAnswered: boolean;
  isOver: boolean;
}

/** See the module. */
export class Examiner implements Machine<ExaminerEvent> {
  readonly #options: ExaminerOptions;
  readonly #endpoint: EndpointMachine;
  readonly #discovery: Discovery;
  readonly #desk = new SocketDesk();
  readonly #events = new Deque<ExaminerEvent>();
  readonly #sessions: readonly (Session | undefined)[];
  readonly #sessionsUntil: Instant;
  #isDiscovered: boolean;
  #isFinished = false;
  #now: Instant;

  constructor(options: ExaminerOptions, now: Instant) {
    this.#options = options;
    this.#now = now;
    const { family, via, localPort, random, pool, stun, servers } = options;
    this.#endpoint = new EndpointMachine({
      ...{ random, pool, sockets: [{ id: via, family }], config: DEFAULT_CONFIG, acceptHook: false },
      identity: keyPairFromSeed(random(32)),
      // It honours no ticket that could expire.
      unixTime: () => 0,
    });
    this.#discovery = new Discovery({ family, via, localPort, random, pool });
    this.#sessions = servers.map((server) => this.#openSession(server));
    this.#sessionsUntil = after(now, SESSION_LIMIT);
    const all = [...stun.map((address): DiscoveryServer => ({ address })), ...discoveryServers(servers)];
    const own = all.filter(({ address }) => address.family === family);
    this.#isDiscovered = own.length === 0;
    for (const server of own) this.#discovery.addServer(server, now);
    this.#proceed();
  }

  // Inputs

  /** Input: part of the contract; of all sockets. */
  receive(datagram: Datagram, now: Instant): void {
    this.#advance(now);
    const kind = datagram.payload.length === 0 ? "foreign" : classify(datagram.payload[0]!);
    if (kind === "stun") this.#discovery.receive(datagram, this.#now);
    else if (kind === "witness") for (const { probe } of this.#open) probe?.receive(datagram);
    else this.#endpoint.receive(datagram, this.#now);
    this.#proceed();
  }

  /** Input: part of the contract. */
  handleTimeout(now: Instant): void {
    this.#advance(now);
    this.#discovery.handleTimeout(this.#now);
    this.#endpoint.handleTimeout(this.#now);
    for (const { probe } of this.#open) probe?.handleTimeout(this.#now);
    this.#proceed();
  }

  /** Input: the sockets that a `sockets-wanted` asked for, or as many as there are. */
  onSockets(request: number, sockets: readonly FreshSocket[], now: Instant): void {
    this.#advance(now);
    this.#desk.onSockets(request, sockets, this.#now);
    this.#proceed();
  }

  // Commands

  /** Ends what is still going on. What is sent afterwards tells servers of it. */
  close(now: Instant): void {
    this.#advance(now);
    for (const { probe } of this.#open) probe?.close(this.#now);
    this.#proceed();
  }

  // Outputs

  /** Output: part of the contract. */
  pollTransmit(now: Instant): Transmit | undefined {
    this.#advance(now);
    return this.#endpoint.pollTransmit(this.#now) ?? this.#discovery.pollTransmit(this.#now);
  }

  /** Output: part of the contract. */
  pollEvent(): ExaminerEvent | undefined {
    return this.#events.shift();
  }

  /** Output: part of the contract. */
  nextTimeout(): Instant | undefined {
    let next = earliest(this.#discovery.nextTimeout(), this.#endpoint.nextTimeout());
    for (const { probe } of this.#open) next = earliest(next, probe?.nextTimeout());
    const isAwaited = this.#open.some(({ hasAnswered, isOver }) => !hasAnswered && !isOver);
    return isAwaited ? earliest(next, this.#sessionsUntil) : next;
  }

  // Getters

  /** What is known of the NAT so far. */
  get profile(): NatProfile {
    return this.#discovery.profile;
  }

  /** The main socket as servers see it, in the order of their answers. */
  get reflexive(): readonly Address[] {
    return this.#discovery.reflexive;
  }

  /** Whether a server has answered; `undefined` until it is known that none does. */
  get answered(): boolean | undefined {
    return this.#discovery.answered;
  }

  /** Whether the profile says how the NAT treats neighbours, rather than that nobody knows. */
  get hairpinTried(): boolean {
    return this.#discovery.hairpinTried;
  }

  /** Whether a session was open with a server, by its place in the list. */
  hasSession(server: number): boolean {
    return this.#sessions[server]?.hasAnswered === true;
  }

  get #open(): readonly Session[] {
    return this.#sessions.filter((session) => session !== undefined);
  }

  /** `undefined` if the server has no address of the family. */
  #openSession({ pin, addresses }: ExaminedServer): Session | undefined {
    const { family, random } = this.#options;
    const address = addresses.find((each) => each.family === family);
    if (address === undefined) return undefined;
    const session: Session = { probe: undefined, hasAnswered: false, isOver: false };
    this.#desk.ask(1, family, ([socket], now) => {
      session.isOver = socket === undefined;
      if (socket === undefined) return;
      const target = { keys: deriveServerKeys(pin), addresses: [address] };
      session.probe = new FilteringProbe({ endpoint: this.#endpoint, target, via: socket.via, random }, now);
    });
    return session;
  }

  #proceed(): void {
    for (let event = this.#discovery.pollEvent(); event !== undefined; event = this.#discovery.pollEvent()) {
      this.#onDiscoveryEvent(event);
    }
    for (const session of this.#open) this.#settle(session);
    for (let event = this.#endpoint.pollEvent(); event !== undefined; event = this.#endpoint.pollEvent()) {
      this.#onEndpointEvent(event);
      // What follows from it may be told by the endpoint in turn.
      for (const session of this.#open) this.#settle(session);
    }
    for (let wish = this.#desk.pollWish(); wish !== undefined; wish = this.#desk.pollWish()) this.#events.push(wish);
    if (this.#isFinished || !this.#isDiscovered || !this.#open.every(({ isOver }) => isOver)) return;
    this.#isFinished = true;
    this.#events.push({ type: "finished" });
  }

  #onEndpointEvent(event: EndpointEvent): void {
    if (event.type !== "connection") return;
    const { connection } = event;
    const session = this.#open.find(({ probe }) => probe?.link.connection === connection);
    session?.probe?.onEvent(event.event, this.#now);
  }

  #onDiscoveryEvent(event: DiscoveryEvent): void {
    switch (event.type) {
      case "socket-wanted":
        this.#desk.ask(1, event.family, ([socket], now) => this.#discovery.onSocket(event.request, socket, now));
        return;
      case "socket-unwanted":
        this.#desk.close([event.via]);
        return;
      case "mapped":
        this.#events.push(event);
        return;
      case "profile":
      case "blocked":
        return;
      case "finished":
        this.#isDiscovered = true;
        return;
    }
  }

  /** Takes what a session has come to, and ends it. */
  #settle(session: Session): void {
    const { probe } = session;
    if (probe === undefined) return;
    session.hasAnswered ||= probe.hasAnswered;
    const isLate = !session.hasAnswered && this.#now >= this.#sessionsUntil;
    if ((probe.isOver || isLate) && !session.isOver) {
      session.isOver = true;
      const { verdict } = probe;
      if (verdict !== undefined && this.profile.filtering === undefined) {
        this.#discovery.onFiltering(verdict, this.#now);
      }
      probe.close(this.#now);
    }
    // The socket is needed until the server has heard of the end.
    if (probe.link.isHeld || !probe.isClosed) return;
    session.probe = undefined;
    session.isOver = true;
    this.#desk.close([probe.via]);
  }

  #advance(now: Instant): void {
    if (now > this.#now) this.#now = now;
  }
}
