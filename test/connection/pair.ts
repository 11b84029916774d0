/**
 * Two endpoints joined by a wire without delay: for tests of what single datagrams do. Scenarios with time and faults
 * are in test/sim.
 *
 * @module
 */
import { type Config, DEFAULT_CONFIG } from "../../src/connection/config.ts";
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import { EndpointMachine } from "../../src/connection/endpoint.ts";
import type { EndpointEvent } from "../../src/connection/endpoint-events.ts";
import type { ConnectionEvent } from "../../src/connection/events.ts";
import { NO_SITUATION } from "../../src/connection/situation.ts";
import { type KeyPair, keyPairFromSeed } from "../../src/crypto/primitives.ts";
import { Rng } from "../../src/testing/rng.ts";
import type { TicketFields } from "../../src/ticket/ticket.ts";
import { BufferPool } from "../../src/util/buffer-pool.ts";
import type { Address } from "../../src/util/machine.ts";
import type { Instant } from "../../src/util/time.ts";

/** One end of the wire. */
export interface End {
  readonly name: string;
  readonly address: Address;
  readonly endpoint: EndpointMachine;
  readonly events: EndpointEvent[];
}

/** What a pair can be made with. */
export interface PairOptions {
  readonly seed?: number;
  readonly config?: Partial<Config>;
  readonly acceptHook?: boolean;
  readonly uses?: number;
  readonly expiresAt?: number;
}

/** Two endpoints and the wire between them. */
export class Pair {
  now = 1_000 as Instant;
  unixTime = 1_800_000_000;
  readonly listener: End;
  readonly dialer: End;
  readonly identity: KeyPair;
  readonly ticket: TicketFields;
  readonly ticketId: string;
  /** Copies of every datagram that crossed the wire, oldest first. */
  readonly captured: { readonly from: End; readonly bytes: Uint8Array }[] = [];
  /** Decides whether a datagram arrives. */
  filter: (from: End, bytes: Uint8Array) => boolean = () => true;
  /** Where the listener says that it may be reached, to peers that come by a carrier. */
  situation = NO_SITUATION;
  readonly rng: Rng;
  readonly #config: Config;

  constructor(options: PairOptions = {}) {
    this.rng = new Rng(options.seed ?? 1);
    this.#config = { ...DEFAULT_CONFIG, ...options.config };
    this.identity = keyPairFromSeed(this.rng.random(32));
    const acceptHook = options.acceptHook ?? false;
    this.listener = this.#end("listener", "192.0.2.1", acceptHook);
    this.dialer = this.#end("dialer", "192.0.2.2", false);
    this.ticket = {
      key: this.identity.publicKey,
      secret: this.rng.random(16),
      expiresAt: options.expiresAt ?? 0,
      singleUse: false,
      directOnly: false,
      relayOnly: false,
      paste: false,
      servers: [],
      addresses: [this.listener.address],
    };
    this.ticketId = this.listener.endpoint.addTicket(this.ticket, options.uses ?? Number.POSITIVE_INFINITY);
  }

  /** Starts a call; nothing has been exchanged yet. */
  dial(ticket: TicketFields = this.ticket): ConnectionMachine {
    const identity = keyPairFromSeed(this.rng.random(32));
    return this.dialer.endpoint.connect({ ticket, identity, timeout: 20_000 }, this.now);
  }

  /** A call that got through: both ends of it. */
  connect(): { initiator: ConnectionMachine; responder: ConnectionMachine } {
    const initiator = this.dial();
    this.exchange();
    for (const event of this.listener.events) {
      if (event.type === "incoming") return { initiator, responder: event.connection };
    }
    throw new Error("no connection came in");
  }

  /** Carries datagrams to and fro until both ends are silent. Returns how many crossed. */
  exchange(): number {
    let crossed = 0;
    for (let carried = -1; carried !== 0; crossed += carried) {
      carried = this.#carry(this.dialer, this.listener) + this.#carry(this.listener, this.dialer);
      if (crossed > 100_000) throw new Error("the two ends never fall silent");
    }
    return crossed;
  }

  /** Lets time pass: every deadline is met on the way. */
  advance(duration: number): void {
    const end = this.now + duration;
    for (;;) {
      this.exchange();
      const due = [this.dialer, this.listener].map((each) => each.endpoint.nextTimeout() ?? Number.POSITIVE_INFINITY);
      const next = Math.min(...due);
      if (next > end) break;
      this.now = Math.max(this.now, next) as Instant;
      for (const each of [this.dialer, this.listener]) each.endpoint.handleTimeout(this.now);
    }
    this.now = end as Instant;
  }

  /** Hands bytes to an end as if they came from the other one. Returns what it sends in answer. */
  inject(to: End, bytes: Uint8Array, from: Address = this.#other(to).address): Uint8Array[] {
    to.endpoint.receive({ via: 0, from, payload: bytes, segmentSize: bytes.length }, this.now);
    return this.#poll(to).map((each) => each.bytes);
  }

  /** Events of one connection so far, in order. */
  eventsOf(end: End, connection: ConnectionMachine): ConnectionEvent[] {
    const events: ConnectionEvent[] = [];
    for (const event of end.events) {
      if (event.type === "connection" && event.connection === connection) events.push(event.event);
    }
    return events;
  }

  #end(name: string, host: string, acceptHook: boolean): End {
    const address: Address = { host, port: 4_000, family: 4 };
    const endpoint = new EndpointMachine({
      random: this.rng.fork(name).random,
      unixTime: () => this.unixTime,
      pool: new BufferPool(),
      sockets: [{ id: 0, family: 4 }],
      identity: this.identity,
      config: this.#config,
      acceptHook,
      situationFor: () => this.situation,
    });
    return { name, address, endpoint, events: [] };
  }

  #other(end: End): End {
    return end === this.listener ? this.dialer : this.listener;
  }

  #carry(from: End, to: End): number {
    const datagrams = this.#poll(from);
    for (const { bytes } of datagrams) {
      this.captured.push({ from, bytes });
      if (!this.filter(from, bytes)) continue;
      const payload = bytes.slice();
      to.endpoint.receive({ via: 0, from: from.address, payload, segmentSize: payload.length }, this.now);
    }
    return datagrams.length;
  }

  /** Takes all that an end wants to send, and its events. */
  #poll(end: End): { bytes: Uint8Array }[] {
    const datagrams: { bytes: Uint8Array }[] = [];
    for (let out = end.endpoint.pollTransmit(this.now); out !== undefined; out = end.endpoint.pollTransmit(this.now)) {
      for (let at = 0; at < out.payload.length; at += out.segmentSize) {
        datagrams.push({ bytes: out.payload.slice(at, at + out.segmentSize) });
      }
    }
    for (let event = end.endpoint.pollEvent(); event !== undefined; event = end.endpoint.pollEvent())
      end.events.push(event);
    return datagrams;
  }
}
