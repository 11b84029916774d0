/**
 * Where this side may be reached, as far as it is known at the moment (spec/paths.md#gathering).
 *
 * Theory of operation. Servers are asked by the transport's own sockets, one discovery for each family of addresses, from
 * the first moment on at which somebody needs to be found. Whatever becomes known changes the situation, and whoever has
 * told a peer of an earlier one tells it again. What is not known counts as unknown: nobody waits for it.
 *
 * @module
 */
import type { Situation } from "../connection/situation.ts";
import type { PunchSocket } from "../path/punch/targets.ts";
import { Discovery, type DiscoveryEvent, type DiscoveryServer } from "../stun/discovery/discovery.ts";
import type { BufferPool } from "../util/buffer-pool.ts";
import { type Address, type Datagram, type SocketId, sameAddress, type Transmit } from "../util/machine.ts";
import { earliest, type Instant } from "../util/time.ts";
import { addressScope } from "../wire/address-scope.ts";
import { type Candidate, MAX_CANDIDATES } from "../wire/candidate.ts";
import { type NatBehavior, type NatProfile, UNKNOWN_NAT } from "../wire/nat-profile.ts";
import type { SocketDesk } from "./socket-desk.ts";

// Implementation

/** Addresses of interfaces that are told: some machines have dozens, most of them of no use to anybody. */
const MAX_HOST_CANDIDATES = 4;

/** Addresses of one socket that are told: a NAT that gives each destination another port shows so with two. */
const MAX_REFLEXIVE = 3;

/** One of the transport's own sockets. */
export interface MainSocket {
  readonly id: SocketId;
  readonly family: 4 | 6;
  readonly port: number;
}

/** A port of the router that leads to the main socket. */
export interface MappedPort {
  readonly external: Address;
  /** Who can reach it: everybody, or neighbours behind the same carrier's NAT. */
  readonly reach: "public" | "carrier";
}

/** A socket of a later round, and where servers have seen it. */
export interface SampledSocket {
  readonly via: SocketId;
  readonly mapped: readonly Address[];
}

/** What somebody is told of us. */
export interface Announcement {
  readonly situation: Situation;
  /** The sockets that it speaks of. */
  readonly sockets: readonly PunchSocket[];
}

/** What surroundings are made of. */
export interface SurroundingsOptions {
  readonly sockets: readonly MainSocket[];
  readonly random: (size: number) => Uint8Array;
  readonly pool: BufferPool;
  readonly desk: SocketDesk;
}

interface Family {
  readonly socket: MainSocket;
  readonly group: number;
  discovery: Discovery | undefined;
  /** Those that the discovery uses beside the main one. */
  readonly sockets: Set<SocketId>;
  /** Nothing more will become known, unless another server is asked. */
  isSettled: boolean;
  reflexive: Address[];
  /** The newest mapping that a server has seen of any socket. */
  newest: { readonly address: Address; readonly askedAt: Instant } | undefined;
}

/** See the module. */
export class Surroundings {
  readonly #options: SurroundingsOptions;
  readonly #families: readonly Family[];
  readonly #servers: DiscoveryServer[] = [];
  #hasChanged = false;
  #interfaces: readonly Address[] = [];
  #mappedPort: MappedPort | undefined;
  #routerHost: string | undefined;
  #generation = 0;

