/**
 * What the fuzzers have in common.
 *
 * A target is one file in `fuzz/targets/` that exports `target`. `npm run fuzz` finds it by its name there.
 *
 * @module
 */
import type fc from "fast-check";

/** One surface to be fuzzed. */
export interface FuzzTarget {
  /** Name on the command line; that of the file. */
  readonly name: string;
  /**
   * The property that must hold for every input. It is the same at every call, so that a seed and a path name one input;
   * synchronous or not.
   */
  property(): fc.IRawProperty<unknown, boolean>;
}
