/**
 * Runs one machine against a gateway in memory, on a clock of its own.
 *
 * @module
 */
import { type PortMapEvent, PortMapMachine } from "../../src/portmap/port-map-machine.ts";
import type { UpnpRequest, UpnpResult } from "../../src/portmap/upnp-lane.ts";
import { BufferPool } from "../../src/util/buffer-pool.ts";
import type { Address } from "../../src/util/machine.ts";
import type { Instant } from "../../src/util/time.ts";
import type { FakeGateway } from "./fake-gateway.ts";

export const GATEWAY: Address = { host: "192.168.1.1", port: 5351, family: 4 };
export const INTERNAL_PORT = 4242;

/** Bytes that are the same in every run. */
export function seededRandom(seed = 1): (size: number) => Uint8Array {
  let state = seed;
  return (size) =>
    Uint8Array.from({ length: size }, () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return state >>> 24;
    });
}

/** What the bench works with besides the gateway. */
export interface BenchOptions {
  /** Does the work of UPnP; its result arrives a while later. Without it there is none. */
  readonly upnp?: (request: UpnpRequest) => UpnpResult;
  /** How long UPnP's work takes, in ms. */
  readonly upnpDelay?: number;
  /** Which datagrams to the gateway are lost. */
  readonly loses?: (bytes: Uint8Array, now: number) => boolean;
  readonly seed?: number;
}

interface Arrival {
  readonly at: number;
  readonly deliver: () => void;
}

/** See the module. Datagrams take 1 ms each way. */
export class Bench {
  readonly machine: PortMapMachine;
  readonly gateway: FakeGateway;
  readonly events: (PortMapEvent & { at: number })[] = [];
  readonly sent: { readonly at: number; readonly bytes: Uint8Array }[] = [];
  readonly upnpRequests: UpnpRequest[] = [];
  now = 0;
  readonly #options: BenchOptions;
  #arrivals: Arrival[] = [];

  constructor(gateway: FakeGateway, options: BenchOptions = {}) {
    this.gateway = gateway;
    this.#options = options;
    this.machine = new PortMapMachine({
      via: 7,
      gateway: GATEWAY,
      localHost: "192.168.1.20",
      internalPort: INTERNAL_PORT,
      random: seededRandom(options.seed),
      pool: new BufferPool(),
      upnp: options.upnp !== undefined,
    });
  }

  /** The clock as the machine takes it. */
  get at(): Instant {
    return this.now as Instant;
  }

  /** Hands bytes to the machine as if they came from the gateway, or from elsewhere. */
  deliver(bytes: Uint8Array, from: Address = GATEWAY): void {
    this.machine.receive({ via: 7, from, payload: bytes, segmentSize: bytes.length }, this.at);
    this.pump();
  }

  /** Lets `ms` pass. */
  run(ms: number): void {
    const end = this.now + ms;
    this.pump();
    for (;;) {
      const due = this.machine.nextTimeout() ?? Number.POSITIVE_INFINITY;
      const arrival = this.#arrivals[0];
      const next = Math.min(due, arrival?.at ?? Number.POSITIVE_INFINITY);
      if (next > end) break;
      this.now = Math.max(this.now, next);
      if (arrival !== undefined && arrival.at <= next) {
        this.#arrivals.shift();
        arrival.deliver();
      } else {
        this.machine.handleTimeout(this.at);
        const later = this.machine.nextTimeout();
        if (later !== undefined && later <= this.now) throw new Error(`no progress at ${this.now}`);
      }
      this.pump();
    }
    this.now = end;
  }

  /** Events of one type. */
  of<Type extends PortMapEvent["type"]>(type: Type): (PortMapEvent & { type: Type; at: number })[] {
    return this.events.filter((event) => event.type === type) as (PortMapEvent & { type: Type; at: number })[];
  }

  /** When requests of a protocol left, `version` 0 for NAT-PMP and 2 for PCP. */
  sentAt(version: number): number[] {
    return this.sent.filter(({ bytes }) => bytes[0] === version).map(({ at }) => at);
  }

  pump(): void {
    const { machine } = this;
    for (let out = machine.pollTransmit(this.at); out !== undefined; out = machine.pollTransmit(this.at)) {
      const bytes = Uint8Array.from(out.payload);
      this.sent.push({ at: this.now, bytes });
      if (this.#options.loses?.(bytes, this.now)) continue;
      const answer = this.gateway.answer(bytes, (this.now + 1) as Instant);
      if (answer !== undefined) this.#schedule(2, () => this.deliver(answer));
    }
    for (let event = machine.pollEvent(); event !== undefined; event = machine.pollEvent()) {
      this.events.push({ ...event, at: this.now });
      if (event.type === "upnp") this.#work(event.request);
    }
  }

  #work(request: UpnpRequest): void {
    this.upnpRequests.push(request);
    const { upnp, upnpDelay = 100 } = this.#options;
    if (upnp === undefined) throw new Error("nobody asked for UPnP");
    this.#schedule(upnpDelay, () => this.machine.onUpnpResult(upnp(request), this.at));
  }

  #schedule(delay: number, deliver: () => void): void {
    this.#arrivals.push({ at: this.now + delay, deliver });
    this.#arrivals.sort((a, b) => a.at - b.at);
  }
}
