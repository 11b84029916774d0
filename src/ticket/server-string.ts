/**
 * The address of a server as one word (spec/rendezvous.md#server-address): where it is, and its whole key.
 *
 * ```
 * +---+---------------------+--------------------------------+-------+
 * | f | places …            | key: server's static key       | check |
 * +---+---------------------+--------------------------------+-------+
 * ```
 *
 * A server prints it once; listeners are given it and put the places, with a pin of the key, into their tickets.
 *
 * @module
 */
import { concatBytes } from "../util/bytes.ts";
import { Reader } from "../wire/reader.ts";
import { encodePlace, MAX_SERVERS, type Place, readPlace } from "./records.ts";
import { decodeWord, encodeWord, type Hash, type WordProblem } from "./word.ts";

// Specification

/** Characters of a server address; the longest names at all places take fewer. */
export const MAX_SERVER_STRING_LENGTH = 512;

/** Bytes of a server's key. */
export const SERVER_KEY_SIZE = 32;

/** Places of one server: as many as a ticket can name. */
export const MAX_PLACES = MAX_SERVERS;

/** The server also listens at the next port of each place. */
const FLAG_NEXT_PORT = 0x01;
/** Flags without which the address must not be used. */
const CRITICAL_FLAGS = 0xc0;

/** Flags, the record of the shortest name, and the key. */
const MIN_SIZE = 1 + 3 + SERVER_KEY_SIZE;

const MAX_PORT = 0xffff;

const SERVER = { prefix: "ps1", minSize: MIN_SIZE, maxLength: MAX_SERVER_STRING_LENGTH };

/** Begins a ticket, which is easily taken for the address of a server. */
const TICKET_PREFIX = "pl1";

/** What the address of a server says. */
export interface ServerAddress {
  /** All of the same server, 1 to {@link MAX_PLACES}. */
  readonly places: readonly Place[];
  /** Whether the server also listens at the port after that of each place, so that clients can learn how they are filtered. */
  readonly hasNextPort: boolean;
  /** The server's static public key, {@link SERVER_KEY_SIZE} bytes. */
  readonly key: Uint8Array;
}

/** Why a text is no server address: a word for programs, and a sentence for people. */
export interface ServerStringProblem {
  readonly code: WordProblem | "unsupported" | "malformed";
  readonly hint: string;
}

const HINTS: Readonly<Record<ServerStringProblem["code"], string>> = {
  prefix: `the address of a server begins with ${SERVER.prefix}`,
  case: "capital and small letters differ in the address of a server; something changed them",
  characters: "the address of a server has only letters and digits; copy it as one word",
  length: "the address of the server is not complete; copy it to the last character",
  checksum: "a character of the server's address was changed, lost or swapped",
  unsupported: "the address was made by a newer version of the server",
  malformed: "the address of the server is damaged, or its maker broke the rules",
};

const TICKET_HINT = `this is a ticket; the address of a server begins with ${SERVER.prefix}`;

/**
 * The text form.
 *
 * @throws RangeError if there are no or too many places, one can't be written, or the key has another size.
 */
export function encodeServerString(address: ServerAddress, sha256: Hash): string {
  const { places, hasNextPort, key } = address;
  if (key.length !== SERVER_KEY_SIZE) throw new RangeError(`a server's key has ${SERVER_KEY_SIZE} bytes`);
  if (places.length < 1 || places.length > MAX_PLACES)
    throw new RangeError(`${places.length} places: 1 to ${MAX_PLACES}`);
  if (hasNextPort && places.some((place) => place.port === MAX_PORT)) throw new RangeError(`no port after ${MAX_PORT}`);
  const records = Uint8Array.from(places.flatMap(encodePlace));
  return encodeWord(SERVER, concatBytes(Uint8Array.of(hasNextPort ? FLAG_NEXT_PORT : 0), records, key), sha256);
}

/** What a text form says, or why it is none. */
export function decodeServerString(text: string, sha256: Hash): ServerAddress | ServerStringProblem {
  const bytes = decodeWord(SERVER, text, sha256);
  if (!(bytes instanceof Uint8Array)) {
    const isTicket = bytes === "prefix" && text.startsWith(TICKET_PREFIX);
    return { code: bytes, hint: isTicket ? TICKET_HINT : HINTS[bytes] };
  }
  const keyOffset = bytes.length - SERVER_KEY_SIZE;
  const reader = new Reader(bytes.subarray(0, keyOffset));
  const flags = reader.u8();
  if ((flags & CRITICAL_FLAGS) !== 0) return problem("unsupported");
  const places: Place[] = [];
  while (reader.remaining > 0) {
    const place = readPlace(reader, reader.u8());
    if (place === undefined || reader.failed || places.push(place) > MAX_PLACES) return problem("malformed");
  }
  const hasNextPort = (flags & FLAG_NEXT_PORT) !== 0;
  if (places.length === 0 || (hasNextPort && places.some((place) => place.port === MAX_PORT)))
    return problem("malformed");
  return { places, hasNextPort, key: bytes.slice(keyOffset) };
}

function problem(code: ServerStringProblem["code"]): ServerStringProblem {
  return { code, hint: HINTS[code] };
}
