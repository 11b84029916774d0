/**
 * A NAT as two independent choices, mapping and filtering, each by address, by address and port, or by neither
 * (RFC 4787 §4.1, §5).
 *
 * Theory of operation. A packet from inside finds or makes a mapping: internal endpoint, plus as much of the destination
 * as the mapping depends on, to an external port. It also permits its destination, as far as filtering looks at it. A
 * packet from outside passes if its port has a mapping and its source is permitted. Mappings and permissions expire
 * `lifetime` after the last packet from inside (RFC 4787 §4.3 REQ-6: outbound refresh), or, if `inboundRefresh` is set, after the last in
 * either direction. A packet whose hop limit ends here leaves no trace: routers look at it before they translate.
 *
 * IPv6 is not translated but filtered, as home routers do (RFC 6092 §3.2.3): the mapping of an IPv6 endpoint is the endpoint
 * itself, and the rest is as above.
 *
 * NATs nest: one that lies behind another has its external address in the other's inside.
 *
 * @module
 */
import { type Address, formatAddress } from "../util/machine.ts";
import type { Duration, Instant } from "../util/time.ts";
import type { Environment } from "./environment.ts";
import { Link } from "./link.ts";
import { bothDirections, type DuplexLinkOptions } from "./link-options.ts";
import { type Gateway, Network, type NetworkNode } from "./network.ts";
import type { Packet } from "./packet.ts";
import { type PortAllocation, PortAllocator } from "./port-allocator.ts";

/** How much of the remote address a mapping or a filter depends on (RFC 4787 §4.1, §5). */
export type Behavior = "endpoint-independent" | "address-dependent" | "address-and-port-dependent";

/** All three, for tests that go through every combination. */
export const BEHAVIORS: readonly Behavior[] = [
  "endpoint-independent",
  "address-dependent",
  "address-and-port-dependent",
];

/** A NAT to add to a world. */
export interface NatOptions {
  readonly name: string;
  /** External IPv4 address, in the network around it. */
  readonly address: string;
  /** The NAT that this one lies behind, for example a carrier's; by default none. */
  readonly behind?: Nat;
  /** Endpoint-independent by default (RFC 4787 §4.1 REQ-1). */
  readonly mapping?: Behavior;
  /** Address-and-port-dependent by default: the strictest and the commonest. */
  readonly filtering?: Behavior;
  /** What a permission belongs to: the internal endpoint, as RFC 4787 §5 words it (default), or one mapping, as in Linux. */
  readonly filterScope?: "endpoint" | "mapping";
  /** Port preserving with a random fallback by default. */
  readonly ports?: PortAllocation;
  /** Whether one external port may serve several mappings of different remotes (RFC 4787 §4.2.1 forbids it). */
  readonly overloading?: boolean;
  /** Whether an answer leaves through the mapping by which the question came in, as in Linux. */
  readonly replyAffinity?: boolean;
  /** How long a mapping lives without traffic, 120 s by default (RFC 4787 §4.3 REQ-5). */
  readonly lifetime?: Duration;
  /** Whether packets from outside keep a mapping alive too (RFC 4787 §4.3 REQ-6 allows it). */
  readonly inboundRefresh?: boolean;
  /** Whether a packet from inside to an external address of this NAT comes back in (RFC 4787 §6). */
  readonly hairpin?: boolean;
  /** Mappings beyond this are refused. */
  readonly maxMappings?: number;
  /** The link on its outer side; perfect by default. */
  readonly link?: DuplexLinkOptions;
}

/** What a NAT has done so far, in packets. */
export interface NatCounters {
  /** Passed from inside to outside. */
  outbound: number;
  /** Passed to the inside, those that were turned around included. */
  inbound: number;
  /** Turned around (RFC 4787 §6). */
  hairpinned: number;
  /** Dropped: from outside, to a port without mapping. */
  unmapped: number;
  /** Dropped: from outside, from a source that is not permitted. */
  filtered: number;
  /** Dropped: from inside, and neither port nor mapping was free. */
  exhausted: number;
  /** Dropped: from inside to the own address, without hairpinning. */
  hairpinRefused: number;
  /** Dropped: the hop limit ended here. */
  expired: number;
}

