/**
 * Who can be reached under which slot.
 *
 * @module
 */
import { toHex } from "../util/bytes.ts";
import type { Instant } from "../util/time.ts";
import type { ServerLimits } from "./limits.ts";
import type { Session } from "./session.ts";
import { TokenBucket } from "./token-bucket.ts";

/** A slot that a session holds. */
export interface Slot {
  readonly session: Session;
  /** Who proved to own it, in hexadecimal; `undefined` for the slot of a connection. */
  readonly key: string | undefined;
  readonly invites: TokenBucket;
}

/** What became of a registration. */
export interface Registration {
  readonly isRegistered: boolean;
  /** The session that held the slot until now, if it was another one. */
  readonly displaced: Session | undefined;
}

const REFUSED: Registration = { isRegistered: false, displaced: undefined };

/** All slots, and in how many sessions each key is registered. */
export class SlotTable {
  readonly #limits: ServerLimits;
  readonly #slots = new Map<string, Slot>();
  /** For each key the number of its slots in each session. */
  readonly #sessionsOfKey = new Map<string, Map<Session, number>>();

  constructor(limits: ServerLimits) {
    this.#limits = limits;
  }

  /** Command: the session gets the slot, whoever held it (RDV-8), unless a limit stands against it. */
  register(slot: Uint8Array, session: Session, key: Uint8Array | undefined, now: Instant): Registration {
    const name = toHex(slot);
    const keyName = key === undefined ? undefined : toHex(key);
    const held = this.#slots.get(name);
    if (held?.session === session) return { isRegistered: true, displaced: undefined };
    if (session.slots.size >= this.#limits.maxSlotsPerSession) return REFUSED;
    if (held === undefined && this.#slots.size >= this.#limits.maxSlots) return REFUSED;
    if (!this.#hasRoomForKey(keyName, session)) return REFUSED;
    if (held !== undefined) this.#remove(name, held);
    // What is left of the slot's rate goes with it: registering anew makes no room for more invitations.
    const invites = held?.invites ?? new TokenBucket(this.#limits.inviteRatePerSlot, now);
    this.#slots.set(name, { session, key: keyName, invites });
    session.slots.add(name);
    this.#countKey(keyName, session, 1);
    return { isRegistered: true, displaced: held?.session };
  }

  /** Command: the session gives the slot back, if it holds it. */
  unregister(slot: Uint8Array, session: Session): void {
    const name = toHex(slot);
    const held = this.#slots.get(name);
    if (held?.session === session) this.#remove(name, held);
  }

  /** Command: the session is over. */
  dropSession(session: Session): void {
    for (const name of session.slots) this.#remove(name, this.#slots.get(name)!);
  }

  /** Who holds the slot. */
  find(slot: Uint8Array): Slot | undefined {
    return this.#slots.get(toHex(slot));
  }

  /** Number of slots. */
  get size(): number {
    return this.#slots.size;
  }

  #hasRoomForKey(key: string | undefined, session: Session): boolean {
    const sessions = key === undefined ? undefined : this.#sessionsOfKey.get(key);
    return sessions === undefined || sessions.has(session) || sessions.size < this.#limits.maxSessionsPerKey;
  }

  #remove(name: string, slot: Slot): void {
    this.#slots.delete(name);
    slot.session.slots.delete(name);
    this.#countKey(slot.key, slot.session, -1);
  }

  #countKey(key: string | undefined, session: Session, change: 1 | -1): void {
    if (key === undefined) return;
    const sessions = this.#sessionsOfKey.get(key) ?? new Map<Session, number>();
    const count = (sessions.get(session) ?? 0) + change;
    if (count > 0) sessions.set(session, count);
    else sessions.delete(session);
    if (sessions.size > 0) this.#sessionsOfKey.set(key, sessions);
    else this.#sessionsOfKey.delete(key);
  }
}
