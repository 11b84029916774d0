/**
 * The calls of a rendezvous client: the numbers that its owner knows, and those of the session.
 *
 * Numbers of a session are even for what the client begins and odd for what it is invited to (RDV-10), and begin anew with
 * each session; the owner's are never used twice, so that a late command cannot hit another call.
 *
 * @module
 */
import { after, type Duration, type Instant } from "../util/time.ts";

// Specification

/** How long a call lives after its last message, in ms (RDV-18). */
const CALL_LIFETIME: Duration = 60_000;

// Implementation

/** Calls remembered at once: more than an honest server brings in a minute to one that answers. */
const MAX_CALLS = 2_048;

interface Entry {
  readonly id: number;
  /** In the session. */
  readonly number: number;
  usedAt: Instant;
}

/** See the module. */
export class ClientCalls {
  /** By the owner's number; in order of their last use. */
  readonly #byId = new Map<number, Entry>();
  readonly #byNumber = new Map<number, Entry>();
  #nextId = 1;
  #nextNumber = 0;

  /** Command: a number for the owner. */
  nextId(): number {
    return this.#nextId++;
  }

  /** Command: a number for the session. */
  nextNumber(): number {
    const number = this.#nextNumber;
    this.#nextNumber += 2;
    return number;
  }

  /** Command: begins a call or request; returns its number in the session. */
  begin(id: number, now: Instant): number {
    const number = this.nextNumber();
    this.#add({ id, number, usedAt: now });
    return number;
  }

  /** Command: we are invited; returns the owner's number, or `undefined` if there is no place or the number makes no sense. */
  invited(number: number, now: Instant): number | undefined {
    if (number % 2 === 0 || this.#byNumber.has(number) || this.#byId.size >= MAX_CALLS) return undefined;
    const id = this.nextId();
    this.#add({ id, number, usedAt: now });
    return id;
  }

  /** Command: the owner uses a call; returns its number in the session. */
  use(id: number, now: Instant): number | undefined {
    const entry = this.#byId.get(id);
    if (entry !== undefined) this.#touch(entry, now);
    return entry?.number;
  }

  /** Command: the server has said something about a call; returns the owner's number. */
  heard(number: number, now: Instant): number | undefined {
    const entry = this.#byNumber.get(number);
    if (entry !== undefined) this.#touch(entry, now);
    return entry?.id;
  }

  /** Command: the owner ends a call; returns its number in the session. */
  close(id: number): number | undefined {
    const entry = this.#byId.get(id);
    if (entry !== undefined) this.#remove(entry);
    return entry?.number;
  }

  /** Command: the server says that a call or request is over; returns the owner's number. */
  fail(number: number): number | undefined {
    const entry = this.#byNumber.get(number);
    if (entry !== undefined) this.#remove(entry);
    return entry?.id;
  }

  /** Command: forgets the calls that nobody used for {@link CALL_LIFETIME}. */
  expire(now: Instant): void {
    for (const entry of this.#byId.values()) {
      // In order of use: the first that is young enough ends the walk.
      if (now < after(entry.usedAt, CALL_LIFETIME)) return;
      this.#remove(entry);
    }
  }

  /** Command: the session is over; returns the owner's numbers of all calls, which are gone. */
  clear(): number[] {
    const ids = [...this.#byId.keys()];
    this.#byId.clear();
    this.#byNumber.clear();
    this.#nextNumber = 0;
    return ids;
  }

  /** When the next call is forgotten. */
  nextExpiry(): Instant | undefined {
    for (const entry of this.#byId.values()) return after(entry.usedAt, CALL_LIFETIME);
    return undefined;
  }

  /** Calls and requests that are remembered. */
  get size(): number {
    return this.#byId.size;
  }

  #add(entry: Entry): void {
    this.#byId.set(entry.id, entry);
    this.#byNumber.set(entry.number, entry);
  }

  #touch(entry: Entry, now: Instant): void {
    entry.usedAt = now;
    this.#byId.delete(entry.id);
    this.#byId.set(entry.id, entry);
  }

  #remove(entry: Entry): void {
    this.#byId.delete(entry.id);
    this.#byNumber.delete(entry.number);
  }
}
