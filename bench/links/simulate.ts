/**
 * One bulk flow over a row's link in the simulator: a seed determines every figure.
 *
 * The applications are those of the command: the sender always has another chunk, the receiver reads at once. Timers
 * are as coarse as Node's, handling a datagram takes time as it does there, and the link counts packets as the emulator for the kernel does: its queue holds packets, its
 * rate counts their IP bytes, and what is lost is lost in front of the queue.
 *
 * @module
 */
import type { Config } from "../../src/connection/config.ts";
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import type { EndpointEvent } from "../../src/connection/endpoint-events.ts";
import type { ConnectionEvent } from "../../src/connection/events.ts";
import { type LinkOptions, type ProcessorOptions, World } from "../../src/testing/index.ts";
import type { OpenTrace } from "../../src/trace/sink.ts";
import { addHosts, type Hosts } from "../../test/sim/hosts.ts";
import { type LinkRow, type LinkSpec, payloadLimit } from "./rows.ts";
import { percentile } from "./statistics.ts";

/** How a row is simulated. */
export interface SimulationOptions {
  readonly seed: number;
  readonly config?: Partial<Config>;
  /** Which side sends; the dialer by default. */
  readonly sender?: "dialer" | "listener";
  /** How fast both hosts are; by default as Node is. */
  readonly processor?: ProcessorOptions;
  /** Begins the traces of both ends; see `test/sim/qlog.ts`. */
  readonly openTrace?: OpenTrace | undefined;
  /** Called when both ends are there, before anything happens: the place for further events. */
  readonly onStart?: (world: World, hosts: Hosts) => void;
}

/** What a flow came to. Times in ms. */
export interface FlowFigures {
  /** False if the flow was given up, with what it had reached. */
  readonly isComplete: boolean;
  /** From the first to the last payload byte at the receiver. */
  readonly elapsed: number;
  /** MB/s. */
  readonly goodput: number;
  /** Goodput as a share of the most payload that the link carries. */
  readonly share: number;
  /** Of the queue that the data waits in. */
  readonly tailDrops: number;
  /** Packets of data that the link lost, whatever the reason, tail drops included. */
  readonly lost: number;
  /** Stream bytes sent again, in percent of the flow. */
  readonly retransmitted: number;
  /** Packets deemed lost that had arrived. */
  readonly spuriousLosses: number;
  /** Round-trip samples of the sender while the flow ran. */
  readonly rtt: { readonly p50: number; readonly p95: number };
  /** Waiting in the queue, as each packet of data found it. */
  readonly queueDelay: { readonly p50: number; readonly p95: number };
  /** Datagrams that the receiver sent. */
  readonly ackPackets: number;
  /** Datagrams that the sender sent. */
  readonly dataPackets: number;
}

// Implementation

/** Ethernet's. */
const MTU = 1500;

/** What a file stream hands over at once. */
const CHUNK = new Uint8Array(65_536);

/** Node's timers count whole milliseconds. */
const TIMER_RESOLUTION = 1;

/**
 * Node on a core of a server: some 60,000 datagrams a second once everything is compiled, and less than a tenth of that at
 * first. Fitted to how the command's first second looks on links of the kernel: it falls behind, takes what has come in
 * one go, and so sends and acknowledges in bursts.
 */
const PROCESSOR: ProcessorOptions = { cold: 0.2, warm: 0.015, warmUp: 1500 };

/** A flow that takes this many times longer than its target allows is given up. */
const PATIENCE = 10;

/** Of one run: some ten for each of several hundred thousand packets. */
const MAX_STEPS = 50_000_000;

/** Runs the flow of `row`. */
export function simulateRow(row: LinkRow, options: SimulationOptions): FlowFigures {
  return new BulkFlow(row, options).run();
}

/** The link in the simulator's terms, one direction. */
export function simulatedLink(spec: LinkSpec): LinkOptions {
  const { rate, delay, queue, jitter = 0, loss = 0, burst, late, overtaking = 0, duplicate = 0, corrupt = 0 } = spec;
  return {
    bitsPerSecond: rate * 1e6,
    delay,
    queue: { packets: queue },
    jitter,
    loss: loss / 100,
    lossBeforeQueue: true,
    overtaking: overtaking / 100,
    duplication: duplicate / 100,
    corruption: corrupt / 100,
    mtu: MTU,
    ...(burst === undefined ? {} : { burstLoss: { enter: burst.enter / 100, leave: burst.leave / 100 } }),
    ...(late === undefined
      ? {}
      : { reordering: { probability: late.share / 100, minDelay: late.by, maxDelay: late.by } }),
  };
}

class BulkFlow {
  readonly #row: LinkRow;
  readonly #options: SimulationOptions;
  readonly #world: World;
  readonly #hosts: Hosts;
  #sender: ConnectionMachine | undefined;
  #receiver: ConnectionMachine | undefined;
  #written = 0;
  #received = 0;
  #isDone = false;
  #firstByteAt: number | undefined;
  #lastByteAt = 0;
  /** Datagrams that the sender had got when its round-trip time was looked at. */
  #sampledAt = 0;
  readonly #rtts: number[] = [];
  readonly #queueDelays: number[] = [];