  constructor(options: SurroundingsOptions) {
    this.#options = options;
    this.#families = ([4, 6] as const).flatMap((family, group) => {
      const socket = options.sockets.find((each) => each.family === family);
      if (socket === undefined) return [];
      return [
        { socket, group, discovery: undefined, sockets: new Set(), isSettled: false, reflexive: [], newest: undefined },
      ];
    });
  }

  // Inputs

  /** Input: a STUN message. */
  receive(datagram: Datagram, now: Instant): void {
    for (const family of this.#families) {
      family.discovery?.receive(datagram, now);
      this.#proceed(family, now);
    }
  }

  /** Input: time has passed. */
  handleTimeout(now: Instant): void {
    for (const family of this.#families) {
      family.discovery?.handleTimeout(now);
      this.#proceed(family, now);
    }
  }

  /** Input: the addresses of this machine that mean something elsewhere; their ports do not count. */
  onInterfaces(addresses: readonly Address[]): void {
    this.#interfaces = addresses;
    this.#hasChanged = true;
  }

  /**
   * Input: a server sees the transport's own socket there. STUN says the same, unless its answers were lost; or the NAT has
   * forgotten us meanwhile, and all else that was found out may be wrong, too.
   */
  onSeen(address: Address, now: Instant): void {
    const family = this.#family(address.family);
    if (family === undefined || family.reflexive.some((each) => sameAddress(each, address))) return;
    if (family.reflexive.length > 0 && !family.isSettled) return;
    if (family.isSettled) this.#start(family, now);
    family.reflexive = [address];
    this.#hasChanged = true;
    this.#proceed(family, now);
  }

  /** Input: a fresh socket was seen at these, of which the furthest is the newest where ports are given in order. */
  onSample(mapped: readonly Address[], now: Instant): void {
    const family = this.#family(4);
    const isForward = this.profile.step >= 0;
    const sorted = mapped.toSorted((a, b) => (isForward ? b.port - a.port : a.port - b.port));
    const [address] = sorted;
    if (family === undefined || address === undefined) return;
    family.newest = { address, askedAt: now };
    this.#hasChanged = true;
  }

  /** Input: the router has given us a port, or has taken it back. */
  onMappedPort(mapped: MappedPort | undefined): void {
    this.#mappedPort = mapped;
    this.#hasChanged = true;
  }

  /** Input: how the NAT in front of a family filters was found out. */
  onFiltering(family: 4 | 6, filtering: NatBehavior, now: Instant): void {
    const own = this.#family(family);
    if (own === undefined) return;
    own.discovery?.onFiltering(filtering, now);
    this.#proceed(own, now);
  }

  /** Input: the router says that this is its outer address. */
  onRouterAddress(host: string, now: Instant): void {
    this.#routerHost = host;
    for (const family of this.#families) {
      if (family.socket.family === 4) family.discovery?.onRouterAddress(host, now);
      this.#proceed(family, now);
    }
  }

  // Commands

  /** Asks these servers, too. */
  gather(servers: readonly DiscoveryServer[], now: Instant): void {
    const fresh = servers.filter(({ address }) => !this.#servers.some((each) => sameAddress(each.address, address)));
    this.#servers.push(...fresh);
    for (const family of this.#families) {
      if (family.discovery === undefined) this.#start(family, now);
      else for (const server of fresh) this.#ask(family, family.discovery, server, now);
      this.#proceed(family, now);
    }
  }

  /** What we say of ourselves now; each time another generation, since peers believe only later ones. */
  announce(options: { readonly withHosts: boolean; readonly sampled?: readonly SampledSocket[] }): Announcement {
    const { withHosts, sampled } = options;
    const mapped = this.#mappedCandidates();
    const main = sampled === undefined ? this.#families : this.#families.filter(({ socket }) => socket.family === 6);
    const sockets: PunchSocket[] = main.map(({ socket, group }) => ({ via: socket.id, group, family: socket.family }));
    const candidates = [...mapped, ...main.flatMap((family) => this.#reflexiveOf(family))];
    const [ipv4] = this.#families;
    if (sampled !== undefined) {
      // Who comes by the mapped port comes to the main socket.
      if (mapped.length > 0 && ipv4?.socket.family === 4) sockets.push({ via: ipv4.socket.id, group: 0, family: 4 });
      for (const [index, { via, mapped: seen }] of sampled.entries()) {
        const group = this.#families.length + index;
        sockets.push({ via, group, family: 4 });
        candidates.push(...reflexive(seen, group));
      }
    } else {
      candidates.push(...this.#predicted());
    }
    candidates.push(...this.#hostCandidates(withHosts));
    this.#generation += 1;
    const list = distinct(candidates).slice(0, MAX_CANDIDATES);
    return { situation: { generation: this.#generation, candidates: list, profile: this.profile }, sockets };
  }

  /** Nobody wants to know any more. What was found out is forgotten: it may be another network next time. */
  stop(): void {
    for (const family of this.#families) {
      family.discovery = undefined;
      this.#options.desk.close([...family.sockets]);
      family.sockets.clear();
    }
    this.#servers.length = 0;
  }

  // Outputs

  /** Output: part of the machine's contract. */
  pollTransmit(now: Instant): Transmit | undefined {
    for (const { discovery } of this.#families) {
      const transmit = discovery?.pollTransmit(now);
      if (transmit !== undefined) return transmit;
    }
    return undefined;
  }

  /** Output: whether something has changed since the last question. */
  takeChange(): boolean {
    const hasChanged = this.#hasChanged;
    this.#hasChanged = false;
    return hasChanged;
  }

  /** Output: part of the machine's contract. */
  nextTimeout(): Instant | undefined {
    let next: Instant | undefined;
    for (const { discovery } of this.#families) next = earliest(next, discovery?.nextTimeout());
    return next;
  }

  // Getters

  /** What is known of the NATs on the way of IPv4, or of IPv6 if there is nothing else. */
  get profile(): NatProfile {
    const ipv6 = this.#family(6)?.discovery;
    const profile = this.#family(4)?.discovery?.profile ?? ipv6?.profile ?? UNKNOWN_NAT;
    return { ...profile, isIpv6Blocked: ipv6?.answered === false };
  }

  /** Families of which nobody knows how they are filtered. */
  get unfiltered(): readonly (4 | 6)[] {
    const open = this.#families.filter(({ discovery }) => discovery?.profile.filtering === undefined);
    return open.map(({ socket }) => socket.family);
  }

  /** Where servers see the main socket of IPv4, or that of IPv6. */
  get reflexive(): readonly Address[] {
    return this.#families.flatMap((family) => family.reflexive);
  }

  /** Whether servers were asked, and none has answered by either family. */
  get isBlocked(): boolean {
    const asked = this.#families.filter(({ socket }) =>
      this.#servers.some(({ address }) => address.family === socket.family),
    );
    return asked.length > 0 && asked.every(({ discovery }) => discovery?.answered === false);
  }

  /** Whether the servers that were asked can tell nothing more. */
  get isSettled(): boolean {
    return this.#families.every(
      ({ socket, isSettled }) => isSettled || !this.#servers.some(({ address }) => address.family === socket.family),
    );
  }

  /** Whether the next port of a mapping can be foretold from a fresh sample. */
  get isPredictable(): boolean {
    const { mapping, allocator } = this.profile;
    return allocator === "sequential" && mapping !== "endpoint-independent";
  }

  /** Servers of IPv4 to ask about further sockets, two at most. */
  get samplingServers(): readonly Address[] {
    const ipv4 = this.#servers.filter(({ address }) => address.family === 4).map(({ address }) => address);
    const [first] = ipv4;
    const other = ipv4.find((each) => each.host !== first?.host);
    return [first, other].filter((each) => each !== undefined);
  }

  #family(family: 4 | 6): Family | undefined {
    return this.#families.find(({ socket }) => socket.family === family);
  }

  #start(family: Family, now: Instant): void {
    const { random, pool } = this.#options;
    const { id: via, port: localPort } = family.socket;
    const discovery = new Discovery({ family: family.socket.family, via, localPort, random, pool });
    family.discovery = discovery;
    family.isSettled = false;
    family.reflexive = [];
    for (const server of this.#servers) this.#ask(family, discovery, server, now);
    if (this.#routerHost !== undefined && family.socket.family === 4) {
      discovery.onRouterAddress(this.#routerHost, now);
    }
  }

  #ask(family: Family, discovery: Discovery, server: DiscoveryServer, now: Instant): void {
    if (server.address.family !== family.socket.family) return;
    family.isSettled = false;
    discovery.addServer(server, now);
  }

  #proceed(family: Family, now: Instant): void {
    const { discovery } = family;
    if (discovery === undefined) return;
    for (let event = discovery.pollEvent(); event !== undefined; event = discovery.pollEvent()) {
      this.#onEvent(family, discovery, event, now);
    }
  }

  #onEvent(family: Family, discovery: Discovery, event: DiscoveryEvent, _now: Instant): void {
    switch (event.type) {
      case "socket-wanted":
        this.#options.desk.ask(1, event.family, ([socket], now) => {
          if (family.discovery !== discovery) {
            if (socket !== undefined) this.#options.desk.close([socket.via]);
            return;
          }
          if (socket !== undefined) family.sockets.add(socket.via);
          discovery.onSocket(event.request, socket, now);
          this.#proceed(family, now);
        });
        return;
      case "socket-unwanted":
        family.sockets.delete(event.via);
        this.#options.desk.close([event.via]);
        return;
      case "mapped": {
        const { via, address, askedAt } = event;
        if (family.newest === undefined || family.newest.askedAt <= askedAt) family.newest = { address, askedAt };
        if (via !== family.socket.id || family.reflexive.some((each) => sameAddress(each, address))) return;
        family.reflexive = [...family.reflexive, address].slice(0, MAX_REFLEXIVE);
        this.#hasChanged = true;
        return;
      }
      case "profile":
      case "blocked":
        this.#hasChanged = true;
        return;
      case "finished":
        family.isSettled = true;
        return;
    }
  }

  #reflexiveOf({ reflexive: seen, group }: Family): readonly Candidate[] {
    return reflexive(seen, group);
  }

  #mappedCandidates(): readonly Candidate[] {
    if (this.#mappedPort === undefined) return [];
    const { external: address, reach } = this.#mappedPort;
    return [{ kind: reach === "carrier" ? "carrier" : "mapped", address, group: 0 }];
  }

  /** The port after the newest one, where ports are given in order. */
  #predicted(): readonly Candidate[] {
    const newest = this.#family(4)?.newest;
    if (newest === undefined || !this.isPredictable) return [];
    const port = newest.address.port + this.profile.step;
    if (port < 1 || port > 0xffff) return [];
    return [{ kind: "predicted", address: { ...newest.address, port }, group: 0 }];
  }

  /** Global IPv6 addresses need no translation; what else interfaces have is for neighbours only. */
  #hostCandidates(withHosts: boolean): readonly Candidate[] {
    const known = this.reflexive;
    return this.#interfaces
      .filter(({ host, family }) => withHosts || (family === 6 && addressScope(host) === "global"))
      .filter(({ host }) => !known.some((each) => each.host === host))
      .slice(0, MAX_HOST_CANDIDATES)
      .flatMap(({ host, family }): readonly Candidate[] => {
        const own = this.#family(family);
        if (own === undefined) return [];
        return [{ kind: "host", address: { host, family, port: own.socket.port }, group: own.group }];
      });
  }
}

function reflexive(seen: readonly Address[], group: number): readonly Candidate[] {
  return seen.map((address): Candidate => ({ kind: "reflexive", address, group }));
}

function distinct(candidates: readonly Candidate[]): readonly Candidate[] {
  return candidates.filter(
    (candidate, index) =>
      candidates.findIndex(
        ({ kind, address }) => kind === candidate.kind && sameAddress(address, candidate.address),
      ) === index,
  );
}
