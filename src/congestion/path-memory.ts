/**
 * What earlier connections have learnt of paths, for careful resume (RFC 9959 §3.1).
 *
 * It belongs to the process, or to one endpoint in it, and is lost with it. Only one connection at a time uses what is known
 * of a path: it takes it out.
 *
 * @module
 */
import type { Duration, Instant } from "../util/time.ts";

// Implementation

/**
 * How long what was seen is believed, in ms. RFC 9959 §4.3.1 has minutes for paths that change and hours for those that
 * do not; most peers are reached over a home's access line, which is neither.
 */
const LIFETIME: Duration = 60 * 60 * 1000;

/** Paths that are remembered; the one that was seen the longest time ago gives way. Some 50 KiB. */
const MAX_PATHS = 256;

/** What was seen of a path. */
export interface PathFacts {
  /** Bytes that were delivered per shortest round trip: saved_cwnd. */
  readonly window: number;
  /** The shortest round trip in ms: saved_rtt. */
  readonly rtt: Duration;
  readonly savedAt: Instant;
}

/** Facts by path; see the module. Keys are the caller's names of paths. */
export class PathMemory {
  /** In the order of saving. */
  readonly #facts = new Map<string, PathFacts>();

  /** Command: remembers a path, in place of what was known of it. */
  save(key: string, facts: PathFacts): void {
    this.#facts.delete(key);
    this.#facts.set(key, facts);
    if (this.#facts.size <= MAX_PATHS) return;
    for (const oldest of this.#facts.keys()) {
      this.#facts.delete(oldest);
      break;
    }
  }

  /** Command: hands over what is known of a path, which then is known no longer; `undefined` if there is nothing. */
  take(key: string, now: Instant): PathFacts | undefined {
    const facts = this.find(key, now);
    this.#facts.delete(key);
    return facts;
  }

  /** What is known of a path; `undefined` if there is nothing. */
  find(key: string, now: Instant): PathFacts | undefined {
    const facts = this.#facts.get(key);
    if (facts === undefined) return undefined;
    if (now - facts.savedAt <= LIFETIME) return facts;
    // RFC 9959 §3.2: what is too old is deleted.
    this.#facts.delete(key);
    return undefined;
  }

  /** Paths that are known. */
  get size(): number {
    return this.#facts.size;
  }
}
