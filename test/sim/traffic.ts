/**
 * Random applications on both ends of a connection, and what must hold whatever the network does.
 *
 * Each stream has two directions, each with a plan: how many bytes are written and in which pieces, whether it ends with
 * FIN or is reset half-way, how the reader reads, and whether it loses interest. The bytes of a direction are a function
 * of its name and the offset, so that the reader can check each one without the writer's help.
 *
 * @module
 */
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import type { ConnectionEvent } from "../../src/connection/events.ts";
import type { Rng, World } from "../../src/testing/index.ts";

/** A period that no packet or chunk size divides, so that bytes at a wrong place never look right. */
const PATTERN_SIZE = 65_521;
const pattern = new Uint8Array(2 * PATTERN_SIZE + 65_536);
for (let i = 0; i < pattern.length; i++) pattern[i] = ((i % PATTERN_SIZE) * 2_654_435_761) >>> 11;

/** The `length` bytes from `offset` on of the data that `salt` names; at most 65,536. Not to be written to. */
export function expected(salt: number, offset: number, length: number): Uint8Array {
  const start = (salt + offset) % PATTERN_SIZE;
  return pattern.subarray(start, start + length);
}

/** What one direction of a stream is to do. */
export interface DirectionPlan {
  readonly salt: number;
  readonly bytes: number;
  readonly chunk: number;
  /** Pause between writes, in ms. */
  readonly writePause: number;
  /** Reset after this many bytes instead of ending with FIN. */
  readonly resetAfter: number | undefined;
  /** Pause of the reader after each readable event, in ms; 0 reads at once. */
  readonly readPause: number;
  /** The reader asks the writer to stop after this many bytes. */
  readonly stopAfter: number | undefined;
}

/** How a direction ended, as its two ends see it. */
type WriterEnd = "finished" | "reset" | "stopped";
type ReaderEnd = "finished" | "reset" | "gave-up";

class Direction {
  readonly plan: DirectionPlan;
  written = 0;
  received = 0;
  isFinishing = false;
  hasReset = false;
  hasStopped = false;
  wasStopped = false;
  writerEnds: WriterEnd[] = [];
  readerEnds: ReaderEnd[] = [];

  constructor(plan: DirectionPlan) {
    this.plan = plan;
  }

  describe(): string {
    const { bytes, resetAfter, stopAfter } = this.plan;
    return JSON.stringify({ ...this, plan: { bytes, resetAfter, stopAfter } });
  }

  get isOver(): boolean {
    return this.writerEnds.length > 0 && this.readerEnds.length > 0;
  }
}

/** One side's view of one stream: it writes one direction and reads the other. */
interface Half {
  readonly outgoing: Direction | undefined;
  readonly incoming: Direction | undefined;
  isWritePlanned: boolean;
  isReadPlanned: boolean;
}

/** One end of the connection and its applications. */
export class Side {
  readonly name: string;
  readonly world: World;
  readonly halves = new Map<number, Half>();
  connection: ConnectionMachine | undefined;
  closed: ConnectionEvent | undefined;
  connectedAt: number | undefined;
  onConnected: () => void = () => {};
  readonly #wake: () => void;

  constructor(name: string, world: World, wake: () => void) {
    this.name = name;
    this.world = world;
    this.#wake = wake;
  }

  /** Input: an event of the connection. */
  onEvent(event: ConnectionEvent): void {
    if (this.closed !== undefined) throw new Error(`${this.name}: ${event.type} after closed`);
    switch (event.type) {
      case "connected":
        if (this.connectedAt !== undefined) throw new Error(`${this.name}: connected twice`);
        this.connectedAt = this.world.now;
        this.onConnected();
        break;
      case "readable":
        this.#scheduleRead(event.id);
        break;
      case "writable":
        this.#write(event.id);
        break;
      case "finished":
        this.#endWriter(event.id, "finished");
        break;
      case "reset-acked":
        this.#endWriter(event.id, this.#outgoing(event.id).wasStopped ? "stopped" : "reset");
        break;
      case "stopped":
        this.#outgoing(event.id).wasStopped = true;
        break;
      case "reset":
        // It may have been on its way when the reader gave up.
        if (this.halves.get(event.id)?.incoming?.hasStopped !== true) this.#endReader(event.id, "reset");
        break;
      case "closed":
        this.closed = event;
        break;
      default:
        break;
    }
  }