  constructor(row: LinkRow, options: SimulationOptions) {
    this.#row = row;
    this.#options = options;
    this.#world = new World({ seed: options.seed, traceTail: 0, afterEvent: () => this.#sample() });
    const link = simulatedLink(row.link);
    this.#hosts = addHosts(this.#world, {
      ...(options.config === undefined ? {} : { config: options.config }),
      openTrace: options.openTrace,
      interfaceMtu: MTU,
      timerResolution: TIMER_RESOLUTION,
      processor: options.processor ?? PROCESSOR,
      link: { up: link, down: link },
      onEvent: (side, event) => this.#onEvent(side, event),
    });
    this.#dataLink.filter = () => {
      if (this.#firstByteAt !== undefined) this.#queueDelays.push(this.#dataLink.queueDelay);
      return "pass";
    };
  }

  run(): FlowFigures {
    const world = this.#world;
    const dialer = this.#hosts.dial();
    if (this.#senderName === "dialer") this.#sender = dialer;
    else this.#receiver = dialer;
    this.#options.onStart?.(world, this.#hosts);
    const deadline = ((this.#row.bytes / 1e3) * PATIENCE) / this.#row.goodputAtLeast;
    world.run({ until: () => this.#isDone || world.now > deadline, maxSteps: MAX_STEPS });
    return this.#figures();
  }

  #onEvent(side: "dialer" | "listener", event: EndpointEvent): void {
    if (event.type === "incoming") {
      if (side === this.#senderName) this.#sender = event.connection;
      else this.#receiver = event.connection;
    }
    if (event.type !== "connection") return;
    if (side === this.#senderName) this.#onSenderEvent(event.event);
    else this.#onReceiverEvent(event.event);
  }

  #onSenderEvent(event: ConnectionEvent): void {
    const isReady = event.type === "connected" || event.type === "writable";
    if (event.type === "closed") throw new Error(`closed: ${JSON.stringify(event.reason)}`);
    if (!isReady || this.#sender === undefined) return;
    while (this.#written < this.#row.bytes) {
      const size = Math.min(CHUNK.length, this.#row.bytes - this.#written);
      this.#written += size;
      const mayGoOn = this.#sender.write(0, CHUNK.subarray(0, size));
      if (this.#written === this.#row.bytes) this.#sender.finish(0);
      if (!mayGoOn) return;
    }
  }

  #onReceiverEvent(event: ConnectionEvent): void {
    if (event.type === "closed") throw new Error(`closed: ${JSON.stringify(event.reason)}`);
    if (event.type !== "readable") return;
    for (let data = this.#receiver!.read(0); data !== undefined; data = this.#receiver!.read(0)) {
      this.#firstByteAt ??= this.#world.now;
      this.#lastByteAt = this.#world.now;
      this.#received += data.length;
    }
    this.#isDone = this.#received === this.#row.bytes;
  }

  #sample(): void {
    const { datagramsReceived } = this.#hosts[this.#senderName].counters;
    if (this.#firstByteAt === undefined || datagramsReceived === this.#sampledAt) return;
    this.#sampledAt = datagramsReceived;
    this.#rtts.push(this.#sender!.stats().latestRtt);
  }

  #figures(): FlowFigures {
    const elapsed = this.#lastByteAt - (this.#firstByteAt ?? 0);
    const goodput = elapsed > 0 ? this.#received / 1e3 / elapsed : 0;
    const { counters } = this.#dataLink;
    const stats = this.#sender!.stats();
    return {
      isComplete: this.#isDone,
      elapsed,
      goodput,
      share: goodput / payloadLimit(this.#row.link),
      tailDrops: counters.tailDropped,
      lost: counters.tailDropped + counters.lost + counters.corrupted,
      retransmitted: (stats.retransmittedBytes / this.#row.bytes) * 100,
      spuriousLosses: stats.spuriousLosses,
      rtt: { p50: percentile(this.#rtts, 0.5), p95: percentile(this.#rtts, 0.95) },
      queueDelay: { p50: percentile(this.#queueDelays, 0.5), p95: percentile(this.#queueDelays, 0.95) },
      ackPackets: this.#hosts[this.#receiverName].counters.datagramsSent,
      dataPackets: this.#hosts[this.#senderName].counters.datagramsSent,
    };
  }

  /** The link belongs to the listener: what it sends goes up. */
  get #dataLink() {
    const { up, down } = this.#hosts.listener.link;
    return this.#senderName === "dialer" ? down : up;
  }

  get #senderName(): "dialer" | "listener" {
    return this.#options.sender ?? "dialer";
  }

  get #receiverName(): "dialer" | "listener" {
    return this.#senderName === "dialer" ? "listener" : "dialer";
  }
}
