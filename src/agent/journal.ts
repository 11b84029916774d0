/**
 * What happened on the way to a peer, for people who ask why it took so long or failed.
 *
 * @module
 */
import type { ProbeKind } from "../path/punch/rung.ts";
import type { Address } from "../util/machine.ts";
import type { Duration, Instant } from "../util/time.ts";

/** One thing that happened. */
export type JournalEvent =
  | { readonly type: "server"; readonly address: Address; readonly state: "asked" | "answered" | "silent" | "refused" }
  /** A server told how it sees this side. */
  | { readonly type: "observed"; readonly server: Address; readonly address: Address }
  | { readonly type: "candidate"; readonly side: "own" | "peer"; readonly kind: ProbeKind; readonly address: Address }
  | { readonly type: "round"; readonly round: number; readonly techniques: readonly string[] }
  | { readonly type: "note"; readonly text: string };

/** With its time, in ms from the call. */
export type JournalEntry = JournalEvent & { readonly at: Duration };

// Implementation

/** Entries that are kept: what a call of an hour comes to if every server fails all the time. */
const MAX_ENTRIES = 256;

/** See the module. */
export class Journal {
  readonly entries: JournalEntry[] = [];
  readonly #startedAt: Instant;

  constructor(now: Instant) {
    this.#startedAt = now;
  }

  /** Something has happened. */
  add(event: JournalEvent, now: Instant): void {
    if (this.entries.length < MAX_ENTRIES) this.entries.push({ ...event, at: now - this.#startedAt });
  }
}
