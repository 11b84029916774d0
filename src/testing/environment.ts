/**
 * What all parts of one simulated world share.
 *
 * @module
 */
import type { Rng } from "./rng.ts";
import type { Timeline } from "./timeline.ts";
import type { Trace } from "./trace.ts";

/** The time, the record and the chance of a world. */
export interface Environment {
  readonly timeline: Timeline;
  readonly trace: Trace;
  /** Each part draws from a fork under its own name. */
  readonly rng: Rng;
}
