/**
 * Virtual time and what is to happen in it: a binary heap of tasks, ordered by instant and then by insertion.
 *
 * Two tasks of one instant run in the order in which they were scheduled, so a run never depends on how a heap happens
 * to break ties.
 *
 * @module
 */
import type { Instant } from "../util/time.ts";

/** Something that happens at an instant. Scheduled once; the timeline writes `at` and `order`. */
export abstract class Task {
  /** When it happens. */
  at = 0 as Instant;
  /** Place among all tasks ever scheduled; breaks ties. */
  order = 0;

  /** Makes it happen. */
  abstract run(): void;
}

/** The clock of a simulation. It moves only when {@link advance} says so. */
export class Timeline {
  #now: Instant;
  #scheduled = 0;
  readonly #heap: Task[] = [];

  constructor(start: Instant) {
    this.#now = start;
  }

  /** Command: runs `task` at `at`, or now if that has passed. */
  schedule(task: Task, at: Instant): void {
    task.at = at > this.#now ? at : this.#now;
    task.order = this.#scheduled++;
    this.#heap.push(task);
    this.#rise(this.#heap.length - 1);
  }

  /** Command: moves the clock forward; never back. */
  advance(to: Instant): void {
    if (to > this.#now) this.#now = to;
  }

  /** Command: removes the first task and returns it. */
  take(): Task | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (heap.length > 0 && last !== undefined) this.#sink(last);
    return first;
  }

  /** When the first task is due. */
  nextAt(): Instant | undefined {
    return this.#heap[0]?.at;
  }

  /** The present. */
  get now(): Instant {
    return this.#now;
  }

  /** Tasks that wait. */
  get pending(): number {
    return this.#heap.length;
  }

  #rise(start: number): void {
    const heap = this.#heap;
    const task = heap[start]!;
    let index = start;
    while (index > 0) {
      const parent = heap[(index - 1) >> 1]!;
      if (isBefore(parent, task)) break;
      heap[index] = parent;
      index = (index - 1) >> 1;
    }
    heap[index] = task;
  }

  /** Puts `task` in place of the first one. */
  #sink(task: Task): void {
    const heap = this.#heap;
    const size = heap.length;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= size) break;
      if (child + 1 < size && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (isBefore(task, heap[child]!)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = task;
  }
}

function isBefore(a: Task, b: Task): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
