/**
 * The pump between one machine and the world.
 *
 * Theory of operation. Datagrams go to the machine as they arrive; whatever else has to happen waits for the end of the
 * poll phase of the event loop, where one `setImmediate` serves all datagrams that came in a burst. A pump gives the
 * machine the time if a deadline has passed, sends what it wants sent, tells what it has to tell, and arms one timer.
 * The timer itself only asks for a pump, so that datagrams which waited in the socket while the process was busy are
 * received before any deadline is enforced.
 *
 * A pump sends a bounded number of datagrams and then yields to the event loop, so that one bulk connection cannot
 * starve the rest of the process.
 *
 * @module
 */
import type { BufferPool } from "../util/buffer-pool.ts";
import type { Datagram, Machine, SocketId, Transmit } from "../util/machine.ts";
import type { Instant } from "../util/time.ts";
import { monotonicNow } from "./clock.ts";
import type { UdpSocket } from "./udp-socket.ts";

/** What a driver works with. */
export interface DriverOptions<Event> {
  readonly machine: Machine<Event>;
  /** Those that are open from the beginning. */
  readonly sockets: readonly UdpSocket[];
  /** The pool that the machine takes its buffers from. */
  readonly pool: BufferPool;
  /** Called for each event; commands that it gives are pumped afterwards. */
  readonly onEvent: (event: Event, now: Instant) => void;
  /** Called after each pump, when the machine has nothing more to tell. */
  readonly onIdle: () => void;
}

// Implementation

/** Datagrams sent before yielding to the event loop: about a millisecond of system calls. */
const MAX_DATAGRAMS_PER_PUMP = 128;

/** Bytes that count as one datagram: it takes the time of another system call to copy them, and room at the receiver. */
const BYTES_PER_DATAGRAM = 4_096;

/** Rounds of sending and telling before yielding: handlers that give commands for ever must not block the process. */
const MAX_ROUNDS_PER_PUMP = 8;

/** Bytes waiting for the kernel beyond which nothing more is taken from the machine. */
const MAX_QUEUED_BYTES = 256 * 1024;

/** Datagrams up to this size are copied out of their batch buffer, which then serves again at once. */
const COPY_LIMIT = 2_048;

/** When to look again whether the kernel takes more, in ms: the shortest that timers offer. */
const QUEUE_INTERVAL = 1;

/** Longest delay that `setTimeout` takes, in ms; the timer fires early then, which does no harm. */
const MAX_TIMEOUT = 2 ** 31 - 1;

/** Runs a machine on real sockets; see the module's theory of operation. */
export class Driver<Event> {
  readonly #options: DriverOptions<Event>;
  /** Indexed by socket id; those that were closed leave a gap. */
  readonly #sockets: (UdpSocket | undefined)[] = [];
  readonly #pump = (): void => this.#onImmediate();
  readonly #wakeByTimer = (): void => this.#onTimer();
  readonly #recycle = (): void => this.#giveBack();
  #immediate: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer fires; it may be armed too early, never too late. */
  #timerAt: Instant | undefined;
  #isPumping = false;
  /** There is more to do: a command was given while pumping, or the pump stopped before the machine did. */
  #isDirty = false;
  /** The kernel takes nothing more at present. */
  #isBlocked = false;
  #isStopped = false;
  /** Batch buffers whose bytes have been given to the sockets. */
  #leaving: Uint8Array[] = [];
  #guardHits = 0;

  constructor(options: DriverOptions<Event>) {
    this.#options = options;
    for (const socket of options.sockets) this.addSocket(socket);
  }

