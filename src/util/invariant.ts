/**
 * Checks for what must hold unless the program itself is wrong. Never for what a peer can cause.
 *
 * @module
 */

/**
 * Asserts that `condition` holds.
 *
 * @throws Error if it does not: a bug in this program.
 */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`);
}

/**
 * Marks a place that exhaustive code cannot reach; the compiler checks it.
 *
 * @throws Error if it is reached: a bug in this program.
 */
export function assertNever(value: never): never {
  throw new Error(`invariant broken: unexpected ${JSON.stringify(value)}`);
}