/** A mapping, as far as tests may see it. */
export interface NatMapping {
  readonly internal: Address;
  readonly external: Address;
}

/** Permitted sources and when each was refreshed last. */
type Permissions = Map<string, Instant>;

interface Mapping extends NatMapping {
  /** Key in the table of mappings from inside. */
  readonly key: string;
  /** The part of the remote address that the mapping depends on. */
  readonly scope: string;
  readonly permissions: Permissions;
  refreshedAt: Instant;
}

// Specification

/** RFC 4787 §4.3 REQ-5: not less than 2 minutes. */
const DEFAULT_LIFETIME: Duration = 120_000;

/** A NAT, which is a node in the network around it and the gateway of the network inside it. */
export class Nat implements NetworkNode, Gateway {
  readonly name: string;
  /** The network behind it. */
  readonly inside: Network;
  /** Towards the outside and from it. */
  readonly link: { readonly up: Link; readonly down: Link };
  readonly counters: NatCounters = {
    outbound: 0,
    inbound: 0,
    hairpinned: 0,
    unmapped: 0,
    filtered: 0,
    exhausted: 0,
    hairpinRefused: 0,
    expired: 0,
  };

  readonly #options: NatOptions;
  readonly #environment: Environment;
  readonly #outside: Network;
  readonly #allocator: PortAllocator;
  #address: string;
  readonly #byInternal = new Map<string, Mapping>();
  /** Usually one each; several only with overloading. */
  readonly #byExternal = new Map<string, Mapping[]>();
  /** Internal endpoint and remote → mapping by which that remote came in. */
  readonly #affinity = new Map<string, Mapping>();
  /** Permissions by internal endpoint, for that scope. */
  readonly #permissions = new Map<string, Permissions>();
  /** Ports in use before {@link rebind}, not to be used again. */
  #retiredPorts: ReadonlySet<number> = new Set();

