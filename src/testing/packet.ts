/**
 * One UDP datagram on its way through the simulated network.
 *
 * @module
 */
import type { Address } from "../util/machine.ts";

// Specification

/** Bytes of an IPv4 header without options and a UDP header (20 and 8). */
const IPV4_HEADERS = 28;

/** Bytes of an IPv6 header and a UDP header (RFC 8200 §3: 40, and 8). */
const IPV6_HEADERS = 48;

/** The hop limit that systems use by default: that of Linux and macOS. */
export const DEFAULT_TTL = 64;

/** A datagram with its addresses, which NATs rewrite, and its remaining hops, which routers count down. */
export class Packet {
  /** Number of the datagram in this world; a duplicate keeps it. */
  readonly id: number;
  from: Address;
  to: Address;
  /** Owned by the packet, so that whoever receives it may keep or change it. */
  payload: Uint8Array;
  ttl: number;

  constructor(fields: { id: number; from: Address; to: Address; payload: Uint8Array; ttl: number }) {
    this.id = fields.id;
    this.from = fields.from;
    this.to = fields.to;
    this.payload = fields.payload;
    this.ttl = fields.ttl;
  }

  /** A twin with bytes of its own. */
  copy(): Packet {
    return new Packet({ ...this, payload: this.payload.slice() });
  }

  /** Bytes with the headers of IP and UDP: what links and their MTU count. */
  get size(): number {
    return this.payload.length + (this.to.family === 6 ? IPV6_HEADERS : IPV4_HEADERS);
  }
}
