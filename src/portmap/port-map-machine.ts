/**
 * Gets one UDP port mapped at the gateway, keeps it so, and removes the mapping in the end.
 *
 * Theory of operation. PCP, NAT-PMP and UPnP are tried side by side, because nobody knows which one a gateway speaks. What
 * changes nothing is asked at once; the first protocol to get a mapping wins, and the others stop before they make one. If
 * one of them has made another mapping all the same, it is removed; if gateways share a mapping among protocols, the answer
 * names the same external address, and then it stays until the end. When the mapping is lost, everything begins anew.
 *
 * Two limits tell how long others should wait: 250 ms after the start it is `pending`, which means that whoever wants to
 * connect goes on without; after 2 s, or when all have refused, it is `unavailable`. The protocols go on by their own timers
 * even then, so a mapping may come later.
 *
 * IPv4 only: what IPv6 needs is no mapping but a hole in a firewall.
 *
 * @module
 */
import type { BufferPool } from "../util/buffer-pool.ts";
import {
  type Address,
  type Datagram,
  type Machine,
  type SocketId,
  sameAddress,
  type Transmit,
} from "../util/machine.ts";
import { type Duration, earliest, type Instant } from "../util/time.ts";
import { DatagramLane } from "./datagram-lane.ts";
import { pcpDialect, pmpDialect } from "./dialect.ts";
import { type LaneReport, type Mapping, type MappingProtocol, type Random, randomPort, reachOf } from "./mapping.ts";
import { UpnpLane, type UpnpRequest, type UpnpResult } from "./upnp-lane.ts";

/** What a {@link PortMapMachine} works with. */
export interface PortMapOptions {
  /** The socket that is used to speak with the gateway; not the one whose port is mapped. */
  readonly via: SocketId;
  /** The gateway's IPv4 address and the port of its PCP and NAT-PMP server. */
  readonly gateway: Address;
  /** Our IPv4 address towards the gateway. */
  readonly localHost: string;
  /** The UDP port to be mapped. */
  readonly internalPort: number;
  readonly random: Random;
  readonly pool: BufferPool;
  /** Whether somebody works off the `upnp` events. */
  readonly upnp: boolean;
}

/** What a {@link PortMapMachine} tells. */
export type PortMapEvent =
  /** There is a mapping, or it has got another external address. */
  | { readonly type: "mapped"; readonly mapping: Mapping }
  /** There is none any more; a new attempt has begun. */
  | { readonly type: "lost"; readonly mapping: Mapping }
  /** The soft limit has passed without a mapping. */
  | { readonly type: "pending" }
  /** The hard limit has passed without a mapping, or all have refused. */
  | { readonly type: "unavailable"; readonly lanes: readonly LaneReport[] }
  /** Found by a probe: the gateway speaks this protocol. */
  | { readonly type: "available"; readonly protocol: MappingProtocol; readonly externalHost: string | undefined }
  /** Work for whoever speaks HTTP; see {@link PortMapMachine.onUpnpResult}. */
  | { readonly type: "upnp"; readonly request: UpnpRequest }
  /** All that could be removed is removed. */
  | { readonly type: "closed" };

// Implementation

/** How long others may wait for a mapping before they go on without: gateways answer within a few ms if at all. */
export const SOFT_LIMIT: Duration = 250;

/** When an attempt counts as failed: UPnP's search alone takes up to 1 s. */
export const HARD_LIMIT: Duration = 2_000;

/** How long closing takes at most. */
export const CLOSE_LIMIT: Duration = 1_000;

type State = "new" | "mapping" | "probing" | "closing" | "closed";
type Lane = DatagramLane | UpnpLane;

/** See the module. */
export class PortMapMachine implements Machine<PortMapEvent> {
  readonly #options: PortMapOptions;
  readonly #datagramLanes: readonly DatagramLane[];
  readonly #upnp: UpnpLane | undefined;
  readonly #lanes: readonly Lane[];
  readonly #events: PortMapEvent[] = [];
  readonly #announced = new Set<MappingProtocol>();
  #state: State = "new";
  #now = 0 as Instant;
  #winner: Lane | undefined;
  #mapping: Mapping | undefined;
  #pendingAt: Instant | undefined;
  #unavailableAt: Instant | undefined;
  #closedAt: Instant | undefined;

