/**
 * The processor of a host: handling a datagram takes time, and what comes meanwhile waits.
 *
 * A turn begins with an input, a timer or a command and ends when the host has been pumped. All that a turn sends leaves
 * at once; its cost keeps the processor busy afterwards, and what has come in that time makes up the next turn. So a host
 * that is slow for its link handles datagrams in batches, as a real one does.
 *
 * @module
 */
import type { Duration, Instant } from "../util/time.ts";
import { Task, type Timeline } from "./timeline.ts";

/** What handling one datagram costs, in or out, in ms. Programs are slow at first, until they have been compiled. */
export interface ProcessorOptions {
  /** For the first datagram. */
  readonly cold: Duration;
  /** In the long run; the cost comes near it exponentially. */
  readonly warm: Duration;
  /** Datagrams after which a third of the difference is left. */
  readonly warmUp: number;
}

/** See the module. Without options nothing takes time. */
export class Processor {
  readonly #timeline: Timeline;
  readonly #options: ProcessorOptions | undefined;
  readonly #resume: () => void;
  #busyUntil = 0 as Instant;
  /** What is left of the slowness, 1 at first. */
  #coldness = 1;
  #isInTurn = false;
  #willResume = false;

  /** `resume` is called when the processor is free again after it was asked in vain. */
  constructor(timeline: Timeline, options: ProcessorOptions | undefined, resume: () => void) {
    this.#timeline = timeline;
    this.#options = options;
    this.#resume = resume;
  }

  /** Command: begins a turn, or goes on with it. False if the processor is busy with an earlier one. */
  take(): boolean {
    if (!this.#isInTurn && this.#busyUntil > this.#timeline.now) {
      if (!this.#willResume) this.#timeline.schedule(new Resumption(() => this.#free()), this.#busyUntil);
      this.#willResume = true;
      return false;
    }
    this.#isInTurn = true;
    return true;
  }

  /** Command: handles one datagram. */
  work(): void {
    if (this.#options === undefined) return;
    const { cold, warm, warmUp } = this.#options;
    const start = Math.max(this.#busyUntil, this.#timeline.now);
    this.#busyUntil = (start + warm + (cold - warm) * this.#coldness) as Instant;
    this.#coldness *= 1 - 1 / warmUp;
  }

  /** Command: ends the turn. */
  yield(): void {
    this.#isInTurn = false;
  }

  /** When a timer that is due at `at` is served. */
  serviceTime(at: Instant): Instant {
    return at > this.#busyUntil ? at : this.#busyUntil;
  }

  #free(): void {
    this.#willResume = false;
    this.#resume();
  }
}

/** Ends the wait for the processor. */
class Resumption extends Task {
  readonly #resume: () => void;

  constructor(resume: () => void) {
    super();
    this.#resume = resume;
  }

  run(): void {
    this.#resume();
  }
}
