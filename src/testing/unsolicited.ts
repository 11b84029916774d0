/**
 * What a NAT remembers of packets from outside that nobody had asked for: the flows that its own connection tracking then
 * owns, and the sources that it holds against them.
 *
 * Linux confirms a packet that the router itself accepts, even if no socket is there for it. From then on the flow, both
 * addresses with their ports, belongs to the router. A host inside that writes to the same remote would need the same flow
 * in the other direction; as that is taken, it gets another port.
 *
 * @module
 */
import { type Address, formatAddress } from "../util/machine.ts";
import type { Duration, Instant } from "../util/time.ts";
import type { Timeline } from "./timeline.ts";

// Specification

/** How long Linux keeps a flow without answer after its last packet: `nf_conntrack_udp_timeout`. */
const TRACKING_LIFETIME: Duration = 30_000;

// Implementation

/** How long a source is kept out: as long as the flow would be tracked. */
const BLACKLIST_LIFETIME: Duration = 30_000;

/** Unsolicited packets of the last half minute. */
export class UnsolicitedPackets {
  readonly #timeline: Timeline;
  /** External port and remote → last packet. */
  readonly #flows = new Map<string, Instant>();
  /** External port and remote host → first packet. */
  readonly #sources = new Map<string, Instant>();

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  /** Input: a packet that was not let in. */
  note(packet: { readonly from: Address; readonly to: Address }): void {
    this.#flows.set(flowKey(packet.to.port, packet.from), this.#timeline.now);
    this.#sources.set(sourceKey(packet.to.port, packet.from), this.#timeline.now);
  }

  /** Command: forgets everything. */
  reset(): void {
    this.#flows.clear();
    this.#sources.clear();
  }

  /** Whether the flow between the external port and the remote belongs to the router. */
  ownsFlow(externalPort: number, remote: Address): boolean {
    return this.#isFresh(this.#flows.get(flowKey(externalPort, remote)), TRACKING_LIFETIME);
  }

  /** Whether the source of the packet was seen unsolicited at the port that it is for. */
  isBlacklisted(packet: { readonly from: Address; readonly to: Address }): boolean {
    return this.#isFresh(this.#sources.get(sourceKey(packet.to.port, packet.from)), BLACKLIST_LIFETIME);
  }

  #isFresh(at: Instant | undefined, lifetime: Duration): boolean {
    return at !== undefined && this.#timeline.now - at < lifetime;
  }
}

function flowKey(externalPort: number, remote: Address): string {
  return `${externalPort}|${formatAddress(remote)}`;
}

function sourceKey(externalPort: number, remote: Address): string {
  return `${externalPort}|${remote.host}`;
}
