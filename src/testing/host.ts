/**
 * A host: one machine, its sockets, its link; and the checks that hold the machine to its contract.
 *
 * Theory of operation. After every input the world pumps the host: `pollTransmit` until `undefined`, then `pollEvent`
 * until `undefined`, again if an event handler ran (it may have issued commands), then the deadline is set. A
 * transmit is cut into datagrams, each with a copy of its bytes; the buffer is then overwritten, so that a machine that
 * still reads it is found out, and given back to the pool.
 *
 * @module
 */
import type { BufferPool } from "../util/buffer-pool.ts";
import type { HasDeadline } from "../util/deadline-heap.ts";
import { type Address, formatAddress, type Machine, type SocketId, type Transmit } from "../util/machine.ts";
import type { Duration, Instant } from "../util/time.ts";
import { type Arrival, type Coalescing, coalesce } from "./coalescing.ts";
import type { Environment } from "./environment.ts";
import { Link } from "./link.ts";
import { bothDirections, type DuplexLinkOptions } from "./link-options.ts";
import type { Nat } from "./nat.ts";
import type { Network, NetworkNode } from "./network.ts";
import { DEFAULT_TTL, Packet } from "./packet.ts";
import { Processor, type ProcessorOptions } from "./processor.ts";
import { SimulationError } from "./simulation-error.ts";
import { Task } from "./timeline.ts";

/** The event type of a machine. */
export type EventOf<M> = M extends Machine<infer Event> ? Event : never;

/** A host to add to a world. */
export interface HostOptions<M extends Machine<unknown>> {
  readonly name: string;
  readonly machine: M;
  /** One socket each: its {@link SocketId} is the place in this list. Hosts behind different NATs may share addresses. */
  readonly addresses: readonly Address[];
  /** The NAT that the host lies behind; by default none. */
  readonly behind?: Nat;
  /** The link between the host and its network; perfect by default. */
  readonly link?: DuplexLinkOptions;
  /** Joins datagrams that arrive close together, as UDP_GRO does; by default they come one by one. */
  readonly coalescing?: Coalescing;
  /**
   * Timers fire at multiples of this only, in ms, and so up to that much late, as those of Node do with 1; other inputs
   * serve what is overdue. By default they are exact.
   */
  readonly timerResolution?: Duration;
  /** Time that it takes to handle datagrams; by default none. */
  readonly processor?: ProcessorOptions;
  /** The pool that the machine takes its buffers from; that of the world by default. */
  readonly pool?: BufferPool;
  /**
   * Reacts to an event; it may issue commands to this host's machine. After commands to another host's, call
   * `world.wake(thatHost)`.
   */
  onEvent?(event: EventOf<M>, host: Host<M>): void;
}

// Implementation

/** Datagram batches and events that one pump may yield: far more than the buffers of a sane machine hold. */
const MAX_OUTPUTS_PER_PUMP = 100_000;

/** Rounds of events and reactions of one pump: an application that always has an answer would loop forever. */
const MAX_ROUNDS_PER_PUMP = 10_000;

/** Written over buffers that were given back; a machine that still reads them sends or parses nonsense. */
const POISON = 0xdb;

/** A machine with sockets in the simulated network. */
export class Host<M extends Machine<unknown> = Machine<unknown>> implements NetworkNode, HasDeadline {
  readonly name: string;
  readonly machine: M;
  /** All events so far, in order. A test may empty it. */
  readonly events: EventOf<M>[] = [];
  /** From the host and to it. */
  readonly link: { readonly up: Link; readonly down: Link };
  /** Batches that the machine handed out, and the datagrams in them. */
  readonly counters = { transmits: 0, datagramsSent: 0, datagramsReceived: 0, unsent: 0 };

  /** Part of {@link HasDeadline}. */
  deadline = 0 as Instant;
  /** Part of {@link HasDeadline}. */
  heapIndex = -1;
  /** Whether a pump is due; kept by the world. */
  isAwake = false;

  readonly #options: HostOptions<M>;
  readonly #environment: Environment;
  readonly #network: Network;
  readonly #pool: BufferPool;
  readonly #wake: (host: Host) => void;
  /** By socket id; `undefined` once closed. */
  readonly #sockets: (Address | undefined)[] = [];
  readonly #held: Arrival[] = [];
  readonly #processor: Processor;
  /** What has come while the processor was busy. */
  readonly #backlog: Packet[] = [];
  #isStopped = false;

