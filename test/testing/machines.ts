/**
 * The smallest machines: one that answers with what it got, and one that sends what a test tells it.
 *
 * @module
 */
import type { BufferPool } from "../../src/util/buffer-pool.ts";
import type { Address, Datagram, Machine, SocketId, Transmit } from "../../src/util/machine.ts";
import { earliest, type Instant } from "../../src/util/time.ts";

/** What both machines tell. */
export type Received = Datagram & { readonly type: "received"; readonly at: Instant };

interface Answer {
  readonly via: SocketId;
  readonly to: Address;
  readonly payload: Uint8Array;
}

/** Answers every datagram with its own bytes. */
export class EchoMachine implements Machine<Received> {
  readonly #pool: BufferPool;
  readonly #answers: Answer[] = [];
  readonly #events: Received[] = [];

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  receive(datagram: Datagram, now: Instant): void {
    this.#events.push({ ...datagram, type: "received", at: now });
    this.#answers.push({ via: datagram.via, to: datagram.from, payload: datagram.payload });
  }

  handleTimeout(): void {}

  pollTransmit(): Transmit | undefined {
    const answer = this.#answers.shift();
    if (answer === undefined) return undefined;
    const payload = fill(this.#pool, answer.payload);
    return { via: answer.via, to: answer.to, payload, segmentSize: payload.length, ttl: undefined };
  }

  pollEvent(): Received | undefined {
    return this.#events.shift();
  }

  nextTimeout(): Instant | undefined {
    return undefined;
  }
}

/** Sends and waits as told; never answers. */
export class Prober implements Machine<Received> {
  readonly #pool: BufferPool;
  readonly #outgoing: Transmit[] = [];
  readonly #events: Received[] = [];
  #alarms: Instant[] = [];
  /** Instants at which a timer was served. */
  readonly served: Instant[] = [];

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  /** Command: sends `bytes`, as one datagram or cut into segments. */
  send(
    to: Address,
    bytes: Uint8Array | string,
    { via = 0, ttl, segmentSize }: { via?: SocketId; ttl?: number; segmentSize?: number } = {},
  ): void {
    const payload = fill(this.#pool, typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
    this.#outgoing.push({ via, to, payload, segmentSize: segmentSize ?? payload.length, ttl });
  }

  /** Command: asks for a timer. */
  wakeAt(at: number): void {
    this.#alarms.push(at as Instant);
  }

  receive(datagram: Datagram, now: Instant): void {
    this.#events.push({ ...datagram, type: "received", at: now });
  }

  handleTimeout(now: Instant): void {
    this.served.push(now);
    this.#alarms = this.#alarms.filter((alarm) => alarm > now);
  }

  pollTransmit(): Transmit | undefined {
    return this.#outgoing.shift();
  }

  pollEvent(): Received | undefined {
    return this.#events.shift();
  }

  nextTimeout(): Instant | undefined {
    return this.#alarms.reduce<Instant | undefined>(earliest, undefined);
  }
}

function fill(pool: BufferPool, bytes: Uint8Array): Uint8Array {
  const view = pool.take().subarray(0, bytes.length);
  view.set(bytes);
  return view;
}

/** The payloads that a host received, as text. */
export function texts(events: readonly Received[]): readonly string[] {
  return events.map((event) => new TextDecoder().decode(event.payload));
}
