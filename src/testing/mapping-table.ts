/**
 * The state of a NAT: mappings, and who may come in by them (RFC 4787 §4.1, §5).
 *
 * Theory of operation. A packet from inside finds or makes a mapping: internal endpoint, plus as much of the destination
 * as the mapping depends on, to an external port. It also permits its destination, as far as filtering looks at it. A
 * packet from outside passes if its port has a mapping and its source is permitted. Mappings and permissions expire
 * `lifetime` after the last packet from inside, or, if `inboundRefresh` is set, in either direction (RFC 4787 §4.3).
 * The mapping of an IPv6 endpoint is the endpoint itself.
 *
 * A flow that the router itself has taken for an unsolicited packet is lost to the hosts inside: what they send to that
 * remote leaves by a mapping of its own, with another port.
 *
 * @module
 */
import { type Address, formatAddress } from "../util/machine.ts";
import { after, type Duration, type Instant } from "../util/time.ts";
import type { Behavior, NatMapping, NatOptions } from "./nat-options.ts";
import type { PortAllocator } from "./port-allocator.ts";
import type { Rng } from "./rng.ts";
import type { Timeline } from "./timeline.ts";
import type { UnsolicitedPackets } from "./unsolicited.ts";

/** Permitted sources, as far as filtering looks at them, and when each was refreshed last. */
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

/** RFC 4787 §4.3: not less than 2 minutes. */
const DEFAULT_LIFETIME: Duration = 120_000;

/** All mappings and permissions of one NAT. */
export class MappingTable {
  /** Flows that had to leave by another port than usual. */
  displaced = 0;

  readonly #options: NatOptions;
  readonly #timeline: Timeline;
  readonly #allocator: PortAllocator;
  readonly #rng: Rng;
  readonly #unsolicited: UnsolicitedPackets;
  readonly #mapping: Behavior;
  readonly #filtering: Behavior;
  readonly #lifetime: Duration;
  readonly #byInternal = new Map<string, Mapping>();
  /** Usually one each; several only with overloading. */
  readonly #byExternal = new Map<string, Mapping[]>();
  /** Internal endpoint and remote → mapping by which that remote came in, or that the flow was displaced to. */
  readonly #affinity = new Map<string, Mapping>();
  /** Permissions that belong to an internal endpoint. */
  readonly #permissions = new Map<string, Permissions>();
  /** Ports that are not to be used again. */
  #retiredPorts: ReadonlySet<number> = new Set();
  /** When somebody else behind this NAT makes the next mapping. */
  #nextForeignAt: Instant;

  constructor(
    options: NatOptions,
    parts: { timeline: Timeline; allocator: PortAllocator; rng: Rng; unsolicited: UnsolicitedPackets },
  ) {
    this.#options = options;
    this.#timeline = parts.timeline;
    this.#allocator = parts.allocator;
    this.#rng = parts.rng;
    this.#unsolicited = parts.unsolicited;
    this.#nextForeignAt = after(parts.timeline.now, this.#foreignInterval());
    this.#mapping = options.mapping ?? "endpoint-independent";
    this.#filtering = options.filtering ?? "address-and-port-dependent";
    this.#lifetime = options.lifetime ?? DEFAULT_LIFETIME;
  }

  /** Input: a packet from inside. Returns its mapping, refreshed, or `undefined` if none can be made. */
  leave(packet: { readonly from: Address; readonly to: Address }, externalHost: string): NatMapping | undefined {
    const usual = this.#find(packet.from, packet.to) ?? this.#add(packet.from, packet.to, externalHost);
    const mapping = usual && this.#isTaken(usual, packet.to) ? this.#displace(packet, externalHost) : usual;
    if (mapping === undefined) return undefined;
    this.#refresh(mapping, packet.to);
    return mapping;
  }

