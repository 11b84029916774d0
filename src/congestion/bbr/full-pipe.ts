/**
 * Is the pipe full? It is when sending faster does not make more arrive
 * (draft-ietf-ccwg-bbr, "Exiting Acceleration Based on Bandwidth Plateau").
 *
 * The draft compares the samples that happen to begin the rounds. Where acknowledgements come in bunches or out of order,
 * single samples are low by chance, and three of them end a search that has hardly begun. So the greatest of each round
 * is compared. The draft waits for three rounds, because a receiver may have been what kept the rate down; where a queue
 * stands the path did, and two are enough.
 *
 * @module
 */
import { FULL_PIPE_GROWTH, FULL_PIPE_ROUNDS } from "./parameters.ts";

/** What a round without growth counts for if a queue stands, in rounds. */
const QUEUE_WEIGHT = 2;

/** A round that is over. */
export interface FullPipeRound {
  /** Whether it was not the application that limited the rate. */
  readonly isTelling: boolean;
  /** Whether even the fastest packet waited. */
  readonly hasQueue: boolean;
}

/** Looks for a plateau of the delivery rate. */
export class FullPipe {
  /** Whether the pipe is full as far as the present acceleration tells ("full_bw_now"). */
  isFull = false;
  /** Whether it ever was ("full_bw_reached"). */
  wasReached = false;
  /** Rate that must be exceeded by a quarter, in bytes per ms ("full_bw"). */
  #rate = 0;
  #rounds = 0;
  /** Greatest rate of this round and of the one before. */
  #greatest = 0;
  #greatestBefore = 0;

  // Inputs

  /** Input: a delivery rate, in bytes per ms. */
  onSample(rate: number): void {
    if (rate > this.#greatest) this.#greatest = rate;
  }

  /** Input: a round is over. */
  onRound({ isTelling, hasQueue }: FullPipeRound): void {
    this.#greatestBefore = this.#greatest;
    this.#greatest = 0;
    if (this.isFull || !isTelling) return;
    if (this.#greatestBefore >= this.#rate * FULL_PIPE_GROWTH) {
      this.#begin(this.#greatestBefore);
      return;
    }
    this.#rounds += hasQueue ? QUEUE_WEIGHT : 1;
    if (this.#rounds < FULL_PIPE_ROUNDS) return;
    this.isFull = true;
    this.wasReached = true;
  }

  // Commands

  /** Command: begins anew, whatever the rate was. */
  reset(): void {
    this.#begin(0);
  }

  /** Command: begins anew, from the rate of the last round. */
  restart(): void {
    this.#begin(Math.max(this.#greatest, this.#greatestBefore));
  }

  // Getters

  /** Rounds without growth so far, those with a queue counted twice ("full_bw_count"). */
  get rounds(): number {
    return this.#rounds;
  }

  #begin(rate: number): void {
    this.#rate = rate;
    this.#rounds = 0;
    this.isFull = false;
  }
}
