/**
 * What all parts of one simulated world share.
 *
 * @module
 */
import type { Rng } from "./rng.ts";
import type { Timeline } from "./timeline.ts";
import type { Trace } from "./trace.ts";

/** The time, the record and the chance of a world. */
export class Environment {
  readonly timeline: Timeline;
  readonly trace: Trace;
  /** Each part draws from a fork under its own name. */
  readonly rng: Rng;
  #packets = 0;

  constructor(parts: { timeline: Timeline; trace: Trace; rng: Rng }) {
    this.timeline = parts.timeline;
    this.trace = parts.trace;
    this.rng = parts.rng;
  }

  /** A number for the next datagram; the first is 1. */
  nextPacketId(): number {
    this.#packets += 1;
    return this.#packets;
  }
}
