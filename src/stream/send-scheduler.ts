/**
 * Which stream fills the next packet.
 *
 * Two queues of streams: those with something to repair, which needs no credit, and those with new data and credit of
 * their own. Repairs go first (RFC 9000 §13.3). Within a queue the streams take turns, a packet each: the loss of one
 * packet then holds up one stream (RFC 9000 §2.3 leaves the order to us). A packet is shared only when the first stream
 * cannot fill it.
 *
 * @module
 */
import { Deque } from "../util/deque.ts";
import type { Writer } from "../wire/writer.ts";
import type { SendCredit } from "./flow-control.ts";
import type { Stream } from "./stream.ts";
import type { SentSink } from "./stream-events.ts";

/** The streams that have something to send. */
export class SendScheduler {
  readonly #connection: SendCredit;
  readonly #repair = new Deque<Stream>();
  readonly #fresh = new Deque<Stream>();

  /** `connection` is the credit that all streams share. */
  constructor(connection: SendCredit) {
    this.#connection = connection;
  }

  // Commands

  /** Command: puts the stream into the queues that it belongs to; call it whenever it may have something new to send. */
  update(stream: Stream): void {
    const send = stream.send;
    if (send === undefined) return;
    if (!stream.isInRepairQueue && send.hasRepair) {
      stream.isInRepairQueue = true;
      this.#repair.push(stream);
    }
    if (!stream.isInFreshQueue && send.hasFresh) {
      stream.isInFreshQueue = true;
      this.#fresh.push(stream);
    }
  }

  // Outputs

  /** Output: whether a stream could put something into a packet now. */
  hasPending(): boolean {
    this.#forgetIdle();
    return this.#repair.length > 0 || (this.#fresh.length > 0 && this.#connection.available > 0);
  }

  /** Output: whether new data waits for nothing but the credit of the connection. */
  isBlocked(): boolean {
    this.#forgetIdle();
    return this.#fresh.length > 0 && this.#connection.available === 0;
  }

  /**
   * Output: lets the stream whose turn it is put something into the packet, and returns it; `undefined` if there is
   * nothing to send or no room.
   */
  fillNext(writer: Writer, sink: SentSink): Stream | undefined {
    this.#forgetIdle();
    const before = writer.offset;
    const repair = this.#repair.first;
    if (repair !== undefined) {
      repair.send!.fillRepair(writer, sink, this.#connection);
      if (writer.offset === before) return undefined;
      if (repair.send!.hasRepair) takeTurns(this.#repair);
      return repair;
    }
    const fresh = this.#fresh.first;
    if (fresh === undefined || this.#connection.available === 0) return undefined;
    fresh.send!.fillFresh(writer, sink, this.#connection);
    if (writer.offset === before) return undefined;
    if (fresh.send!.hasFresh) takeTurns(this.#fresh);
    return fresh;
  }

  // Getters

  /** Stream bytes that could go into packets now, at most. */
  get sendableBytes(): number {
    let fresh = 0;
    for (let i = 0; i < this.#fresh.length; i++) fresh += this.#fresh.at(i)!.send!.sendable;
    let lost = 0;
    for (let i = 0; i < this.#repair.length; i++) lost += this.#repair.at(i)!.send!.lostBytes;
    return lost + Math.min(fresh, this.#connection.available);
  }

  /** Removes from the front of the queues what has nothing to send any more, because it was reset or acknowledged. */
  #forgetIdle(): void {
    for (let stream = this.#repair.first; stream !== undefined; stream = this.#repair.first) {
      if (stream.send!.hasRepair) break;
      this.#repair.shift();
      stream.isInRepairQueue = false;
    }
    for (let stream = this.#fresh.first; stream !== undefined; stream = this.#fresh.first) {
      if (stream.send!.hasFresh) break;
      this.#fresh.shift();
      stream.isInFreshQueue = false;
    }
  }
}

/** Moves the first stream behind the others. */
function takeTurns(queue: Deque<Stream>): void {
  if (queue.length > 1) queue.push(queue.shift()!);
}