  constructor(options: NatOptions, environment: Environment, internet: Network) {
    this.name = options.name;
    this.#options = options;
    this.#environment = environment;
    this.#outside = options.behind?.inside ?? internet;
    this.#address = options.address;
    this.#allocator = new PortAllocator(
      options.ports ?? { kind: "preserving" },
      environment.rng.fork(`nat ${this.name}`),
    );
    this.inside = new Network({ name: `${this.name} inside`, environment, hops: 0, gateway: this });
    const { up, down } = bothDirections(options.link ?? {});
    this.link = {
      up: new Link({
        name: `${this.name} up`,
        environment,
        conditions: up,
        deliver: (packet) => this.#outside.carry(packet),
        defers: false,
      }),
      down: new Link({
        name: `${this.name} down`,
        environment,
        conditions: down,
        deliver: (packet) => this.#enter(packet),
        defers: false,
      }),
    };
    this.#outside.attach(this.#address, this);
  }

  /** Input: a packet from outside. */
  arrive(packet: Packet): void {
    this.link.down.send(packet);
  }

  /** Input: a packet from inside. */
  leave(packet: Packet): void {
    if (this.#expires(packet)) return;
    const isHairpin = packet.to.host === this.#address;
    if (isHairpin && this.#options.hairpin !== true) {
      this.#drop("hairpinRefused", packet);
      return;
    }
    const mapping = this.#mappingFor(packet);
    if (mapping === undefined) {
      this.#drop("exhausted", packet);
      return;
    }
    const now = this.#environment.timeline.now;
    mapping.refreshedAt = now;
    mapping.permissions.set(scope(this.#filtering, packet.to), now);
    packet.from = mapping.external;
    if (isHairpin) {
      this.counters.hairpinned += 1;
      this.#translateIn(packet);
      return;
    }
    this.counters.outbound += 1;
    this.link.up.send(packet);
  }

  /** Command: forgets all mappings and permissions, as after a power cut. Ports are chosen as on the first day. */
  reboot(): void {
    this.#forgetAll();
    this.#retiredPorts = new Set();
    this.#allocator.restart();
    this.#environment.trace.note("action", this.name, "reboot");
  }

  /** Command: forgets all mappings and permissions, and gives new mappings other ports; if asked, at another address. */
  rebind(options: { readonly address?: string } = {}): void {
    const ports = new Set(this.#retiredPorts);
    for (const mapping of this.#byInternal.values()) ports.add(mapping.external.port);
    this.#forgetAll();
    this.#retiredPorts = ports;
    if (options.address !== undefined && options.address !== this.#address) {
      this.#outside.attach(options.address, this);
      this.#outside.detach(this.#address);
      this.#address = options.address;
    }
    this.#environment.trace.note("action", this.name, "rebind");
  }

  /** Command: part of {@link Gateway}. */
  announce(host: string): void {
    this.#outside.attach(host, this);
  }

  /** Command: part of {@link Gateway}. */
  withdraw(host: string): void {
    this.#outside.detach(host);
  }

  /** The live mappings. */
  mappings(): readonly NatMapping[] {
    return [...this.#byInternal.values()].filter((mapping) => this.#isFresh(mapping.refreshedAt));
  }

  /** External IPv4 address. */
  get address(): string {
    return this.#address;
  }

  get #filtering(): Behavior {
    return this.#options.filtering ?? "address-and-port-dependent";
  }

  /** A packet has come down the outer link. */
  #enter(packet: Packet): void {
    if (this.#expires(packet)) return;
    this.#translateIn(packet);
  }

  #translateIn(packet: Packet): void {
    const candidates = this.#byExternal.get(formatAddress(packet.to))?.filter((m) => this.#isFresh(m.refreshedAt));
    if (candidates === undefined || candidates.length === 0) {
      this.#drop("unmapped", packet);
      return;
    }
    const permitted = candidates.filter((mapping) => this.#isPermitted(mapping, packet.from));
    // With overloading, the mapping that was made for this very remote goes first.
    const own = scope(this.#mappingBehavior(packet.from), packet.from);
    const mapping = permitted.find((candidate) => candidate.scope === own) ?? permitted[0];
    if (mapping === undefined) {
      this.#drop("filtered", packet);
      return;
    }
    if (this.#options.inboundRefresh === true) {
      mapping.refreshedAt = this.#environment.timeline.now;
      mapping.permissions.set(scope(this.#filtering, packet.from), mapping.refreshedAt);
    }
    if (this.#options.replyAffinity === true) this.#affinity.set(flowKey(mapping.internal, packet.from), mapping);
    this.counters.inbound += 1;
    packet.to = mapping.internal;
    this.inside.carry(packet);
  }

  #isPermitted(mapping: Mapping, from: Address): boolean {
    const refreshedAt = mapping.permissions.get(scope(this.#filtering, from));
    return refreshedAt !== undefined && this.#isFresh(refreshedAt);
  }

  #isFresh(refreshedAt: Instant): boolean {
    return this.#environment.timeline.now - refreshedAt < (this.#options.lifetime ?? DEFAULT_LIFETIME);
  }

  /** The live mapping for a packet from inside, made if need be. */
  #mappingFor(packet: Packet): Mapping | undefined {
    const affine = this.#affinity.get(flowKey(packet.from, packet.to));
    if (affine !== undefined && this.#isFresh(affine.refreshedAt)) return affine;
    const remoteScope = scope(this.#mappingBehavior(packet.from), packet.to);
    const key = `${formatAddress(packet.from)}|${remoteScope}`;
    const known = this.#byInternal.get(key);
    if (known !== undefined) {
      if (this.#isFresh(known.refreshedAt)) return known;
      this.#forget(known);
    }
    return this.#map(packet.from, { key, scope: remoteScope });
  }

  #map(internal: Address, { key, scope }: { key: string; scope: string }): Mapping | undefined {
    const { maxMappings = Number.POSITIVE_INFINITY, filterScope = "endpoint" } = this.#options;
    if (this.#byInternal.size >= maxMappings) this.#forgetExpired();
    if (this.#byInternal.size >= maxMappings) return undefined;
    const external = this.#externalFor(internal, scope);
    if (external === undefined) return undefined;
    const permissions = filterScope === "mapping" ? new Map() : this.#endpointPermissions(formatAddress(internal));
    const mapping = { internal, external, key, scope, permissions, refreshedAt: this.#environment.timeline.now };
    this.#byInternal.set(key, mapping);
    const place = formatAddress(external);
    const others = this.#byExternal.get(place);
    if (others === undefined) this.#byExternal.set(place, [mapping]);
    else others.push(mapping);
    return mapping;
  }

  #externalFor(internal: Address, remoteScope: string): Address | undefined {
    if (internal.family === 6) return internal;
    const host = this.#address;
    const port = this.#allocator.allocate(internal.port, (candidate) => {
      if (this.#retiredPorts.has(candidate)) return false;
      const holders = this.#byExternal.get(formatAddress({ host, port: candidate, family: 4 })) ?? [];
      for (const holder of [...holders]) if (!this.#isFresh(holder.refreshedAt)) this.#forget(holder);
      if (this.#options.overloading !== true) return holders.length === 0;
      return holders.every((holder) => holder.scope !== remoteScope);
    });
    return port === undefined ? undefined : { host, port, family: 4 };
  }

  #endpointPermissions(endpoint: string): Permissions {
    let permissions = this.#permissions.get(endpoint);
    if (permissions === undefined) {
      permissions = new Map();
      this.#permissions.set(endpoint, permissions);
    }
    return permissions;
  }

  #mappingBehavior(address: Address): Behavior {
    if (address.family === 6) return "endpoint-independent";
    return this.#options.mapping ?? "endpoint-independent";
  }

  #forget(mapping: Mapping): void {
    this.#byInternal.delete(mapping.key);
    const place = formatAddress(mapping.external);
    const holders = this.#byExternal.get(place);
    if (holders === undefined) return;
    const index = holders.indexOf(mapping);
    if (index !== -1) holders.splice(index, 1);
    if (holders.length === 0) this.#byExternal.delete(place);
  }

  #forgetExpired(): void {
    for (const mapping of [...this.#byInternal.values()]) {
      if (!this.#isFresh(mapping.refreshedAt)) this.#forget(mapping);
    }
  }

  #forgetAll(): void {
    this.#byInternal.clear();
    this.#byExternal.clear();
    this.#affinity.clear();
    this.#permissions.clear();
  }

  /** RFC 1812 §5.3.1: a router takes 1 from the hop limit and drops what has none left. */
  #expires(packet: Packet): boolean {
    packet.ttl -= 1;
    if (packet.ttl > 0) return false;
    this.#drop("expired", packet);
    return true;
  }

  #drop(counter: "unmapped" | "filtered" | "exhausted" | "hairpinRefused" | "expired", packet: Packet): void {
    this.counters[counter] += 1;
    this.#environment.trace.packet("drop", this.name, counter, packet);
  }
}

/** The part of a remote address that a behaviour depends on. */
function scope(behavior: Behavior, remote: Address): string {
  switch (behavior) {
    case "endpoint-independent":
      return "*";
    case "address-dependent":
      return remote.host;
    case "address-and-port-dependent":
      return formatAddress(remote);
  }
}

function flowKey(internal: Address, remote: Address): string {
  return `${formatAddress(internal)}|${formatAddress(remote)}`;
}
