/**
 * Finds out what the NAT in front of one family of addresses does, without anybody waiting for it (RFC 5780 §4).
 *
 * Theory of operation. All servers are asked at once by the transport's own socket. The first answer gives an address to
 * be reached at and starts everything else, side by side: the other addresses of that server (mapping), a fresh socket
 * that asks for answers from elsewhere (filtering), a row of fresh sockets (allocator), and two of those that write to each
 * other (hairpin). Each result is told as soon as it is there; what is not known is `undefined` in the profile, and whoever
 * plans with it assumes the worst. With 40 ms to the server mapping is known after 80 ms, the allocator after 160 ms, and
 * the filter, which takes silence to prove, after 1.1 s.
 *
 * Fresh sockets are asked for by events, which the owner answers with {@link Discovery.onSocket}. He opens them like the
 * transport's own and hands on all that they receive.
 *
 * @module
 */
import type { BufferPool } from "../../util/buffer-pool.ts";
import { Deque } from "../../util/deque.ts";
import type { Address, Datagram, Machine, SocketId, Transmit } from "../../util/machine.ts";
import { type Duration, earliest, type Instant } from "../../util/time.ts";
import { addressScope } from "../../wire/address-scope.ts";
import { type NatBehavior, type NatProfile, UNKNOWN_NAT } from "../../wire/nat-profile.ts";
import { StunClient, type StunClientEvent, type StunRequest } from "../client.ts";
import { AllocatorTest, type MappedSocket } from "./allocator-test.ts";
import type { DiscoveryContext, DiscoveryTest, FreshSocket } from "./context.ts";
import { FilteringTest } from "./filtering-test.ts";
import { HairpinTest } from "./hairpin-test.ts";
import { isOtherAddress, MappingTest } from "./mapping-test.ts";

// Implementation

/** Servers that are asked: more tell nothing more. */
export const MAX_DISCOVERY_SERVERS = 8;

/** Fresh sockets of one discovery: thirty samples of a block, and the filter's. */
export const MAX_FRESH_SOCKETS = 32;

/** A server to ask. */
export interface DiscoveryServer {
  readonly address: Address;
  /** Its other address, if that is known beforehand. */
  readonly other?: Address;
}

/** What the owner is told, and asked for. */
export type DiscoveryEvent =
  /** Open a socket of this family and answer with {@link Discovery.onSocket}. */
  | { readonly type: "socket-wanted"; readonly request: number; readonly family: 4 | 6 }
  /** The socket is of no more use to the discovery. */
  | { readonly type: "socket-unwanted"; readonly via: SocketId }
  /** How a server sees a socket, the main one or a fresh one. */
  | {
      readonly type: "mapped";
      readonly via: SocketId;
      readonly server: Address;
      readonly address: Address;
      readonly rtt: Duration | undefined;
      readonly askedAt: Instant;
    }
  /** More is known than before. */
  | { readonly type: "profile"; readonly profile: NatProfile }
  /** No server has answered the main socket. */
  | { readonly type: "blocked" }
  /** Nothing more will become known. */
  | { readonly type: "finished" };

/** What it takes to discover. */
export interface DiscoveryOptions {
  readonly family: 4 | 6;
  /** The transport's own socket, and its port. */
  readonly via: SocketId;
  readonly localPort: number;
  readonly random: (size: number) => Uint8Array;
  readonly pool: BufferPool;
  /** Only the main socket asks: addresses and mapping. */
  readonly addressesOnly?: boolean;
}

