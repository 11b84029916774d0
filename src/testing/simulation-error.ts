/**
 * How a simulation fails.
 *
 * @module
 */

/**
 * Why it failed: time stands still (`livelock`), nothing is left to happen (`deadlock`), the condition did not come true
 * in time (`timeout`), a machine broke its contract (`contract`), or code of the machine or the test threw (`thrown`).
 */
export type SimulationFailure = "livelock" | "deadlock" | "timeout" | "contract" | "thrown";

/** A simulation cannot go on. The message holds the seed, the time and the last entries of the trace. */
export class SimulationError extends Error {
  readonly kind: SimulationFailure;

  constructor(kind: SimulationFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "SimulationError";
    this.kind = kind;
  }
}
