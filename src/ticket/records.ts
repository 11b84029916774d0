/**
 * Where a listener can be found: the records of a ticket (spec/ticket.md#records).
 *
 * ```
 * +-----------+-------+---------------------------------------------------+
 * | kind (3)  | w (5) | 0  server by name, port 3478   name [2w] ‖ pin    |
 * +-----------+-------+ 1  server by name         port ‖ name [2w] ‖ pin  |
 *                       2  server by IPv4         host [4] ‖ port ‖ pin   |
 *                       3  server by IPv6        host [16] ‖ port ‖ pin   |
 *                       4  address, IPv4          host [4] ‖ port         |
 *                       5  address, IPv6         host [16] ‖ port         |
 *                       6  NAT profile [10], ignored                      |
 *                       7  extension of sub-type w: length [1], body; ignored
 * ```
 *
 * @module
 */
import type { Address } from "../util/machine.ts";
import { formatHost, parseHost } from "../wire/address.ts";
import { Reader } from "../wire/reader.ts";
import { decodeName, encodeName } from "./names.ts";

// Specification

/** Servers in one ticket. */
export const MAX_SERVERS = 4;

/** Direct addresses in one ticket. */
export const MAX_ADDRESSES = 8;

/** Bytes of the hash that pins a server's key: impersonating it takes a second preimage. */
export const PIN_SIZE = 12;

/** The port of a server whose record names none. */
export const DEFAULT_SERVER_PORT = 3478;

const KIND = {
  SERVER_NAME: 0,
  SERVER_NAME_AND_PORT: 1,
  SERVER_IPV4: 2,
  SERVER_IPV6: 3,
  ADDRESS_IPV4: 4,
  ADDRESS_IPV6: 5,
  NAT_PROFILE: 6,
  EXTENSION: 7,
} as const;

const IPV4_SIZE = 4;
const IPV6_SIZE = 16;
const NAT_PROFILE_SIZE = 10;

/** Where a server can be reached. */
export interface Place {
  /** A host name, or a literal address. */
  readonly host: string;
  readonly port: number;
}

/** A server through which the listener can be found. */
export interface ServerRecord extends Place {
  /** Beginning of the hash of the server's key, {@link PIN_SIZE} bytes. */
  readonly pin: Uint8Array;
}

/** Where a listener can be found. */
export interface Routing {
  readonly servers: readonly ServerRecord[];
  readonly addresses: readonly Address[];
}

/**
 * The records of servers, then those of addresses.
 *
 * @throws RangeError if there are too many, or one can't be written.
 */
export function encodeRecords(routing: Routing): Uint8Array {
  const { servers, addresses } = routing;
  if (servers.length > MAX_SERVERS) throw new RangeError(`${servers.length} servers: ${MAX_SERVERS} at most`);
  if (addresses.length > MAX_ADDRESSES) throw new RangeError(`${addresses.length} addresses: ${MAX_ADDRESSES} at most`);
  const bytes: number[] = [];
  for (const server of servers) bytes.push(...encodeServer(server));
  for (const address of addresses) {
    const host = requiredHost(address.host);
    bytes.push(
      head(host.length === IPV4_SIZE ? KIND.ADDRESS_IPV4 : KIND.ADDRESS_IPV6, 0),
      ...host,
      ...port(address.port),
    );
  }
  return Uint8Array.from(bytes);
}

/** The routing that all of `bytes` say; `undefined` if they are malformed. */
export function decodeRecords(bytes: Uint8Array): Routing | undefined {
  const reader = new Reader(bytes);
  const servers: ServerRecord[] = [];
  const addresses: Address[] = [];
  while (reader.remaining > 0 && !reader.failed) {
    const first = reader.u8();
    const kind = first >>> 5;
    const w = first & 0x1f;
    // Only names and extensions have a use for the low bits.
    if (w !== 0 && kind >= KIND.SERVER_IPV4 && kind <= KIND.NAT_PROFILE) return undefined;
    if (kind <= KIND.SERVER_IPV6) {
      const place = readPlace(reader, first);
      if (place === undefined) return undefined;
      if (servers.push({ ...place, pin: reader.bytes(PIN_SIZE).slice() }) > MAX_SERVERS) return undefined;
    } else if (kind <= KIND.ADDRESS_IPV6) {
      const family = kind === KIND.ADDRESS_IPV4 ? 4 : 6;
      const host = readHost(reader, family);
      if (addresses.push({ host, port: readPort(reader), family }) > MAX_ADDRESSES) return undefined;
    } else {
      reader.skip(kind === KIND.NAT_PROFILE ? NAT_PROFILE_SIZE : reader.u8());
    }
  }
  return reader.failed ? undefined : { servers, addresses };
}

/** The place in a record of a server, between its head byte and the pin; `undefined` if it is malformed. */
export function readPlace(reader: Reader, first: number): Place | undefined {
  const kind = first >>> 5;
  const w = first & 0x1f;
  if (kind > KIND.SERVER_IPV6 || (kind >= KIND.SERVER_IPV4 && w !== 0)) return undefined;
  if (kind >= KIND.SERVER_IPV4) {
    const host = readHost(reader, kind === KIND.SERVER_IPV4 ? 4 : 6);
    return { host, port: readPort(reader) };
  }
  const serverPort = kind === KIND.SERVER_NAME_AND_PORT ? readPort(reader) : DEFAULT_SERVER_PORT;
  const host = decodeName(reader.bytes(2 * w));
  // A literal address has records of its own.
  return host === undefined || parseHost(host) !== undefined ? undefined : { host, port: serverPort };
}

function readHost(reader: Reader, family: 4 | 6): string {
  return formatHost(reader.bytes(family === 4 ? IPV4_SIZE : IPV6_SIZE));
}

/** Nothing listens at port 0. */
function readPort(reader: Reader): number {
  const number = reader.u16();
  if (number === 0) reader.fail();
  return number;
}

function encodeServer(server: ServerRecord): number[] {
  if (server.pin.length !== PIN_SIZE) throw new RangeError(`a pin has ${PIN_SIZE} bytes`);
  return [...encodePlace(server), ...server.pin];
}

/**
 * A record of a server without its pin.
 *
 * @throws RangeError if the host is neither an address nor a host name, or the port none.
 */
export function encodePlace(place: Place): number[] {
  const host = parseHost(place.host);
  if (host !== undefined) {
    const kind = host.length === IPV4_SIZE ? KIND.SERVER_IPV4 : KIND.SERVER_IPV6;
    return [head(kind, 0), ...host, ...port(place.port)];
  }
  const name = encodeName(place.host);
  if (name === undefined) throw new RangeError(`no host name: ${place.host}`);
  if (place.port === DEFAULT_SERVER_PORT) return [head(KIND.SERVER_NAME, name.length / 2), ...name];
  return [head(KIND.SERVER_NAME_AND_PORT, name.length / 2), ...port(place.port), ...name];
}

function requiredHost(text: string): Uint8Array {
  const host = parseHost(text);
  if (host === undefined) throw new RangeError(`no address: ${text}`);
  return host;
}

function head(kind: number, w: number): number {
  return (kind << 5) | w;
}

function port(number: number): [number, number] {
  if (!Number.isInteger(number) || number < 1 || number > 0xffff) throw new RangeError(`no port: ${number}`);
  return [number >>> 8, number & 0xff];
}