  /** Command: works with this socket, too. */
  addSocket(socket: UdpSocket): void {
    this.#sockets[socket.id] = socket;
    socket.start((datagram) => this.#receive(datagram));
  }

  /** Command: closes a socket; what the machine sends by it from now on is lost. */
  removeSocket(id: SocketId): void {
    const socket = this.#sockets[id];
    this.#sockets[id] = undefined;
    // Datagrams handed to a socket leave in this turn of the event loop, so it closes in the next.
    setImmediate(() => socket?.close());
  }

  /** Command: something has changed in the machine; pumps at the end of this poll phase. */
  wake(): void {
    if (this.#isPumping) this.#isDirty = true;
    else if (this.#immediate === undefined && !this.#isStopped) this.#immediate = setImmediate(this.#pump);
  }

  /** Command: ends for good; `onStopped` is called when all sockets are closed. */
  stop(onStopped: () => void): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    clearImmediate(this.#immediate);
    clearTimeout(this.#timer);
    const sockets = this.#open;
    let open = sockets.length;
    const onClosed = (): void => {
      open -= 1;
      if (open === 0) onStopped();
    };
    // Datagrams handed to a socket leave in this turn of the event loop, so it closes in the next.
    setImmediate(() => {
      for (const socket of sockets) socket.close(onClosed);
    });
  }

  get #open(): readonly UdpSocket[] {
    return this.#sockets.filter((socket) => socket !== undefined);
  }

  /** Datagrams that made the machine throw: each is a bug. */
  get guardHits(): number {
    return this.#guardHits;
  }

  #receive(datagram: Datagram): void {
    try {
      this.#options.machine.receive(datagram, monotonicNow());
    } catch {
      // Belt and braces: nobody on the network may end the process.
      this.#guardHits += 1;
    }
    this.wake();
  }

  #onImmediate(): void {
    this.#immediate = undefined;
    const { machine, onIdle } = this.#options;
    this.#isPumping = true;
    this.#isBlocked = false;
    let hasThrown = true;
    try {
      const now = monotonicNow();
      const due = machine.nextTimeout();
      if (due !== undefined && due <= now) machine.handleTimeout(now);
      let budget = MAX_DATAGRAMS_PER_PUMP;
      for (let round = 0; round < MAX_ROUNDS_PER_PUMP; round++) {
        this.#isDirty = false;
        budget = this.#send(budget);
        this.#tell();
        if (budget <= 0) this.#isDirty = !this.#isBlocked;
        if (budget <= 0 || !this.#isDirty) break;
      }
      hasThrown = false;
    } finally {
      // A handler that throws ends the process or is somebody else's to handle; the pump goes on either way, with what
      // has not been told yet.
      if (hasThrown) this.#isDirty = true;
      this.#isPumping = false;
      // Ticks run in order: the buffers are free once those of the sends above have run.
      if (this.#leaving.length > 0) process.nextTick(this.#recycle);
      if (this.#isDirty) this.wake();
      else this.#arm();
    }
    if (!this.#isDirty) onIdle();
  }

  /**
   * Sends about `budget` datagrams at most, large ones counting for several. Returns what is left of it, 0 if there may be
   * more to send.
   */
  #send(budget: number): number {
    const { machine } = this.#options;
    let left = budget;
    while (left > 0) {
      const transmit = machine.pollTransmit(monotonicNow());
      if (transmit === undefined) return left;
      const socket = this.#sockets[transmit.via];
      if (socket === undefined) continue;
      left -= this.#transmit(transmit, socket);
      if (socket.queuedBytes > MAX_QUEUED_BYTES) {
        this.#isBlocked = true;
        return 0;
      }
    }
    return 0;
  }

  /** Hands one batch to its socket. Returns what it counts for. */
  #transmit(transmit: Transmit, socket: UdpSocket): number {
    const { payload, segmentSize, to } = transmit;
    const { length } = payload;
    if (transmit.isMtuProbe) {
      this.#sendMtuProbe(transmit, socket);
      return 1;
    }
    if (length <= COPY_LIMIT && length <= segmentSize) {
      if (transmit.ttl === undefined) socket.send(Buffer.from(payload), to);
      else socket.sendNear(Buffer.from(payload), to, transmit.ttl);
      this.#options.pool.give(payload);
      return 1;
    }
    let count = 0;
    for (let offset = 0; offset < length; offset += segmentSize) {
      socket.sendPart(payload, offset, Math.min(segmentSize, length - offset), to);
      count += 1;
    }
    this.#leaving.push(payload);
    return Math.max(count, length / BYTES_PER_DATAGRAM);
  }

  #sendMtuProbe({ via, to, payload }: Transmit, socket: UdpSocket): void {
    const { machine, pool } = this.#options;
    const size = payload.length;
    socket.sendWhole(Buffer.from(payload), to, () => {
      if (this.#isStopped) return;
      machine.onMtuProbeRefused?.(via, to, size, monotonicNow());
      this.wake();
    });
    pool.give(payload);
  }

  #giveBack(): void {
    const { pool } = this.#options;
    // What the kernel did not take yet stays with its buffer, which is collected afterwards.
    const isSent = !this.#isStopped && this.#sockets.every((socket) => (socket?.queuedBytes ?? 0) === 0);
    if (isSent) for (const payload of this.#leaving) pool.give(payload);
    this.#leaving.length = 0;
  }

  #tell(): void {
    const { machine, onEvent } = this.#options;
    for (let event = machine.pollEvent(); event !== undefined; event = machine.pollEvent())
      onEvent(event, monotonicNow());
  }

  /** Arms the timer, unless it fires early enough as it is. */
  #arm(): void {
    if (this.#isStopped) return;
    const now = monotonicNow();
    const due = this.#isBlocked ? ((now + QUEUE_INTERVAL) as Instant) : this.#options.machine.nextTimeout();
    if (due === undefined) return;
    if (due <= now) {
      this.wake();
      return;
    }
    if (this.#timerAt !== undefined && this.#timerAt <= due) return;
    clearTimeout(this.#timer);
    const delay = Math.min(due - now, MAX_TIMEOUT);
    this.#timerAt = (now + delay) as Instant;
    // The sockets decide whether the process lives.
    this.#timer = setTimeout(this.#wakeByTimer, delay).unref();
  }

  #onTimer(): void {
    this.#timer = undefined;
    this.#timerAt = undefined;
    this.wake();
  }
}