  constructor(options: PortMapOptions) {
    const { internalPort, localHost, random } = options;
    const externalPort = randomPort(random);
    this.#options = options;
    // PCP's request leaves first: it alone makes a mapping at once, so that a gateway of both kinds makes one only.
    this.#datagramLanes = [
      new DatagramLane(pcpDialect({ internalPort, clientHost: localHost }, random), externalPort, random),
      new DatagramLane(pmpDialect(internalPort), externalPort, random),
    ];
    this.#upnp = options.upnp ? new UpnpLane(internalPort, externalPort, random) : undefined;
    this.#lanes = this.#upnp === undefined ? this.#datagramLanes : [...this.#datagramLanes, this.#upnp];
  }

  receive({ from, payload, segmentSize }: Datagram, now: Instant): void {
    this.#advance(now);
    // RFC 6886 §3.1, RFC 6887 §8.3: only what comes from where the request went.
    if (!sameAddress(from, this.#options.gateway) || segmentSize < payload.length) return;
    if (this.#state === "new" || this.#state === "closed") return;
    for (const lane of this.#datagramLanes) lane.receive(payload, this.#now);
    this.#review();
  }

  handleTimeout(now: Instant): void {
    this.#advance(now);
    if (this.#state === "new" || this.#state === "closed") return;
    for (const lane of this.#lanes) lane.handleTimeout(this.#now);
    this.#review();
  }

  /** Input: what came of the work that an `upnp` event asked for. */
  onUpnpResult(result: UpnpResult, now: Instant): void {
    this.#advance(now);
    if (this.#state === "closed") return;
    this.#upnp?.onResult(result, this.#now);
    this.#review();
  }

  /** Command: get a mapping. */
  start(now: Instant): void {
    this.#advance(now);
    if (this.#state !== "new") return;
    this.#state = "mapping";
    this.#begin();
  }

  /** Command: find out which protocols the gateway speaks, without making a mapping. */
  probe(now: Instant): void {
    this.#advance(now);
    if (this.#state !== "new") return;
    this.#state = "probing";
    this.#begin();
  }

  /** Command: there are signs that the gateway has restarted; make sure of the mapping. */
  renew(now: Instant): void {
    this.#advance(now);
    if (this.#state === "mapping") this.#winner?.renew(this.#now);
    this.#review();
  }

  /** Command: remove what there is; `closed` follows, within {@link CLOSE_LIMIT}. */
  close(now: Instant): void {
    this.#advance(now);
    if (this.#state === "closing" || this.#state === "closed") return;
    this.#state = "closing";
    this.#pendingAt = undefined;
    this.#unavailableAt = undefined;
    this.#closedAt = (this.#now + CLOSE_LIMIT) as Instant;
    for (const lane of this.#lanes) lane.remove(this.#now);
    this.#review();
  }

  pollTransmit(_now: Instant): Transmit | undefined {
    for (const lane of this.#datagramLanes) {
      const bytes = lane.pollTransmit();
      if (bytes === undefined) continue;
      const payload = this.#options.pool.take().subarray(0, bytes.length);
      payload.set(bytes);
      return { via: this.#options.via, to: this.#options.gateway, payload, segmentSize: bytes.length, ttl: undefined };
    }
    return undefined;
  }

  pollEvent(): PortMapEvent | undefined {
    const event = this.#events.shift();
    if (event !== undefined) return event;
    const request = this.#upnp?.pollRequest();
    return request === undefined ? undefined : { type: "upnp", request };
  }

  nextTimeout(): Instant | undefined {
    if (this.#state === "new" || this.#state === "closed") return undefined;
    let next = earliest(earliest(this.#pendingAt, this.#unavailableAt), this.#closedAt);
    for (const lane of this.#lanes) next = earliest(next, lane.nextTimeout());
    return next;
  }

  /** The mapping that others may use now. */
  get mapping(): Mapping | undefined {
    return this.#mapping;
  }

  /** How it stands with each protocol. */
  get reports(): readonly LaneReport[] {
    return this.#lanes.map((lane) => lane.report);
  }

  #begin(): void {
    this.#pendingAt = (this.#now + SOFT_LIMIT) as Instant;
    this.#unavailableAt = (this.#now + HARD_LIMIT) as Instant;
    for (const lane of this.#lanes) {
      if (this.#state === "probing") lane.probe(this.#now);
      else lane.ask(this.#now);
    }
  }

  /** Draws the conclusions from what lanes have learned. */
  #review(): void {
    if (this.#state === "mapping") this.#reviewMapping();
    else if (this.#state === "probing") this.#reviewProbe();
    else if (this.#state === "closing") this.#reviewClosing();
    this.#enforceLimits();
  }

  #reviewMapping(): void {
    const lost = this.#mapping;
    if (this.#winner !== undefined && this.#winner.grant === undefined && lost !== undefined) {
      this.#winner = undefined;
      this.#mapping = undefined;
      this.#events.push({ type: "lost", mapping: lost });
      this.#begin();
    }
    this.#winner ??= this.#lanes.find((lane) => lane.grant !== undefined);
    if (this.#winner === undefined) return;
    this.#tellMapping(this.#winner);
    for (const lane of this.#lanes) if (lane !== this.#winner) this.#standDown(lane);
  }

  #tellMapping(winner: Lane): void {
    const { grant, protocol } = winner;
    const reach = grant === undefined ? undefined : reachOf(grant.external.host);
    if (grant === undefined || reach === undefined) return;
    const { external, lifetime } = grant;
    const known = this.#mapping;
    this.#mapping = { protocol, external, reach, lifetime };
    this.#pendingAt = undefined;
    this.#unavailableAt = undefined;
    if (known === undefined || !sameAddress(known.external, external) || known.protocol !== protocol)
      this.#events.push({ type: "mapped", mapping: this.#mapping });
  }

  /** Another lane has won. */
  #standDown(lane: Lane): void {
    const own = lane.grant?.external;
    if (own !== undefined && this.#mapping !== undefined && !sameAddress(own, this.#mapping.external))
      lane.remove(this.#now);
    // Of a shared mapping, removing our half would remove the other: it stays until the end.
    else if (!lane.isRemoving) lane.rest();
  }

  #reviewProbe(): void {
    for (const lane of this.#lanes) {
      const { protocol, state } = lane.report;
      if (state !== "available" || this.#announced.has(protocol)) continue;
      this.#announced.add(protocol);
      this.#pendingAt = undefined;
      this.#unavailableAt = undefined;
      this.#events.push({ type: "available", protocol, externalHost: lane.externalHost });
    }
  }

  #reviewClosing(): void {
    const isOver = this.#closedAt !== undefined && this.#now >= this.#closedAt;
    if (!isOver && this.#lanes.some((lane) => lane.isRemovalAwaited)) return;
    this.#state = "closed";
    this.#closedAt = undefined;
    this.#winner = undefined;
    this.#mapping = undefined;
    this.#events.push({ type: "closed" });
  }

  #enforceLimits(): void {
    if (this.#pendingAt !== undefined && this.#now >= this.#pendingAt) {
      this.#pendingAt = undefined;
      this.#events.push({ type: "pending" });
    }
    if (this.#unavailableAt === undefined) return;
    if (this.#now < this.#unavailableAt && !this.#lanes.every((lane) => lane.isSettled)) return;
    this.#pendingAt = undefined;
    this.#unavailableAt = undefined;
    this.#events.push({ type: "unavailable", lanes: this.reports });
  }

  #advance(now: Instant): void {
    if (now > this.#now) this.#now = now;
  }
}