  /** Command: takes part in a stream; what it writes begins now. */
  join(id: number, half: { outgoing: Direction | undefined; incoming: Direction | undefined }): void {
    this.halves.set(id, { ...half, isWritePlanned: false, isReadPlanned: false });
    if (half.outgoing !== undefined) this.#write(id);
    if (half.incoming !== undefined) this.#scheduleRead(id);
  }

  #outgoing(id: number): Direction {
    const outgoing = this.halves.get(id)?.outgoing;
    if (outgoing === undefined) throw new Error(`${this.name}: event for stream ${id}, which it does not write`);
    return outgoing;
  }

  #endWriter(id: number, end: WriterEnd): void {
    const direction = this.#outgoing(id);
    direction.writerEnds.push(end);
    if (direction.writerEnds.length > 1)
      throw new Error(`${this.name}: stream ${id} ended twice for its writer: ${direction.writerEnds}`);
  }

  #endReader(id: number, end: ReaderEnd): void {
    const direction = this.halves.get(id)?.incoming;
    if (direction === undefined) throw new Error(`${this.name}: end of stream ${id}, which it does not read`);
    direction.readerEnds.push(end);
    if (direction.readerEnds.length > 1)
      throw new Error(`${this.name}: stream ${id} ended twice for its reader: ${direction.readerEnds}`);
  }

  #write(id: number): void {
    const half = this.halves.get(id);
    const direction = half?.outgoing;
    const connection = this.connection;
    if (half === undefined || direction === undefined || connection === undefined || connection.state !== "open")
      return;
    if (half.isWritePlanned || direction.isFinishing || direction.hasReset || direction.wasStopped) return;
    const { plan } = direction;
    for (;;) {
      if (plan.resetAfter !== undefined && direction.written >= plan.resetAfter) {
        direction.hasReset = true;
        connection.reset(id, 7);
        break;
      }
      if (direction.written >= plan.bytes) {
        direction.isFinishing = true;
        connection.finish(id);
        break;
      }
      const length = Math.min(plan.chunk, plan.bytes - direction.written);
      const mayGoOn = connection.write(id, expected(plan.salt, direction.written, length));
      direction.written += length;
      if (!mayGoOn) break;
      if (plan.writePause > 0) {
        half.isWritePlanned = true;
        this.world.after(plan.writePause, () => {
          half.isWritePlanned = false;
          this.#write(id);
          this.#wake();
        });
        break;
      }
    }
    this.#wake();
  }

  #scheduleRead(id: number): void {
    const half = this.halves.get(id);
    if (half?.incoming === undefined || half.isReadPlanned) return;
    const { readPause } = half.incoming.plan;
    if (readPause === 0) {
      this.#read(id);
      return;
    }
    half.isReadPlanned = true;
    this.world.after(readPause, () => {
      half.isReadPlanned = false;
      this.#read(id);
      this.#wake();
    });
  }

  #read(id: number): void {
    const direction = this.halves.get(id)?.incoming;
    const connection = this.connection;
    if (direction === undefined || connection === undefined || connection.state !== "open") return;
    if (direction.readerEnds.length > 0) return;
    for (let data = connection.read(id); data !== undefined; data = connection.read(id)) {
      const want = expected(direction.plan.salt, direction.received, data.length);
      if (Buffer.compare(data, want) !== 0)
        throw new Error(`${this.name}: stream ${id} differs at ${direction.received}`);
      direction.received += data.length;
      if (direction.received > direction.plan.bytes) throw new Error(`${this.name}: stream ${id} delivered too much`);
    }
    if (connection.isFinished(id)) this.#endReader(id, "finished");
    const { stopAfter } = direction.plan;
    if (
      stopAfter !== undefined &&
      direction.received >= stopAfter &&
      !direction.hasStopped &&
      direction.readerEnds.length === 0
    ) {
      direction.hasStopped = true;
      connection.stopSending(id, 9);
      // Who gives up reading hears no more of that direction (spec/streams.md).
      this.#endReader(id, "gave-up");
    }
  }
}

/** A stream between the two sides. */
export interface StreamPlan {
  readonly opener: "initiator" | "responder";
  readonly openAt: number;
  readonly forth: DirectionPlan;
  /** Undefined for a unidirectional stream. */
  readonly back: DirectionPlan | undefined;
}

/** All streams of a connection, and the judgement over how they ended. */
export class Traffic {
  readonly initiator: Side;
  readonly responder: Side;
  readonly #streams: { readonly id: number; readonly forth: Direction; readonly back: Direction | undefined }[] = [];
  readonly #unjoined = new Map<number, { forth: Direction; back: Direction | undefined }>();
  #waiting: number;

