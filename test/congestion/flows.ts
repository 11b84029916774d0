/**
 * Bulk flows that share a simulated bottleneck, each with a controller of its own.
 *
 * All lead from one host to another, over the link of the latter. What a flow gets is counted where it arrives, in
 * slices of time, because what matters is who has which share when.
 *
 * @module
 */
import { type Config, DEFAULT_CONFIG } from "../../src/connection/config.ts";
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import type { EndpointEvent } from "../../src/connection/endpoint-events.ts";
import type { ConnectionEvent } from "../../src/connection/events.ts";
import { keyPairFromSeed } from "../../src/crypto/primitives.ts";
import { type LinkOptions, World } from "../../src/testing/index.ts";
import { toHex } from "../../src/util/bytes.ts";
import { addHosts, type Hosts } from "../sim/hosts.ts";

/** A flow to run. Times in ms. */
export interface FlowOptions {
  readonly config?: Partial<Config>;
  /** When it begins, 0 by default. */
  readonly startAt?: number;
  /** Bytes to send; without end unless given. */
  readonly bytes?: number;
  /** When its connection is closed; never unless given. */
  readonly closeAt?: number;
}

/** A bottleneck. */
export interface Bottleneck {
  /** Mbit/s, counted over IP packets. */
  readonly rate: number;
  /** One way, in ms. */
  readonly delay: number;
  /** Packets that may wait. */
  readonly queue: number;
  /** Bytes that the wire adds to each packet, 0 by default. */
  readonly framing?: number;
}

// Implementation

const MTU = 1500;
const CHUNK = new Uint8Array(65_536);

/** Width of the slices in which arrivals are counted, in ms. */
const SLICE = 10;

const MAX_STEPS = 20_000_000;

/** One of the flows. */
export class Flow {
  readonly #options: FlowOptions;
  readonly #slices: number[] = [];
  #sender: ConnectionMachine | undefined;
  #written = 0;
  #received = 0;
  /** When the application learnt that it is connected, and when the first and the last byte arrived, in ms. */
  connectedAt: number | undefined;
  firstByteAt: number | undefined;
  lastByteAt = 0;

  constructor(options: FlowOptions) {
    this.#options = options;
  }

  begin(sender: ConnectionMachine): void {
    this.#sender = sender;
  }

  onSenderEvent(event: ConnectionEvent, now: number): void {
    if (event.type === "connected") this.connectedAt = now;
    if (event.type !== "connected" && event.type !== "writable") return;
    const { bytes = Number.POSITIVE_INFINITY } = this.#options;
    for (let mayGoOn = true; mayGoOn && this.#written < bytes; ) {
      const size = Math.min(CHUNK.length, bytes - this.#written);
      this.#written += size;
      mayGoOn = this.sender.write(0, CHUNK.subarray(0, size));
      if (this.#written === bytes) this.sender.finish(0);
    }
  }

  onReceiverEvent(receiver: ConnectionMachine, event: ConnectionEvent, now: number): void {
    if (event.type !== "readable") return;
    const slice = Math.floor(now / SLICE);
    for (let data = receiver.read(0); data !== undefined; data = receiver.read(0)) {
      this.#received += data.length;
      this.#slices[slice] = (this.#slices[slice] ?? 0) + data.length;
      this.firstByteAt ??= now;
      this.lastByteAt = now;
    }
  }

  /** Mbit/s of payload that arrived from one instant to another. */
  rate(from: number, to: number): number {
    let bytes = 0;
    for (let i = Math.floor(from / SLICE); i < Math.floor(to / SLICE); i++) bytes += this.#slices[i] ?? 0;
    return (bytes * 8) / 1e3 / (to - from);
  }

  /** The connection of its sender. */
  get sender(): ConnectionMachine {
    if (this.#sender === undefined) throw new Error("the flow has not begun");
    return this.#sender;
  }

  get received(): number {
    return this.#received;
  }

  get isComplete(): boolean {
    return this.#received === this.#options.bytes;
  }
}

/** The flows and their bottleneck. */
export class Flows {
  readonly world: World;
  readonly hosts: Hosts;
  readonly flows: readonly Flow[];
  readonly #queueDelays: number[] = [];

  constructor(bottleneck: Bottleneck, flows: readonly FlowOptions[], seed: number | string = 1) {
    this.world = new World({ seed, traceTail: 0 });
    const { rate, delay, queue, framing = 0 } = bottleneck;
    const link: LinkOptions = { bitsPerSecond: rate * 1e6, delay, queue: { packets: queue }, framing, mtu: MTU };
    this.hosts = addHosts(this.world, {
      interfaceMtu: MTU,
      timerResolution: 1,
      link: { up: link, down: link },
      onEvent: (side, event) => this.#onEvent(side, event),
    });
    this.link.filter = () => {
      this.#queueDelays.push(this.link.queueDelay);
      return "pass";
    };
    this.flows = flows.map((options) => new Flow(options));
    for (const [i, options] of flows.entries()) this.#plan(this.flows[i]!, options);
  }

  /** Command: lets time pass, in ms. */
  run(span: number): this {
    this.world.run({ for: span, maxSteps: MAX_STEPS });
    return this;
  }

  /** Command: lets time pass until all flows that end have ended. */
  runToEnd(): this {
    this.world.run({ until: () => this.flows.every((flow) => flow.isComplete), maxSteps: MAX_STEPS });
    return this;
  }

  /** The bottleneck. */
  get link() {
    return this.hosts.listener.link.down;
  }

  /** What share of the packets found at most which queue, in ms. */
  queueDelay(share: number): number {
    const sorted = this.#queueDelays.toSorted((a, b) => a - b);
    return sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
  }

  readonly #bySender = new Map<ConnectionMachine, Flow>();
  readonly #byPeerKey = new Map<string, Flow>();
  readonly #byReceiver = new Map<ConnectionMachine, Flow>();

  #plan(flow: Flow, { config, startAt = 0, closeAt }: FlowOptions): void {
    const { world, hosts } = this;
    world.at(startAt, () => {
      const identity = keyPairFromSeed(world.rng.fork(`caller ${this.#byPeerKey.size}`).random(32));
      const sender = hosts.dialer.machine.connect(
        { ticket: hosts.ticket, identity, timeout: 20_000, config: { ...DEFAULT_CONFIG, ...config } },
        world.now,
      );
      flow.begin(sender);
      this.#bySender.set(sender, flow);
      this.#byPeerKey.set(toHex(identity.publicKey), flow);
    });
    if (closeAt !== undefined) world.at(closeAt, () => flow.sender.close(0, "", world.now));
  }

  #onEvent(side: "listener" | "dialer", event: EndpointEvent): void {
    if (event.type === "incoming") {
      const flow = this.#byPeerKey.get(toHex(event.peerKey));
      if (flow !== undefined) this.#byReceiver.set(event.connection, flow);
    }
    if (event.type !== "connection") return;
    const { now } = this.world;
    if (side === "dialer") this.#bySender.get(event.connection)?.onSenderEvent(event.event, now);
    else this.#byReceiver.get(event.connection)?.onReceiverEvent(event.connection, event.event, now);
  }
}
