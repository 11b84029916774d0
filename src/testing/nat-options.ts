/**
 * What a NAT can be told to do, and what it tells about what it did (RFC 4787 §4, §5).
 *
 * @module
 */
import type { Address } from "../util/machine.ts";
import type { Duration } from "../util/time.ts";
import type { DuplexLinkOptions } from "./link-options.ts";
import type { Network } from "./network.ts";
import type { PortAllocation } from "./port-allocator.ts";

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
  readonly behind?: { readonly inside: Network };
  /** Endpoint-independent by default (RFC 4787 §4.1). */
  readonly mapping?: Behavior;
  /** Address-and-port-dependent by default: the strictest and the commonest. */
  readonly filtering?: Behavior;
  /**
   * What a permission belongs to: the internal endpoint, as RFC 4787 §5 words it (default), or one mapping. Filtering by
   * address and port always goes by mapping, because NATs do it by looking up the whole flow.
   */
  readonly filterScope?: "endpoint" | "mapping";
  /** Port preserving with a random fallback by default. */
  readonly ports?: PortAllocation;
  /** Whether one external port may serve several mappings of different remotes (RFC 4787 §4.2.1 forbids it). */
  readonly overloading?: boolean;
  /** Whether an answer leaves through the mapping by which the question came in, as in Linux. */
  readonly replyAffinity?: boolean;
  /** How long a mapping lives without traffic, 120 s by default (RFC 4787 §4.3). */
  readonly lifetime?: Duration;
  /** Whether packets from outside keep a mapping alive too (RFC 4787 §4.3 allows it). */
  readonly inboundRefresh?: boolean;
  /** Whether a packet from inside to an external address of this NAT comes back in (RFC 4787 §6). */
  readonly hairpin?: boolean;
  /** Mappings beyond this are refused. */
  readonly maxMappings?: number;
  /**
   * Whether the router itself takes unsolicited packets, as Linux does without a filter on its input. Its connection
   * tracking then owns their flow, and a host inside that writes to the same remote gets another port than usual.
   */
  readonly tracksUnsolicited?: boolean;
  /** Whether the source of an unsolicited packet is kept from that port for some time, even if it is permitted later. */
  readonly blacklisting?: boolean;
  /**
   * Whether unsolicited packets are answered with an ICMP error. Nobody hears it: sockets that are not connected to one
   * remote don't get such errors. So it is only counted.
   */
  readonly rejecting?: boolean;
  /** New mappings that others behind this NAT make in a second, at random instants: sequential ports move on. */
  readonly foreignFlows?: number;
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
  /** Dropped: from outside, from a source that was seen unsolicited before. */
  blacklisted: number;
  /** Of those that were unmapped or filtered: answered with an error. */
  rejected: number;
  /** Flows from inside that got another port because an unsolicited packet had taken theirs. */
  displaced: number;
}

/** A mapping, as far as tests may see it. */
export interface NatMapping {
  readonly internal: Address;
  readonly external: Address;
}
