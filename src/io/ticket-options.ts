/**
 * What is asked when tickets are made and when they are used.
 *
 * @module
 */
import type { Address } from "../util/machine.ts";
import { PunchlineError } from "./errors.ts";

/** How long a ticket lasts. */
export interface TicketOptions {
  /** When it ends: a date, or ms since 1970; `Infinity` for never. Default: 24 hours from now. Whole seconds count. */
  readonly expiresAt?: Date | number;
  /** Connections that it opens, a whole number from 1, or `Infinity`, the default. */
  readonly uses?: number;
}

/** A peer that asks to be let in. Its key is claimed, not yet confirmed: decide, but act on the connection only. */
export interface PeerRequest {
  /** Public key that the peer claims: 64 hexadecimal digits. */
  readonly key: string;
  /** What the peer sent along, at most 256 bytes. */
  readonly metadata: Uint8Array;
  /** Where the peer calls from; `undefined` if a server introduced it. */
  readonly address: Address | undefined;
  /** {@link Ticket.id} of the ticket that it holds. */
  readonly ticketId: string;
}

/** {@link TicketOptions} without gaps. */
export interface CheckedTicket {
  /** Unix seconds, 0 for never. */
  readonly expiresAt: number;
  readonly uses: number;
}

// Implementation

/** Long enough for a day's work with somebody in another time zone, short enough that a lost ticket is soon worthless. */
const DEFAULT_LIFETIME = 24 * 60 * 60 * 1000;

/** Of a ticket that waits for a string by hand: the address in it lives as long as this process keeps it alive. */
const PASTE_LIFETIME = 10 * 60 * 1000;

/** Largest time that fits the ticket's 32 bits of seconds. */
const MAX_EXPIRY = 0xffff_ffff;

/**
 * Checks how long a ticket is to last.
 *
 * @throws {@link PunchlineError} `ERR_OPTION`.
 */
export function checkTicket(options: TicketOptions): CheckedTicket {
  const { uses = Number.POSITIVE_INFINITY, expiresAt = Date.now() + DEFAULT_LIFETIME } = options;
  if (uses !== Number.POSITIVE_INFINITY && !(Number.isSafeInteger(uses) && uses >= 1)) {
    throw new PunchlineError("ERR_OPTION", `uses is a whole number from 1, or Infinity, not ${String(uses)}`);
  }
  const time = expiresAt instanceof Date ? expiresAt.getTime() : expiresAt;
  if (time === Number.POSITIVE_INFINITY) return { uses, expiresAt: 0 };
  // Rounded up: a ticket never ends before the time that was asked for.
  const seconds = Math.ceil(time / 1000);
  if (typeof time !== "number" || !(seconds >= 1 && seconds <= MAX_EXPIRY)) {
    throw new PunchlineError("ERR_OPTION", `expiresAt is a Date or a time in ms since 1970, not ${String(expiresAt)}`);
  }
  return { uses, expiresAt: seconds };
}

/**
 * The same for a ticket in paste mode, which is good for one connection and by default for ten minutes.
 *
 * @throws {@link PunchlineError} `ERR_OPTION`.
 */
export function checkPasteTicket({ uses = 1, expiresAt = Date.now() + PASTE_LIFETIME }: TicketOptions): CheckedTicket {
  if (uses !== 1) throw new PunchlineError("ERR_OPTION", "a ticket in paste mode has one use");
  return checkTicket({ uses, expiresAt });
}
