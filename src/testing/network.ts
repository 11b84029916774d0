/**
 * A space of addresses: the public internet, or what lies behind one NAT.
 *
 * It finds the owner of an address and hands the packet over; what it doesn't know goes to its gateway. Time passes only
 * on links, which belong to hosts and NATs.
 *
 * @module
 */
import type { Environment } from "./environment.ts";
import type { Packet } from "./packet.ts";

/** A host or a NAT, as seen by the network around it. */
export interface NetworkNode {
  readonly name: string;
  /** Input: a packet for one of its addresses. */
  arrive(packet: Packet): void;
}

/** The way out of a network: the NAT that it lies behind. */
export interface Gateway {
  /** Input: a packet for an address outside. */
  leave(packet: Packet): void;
  /** Command: routes an address that is not translated (IPv6) to this gateway, in all networks around it. */
  announce(host: string): void;
  /** Command: takes back {@link announce}. */
  withdraw(host: string): void;
}

/** A space of addresses with their owners. */
export class Network {
  readonly name: string;
  /** Packets whose address nobody owns. */
  unroutable = 0;
  /** Packets whose hop limit ran out here. */
  expired = 0;
  /** Routers between any two nodes; each takes 1 from the hop limit (RFC 1812 §5.3.1). */
  hops: number;

  readonly #environment: Environment;
  readonly #nodes = new Map<string, NetworkNode>();
  readonly #gateway: Gateway | undefined;

  constructor(options: { name: string; environment: Environment; hops: number; gateway: Gateway | undefined }) {
    this.name = options.name;
    this.#environment = options.environment;
    this.hops = options.hops;
    this.#gateway = options.gateway;
  }

  /** Input: a packet to be routed. */
  carry(packet: Packet): void {
    const node = this.#nodes.get(packet.to.host);
    if (node === undefined && this.#gateway !== undefined) {
      this.#gateway.leave(packet);
      return;
    }
    packet.ttl -= this.hops;
    if (packet.ttl <= 0) {
      this.expired += 1;
      this.#environment.trace.packet("drop", this.name, "expired", packet);
      return;
    }
    if (node === undefined) {
      this.unroutable += 1;
      this.#environment.trace.packet("drop", this.name, "no route", packet);
      return;
    }
    node.arrive(packet);
  }

  /** Command: gives the IP address `host` to `node`. @throws Error if another node has it. */
  attach(host: string, node: NetworkNode): void {
    const owner = this.#nodes.get(host);
    if (owner === node) return;
    if (owner !== undefined) throw new Error(`${host} already belongs to ${owner.name} in ${this.name}`);
    this.#nodes.set(host, node);
    if (isIpv6(host)) this.#gateway?.announce(host);
  }

  /** Command: takes the IP address `host` away. */
  detach(host: string): void {
    this.#nodes.delete(host);
    if (isIpv6(host)) this.#gateway?.withdraw(host);
  }
}

function isIpv6(host: string): boolean {
  return host.includes(":");
}