/** See the module. */
export class Discovery implements Machine<DiscoveryEvent>, DiscoveryContext {
  readonly #options: DiscoveryOptions;
  readonly #client: StunClient;
  readonly #events = new Deque<DiscoveryEvent>();
  /** Who asked, by request. */
  readonly #askers = new Map<number, DiscoveryTest>();
  /** Who asked for a socket, by request. */
  readonly #takers = new Map<number, DiscoveryTest>();
  readonly #mapping: MappingTest;
  #filtering: FilteringTest | undefined;
  #allocator: AllocatorTest | undefined;
  #hairpin: HairpinTest | undefined;
  #servers = 0;
  #socketRequests = 0;
  #profile = UNKNOWN_NAT;
  #learnedFiltering: NatBehavior | undefined;
  #routerHost: string | undefined;
  #isFinished = false;
  #now = 0 as Instant;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
    this.#client = new StunClient({ random: options.random, pool: options.pool });
    this.#mapping = new MappingTest(this, options.via);
  }

  /** Input: part of the contract; of all sockets. What is no answer to a question of ours is passed over. */
  receive(datagram: Datagram, now: Instant): void {
    this.#tick(now);
    const { via, payload, segmentSize } = datagram;
    for (let start = 0; this.#hairpin !== undefined && start < payload.length; start += segmentSize) {
      this.#hairpin.receive(via, payload.subarray(start, start + segmentSize));
    }
    this.#client.receive(datagram, this.#now);
    this.#proceed();
  }

  /** Input: part of the contract. */
  handleTimeout(now: Instant): void {
    this.#tick(now);
    this.#client.handleTimeout(this.#now);
    this.#allocator?.handleTimeout(this.#now);
    this.#hairpin?.handleTimeout(this.#now);
    this.#proceed();
  }

  /** Input: the socket that was asked for; `undefined` if there is none to be had. */
  onSocket(request: number, socket: FreshSocket | undefined, now: Instant): void {
    this.#tick(now);
    const taker = this.#takers.get(request);
    this.#takers.delete(request);
    if (taker !== undefined) taker.onSocket(socket, this.#now);
    else if (socket !== undefined) this.closeSocket(socket.via);
    this.#proceed();
  }

  /** Input: the router says that this is its outer address (port mapping protocols do). */
  onRouterAddress(host: string, now: Instant): void {
    this.#tick(now);
    this.#routerHost = host;
    this.#proceed();
  }

  /** Input: how the NAT filters was found out by other means. */
  onFiltering(filtering: NatBehavior, now: Instant): void {
    this.#tick(now);
    this.#learnedFiltering = filtering;
    this.#proceed();
  }

  /** Command: asks one more server, by the main socket first. */
  addServer(server: DiscoveryServer, now: Instant): void {
    this.#tick(now);
    if (server.address.family !== this.#options.family || this.#servers >= MAX_DISCOVERY_SERVERS) return;
    this.#servers += 1;
    this.#isFinished = false;
    this.#mapping.ask(server.address, server.other);
  }

  /** Command: part of {@link DiscoveryContext}, for its tests. */
  ask(request: StunRequest, test: DiscoveryTest): boolean {
    const number = this.#client.request(request, this.#now);
    if (number !== undefined) this.#askers.set(number, test);
    return number !== undefined;
  }

  /** Command: part of {@link DiscoveryContext}, for its tests. */
  openSocket(test: DiscoveryTest): void {
    if (this.#socketRequests >= MAX_FRESH_SOCKETS) {
      test.onSocket(undefined, this.#now);
      return;
    }
    this.#socketRequests += 1;
    this.#takers.set(this.#socketRequests, test);
    this.#events.push({ type: "socket-wanted", request: this.#socketRequests, family: this.#options.family });
  }

  /** Command: part of {@link DiscoveryContext}, for its tests. */
  closeSocket(via: SocketId): void {
    this.#client.cancelSocket(via);
    this.#events.push({ type: "socket-unwanted", via });
  }

  /** Output: part of the contract. */
  pollTransmit(now: Instant): Transmit | undefined {
    this.#tick(now);
    return this.#client.pollTransmit(this.#now) ?? this.#hairpin?.pollTransmit();
  }

  /** Output: part of the contract. */
  pollEvent(): DiscoveryEvent | undefined {
    return this.#events.shift();
  }

  /** Output: part of the contract. */
  nextTimeout(): Instant | undefined {
    const next = earliest(this.#client.nextTimeout(), this.#allocator?.nextTimeout());
    return earliest(next, this.#hairpin?.nextTimeout());
  }

  /** What is known so far. */
  get profile(): NatProfile {
    return this.#profile;
  }

  /** The main socket as servers see it, in the order of their answers. */
  get reflexive(): readonly Address[] {
    return this.#mapping.observations.map((each) => each.mapped);
  }

  /** Whether a server has answered, be it that it refuses to; `undefined` until it is known that none does. */
  get answered(): boolean | undefined {
    if (this.#mapping.hasAnswer) return true;
    return this.#servers > 0 && this.#mapping.isFinished ? false : undefined;
  }

  /** Whether the profile says how the NAT treats neighbours, rather than that nobody knows. */
  get hairpinTried(): boolean {
    return this.#hairpin?.verdict !== undefined;
  }

  /** After each input: hands out what was heard, starts what can be started, tells what is new. */
  #proceed(): void {
    for (let event = this.#client.pollEvent(); event !== undefined; event = this.#client.pollEvent()) {
      const asker = this.#askers.get(event.request);
      this.#askers.delete(event.request);
      if (event.type === "answered") this.#onAnswer(event, asker);
      asker?.onOutcome(event, this.#now);
    }
    this.#startHairpin();
    this.#tellProfile();
    this.#tellEnd();
  }

  #onAnswer(event: StunClientEvent & { readonly type: "answered" }, asker: DiscoveryTest | undefined): void {
    const { via, server, mapped: address, rtt, askedAt, other } = event;
    const { family, localPort } = this.#options;
    if (address.family !== family) return;
    this.#events.push({ type: "mapped", via, server, address, rtt, askedAt });
    if (asker !== this.#mapping || this.#options.addressesOnly === true) return;
    this.#allocator ??= new AllocatorTest(this, { address: server, rtt }, this.#now);
    this.#allocator.learn(event, localPort);
    this.#allocator.handleTimeout(this.#now);
    if (this.#filtering !== undefined || other === undefined || !isOtherAddress(server, other)) return;
    if (other.host === server.host || other.port === server.port) return;
    this.#filtering = new FilteringTest({
      context: this,
      server: { address: server, rtt },
      other,
      onPlainAnswer: (answer, socket) => {
        if (answer.type === "answered") this.#allocator?.learn(answer, socket.localPort);
      },
    });
  }

  #startHairpin(): void {
    const sockets = this.#allocator?.mappedSockets ?? [];
    const [a, b] = sockets;
    if (this.#hairpin !== undefined || a === undefined || b === undefined) return;
    const pair: readonly [MappedSocket, MappedSocket] = [a, b];
    const { random, pool } = this.#options;
    this.#hairpin = new HairpinTest({ random, pool, sockets: pair, now: this.#now });
  }

  #tellProfile(): void {
    const [outer] = this.reflexive;
    const router = this.#routerHost === undefined ? undefined : addressScope(this.#routerHost);
    // What the router has for an outer address is not what servers see, or nothing that anybody sees.
    const isElsewhere =
      outer !== undefined && outer.family === 4 && router !== undefined && outer.host !== this.#routerHost;
    const { allocator, step, poolFirst, poolSize, foreignFlows } = this.#allocator?.verdict ?? UNKNOWN_NAT;
    const profile: NatProfile = {
      ...UNKNOWN_NAT,
      mapping: this.#mapping.verdict,
      filtering: this.#learnedFiltering ?? this.#filtering?.verdict,
      allocator,
      step,
      poolFirst,
      poolSize,
      foreignFlows: Math.min(foreignFlows, 0xff),
      hairpin: this.#hairpin?.verdict === true,
      isCarrierGrade: router === "carrier",
      isDoubleNat: router === "carrier" || router === "private" || isElsewhere,
    };
    const isNew = (Object.keys(profile) as (keyof NatProfile)[]).some((key) => profile[key] !== this.#profile[key]);
    if (!isNew) return;
    this.#profile = profile;
    this.#events.push({ type: "profile", profile });
  }

  #tellEnd(): void {
    if (this.#isFinished || this.#servers === 0 || !this.#mapping.isFinished) return;
    if (this.answered === false) {
      this.#isFinished = true;
      this.#events.push({ type: "blocked" });
    } else {
      if (this.#allocator?.isFinished === false || this.#filtering?.isFinished === false) return;
      if (this.#hairpin !== undefined && this.#hairpin.verdict === undefined) return;
      this.#isFinished = true;
      this.#allocator?.close();
    }
    this.#events.push({ type: "finished" });
  }

  #tick(now: Instant): void {
    if (now > this.#now) this.#now = now;
  }
}