  constructor(
    options: HostOptions<M>,
    context: { environment: Environment; network: Network; pool: BufferPool; wake: (host: Host) => void },
  ) {
    const { environment, network } = context;
    this.name = options.name;
    this.machine = options.machine;
    this.#options = options;
    this.#environment = environment;
    this.#network = network;
    this.#pool = options.pool ?? context.pool;
    this.#wake = context.wake;
    this.#processor = new Processor(environment.timeline, options.processor, () => this.#resume());
    const { up, down } = bothDirections(options.link ?? {});
    this.link = {
      up: new Link({
        name: `${this.name} up`,
        environment,
        conditions: up,
        deliver: (packet) => network.carry(packet),
        defers: false,
      }),
      // Defers, so that a machine is never called from within a poll of another one or itself.
      down: new Link({
        name: `${this.name} down`,
        environment,
        conditions: down,
        deliver: (packet) => this.#receive(packet),
        defers: true,
      }),
    };
    for (const address of options.addresses) this.bind(address);
  }

  /** Input: a packet from the network. */
  arrive(packet: Packet): void {
    this.link.down.send(packet);
  }

  /** Command: opens a socket at `address` and returns its id. The machine must be told by its own commands. */
  bind(address: Address): SocketId {
    if (this.#socketAt(address) !== -1) throw new Error(`${this.name} already has ${formatAddress(address)}`);
    this.#network.attach(address.host, this);
    this.#sockets.push(address);
    return this.#sockets.length - 1;
  }

  /** Command: closes the socket `id`; datagrams to it and from it are lost. */
  unbind(id: SocketId): void {
    const address = this.#sockets[id];
    if (address === undefined) return;
    this.#sockets[id] = undefined;
    this.#detachUnused(address);
  }

  /** Command: moves the socket `id` to another address, as after a change of the network that the machine isn't told. */
  move(id: SocketId, address: Address): void {
    const old = this.address(id);
    this.#network.attach(address.host, this);
    this.#sockets[id] = address;
    this.#detachUnused(old);
  }

  /** Command: the host vanishes without a word: closes its sockets and never calls the machine again. */
  stop(): void {
    this.#isStopped = true;
    for (let id = 0; id < this.#sockets.length; id++) this.unbind(id);
    this.#environment.trace.note("action", this.name, "stop");
    this.#wake(this);
  }

  /** The address of the socket `id`. @throws RangeError if there is none. */
  address(id: SocketId = 0): Address {
    const address = this.#sockets[id];
    if (address === undefined) throw new RangeError(`${this.name} has no socket ${id}`);
    return address;
  }

  /** Whether {@link stop} was called. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Called by the world after an input or a command: takes all that the machine has to say. */
  pump(): void {
    if (this.#isStopped || !this.#processor.take()) return;
    this.#serveOverdue();
    for (let round = 0; round < MAX_ROUNDS_PER_PUMP; round++) {
      this.#sendAll();
      if (this.#takeEvents()) continue;
      this.#processor.yield();
      return;
    }
    throw new SimulationError("livelock", `${this.name}: events and reactions to them do not end`);
  }

  /** Called by the world when the deadline of the machine has come. Checks that the machine dealt with it. */
  serveTimer(): void {
    if (this.#isStopped) return;
    const now = this.#environment.timeline.now;
    this.#processor.take();
    this.#environment.trace.note("timer", this.name, "");
    this.machine.handleTimeout(now);
    this.#sendAll();
    const next = this.machine.nextTimeout();
    if (next !== undefined && next <= now) {
      throw new SimulationError(
        "contract",
        `${this.name}: after handleTimeout(${now}) nextTimeout() is ${next}, which is not later`,
      );
    }
    this.#wake(this);
  }

  /** Called by the world: when to serve the deadline of the machine. */
  nextTimeout(): Instant | undefined {
    if (this.#isStopped) return undefined;
    const next = this.machine.nextTimeout();
    if (next !== undefined && !Number.isFinite(next)) {
      throw new SimulationError("contract", `${this.name}: nextTimeout() is ${next}`);
    }
    if (next === undefined) return undefined;
    const { timerResolution } = this.#options;
    const fires = timerResolution === undefined ? next : Math.ceil(next / timerResolution) * timerResolution;
    return this.#processor.serviceTime(fires as Instant);
  }

  /** Called by the coalescing task: hands over what was held. */
  flush(): void {
    const arrivals = this.#held.splice(0);
    for (const datagram of coalesce(arrivals, this.#options.coalescing?.hidesSegmentSize === true)) {
      this.machine.receive(datagram, this.#environment.timeline.now);
    }
    this.#wake(this);
  }

  /** The processor is free again: deals with all that has come meanwhile. */
  #resume(): void {
    for (const packet of this.#backlog.splice(0)) this.#receive(packet);
    this.#wake(this);
  }

  #receive(packet: Packet): void {
    if (!this.#processor.take()) {
      this.#backlog.push(packet);
      return;
    }
    this.#processor.work();
    const via = this.#socketAt(packet.to);
    if (via === -1) {
      this.#environment.trace.packet("drop", this.name, "no socket", packet);
      return;
    }
    const { timeline, trace } = this.#environment;
    this.#checkTimer();
    trace.packet("deliver", this.name, "", packet);
    this.counters.datagramsReceived += 1;
    const { from, payload } = packet;
    if (this.#options.coalescing !== undefined) {
      this.#held.push({ via, from, payload });
      if (this.#held.length === 1)
        timeline.schedule(new Flush(this), (timeline.now + this.#options.coalescing.window) as Instant);
      return;
    }
    this.machine.receive({ via, from, payload, segmentSize: payload.length }, timeline.now);
    this.#wake(this);
  }

  /** With coarse timers a deadline may have passed when something else happens; it is dealt with then. */
  #serveOverdue(): void {
    if (this.#options.timerResolution === undefined) return;
    const now = this.#environment.timeline.now;
    const next = this.machine.nextTimeout();
    if (next !== undefined && next <= now) this.machine.handleTimeout(now);
  }

  /** A timer in the past, although the world serves all that it knows of, was set by a command behind its back. */
  #checkTimer(): void {
    const next = this.nextTimeout();
    if (next === undefined || next >= this.#environment.timeline.now) return;
    throw new SimulationError("contract", `${this.name}: timer of ${next} unserved; world.wake() after a command?`);
  }

  #sendAll(): void {
    const now = this.#environment.timeline.now;
    for (let count = 0; count < MAX_OUTPUTS_PER_PUMP; count++) {
      const transmit = this.machine.pollTransmit(now);
      if (transmit === undefined) return;
      this.#send(transmit);
    }
    throw new SimulationError("livelock", `${this.name}: pollTransmit() does not end`);
  }

  /** Whether a handler saw any event. */
  #takeEvents(): boolean {
    const { trace } = this.#environment;
    for (let count = 0; count < MAX_OUTPUTS_PER_PUMP; count++) {
      const event = this.machine.pollEvent() as EventOf<M> | undefined;
      if (event === undefined) return count > 0 && this.#options.onEvent !== undefined;
      this.events.push(event);
      trace.note("event", this.name, eventName(event));
      this.#options.onEvent?.(event, this);
    }
    throw new SimulationError("livelock", `${this.name}: pollEvent() does not end`);
  }

  #send(transmit: Transmit): void {
    const { via, to, payload, segmentSize, ttl } = transmit;
    const problem = this.#problemWith(transmit);
    if (problem !== undefined) throw new SimulationError("contract", `${this.name}: transmit ${problem}`);
    this.counters.transmits += 1;
    const from = this.#sockets[via];
    for (let start = 0; start < payload.length; start += segmentSize) {
      if (from === undefined) {
        this.counters.unsent += 1;
        continue;
      }
      // Buffers of Node share memory with a slice of their own; typed arrays don't.
      const segment = Uint8Array.prototype.slice.call(payload, start, start + segmentSize);
      const id = this.#environment.nextPacketId();
      const packet = new Packet({ id, from, to, payload: segment, ttl: ttl ?? DEFAULT_TTL });
      this.#environment.trace.packet("send", this.name, "", packet);
      this.counters.datagramsSent += 1;
      this.#processor.work();
      this.link.up.send(packet);
    }
    payload.fill(POISON);
    this.#pool.give(payload);
  }

  #problemWith({ via, to, payload, segmentSize, ttl }: Transmit): string | undefined {
    if (via < 0 || via >= this.#sockets.length) return `by unknown socket ${via}`;
    const from = this.#sockets[via];
    if (from !== undefined && from.family !== to.family) return `by IPv${from.family} socket to ${formatAddress(to)}`;
    if (!(to.port >= 1 && to.port <= 65_535)) return `to impossible port ${to.port}`;
    if (payload.length === 0) return "without payload";
    if (!(segmentSize >= 1 && segmentSize <= payload.length)) {
      return `of ${payload.length} bytes in segments of ${segmentSize}`;
    }
    if (ttl !== undefined && !(ttl >= 1 && ttl <= 255)) return `with hop limit ${ttl}`;
    return undefined;
  }

  /** Id of the socket at `address`, −1 if there is none. */
  #socketAt(address: Address): SocketId {
    for (let id = 0; id < this.#sockets.length; id++) {
      const socket = this.#sockets[id];
      if (socket !== undefined && socket.port === address.port && socket.host === address.host) return id;
    }
    return -1;
  }

  #detachUnused(address: Address): void {
    if (!this.#sockets.some((socket) => socket?.host === address.host)) this.#network.detach(address.host);
  }
}

/** Ends the wait for datagrams to join. */
class Flush extends Task {
  readonly #host: { flush(): void };

  constructor(host: { flush(): void }) {
    super();
    this.#host = host;
  }

  run(): void {
    this.#host.flush();
  }
}

/** What to call an event in the trace: its `type`, and that of the event within, if it has them. */
function eventName(event: unknown): string {
  if (!(event instanceof Object)) return String(event);
  const { type, event: inner } = event as { type?: unknown; event?: unknown };
  const name = typeof type === "string" ? type : "event";
  return inner === undefined ? name : `${name} ${eventName(inner)}`;
}
