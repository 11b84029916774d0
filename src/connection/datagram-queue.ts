/**
 * Unreliable datagrams that wait to be sent (RFC 9221 §5).
 *
 * @module
 */
import { Deque } from "../util/deque.ts";

// Implementation

/** Bytes that may wait: a quarter of a second at 8 Mbit/s. What waits longer is of no use to who sends datagrams. */
const MAX_QUEUED_BYTES = 256 * 1024;

/** Datagrams that may wait, so that tiny ones do not pile up either. */
const MAX_QUEUED = 1_024;

/** A bounded queue; what does not fit is refused, not delayed. */
export class DatagramQueue {
  readonly #queue = new Deque<Uint8Array>();
  #bytes = 0;

  /** Command: queues a copy. False if the queue is full: the datagram is dropped. */
  push(data: Uint8Array): boolean {
    if (this.#queue.length >= MAX_QUEUED || this.#bytes + data.length > MAX_QUEUED_BYTES) return false;
    this.#queue.push(data.slice());
    this.#bytes += data.length;
    return true;
  }

  /** The next datagram, without taking it. */
  peek(): Uint8Array | undefined {
    return this.#queue.first;
  }

  /** Takes the next datagram. */
  shift(): Uint8Array | undefined {
    const data = this.#queue.shift();
    if (data !== undefined) this.#bytes -= data.length;
    return data;
  }

  /** Command: drops the datagrams that are longer than `limit` bytes. Returns how many. */
  dropLonger(limit: number): number {
    let dropped = 0;
    for (let left = this.#queue.length; left > 0; left--) {
      const data = this.shift()!;
      if (data.length > limit) {
        dropped += 1;
        continue;
      }
      this.#queue.push(data);
      this.#bytes += data.length;
    }
    return dropped;
  }

  /** Datagrams that wait. */
  get length(): number {
    return this.#queue.length;
  }
}
