/**
 * The datagrams of the handshake over UDP: INIT, RESP and COOKIE (spec/wire.md#handshake-datagrams).
 *
 * ```
 *       0        1        3         4              6          8
 *       +--------+--------+---------+--------------+----------+------------------+
 * INIT  | 0x81   | length | version | core length  | 0        | token (64)       |
 *       +--------+--------+---------+--------------+----------+------------------+
 *       | mac2 (128)                                                             |  16
 *       +------------------------------------------------------------------------+
 *       | core …                              | zeros, to 1200 bytes or more     |  32
 *       +------------------------------------------------------------------------+
 *
 *       +--------+--------+---------+--------------+----------+------------------+
 * RESP  | 0x82   | length | version | core length  | 0        | connection id    |
 *       +--------+--------+---------+--------------+----------+------------------+
 *       | echo (64)                           | token (64)                       |  16
 *       +------------------------------------------------------------------------+
 *       | core …                                                                 |  32
 *       +------------------------------------------------------------------------+
 *
 *       +--------+--------+---------+-------------------------+------------------+
 * COOKIE| 0x83   | 64     | version | 0                       | echo (64)        |
 *       +--------+--------+---------+-------------------------+------------------+
 *       | nonce (96)                                          | 0                |  16
 *       +------------------------------------------------------------------------+
 *       | sealed cookie (256)                                                    |  32
 *       +------------------------------------------------------------------------+
 * ```
 *
 * Byte strings in a decoded datagram are views of it. Decoding checks the layout only: nothing here is authentic yet.
 *
 * @module
 */
