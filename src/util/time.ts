/**
 * Instants and durations, both in milliseconds, kept apart by the type system.
 *
 * @module
 */

declare const instant: unique symbol;

/** A point on the caller's monotonic clock, in milliseconds. Its origin has no meaning. */
export type Instant = number & { readonly [instant]: true };

/** A span of time in milliseconds. */
export type Duration = number;

/** The instant that lies `delay` after `start`. */
export function after(start: Instant, delay: Duration): Instant {
  return (start + delay) as Instant;
}

/** The earlier of two instants, where `undefined` means "never". */
export function earliest(a: Instant | undefined, b: Instant | undefined): Instant | undefined {
  if (a === undefined) return b;
  if (b === undefined) return a;
  return a < b ? a : b;
}
