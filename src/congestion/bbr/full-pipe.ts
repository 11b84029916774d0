/**
 * Is the pipe full? It is when sending faster does not make more arrive
 * (draft-ietf-ccwg-bbr, "Exiting Acceleration Based on Bandwidth Plateau").
 *
 * @module
 */
import { FULL_PIPE_GROWTH, FULL_PIPE_ROUNDS } from "./parameters.ts";

/** Looks for a plateau of the delivery rate. */
export class FullPipe {
  /** Whether the pipe is full as far as the present acceleration tells ("full_bw_now"). */
  isFull = false;
  /** Whether it ever was ("full_bw_reached"). */
  wasReached = false;
  /** Rate that must be exceeded by a quarter, in bytes per ms ("full_bw"). */
  #rate = 0;
  #rounds = 0;

  /** Command: begins anew, from `rate` bytes per ms. */
  reset(rate = 0): void {
    this.#rate = rate;
    this.#rounds = 0;
    this.isFull = false;
  }

  /** Input: a round began with a delivery rate that the sender did not limit, in bytes per ms. */
  onRound(rate: number): void {
    if (this.isFull) return;
    if (rate >= this.#rate * FULL_PIPE_GROWTH) {
      this.reset(rate);
      return;
    }
    this.#rounds += 1;
    if (this.#rounds < FULL_PIPE_ROUNDS) return;
    this.isFull = true;
    this.wasReached = true;
  }

  /** Rounds without growth so far ("full_bw_count"). */
  get rounds(): number {
    return this.#rounds;
  }
}
