/**
 * Tickets: the right to connect to one listener, as one word (spec/ticket.md).
 *
 * ```
 *  0                               32              48      52 53
 * +-------------------------------+---------------+-------+-+------- - -+-------+
 * | listener's public key         | secret        | expiry|f| records … | check |
 * +-------------------------------+---------------+-------+-+------- - -+-------+
 *   expiry: Unix seconds, 0 for never      f: flags      check: 4 bytes of SHA-256("pl1" ‖ all before)
 * ```
 *
 * The text form is `pl1` and the bytes in base 62. The first 53 bytes are the core, to which the handshake is bound; the
 * records only say where the listener is.
 *
 * @module
 */
import { concatBytes } from "../util/bytes.ts";
import { secretBytes, wipe } from "../util/secret-bytes.ts";
import { Reader } from "../wire/reader.ts";
import { decodeRecords, encodeRecords, type Routing } from "./records.ts";
import { decodeWord, encodeWord, type Hash, type WordProblem } from "./word.ts";

// Specification

/** Characters of a ticket; bounds the work on what a user pastes. */
export const MAX_TICKET_LENGTH = 1_024;

export const TICKET_KEY_SIZE = 32;
export const TICKET_SECRET_SIZE = 16;
const CORE_SIZE = 53;

const TICKET = { prefix: "pl1", minSize: CORE_SIZE, maxLength: MAX_TICKET_LENGTH };

const FLAG = { SINGLE_USE: 0x01, DIRECT_ONLY: 0x02, RELAY_ONLY: 0x04, PASTE: 0x08 } as const;
/** Flags that a reader may ignore. They are part of the core all the same. */
const IGNORABLE_FLAGS = 0x30;
/** Flags without which the ticket must not be used. */
const CRITICAL_FLAGS = 0xc0;

/** A server through which the listener can be found. */
export type ServerRecord = Routing["servers"][number];

/** What a ticket says. */
export interface TicketFields extends Routing {
  /** The listener's static public key. */
  readonly key: Uint8Array;
  /** 128 bits that only the listener and holders of the ticket know. */
  readonly secret: Uint8Array;
  /** Unix time in seconds, 0 for never. For the holder's error message; the listener keeps its own. */
  readonly expiresAt: number;
  /** Whether the listener opens one connection only. */
  readonly singleUse: boolean;
  /** Whether relayed paths are not wanted. */
  readonly directOnly: boolean;
  /** Whether direct paths are not wanted. */
  readonly relayOnly: boolean;
  /** Whether the answer is to be pasted back by hand. */
  readonly paste: boolean;
  /** Flags of later versions that this one ignores but has to repeat. */
  readonly ignoredFlags?: number;
}

/** Why a text is no ticket: a word for programs, and a sentence for people. */
export interface TicketProblem {
  readonly code: WordProblem | "unsupported" | "malformed";
  readonly hint: string;
}

const HINTS: Readonly<Record<TicketProblem["code"], string>> = {
  prefix: `a ticket begins with ${TICKET.prefix}`,
  case: "capital and small letters differ in a ticket; something changed them",
  characters: "a ticket has only letters and digits; copy it as one word",
  length: "the ticket is not complete; copy it to the last character",
  checksum: "a character of the ticket was changed, lost or swapped",
  unsupported: "the ticket was made by a newer version of this program",
  malformed: "the ticket is damaged, or its maker broke the rules",
};

/** The 53 bytes of a ticket that the handshake is bound to. */
export function ticketCore(fields: TicketFields): Uint8Array {
  const { key, secret, expiresAt } = fields;
  if (key.length !== TICKET_KEY_SIZE) throw new RangeError(`a ticket's key has ${TICKET_KEY_SIZE} bytes`);
  if (secret.length !== TICKET_SECRET_SIZE) throw new RangeError(`a ticket's secret has ${TICKET_SECRET_SIZE} bytes`);
  if (!Number.isInteger(expiresAt) || expiresAt < 0 || expiresAt > 0xffff_ffff) {
    throw new RangeError(`a ticket can't expire at ${expiresAt}`);
  }
  const core = new Uint8Array(CORE_SIZE);
  core.set(key);
  core.set(secret, TICKET_KEY_SIZE);
  new DataView(core.buffer).setUint32(TICKET_KEY_SIZE + TICKET_SECRET_SIZE, expiresAt);
  core[CORE_SIZE - 1] = flagsOf(fields);
  return core;
}

/**
 * The text form, with the secret.
 *
 * @throws RangeError if a field has a value that no ticket can have.
 */
export function encodeTicket(fields: TicketFields, sha256: Hash): string {
  const core = ticketCore(fields);
  const bytes = concatBytes(core, encodeRecords(fields));
  const text = encodeWord(TICKET, bytes, sha256);
  wipe(core, bytes);
  return text;
}

/** What a text form says, or why it is none. */
export function decodeTicket(text: string, sha256: Hash): TicketFields | TicketProblem {
  const bytes = decodeWord(TICKET, text, sha256);
  if (!(bytes instanceof Uint8Array)) return problem(bytes);
  const fields = decodeFields(bytes);
  wipe(bytes);
  return fields;
}

function decodeFields(bytes: Uint8Array): TicketFields | TicketProblem {
  const reader = new Reader(bytes);
  const key = reader.bytes(TICKET_KEY_SIZE).slice();
  const secret = secretBytes(reader.bytes(TICKET_SECRET_SIZE));
  const expiresAt = reader.u32();
  const flags = reader.u8();
  if ((flags & CRITICAL_FLAGS) !== 0) return problem("unsupported");
  const routing = decodeRecords(reader.rest());
  if (routing === undefined) return problem("malformed");
  return {
    key,
    secret,
    expiresAt,
    singleUse: (flags & FLAG.SINGLE_USE) !== 0,
    directOnly: (flags & FLAG.DIRECT_ONLY) !== 0,
    relayOnly: (flags & FLAG.RELAY_ONLY) !== 0,
    paste: (flags & FLAG.PASTE) !== 0,
    ignoredFlags: flags & IGNORABLE_FLAGS,
    servers: routing.servers,
    addresses: routing.addresses,
  };
}

function flagsOf(fields: TicketFields): number {
  const { singleUse, directOnly, relayOnly, paste, ignoredFlags = 0 } = fields;
  let flags = ignoredFlags & IGNORABLE_FLAGS;
  if (singleUse) flags |= FLAG.SINGLE_USE;
  if (directOnly) flags |= FLAG.DIRECT_ONLY;
  if (relayOnly) flags |= FLAG.RELAY_ONLY;
  if (paste) flags |= FLAG.PASTE;
  return flags;
}

function problem(code: TicketProblem["code"]): TicketProblem {
  return { code, hint: HINTS[code] };
}
