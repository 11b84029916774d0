/**
 * What happened to a connection, for people.
 *
 * @module
 */
import type { PathInfo } from "../connection/events.ts";
import type { ExplainedEvent } from "../doctor/explain.ts";
import type { Instant } from "../util/time.ts";

// Implementation

/** Events kept: the beginning explains how a connection came about, the end how it ended. */
const MAX_FIRST = 32;
const MAX_LAST = 64;

/** A bounded list of events, each with the time since the beginning. */
export class Timeline {
  readonly #startedAt: Instant;
  readonly #first: ExplainedEvent[] = [];
  #last: ExplainedEvent[] | undefined;
  #dropped = 0;

  constructor(now: Instant) {
    this.#startedAt = now;
  }

  /** Command: notes what has just happened. */
  note(text: string, now: Instant): void {
    this.#add({ type: "note", text, at: now - this.#startedAt });
  }

  /** Command: notes that packets take this path from now on. */
  path({ kind, remote: address, rtt }: PathInfo, now: Instant): void {
    this.#add({ type: "path", kind, address, rtt, at: now - this.#startedAt });
  }

  /** What was noted, but for the middle if that was too much. */
  get events(): readonly ExplainedEvent[] {
    if (this.#last === undefined) return this.#first;
    const [next] = this.#last;
    const gap: readonly ExplainedEvent[] =
      this.#dropped === 0 ? [] : [{ type: "note", text: `${this.#dropped} more`, at: next?.at ?? 0 }];
    return [...this.#first, ...gap, ...this.#last];
  }

  #add(event: ExplainedEvent): void {
    if (this.#first.length < MAX_FIRST) {
      this.#first.push(event);
      return;
    }
    this.#last ??= [];
    this.#last.push(event);
    if (this.#last.length <= MAX_LAST) return;
    this.#last.shift();
    this.#dropped += 1;
  }
}
