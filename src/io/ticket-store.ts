/**
 * The tickets of a listener that outlive its process, kept in its identity file.
 *
 * @module
 */
import { deriveTicketKeys } from "../crypto/ticket-keys.ts";
import { type TicketFields, ticketCore } from "../ticket/ticket.ts";
import { toHex } from "../util/bytes.ts";
import { unixTime } from "./clock.ts";
import { FileLock } from "./file-lock.ts";
import type { Identity } from "./identity.ts";
import { type KeptTicket, readOrCreate, write } from "./identity-file.ts";

// Implementation

/** How long a dead ticket is kept, in seconds, so that its holder is told why it no longer works. */
const DEAD_LIFETIME = 24 * 60 * 60;

/** Dead tickets kept at most. */
const MAX_DEAD = 1_024;

/** See the module. Every change is on disk before the call returns. */
export class TicketStore {
  /** The listener's identity. */
  readonly identity: Identity;
  readonly #path: string;
  readonly #lock: FileLock;
  readonly #tickets = new Map<string, KeptTicket>();
  #isClosed = false;

  private constructor(path: string, lock: FileLock) {
    this.#path = path;
    this.#lock = lock;
    const { identity, tickets } = readOrCreate(path);
    this.identity = identity;
    for (const ticket of tickets) {
      const { key, secret } = ticket.fields;
      const id = toHex(deriveTicketKeys({ key, secret, core: ticketCore(ticket.fields) }).hint);
      this.#tickets.set(id, { ...ticket, id });
    }
    this.#forgetDead();
  }

  /**
   * Opens the file for this process alone; makes it if there is none.
   *
   * @throws {@link PunchlineError} `ERR_IDENTITY`.
   */
  static open(path: string): TicketStore {
    const lock = FileLock.acquire(path);
    try {
      return new TicketStore(path, lock);
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** All tickets that are still answered, dead ones included. */
  tickets(): readonly KeptTicket[] {
    return [...this.#tickets.values()];
  }

  /** The ticket that the listener showed at its last start, if it is still good. */
  mainTicket(): TicketFields | undefined {
    for (const ticket of this.#tickets.values()) if (ticket.isMain && endOf(ticket) === undefined) return ticket.fields;
    return undefined;
  }

  /** Command: keeps a new ticket. @throws {@link PunchlineError} `ERR_IDENTITY`. */
  add(ticket: Omit<KeptTicket, "endedAt">): void {
    if (ticket.isMain) {
      for (const [id, old] of this.#tickets) if (old.isMain) this.#tickets.set(id, { ...old, isMain: false });
    }
    this.#tickets.set(ticket.id, { ...ticket, endedAt: undefined });
    this.#forgetDead();
    this.#save();
  }

  /** Command: a use was counted. */
  used(id: string, usesLeft: number): void {
    const ticket = this.#tickets.get(id);
    if (this.#isClosed || ticket === undefined || usesLeft === ticket.usesLeft) return;
    this.#tickets.set(id, { ...ticket, usesLeft, endedAt: usesLeft > 0 ? undefined : unixTime() });
    try {
      this.#save();
    } catch {
      // A full disk must not end the connection that has just opened; the next change writes this one, too.
    }
  }

  /** Command: a ticket was revoked. @throws {@link PunchlineError} `ERR_IDENTITY`. */
  revoked(id: string): void {
    const ticket = this.#tickets.get(id);
    if (this.#isClosed || ticket === undefined || ticket.isRevoked) return;
    this.#tickets.set(id, { ...ticket, isRevoked: true, endedAt: unixTime() });
    this.#save();
  }

  /** Command: leaves the file to others. */
  close(): void {
    this.#isClosed = true;
    this.#lock.release();
  }

  #save(): void {
    write(this.#path, { identity: this.identity, tickets: this.tickets() });
  }

  #forgetDead(): void {
    const now = unixTime();
    const dead = this.tickets().filter((ticket) => endOf(ticket) !== undefined);
    dead.sort((a, b) => endOf(b)! - endOf(a)!);
    dead.forEach((ticket, index) => {
      if (index >= MAX_DEAD || now - endOf(ticket)! > DEAD_LIFETIME) this.#tickets.delete(ticket.id);
    });
  }
}

/** Unix seconds when the ticket stopped being good, `undefined` while it is. */
function endOf(ticket: KeptTicket): number | undefined {
  if (ticket.endedAt !== undefined) return ticket.endedAt;
  const { expiresAt } = ticket.fields;
  return expiresAt !== 0 && unixTime() >= expiresAt ? expiresAt : undefined;
}
