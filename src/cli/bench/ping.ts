/**
 * Round trips as an application sees them: datagrams that the other side's program sends back.
 *
 * They take the same way as everything else, through both programs, sockets and queues; unlike the transport's own
 * estimate they are sent at fixed times, whether the link is busy or not, so that their distribution means something.
 * Datagrams are not repeated: a ping that is lost counts as lost, not as slow.
 *
 * @module
 */
import type { Connection } from "../../index.ts";
import { PING_KIND, PING_SIZE } from "./codec.ts";

// Implementation

/** Between two pings, in milliseconds: 50 a second are a load of 3 kB/s, and enough for a 99th percentile within seconds. */
const INTERVAL = 20;

/** The round trips of one phase, in milliseconds. */
export interface RoundTrips {
  readonly min: number;
  readonly p50: number;
  readonly p99: number;
  /** Pings that came back, and those that did not. */
  readonly answered: number;
  readonly lost: number;
}

/** Sends pings and keeps their times. */
export class Pinger {
  readonly #connection: Connection;
  /** When the pings that are under way were sent, by number. */
  readonly #sentAt = new Map<number, number>();
  #times: number[] = [];
  #next = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Command: begins a phase. */
  start(): void {
    this.#times = [];
    this.#sentAt.clear();
    this.#timer = setInterval(() => this.#ping(), INTERVAL);
    this.#ping();
  }

  /** Command: sends no more. Answers still count. */
  stop(): void {
    clearInterval(this.#timer);
  }

  /** Input: a datagram of the peer. Only the first answer to a ping of this phase counts. */
  onDatagram(data: Buffer, now: number): void {
    if (data.length !== PING_SIZE || data[0] !== PING_KIND) return;
    const number = data.readUInt32BE(1);
    const sentAt = this.#sentAt.get(number);
    if (sentAt === undefined) return;
    this.#sentAt.delete(number);
    this.#times.push(now - sentAt);
  }

  /** What has come back, all else being lost. `undefined` if nothing has. */
  get roundTrips(): RoundTrips | undefined {
    if (this.#times.length === 0) return undefined;
    const times = this.#times.toSorted((a, b) => a - b);
    return {
      min: rounded(times[0]!),
      p50: rounded(percentile(times, 0.5)),
      p99: rounded(percentile(times, 0.99)),
      answered: times.length,
      lost: this.#sentAt.size,
    };
  }

  #ping(): void {
    const ping = Buffer.alloc(PING_SIZE);
    ping[0] = PING_KIND;
    ping.writeUInt32BE(this.#next, 1);
    this.#sentAt.set(this.#next, performance.now());
    this.#next = (this.#next + 1) >>> 0;
    try {
      this.#connection.sendDatagram(ping);
    } catch {
      // The connection is over, and whoever owns it knows.
      this.stop();
    }
  }
}

/** Sends pings back until the connection is over. */
export async function echoPings(connection: Connection): Promise<void> {
  for await (const data of connection.datagrams()) {
    // No larger than a ping: nobody can make us send more than they do.
    if (data.length !== PING_SIZE || data[0] !== PING_KIND) continue;
    try {
      connection.sendDatagram(data);
    } catch {
      return;
    }
  }
}

/** The smallest of `sorted` that is no smaller than a `share` of them: the nearest rank. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]!;
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
