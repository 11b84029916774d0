/**
 * The queue in front of a wire: packets leave it one after the other, each after its time of serialisation.
 *
 * Only the first packet has an instant at which it will have left; all others follow from it. A rate that changes
 * therefore holds for every bit that has not left yet, of the first packet too.
 *
 * @module
 */
import { Deque } from "../util/deque.ts";
import { after, type Duration, type Instant } from "../util/time.ts";
import { Task, type Timeline } from "./timeline.ts";

/** What waits. */
export interface Queued {
  /** Bytes that count for the limits of the queue. */
  readonly size: number;
}

/** How a queue drains, and what it holds. */
export interface QueueLimits {
  readonly bitsPerSecond: number;
  /** Bytes that the wire adds to each packet. */
  readonly framing: number;
  /** Packets and bytes that may wait or be on their way out. */
  readonly queue: { readonly packets?: number; readonly bytes?: number };
}

/** Packets that wait for a wire or are on their way onto it. */
export class LinkQueue<Item extends Queued> {
  readonly #timeline: Timeline;
  readonly #leave: (item: Item) => void;
  readonly #items = new Deque<Item>();
  #limits: QueueLimits;
  #bytes = 0;
  /** When the last bit of the first packet leaves; of use while there is one. */
  #departure = 0 as Instant;
  /** The task for that instant; one of an earlier plan finds itself replaced, and does nothing. */
  #task: Departure | undefined;

  /** `leave` is called at the instant at which the last bit of an item has left. */
  constructor(timeline: Timeline, limits: QueueLimits, leave: (item: Item) => void) {
    this.#timeline = timeline;
    this.#limits = limits;
    this.#leave = leave;
  }

  /** Input: an item at the tail. Whether there was room. */
  enter(item: Item): boolean {
    const { bitsPerSecond, queue } = this.#limits;
    this.release();
    if (bitsPerSecond === Number.POSITIVE_INFINITY && this.#items.length === 0) {
      this.#leave(item);
      return true;
    }
    if (this.#items.length >= (queue.packets ?? Number.POSITIVE_INFINITY)) return false;
    if (this.#bytes + item.size > (queue.bytes ?? Number.POSITIVE_INFINITY)) return false;
    this.#items.push(item);
    this.#bytes += item.size;
    if (this.#items.length === 1) this.#plan(this.#timeline.now);
    return true;
  }

  /** Command: lets go what is due. */
  release(): void {
    const { now } = this.#timeline;
    for (let first = this.#items.first; first !== undefined && this.#departure <= now; first = this.#items.first) {
      this.#items.shift();
      this.#bytes -= first.size;
      if (this.#items.length > 0) this.#plan(this.#departure);
      this.#leave(first);
    }
  }

  /** Command: changes the rate of what has not left, and the limits for what enters. */
  update(limits: QueueLimits): void {
    this.release();
    const before = this.#limits.bitsPerSecond;
    this.#limits = limits;
    if (this.#items.length === 0 || limits.bitsPerSecond === before) return;
    const { now } = this.#timeline;
    const bitsLeft = (this.#departure - now) * before;
    this.#arm(after(now, bitsLeft / limits.bitsPerSecond));
  }

  /** Command: called by the task. */
  onDeparture(task: Departure): void {
    if (task === this.#task) this.release();
  }

  /** Packets that wait or are on their way out. */
  get length(): number {
    return this.#items.length;
  }

  /** How long a packet that enters now will wait before its own serialisation begins, in ms. */
  get delay(): Duration {
    const { first, length } = this.#items;
    if (first === undefined) return 0;
    const { bitsPerSecond, framing } = this.#limits;
    const behind = this.#bytes - first.size + (length - 1) * framing;
    return Math.max(0, this.#departure - this.#timeline.now) + (behind * 8000) / bitsPerSecond;
  }

  /** Serialises the first item from `start` on. */
  #plan(start: Instant): void {
    const { bitsPerSecond, framing } = this.#limits;
    this.#arm(after(start, ((this.#items.first!.size + framing) * 8000) / bitsPerSecond));
  }

  #arm(departure: Instant): void {
    this.#departure = departure;
    this.#task = new Departure(this);
    this.#timeline.schedule(this.#task, departure);
  }
}

/** The last bit of the first packet leaves. */
class Departure extends Task {
  readonly #queue: { onDeparture(task: Departure): void };

  constructor(queue: { onDeparture(task: Departure): void }) {
    super();
    this.#queue = queue;
  }

  run(): void {
    this.#queue.onDeparture(this);
  }
}