import { assert } from "../util/invariant.ts";
import { BASE_DATAGRAM_SIZE, FIRST_BYTE } from "./datagram.ts";
import { CONNECTION_ID_SIZE } from "./packet-header.ts";
import { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

// Specification

/** The version of the protocol in byte 3. */
export const WIRE_VERSION = 1;

/** Bytes before the core. */
export const HANDSHAKE_HEADER_SIZE = 32;

/** Bytes of the largest core: an INIT of the base size holds it. */
export const MAX_CORE_SIZE = BASE_DATAGRAM_SIZE - HANDSHAKE_HEADER_SIZE;

/** Bytes of the token by which a RESP proves the path that its INIT took. */
export const HANDSHAKE_TOKEN_SIZE = 8;

export const MAC2_SIZE = 16;
export const COOKIE_NONCE_SIZE = 12;
/** A cookie of 16 bytes and the AEAD's tag. */
export const SEALED_COOKIE_SIZE = 32;
export const COOKIE_DATAGRAM_SIZE = 64;

/** The first message of a handshake. */
export interface InitDatagram {
  /** Hint, ephemeral key and sealed Noise message (spec/handshake.md). */
  readonly core: Uint8Array;
  /** Chosen for this handshake and destination. */
  readonly token: Uint8Array;
  /** Proof of address by a cookie; zeros without one. */
  readonly mac2: Uint8Array;
}

/** The answer to an INIT. */
export interface RespDatagram {
  /** Connection id of the initiator to which it is addressed. */
  readonly connectionId: Uint8Array;
  /** The token of the INIT answered. */
  readonly echo: Uint8Array;
  /** The responder's own token, to be returned by a PATH_RESPONSE. */
  readonly token: Uint8Array;
  readonly core: Uint8Array;
}

/** What a busy responder answers to an INIT instead: prove your address first. */
export interface CookieDatagram {
  /** The token of the INIT answered. */
  readonly echo: Uint8Array;
  readonly nonce: Uint8Array;
  readonly sealed: Uint8Array;
}

/** An INIT, padded so that it proves the base size of the path and pays for the answer. */
export function encodeInit(init: InitDatagram): Uint8Array {
  assert(init.core.length <= MAX_CORE_SIZE, `core of ${init.core.length} bytes`);
  const datagram = new Uint8Array(BASE_DATAGRAM_SIZE);
  const writer = new Writer(datagram);
  writeHead(writer, FIRST_BYTE.INIT, init.core.length);
  writeExact(writer, init.token, HANDSHAKE_TOKEN_SIZE);
  writeExact(writer, init.mac2, MAC2_SIZE);
  writer.bytes(init.core);
  return datagram;
}

/** The fields of an INIT, or `undefined` if the bytes are none. */
export function decodeInit(bytes: Uint8Array): InitDatagram | undefined {
  if (bytes.length < BASE_DATAGRAM_SIZE) return undefined;
  const reader = new Reader(bytes);
  const coreLength = readHead(reader, FIRST_BYTE.INIT);
  const token = reader.bytes(HANDSHAKE_TOKEN_SIZE);
  const mac2 = reader.bytes(MAC2_SIZE);
  const core = reader.bytes(coreLength);
  return reader.failed ? undefined : { core, token, mac2 };
}

/** A RESP, as short as its core allows. */
export function encodeResp(resp: RespDatagram): Uint8Array {
  assert(resp.core.length <= MAX_CORE_SIZE, `core of ${resp.core.length} bytes`);
  const datagram = new Uint8Array(HANDSHAKE_HEADER_SIZE + resp.core.length);
  const writer = new Writer(datagram);
  writeHead(writer, FIRST_BYTE.RESP, resp.core.length);
  writeExact(writer, resp.connectionId, CONNECTION_ID_SIZE);
  writeExact(writer, resp.echo, HANDSHAKE_TOKEN_SIZE);
  writeExact(writer, resp.token, HANDSHAKE_TOKEN_SIZE);
  writer.bytes(resp.core);
  return datagram;
}

/** The fields of a RESP, or `undefined` if the bytes are none. */
export function decodeResp(bytes: Uint8Array): RespDatagram | undefined {
  const reader = new Reader(bytes);
  const coreLength = readHead(reader, FIRST_BYTE.RESP);
  const connectionId = reader.bytes(CONNECTION_ID_SIZE);
  const echo = reader.bytes(HANDSHAKE_TOKEN_SIZE);
  const token = reader.bytes(HANDSHAKE_TOKEN_SIZE);
  const core = reader.bytes(coreLength);
  return reader.failed ? undefined : { connectionId, echo, token, core };
}

/** A COOKIE. */
export function encodeCookie(cookie: CookieDatagram): Uint8Array {
  const datagram = new Uint8Array(COOKIE_DATAGRAM_SIZE);
  const writer = new Writer(datagram);
  writeHead(writer, FIRST_BYTE.COOKIE, 0);
  writeExact(writer, cookie.echo, HANDSHAKE_TOKEN_SIZE);
  writeExact(writer, cookie.nonce, COOKIE_NONCE_SIZE);
  writer.u32(0);
  writeExact(writer, cookie.sealed, SEALED_COOKIE_SIZE);
  return datagram;
}

/** The fields of a COOKIE, or `undefined` if the bytes are none. */
export function decodeCookie(bytes: Uint8Array): CookieDatagram | undefined {
  if (bytes.length !== COOKIE_DATAGRAM_SIZE) return undefined;
  const reader = new Reader(bytes);
  readHead(reader, FIRST_BYTE.COOKIE);
  const echo = reader.bytes(HANDSHAKE_TOKEN_SIZE);
  const nonce = reader.bytes(COOKIE_NONCE_SIZE);
  reader.skip(4);
  const sealed = reader.bytes(SEALED_COOKIE_SIZE);
  return reader.failed ? undefined : { echo, nonce, sealed };
}

/** Writes the first eight bytes. */
function writeHead(writer: Writer, firstByte: number, coreLength: number): void {
  writer.u8(firstByte);
  writer.u16(writer.limit);
  writer.u8(WIRE_VERSION);
  writer.u16(coreLength);
  writer.u16(0);
}

/** Reads the first eight bytes and returns the length of the core. Reserved fields are ignored. */
function readHead(reader: Reader, firstByte: number): number {
  const total = reader.remaining;
  if (reader.u8() !== firstByte || reader.u16() !== total || reader.u8() !== WIRE_VERSION) reader.fail();
  const coreLength = reader.u16();
  if (coreLength > MAX_CORE_SIZE) reader.fail();
  reader.skip(2);
  return coreLength;
}

function writeExact(writer: Writer, bytes: Uint8Array, size: number): void {
  assert(bytes.length === size, `field of ${size} bytes has ${bytes.length}`);
  writer.bytes(bytes);
}
