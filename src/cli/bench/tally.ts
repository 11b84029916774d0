/**
 * What one side spends in one phase: packets, losses, processor time.
 *
 * @module
 */
import type { Connection, ConnectionStats } from "../../index.ts";
import type { PhaseCounts } from "./codec.ts";

/** Counts from its making on. */
export class Tally {
  readonly #connection: Connection;
  readonly #before: ConnectionStats;
  readonly #cpuBefore = process.cpuUsage();

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#before = connection.stats();
  }

  /** The counts so far, of a side that has received `received`. */
  counts(received: { readonly bytes: number; readonly ms: number }): PhaseCounts {
    const { user, system } = process.cpuUsage(this.#cpuBefore);
    const [before, now] = [this.#before, this.#connection.stats()];
    // A packet that was given up and then acknowledged was late, not lost.
    const late = now.spuriousLosses - before.spuriousLosses;
    return {
      bytes: received.bytes,
      ms: Math.round(received.ms * 1000) / 1000,
      cpu: (user + system) / 1e6,
      packetsSent: now.packetsSent - before.packetsSent,
      packetsLost: Math.max(0, now.packetsLost - before.packetsLost - late),
      bytesSent: now.bytesSent - before.bytesSent,
      retransmittedBytes: now.retransmittedBytes - before.retransmittedBytes,
    };
  }
}
