/**
 * What happened to a connection, for people.
 *
 * @module
 */
import type { PathInfo } from "../connection/events.ts";
import { formatAddress } from "../util/machine.ts";
import type { Instant } from "../util/time.ts";

// Implementation

/** Lines kept: the beginning explains how a connection came about, the end how it ended. */
const MAX_FIRST = 32;
const MAX_LAST = 64;

/** Kept as data: most connections are never asked to explain themselves. */
interface Entry {
  readonly at: Instant;
  readonly text: string;
  readonly path: PathInfo | undefined;
}

/** A bounded list of lines, each with the time since the beginning. */
export class Timeline {
  readonly #first: Entry[] = [];
  #last: Entry[] | undefined;
  #dropped = 0;

  /** Command: notes what has just happened, and on which path. */
  add(now: Instant, text: string, path?: PathInfo): void {
    const entry = { at: now, text, path };
    if (this.#first.length < MAX_FIRST) {
      this.#first.push(entry);
      return;
    }
    this.#last ??= [];
    this.#last.push(entry);
    if (this.#last.length <= MAX_LAST) return;
    this.#last.shift();
    this.#dropped += 1;
  }

  /** One line for each entry. */
  toString(): string {
    const start = this.#first[0]?.at ?? 0;
    const line = ({ at, text, path }: Entry): string => {
      const place =
        path === undefined ? "" : ` ${formatAddress(path.remote)}, ${path.kind}, rtt ${path.rtt.toFixed(1)} ms`;
      return `${(at - start).toFixed(0).padStart(8)} ms  ${text}${place}`;
    };
    const gap = this.#dropped > 0 ? [`${"".padStart(13)}${this.#dropped} more`] : [];
    return [...this.#first.map(line), ...gap, ...(this.#last ?? []).map(line)].join("\n");
  }
}
