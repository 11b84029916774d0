/**
 * The ticket as users see it: an immutable value that never shows its secret by accident.
 *
 * @module
 */
import { isPublicKey, sha256 } from "../crypto/primitives.ts";
import { deriveTicketKeys } from "../crypto/ticket-keys.ts";
import type { Place } from "../ticket/records.ts";
import { decodeTicket, encodeTicket, type ServerRecord, type TicketFields, ticketCore } from "../ticket/ticket.ts";
import { toHex } from "../util/bytes.ts";
import type { Address } from "../util/machine.ts";
import { PunchlineError } from "./errors.ts";

/** What a ticket shows in logs: everything but the secret. */
export interface RedactedTicket {
  readonly id: string;
  readonly key: string;
  readonly addresses: readonly Address[];
  readonly servers: readonly Place[];
  readonly expiresAt: string | undefined;
  readonly singleUse: boolean;
}

/**
 * The right to connect to one listener, and where to find it.
 *
 * Its text form (`String(ticket)`) holds a secret: whoever has the text can connect. Printing a ticket with
 * `console.log` or `JSON.stringify` shows no secret.
 */
export class Ticket {
  /** @internal */
  readonly fields: TicketFields;
  #text: string | undefined;
  #id: string | undefined;

  /** Tickets come from {@link Ticket.parse} and from a listener. @internal */
  constructor(fields: TicketFields, text?: string) {
    this.fields = fields;
    this.#text = text;
  }

  /**
   * Reads the text form; white space around it is ignored.
   *
   * @throws {@link PunchlineError} `ERR_TICKET` if the text is no ticket; its `hint` says what is probably wrong.
   */
  static parse(text: string): Ticket {
    if (typeof text !== "string") throw new PunchlineError("ERR_TICKET", "a ticket is a string");
    const word = text.trim();
    const decoded = decodeTicket(word, sha256);
    if ("code" in decoded) {
      throw new PunchlineError("ERR_TICKET", `not a valid ticket: ${decoded.code}`, { hint: decoded.hint });
    }
    // With such a key the handshake's secrets would be known to everybody.
    if (!isPublicKey(decoded.key)) throw new PunchlineError("ERR_TICKET", "the key in the ticket is not a usable key");
    // The text is kept: it may hold records of a later version that would not survive being written anew.
    return new Ticket(decoded, word);
  }

  /**
   * The ticket, if it has not expired.
   *
   * @throws {@link PunchlineError} `ERR_TICKET` or `ERR_TICKET_EXPIRED`.
   * @internal
   */
  static usable(ticket: string | Ticket): Ticket {
    const parsed = ticket instanceof Ticket ? ticket : Ticket.parse(ticket);
    const { expiresAt } = parsed;
    if (expiresAt === undefined || expiresAt.getTime() > Date.now()) return parsed;
    throw new PunchlineError("ERR_TICKET_EXPIRED", `the ticket expired at ${expiresAt.toISOString()}`);
  }

  /** The text form, with the secret: one word, at most 1,024 characters, to be given to the peer. */
  toString(): string {
    this.#text ??= encodeTicket(this.fields, sha256);
    return this.#text;
  }

  /** Everything but the secret. */
  toJSON(): RedactedTicket {
    return {
      id: this.id,
      key: this.key,
      addresses: this.addresses,
      servers: this.servers.map(({ host, port }) => ({ host, port })),
      expiresAt: this.expiresAt?.toISOString(),
      singleUse: this.singleUse,
    };
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `Ticket ${JSON.stringify(this)}`;
  }

  /** Names the ticket without its secret: 16 hexadecimal digits. */
  get id(): string {
    this.#id ??= toHex(
      deriveTicketKeys({ key: this.fields.key, secret: this.fields.secret, core: ticketCore(this.fields) }).hint,
    );
    return this.#id;
  }

  /** The listener's public key: 64 hexadecimal digits. */
  get key(): string {
    return toHex(this.fields.key);
  }

  /** Where the listener can be reached directly; at most 8. */
  get addresses(): readonly Address[] {
    return this.fields.addresses;
  }

  /** Servers through which the listener can be found; at most 4. */
  get servers(): readonly ServerRecord[] {
    return this.fields.servers;
  }

  /** When the ticket ends, or `undefined` for never. */
  get expiresAt(): Date | undefined {
    return this.fields.expiresAt === 0 ? undefined : new Date(this.fields.expiresAt * 1000);
  }

  /** Whether the listener has to be told by hand who calls (spec/paste.md). */
  get paste(): boolean {
    return this.fields.paste;
  }

  /** Whether the listener said that it opens one connection only. */
  get singleUse(): boolean {
    return this.fields.singleUse;
  }
}
