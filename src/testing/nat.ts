/**
 * A NAT as two independent choices, mapping and filtering, each by address, by address and port, or by neither
 * (RFC 4787 §4.1, §5).
 *
 * It is a node in the network around it and the gateway of the network inside it; what it knows is in its mapping table.
 * A packet whose hop limit ends here leaves no trace: routers look at it before they translate. IPv6 is not translated
 * but filtered, as home routers do (RFC 6092 §3.2.3). NATs nest: one that lies behind another has its external address in
 * the other's inside.
 *
 * @module
 */
import type { Environment } from "./environment.ts";
import { Link } from "./link.ts";
import { bothDirections } from "./link-options.ts";
import { MappingTable } from "./mapping-table.ts";
import type { NatCounters, NatMapping, NatOptions } from "./nat-options.ts";
import { type Gateway, Network, type NetworkNode } from "./network.ts";
import type { Packet } from "./packet.ts";
import { PortAllocator } from "./port-allocator.ts";
import { UnsolicitedPackets } from "./unsolicited.ts";

type DropReason = "unmapped" | "filtered" | "exhausted" | "hairpinRefused" | "expired" | "blacklisted";

/** A NAT between the network inside it and the one around it. */
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
    blacklisted: 0,
    rejected: 0,
    displaced: 0,
  };

  readonly #environment: Environment;
  readonly #outside: Network;
  readonly #table: MappingTable;
  readonly #unsolicited: UnsolicitedPackets;
  readonly #options: NatOptions;
  #address: string;

  constructor(options: NatOptions, environment: Environment, internet: Network) {
    this.name = options.name;
    this.#environment = environment;
    this.#outside = options.behind?.inside ?? internet;
    this.#address = options.address;
    this.#options = options;
    const { timeline } = environment;
    const rng = environment.rng.fork(`nat ${this.name}`);
    const allocator = new PortAllocator(options.ports ?? { kind: "preserving" }, rng);
    const unsolicited = new UnsolicitedPackets(timeline);
    this.#unsolicited = unsolicited;
    this.#table = new MappingTable(options, { timeline, allocator, rng: rng.fork("foreign flows"), unsolicited });
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
    const mapping = this.#table.leave(packet, this.#address);
    this.counters.displaced = this.#table.displaced;
    if (mapping === undefined) {
      this.#drop("exhausted", packet);
      return;
    }
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
    this.#table.reset();
    this.#unsolicited.reset();
    this.#environment.trace.note("action", this.name, "reboot");
  }

  /** Command: forgets all mappings and permissions, and gives new mappings other ports; if asked, at another address. */
  rebind(options: { readonly address?: string } = {}): void {
    this.#table.retire();
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
    return this.#table.live();
  }

  /** External IPv4 address. */
  get address(): string {
    return this.#address;
  }

  /** A packet has come down the outer link. */
  #enter(packet: Packet): void {
    if (this.#expires(packet)) return;
    this.#translateIn(packet);
  }

  #translateIn(packet: Packet): void {
    if (this.#options.blacklisting === true && this.#unsolicited.isBlacklisted(packet)) {
      this.#drop("blacklisted", packet);
      return;
    }
    const mapping = this.#table.enter(packet);
    if (mapping === "unmapped" || mapping === "filtered") {
      const { tracksUnsolicited = false, blacklisting = false } = this.#options;
      if (tracksUnsolicited || blacklisting) this.#unsolicited.note(packet);
      if (this.#options.rejecting === true) this.counters.rejected += 1;
      this.#drop(mapping, packet);
      return;
    }
    this.counters.inbound += 1;
    packet.to = mapping.internal;
    this.inside.carry(packet);
  }

  /** RFC 1812 §5.3.1: a router takes 1 from the hop limit and drops what has none left. */
  #expires(packet: Packet): boolean {
    packet.ttl -= 1;
    if (packet.ttl > 0) return false;
    this.#drop("expired", packet);
    return true;
  }

  #drop(counter: DropReason, packet: Packet): void {
    this.counters[counter] += 1;
    this.#environment.trace.packet("drop", this.name, counter, packet);
  }
}
