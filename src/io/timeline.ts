/**
 * What happened to a connection, for people.
 *
 * @module
 */
import type { Instant } from "../util/time.ts";

// Implementation

/** Lines kept: the beginning explains how a connection came about, the end how it ended. */
const MAX_FIRST = 32;
const MAX_LAST = 64;

/** A bounded list of lines, each with the time since the beginning. */
export class Timeline {
  readonly #startedAt: Instant;
  readonly #first: string[] = [];
  readonly #last: string[] = [];
  #dropped = 0;

  constructor(now: Instant) {
    this.#startedAt = now;
  }

  /** Command: notes what has just happened. */
  add(now: Instant, text: string): void {
    const line = `${(now - this.#startedAt).toFixed(0).padStart(8)} ms  ${text}`;
    if (this.#first.length < MAX_FIRST) {
      this.#first.push(line);
      return;
    }
    this.#last.push(line);
    if (this.#last.length <= MAX_LAST) return;
    this.#last.shift();
    this.#dropped += 1;
  }

  toString(): string {
    const gap = this.#dropped > 0 ? [`             ${this.#dropped} more`] : [];
    return [...this.#first, ...gap, ...this.#last].join("\n");
  }
}