  constructor(world: World, plans: readonly StreamPlan[], wake: (side: "initiator" | "responder") => void) {
    this.initiator = new Side("initiator", world, () => wake("initiator"));
    this.responder = new Side("responder", world, () => wake("responder"));
    this.#waiting = plans.length;
    let firstOfInitiator = true;
    for (const side of [this.initiator, this.responder]) {
      const mine = plans.filter((plan) => plan.opener === side.name);
      side.onConnected = () => {
        for (const plan of mine) {
          // Stream 0 is the one that the initiator has from the start.
          const useFirst = side === this.initiator && firstOfInitiator && plan.back !== undefined;
          if (useFirst) firstOfInitiator = false;
          world.after(plan.openAt, () => this.#open(side, plan, useFirst ? 0 : undefined));
        }
      };
    }
  }

  /** Input: the peer of `side` has opened a stream. */
  onOpened(side: Side, id: number): void {
    const stream = this.#unjoined.get(id);
    // Stream 0 is announced before its plan begins; streams below an opened one come into being with it.
    if (stream === undefined) return;
    this.#unjoined.delete(id);
    side.join(id, { outgoing: stream.back, incoming: stream.forth });
  }

  /** Whether every direction has ended for its writer and its reader. */
  get isOver(): boolean {
    return this.#waiting === 0 && this.#streams.every(({ forth, back }) => forth.isOver && (back?.isOver ?? true));
  }

  /** The directions that have not ended, in words. */
  unfinished(): string[] {
    const lines: string[] = [];
    for (const { id, forth, back } of this.#streams) {
      for (const [name, each] of [
        ["forth", forth],
        ["back", back],
      ] as const) {
        if (each !== undefined && !each.isOver) lines.push(`stream ${id} ${name}: ${each.describe()}`);
      }
    }
    if (this.#waiting > 0) lines.push(`${this.#waiting} streams never opened`);
    return lines;
  }

  /** What is not as it should be at the end, in words. */
  problems(): string[] {
    const problems: string[] = [];
    for (const { id, forth, back } of this.#streams) {
      for (const direction of [forth, back]) {
        if (direction === undefined) continue;
        const [writer] = direction.writerEnds;
        const [reader] = direction.readerEnds;
        const isWhole = direction.received === direction.plan.bytes;
        if (reader === "finished" && !isWhole) problems.push(`stream ${id}: ended after ${direction.received} bytes`);
        if (writer === "finished" && reader === "reset")
          problems.push(`stream ${id}: finished, but reset for its reader`);
        if (reader === "finished" && !direction.isFinishing) problems.push(`stream ${id}: an end that nobody wrote`);
      }
    }
    return problems;
  }

  #open(side: Side, plan: StreamPlan, known: number | undefined): void {
    const connection = side.connection;
    if (connection === undefined || connection.state !== "open") return;
    const id = known ?? connection.openStream(plan.back === undefined ? "uni" : "bidi");
    if (id === undefined) throw new Error("the stream limit is above what a plan opens");
    const forth = new Direction(plan.forth);
    const back = plan.back === undefined ? undefined : new Direction(plan.back);
    this.#streams.push({ id, forth, back });
    this.#unjoined.set(id, { forth, back });
    this.#waiting -= 1;
    side.join(id, { outgoing: forth, incoming: back });
    const peer = side === this.initiator ? this.responder : this.initiator;
    if (this.#announced.has(id)) this.onOpened(peer, id);
  }

  /** Streams whose announcement came before their plan began. */
  readonly #announced = new Set<number>();

  /** Input: like {@link onOpened}, for streams that may not have a plan yet. */
  announce(side: Side, id: number): void {
    if (this.#unjoined.has(id)) this.onOpened(side, id);
    else this.#announced.add(id);
  }
}

/** Draws the plan of one direction with at most `most` bytes. */
export function drawDirection(rng: Rng, most: number): DirectionPlan {
  const bytes = rng.chance(0.1) ? 0 : rng.integer(1, most);
  return {
    salt: rng.integer(0, PATTERN_SIZE - 1),
    bytes,
    chunk: rng.pick([1, 100, 1_000, 4_096, 16_384, 65_536].filter((size) => size * 200 >= bytes)) ?? 65_536,
    writePause: rng.chance(0.3) ? rng.integer(1, 50) : 0,
    resetAfter: rng.chance(0.1) ? rng.integer(0, bytes) : undefined,
    readPause: rng.chance(0.3) ? rng.integer(1, 100) : 0,
    stopAfter: rng.chance(0.1) ? rng.integer(0, bytes) : undefined,
  };
}
