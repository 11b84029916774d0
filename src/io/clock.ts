/**
 * The clocks of the real world: a monotonic one for the protocol, the wall clock for the expiry of tickets only.
 *
 * @module
 */
import { performance } from "node:perf_hooks";
import type { Instant } from "../util/time.ts";

/** The present on the monotonic clock; setting the wall clock does not move it. */
export function monotonicNow(): Instant {
  return performance.now() as Instant;
}

/** The present in whole seconds since 1970, for comparison with the expiry of a ticket and nothing else. */
export function unixTime(): number {
  return Math.floor(Date.now() / 1000);
}
