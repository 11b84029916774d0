/**
 * The tickets that a listener has given out, and what became of them (spec/ticket.md).
 *
 * A ticket is active until its expiry has passed, its uses are spent or it is revoked. After that its holder is still
 * recognised for a day and told so; then it is as if it had never existed.
 *
 * @module
 */
import type { TicketKeys } from "../crypto/ticket-keys.ts";
import type { TicketFields } from "../ticket/ticket.ts";
import { equalBytes, toHex } from "../util/bytes.ts";
import { connectionIdKey } from "../wire/packet-header.ts";
import type { Refusal } from "./events.ts";

// Implementation

/** Tickets that are no longer valid but still answered with a refusal: bounds memory over a long life. */
const MAX_TOMBSTONES = 1_024;

/** How long a dead ticket is still recognised, in seconds: longer than people take to report that it "stopped working". */
const TOMBSTONE_LIFETIME = 24 * 60 * 60;

/** One ticket of this listener. */
export interface TicketEntry {
  /** Names the ticket in events and commands: its public hint, in hexadecimal. */
  readonly id: string;
  readonly fields: TicketFields;
  readonly keys: TicketKeys;
  /** Connections that it may still open; `Infinity` for no limit. */
  usesLeft: number;
  revoked: boolean;
  /** Unix seconds when it stopped being valid. */
  diedAt: number | undefined;
}

/** Tickets by their hint. */
export class TicketTable {
  readonly #entries = new Map<number, TicketEntry>();
  #tombstones = 0;

  /** Command: honours a ticket from now on. Returns the entry. */
  add(fields: TicketFields, keys: TicketKeys, uses: number): TicketEntry {
    const entry = { id: toHex(keys.hint), fields, keys, usesLeft: uses, revoked: false, diedAt: undefined };
    this.#entries.set(connectionIdKey(keys.hint, 0), entry);
    return entry;
  }

  /** Command: refuses the ticket from now on. False if there is no such ticket. */
  revoke(id: string, unixTime: number): boolean {
    const entry = this.byId(id);
    if (entry === undefined) return false;
    entry.revoked = true;
    this.#bury(entry, unixTime);
    return true;
  }

  /** Command: counts a connection that was opened with the ticket. */
  countUse(entry: TicketEntry, unixTime: number): void {
    entry.usesLeft -= 1;
    if (entry.usesLeft <= 0) this.#bury(entry, unixTime);
  }

  /** Command: forgets every ticket; their holders meet silence. */
  clear(): void {
    this.#entries.clear();
    this.#tombstones = 0;
  }

  /** The ticket with this public hint, if it is one of ours and not long dead. */
  find(hint: Uint8Array, unixTime: number): TicketEntry | undefined {
    const entry = this.#entries.get(connectionIdKey(hint, 0));
    if (entry === undefined || !equalBytes(entry.keys.hint, hint)) return undefined;
    if (this.refusal(entry, unixTime) !== undefined) this.#bury(entry, unixTime);
    if (entry.diedAt !== undefined && unixTime - entry.diedAt > TOMBSTONE_LIFETIME) {
      this.#forget(entry);
      return undefined;
    }
    return entry;
  }

  /** The ticket with this id. */
  byId(id: string): TicketEntry | undefined {
    for (const entry of this.#entries.values()) if (entry.id === id) return entry;
    return undefined;
  }

  /** Why the ticket is not honoured, or `undefined` while it is. */
  refusal(entry: TicketEntry, unixTime: number): Refusal | undefined {
    if (entry.revoked) return "revoked";
    if (entry.usesLeft <= 0) return "used-up";
    if (entry.fields.expiresAt !== 0 && unixTime >= entry.fields.expiresAt) return "expired";
    return undefined;
  }

  /** Tickets known, dead ones included. */
  get size(): number {
    return this.#entries.size;
  }

  #bury(entry: TicketEntry, unixTime: number): void {
    if (entry.diedAt !== undefined) return;
    entry.diedAt = entry.fields.expiresAt !== 0 ? Math.min(unixTime, entry.fields.expiresAt) : unixTime;
    this.#tombstones += 1;
    if (this.#tombstones <= MAX_TOMBSTONES) return;
    // A Map iterates in order of insertion: the oldest dead ticket goes.
    for (const old of this.#entries.values()) {
      if (old.diedAt === undefined) continue;
      this.#forget(old);
      return;
    }
  }

  #forget(entry: TicketEntry): void {
    this.#entries.delete(connectionIdKey(entry.keys.hint, 0));
    this.#tombstones -= 1;
  }
}