  /** Input: a packet from outside. Returns the mapping that lets it in, or why there is none. */
  enter(packet: { readonly from: Address; readonly to: Address }): NatMapping | "unmapped" | "filtered" {
    const live = this.#byExternal.get(formatAddress(packet.to))?.filter((each) => this.#isFresh(each.refreshedAt));
    if (live === undefined || live.length === 0) return "unmapped";
    const permitted = live.filter((each) => this.#isPermitted(each, packet.from));
    // With overloading, the mapping that was made for this very remote goes first.
    const own = this.#mappingScope(packet.from);
    const mapping = permitted.find((each) => each.scope === own) ?? permitted[0];
    if (mapping === undefined) return "filtered";
    if (this.#options.inboundRefresh === true) this.#refresh(mapping, packet.from);
    if (this.#options.replyAffinity === true) this.#affinity.set(flowKey(mapping.internal, packet.from), mapping);
    return mapping;
  }

  /** Command: forgets everything, as after a power cut. */
  reset(): void {
    this.#byInternal.clear();
    this.#byExternal.clear();
    this.#affinity.clear();
    this.#permissions.clear();
    this.#retiredPorts = new Set();
    this.#allocator.restart();
  }

  /** Command: forgets all mappings and permissions, and never uses their ports again. */
  retire(): void {
    const ports = new Set(this.#retiredPorts);
    for (const mapping of this.#byInternal.values()) ports.add(mapping.external.port);
    this.#byInternal.clear();
    this.#byExternal.clear();
    this.#affinity.clear();
    this.#permissions.clear();
    this.#retiredPorts = ports;
  }

  /** The mappings that have not expired. */
  live(): readonly NatMapping[] {
    return [...this.#byInternal.values()].filter((mapping) => this.#isFresh(mapping.refreshedAt));
  }

  #refresh(mapping: Mapping, remote: Address): void {
    mapping.refreshedAt = this.#timeline.now;
    mapping.permissions.set(scope(this.#filtering, remote), mapping.refreshedAt);
  }

  #isPermitted(mapping: Mapping, remote: Address): boolean {
    const refreshedAt = mapping.permissions.get(scope(this.#filtering, remote));
    return refreshedAt !== undefined && this.#isFresh(refreshedAt);
  }

  #isFresh(refreshedAt: Instant): boolean {
    return this.#timeline.now - refreshedAt < this.#lifetime;
  }

  /** The live mapping for a flow from inside. */
  #find(internal: Address, remote: Address): Mapping | undefined {
    const affine = this.#affinity.size === 0 ? undefined : this.#affinity.get(flowKey(internal, remote));
    if (affine !== undefined && this.#isFresh(affine.refreshedAt)) return affine;
    const known = this.#byInternal.get(this.#key(internal, remote));
    if (known === undefined || this.#isFresh(known.refreshedAt)) return known;
    this.#forget(known);
    return undefined;
  }

  /** Whether the router itself owns the flow of this mapping and this remote. */
  #isTaken(mapping: Mapping, remote: Address): boolean {
    if (this.#options.tracksUnsolicited !== true || remote.family === 6) return false;
    return this.#unsolicited.ownsFlow(mapping.external.port, remote);
  }

  /** A mapping for one flow alone, whose usual port is taken. */
  #displace(packet: { readonly from: Address; readonly to: Address }, externalHost: string): Mapping | undefined {
    const flow = flowKey(packet.from, packet.to);
    const mapping = this.#add(packet.from, packet.to, externalHost, `displaced ${flow}`);
    if (mapping === undefined) return undefined;
    this.displaced += 1;
    this.#affinity.set(flow, mapping);
    return mapping;
  }

  #add(
    internal: Address,
    remote: Address,
    externalHost: string,
    key = this.#key(internal, remote),
  ): Mapping | undefined {
    const { maxMappings = Number.POSITIVE_INFINITY } = this.#options;
    if (this.#byInternal.size >= maxMappings) this.#forgetExpired();
    if (this.#byInternal.size >= maxMappings) return undefined;
    const remoteScope = this.#mappingScope(remote);
    const external = this.#externalFor(internal, remote, externalHost);
    if (external === undefined) return undefined;
    const mapping: Mapping = {
      internal,
      external,
      key,
      scope: remoteScope,
      permissions: this.#permissionsFor(internal),
      refreshedAt: this.#timeline.now,
    };
    this.#byInternal.set(mapping.key, mapping);
    const place = formatAddress(external);
    const others = this.#byExternal.get(place);
    if (others === undefined) this.#byExternal.set(place, [mapping]);
    else others.push(mapping);
    return mapping;
  }

  #externalFor(internal: Address, remote: Address, host: string): Address | undefined {
    if (internal.family === 6) return internal;
    this.#passForeignFlows();
    const remoteScope = this.#mappingScope(remote);
    const isFree = (candidate: number): boolean => {
      if (this.#retiredPorts.has(candidate)) return false;
      const holders = this.#byExternal.get(formatAddress({ host, port: candidate, family: 4 })) ?? [];
      for (const holder of [...holders]) if (!this.#isFresh(holder.refreshedAt)) this.#forget(holder);
      if (this.#options.overloading !== true) return holders.length === 0;
      return holders.every((holder) => holder.scope !== remoteScope);
    };
    const port = this.#allocator.allocate(internal.port, isFree, internal.host);
    return port === undefined ? undefined : { host, port, family: 4 };
  }

  /** Others have taken ports since the last one was given out here. */
  #passForeignFlows(): void {
    while (this.#nextForeignAt <= this.#timeline.now) {
      this.#allocator.skip();
      this.#nextForeignAt = after(this.#nextForeignAt, this.#foreignInterval());
    }
  }

  /** Time between two mappings of others: they come independently of each other, so it has no memory. */
  #foreignInterval(): Duration {
    const { foreignFlows = 0 } = this.#options;
    return foreignFlows === 0 ? Number.POSITIVE_INFINITY : (-Math.log(1 - this.#rng.float()) * 1000) / foreignFlows;
  }

  #permissionsFor(internal: Address): Permissions {
    const isByMapping = this.#options.filterScope === "mapping" || this.#filtering === "address-and-port-dependent";
    if (isByMapping) return new Map();
    const endpoint = formatAddress(internal);
    let permissions = this.#permissions.get(endpoint);
    if (permissions === undefined) {
      permissions = new Map();
      this.#permissions.set(endpoint, permissions);
    }
    return permissions;
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

  #key(internal: Address, remote: Address): string {
    return `${formatAddress(internal)}|${this.#mappingScope(remote)}`;
  }

  #mappingScope(remote: Address): string {
    return scope(remote.family === 6 ? "endpoint-independent" : this.#mapping, remote);
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
