/**
 * Answers to Binding requests, for servers (RFC 8489 §6.3.1, RFC 5780 §6).
 *
 * Theory of operation. A responder keeps nothing between two requests and sends nothing itself: it writes an answer into
 * a buffer and says from where and to which port it goes. Strangers learn their address and nothing else; a request of 20
 * bytes gets 32, or 44 over IPv6. With diagnostics it does what RFC 5780 §6 asks for, with which anybody can have datagrams
 * sent from addresses that the receiver has never written to, though only to himself; so they are off by default. How
 * often a source is answered at all is for the owner to decide.
 *
 * With diagnostics a server has two addresses and two ports, so it can be asked in four places: 0 is the first address
 * and port, bit 0 says the other port, bit 1 the other address.
 *
 * @module
 */
import type { Address } from "../util/machine.ts";
import { parseHost } from "../wire/address.ts";
import { CHANGE } from "./codec.ts";
import { fingerprintOf, isFingerprintAcceptable } from "./integrity.ts";
import {
  ATTRIBUTE,
  ATTRIBUTE_HEADER_SIZE,
  FIRST_OPTIONAL_ATTRIBUTE,
  isClassicRequest,
  isStun,
  MESSAGE_TYPE,
  messageType,
  type RawAttribute,
  readAttributes,
  STUN_HEADER_SIZE,
  u16At,
  u32At,
} from "./message.ts";

// Specification

/** Attributes of requests that mean nothing to a server which knows no users (RFC 8489 §9). */
const CREDENTIALS: ReadonlySet<number> = new Set([
  ATTRIBUTE.USERNAME,
  ATTRIBUTE.MESSAGE_INTEGRITY,
  ATTRIBUTE.REALM,
  ATTRIBUTE.NONCE,
  ATTRIBUTE.MESSAGE_INTEGRITY_SHA256,
  ATTRIBUTE.PASSWORD_ALGORITHM,
  ATTRIBUTE.USERHASH,
]);

/** Attributes of requests that need diagnostics (RFC 5780 §7). */
const WISHES: ReadonlySet<number> = new Set([ATTRIBUTE.CHANGE_REQUEST, ATTRIBUTE.PADDING, ATTRIBUTE.RESPONSE_PORT]);

/** Error codes (RFC 8489 §14.8). */
const BAD_REQUEST = 400;
const UNKNOWN_ATTRIBUTE = 420;

const OTHER_PORT = 1;
const OTHER_HOST = 2;

const FAMILY_CODE = { 4: 1, 6: 2 } as const;

// Implementation

/** Longest request that is answered: PADDING as long as the MTU of Ethernet, as RFC 5780 §7.6 has it, and something beside. */
const MAX_REQUEST_SIZE = 1600;

/** Bytes that an answer may take: as much PADDING as a request can hold, and four addresses. */
export const MAX_ANSWER_SIZE = MAX_REQUEST_SIZE + 4 * 24;

/** Attributes that an error names: a request with more is nonsense, and its answer should be no longer than needed. */
const MAX_NAMED_ATTRIBUTES = 8;

/** The two addresses of a server with diagnostics, which differ in both host and port. */
export interface StunPlaces {
  readonly primary: Address;
  readonly other: Address;
}

/** What to do with the answer that was written. */
export interface StunAnswer {
  /** Bytes of it. */
  readonly length: number;
  /** Place to send it from. */
  readonly place: number;
  /** Port of the asking host to send it to. */
  readonly port: number;
}

/** What a request asks for. */
interface Wishes {
  /** Place that was asked. */
  readonly asked: number;
  /** Place to answer from. */
  readonly place: number;
  readonly port: number;
  readonly padding: number;
  readonly hasFingerprint: boolean;
}

/** See the module. */
export class StunResponder {
  /** Addresses of the four places, if there are diagnostics. */
  readonly #places: readonly Address[] | undefined;
  /** The one object that is returned: answers are as frequent as packets. */
  readonly #answer = { length: 0, place: 0, port: 0 };
  #out: Uint8Array = new Uint8Array(0);
  #offset = 0;

  /** @throws RangeError if the two places do not differ in both host and port. */
  constructor(options: { readonly diagnostics?: StunPlaces } = {}) {
    const { diagnostics } = options;
    if (diagnostics === undefined) return;
    const { primary, other } = diagnostics;
    if (primary.host === other.host || primary.port === other.port) throw new RangeError("the places are not two");
    this.#places = [
      primary,
      { ...primary, port: other.port },
      { ...primary, host: other.host },
      { ...primary, host: other.host, port: other.port },
    ];
  }

  /**
   * Writes the answer to `request`, which came from `from` to `place`, into `out`, which has {@link MAX_ANSWER_SIZE}
   * bytes. What it returns is valid until the next call; `undefined` means that there is nothing to be said.
   */
  answer(request: Uint8Array, from: Address, place: number, out: Uint8Array): StunAnswer | undefined {
    const isClassic = isClassicRequest(request);
    if (!isClassic && !(isStun(request) && messageType(request) === MESSAGE_TYPE.REQUEST)) return undefined;
    if (request.length > MAX_REQUEST_SIZE) return undefined;
    this.#out = out;
    // Fast path: no attributes, no diagnostics.
    if (request.length === STUN_HEADER_SIZE && this.#places === undefined) {
      this.#begin(request, MESSAGE_TYPE.RESPONSE);
      const type = isClassic ? ATTRIBUTE.MAPPED_ADDRESS : ATTRIBUTE.XOR_MAPPED_ADDRESS;
      return this.#writeAddress(type, from) ? this.#end(place, from.port) : undefined;
    }
    const attributes = readAttributes(request);
    if (attributes === undefined || (!isClassic && !isFingerprintAcceptable(request))) return undefined;
    const unknown = attributes.filter((each) => !this.#isKnown(each.type)).map((each) => each.type);
    if (unknown.length > 0) return this.#refuse(request, UNKNOWN_ATTRIBUTE, place, from.port, unknown);
    const wishes = this.#wishes(request, attributes, place, from.port);
    if (wishes === undefined) return this.#refuse(request, BAD_REQUEST, place, from.port, []);
    return isClassic ? this.#answerClassic(request, from, wishes) : this.#answerModern(request, from, wishes);
  }

  #answerModern(request: Uint8Array, from: Address, wishes: Wishes): StunAnswer | undefined {
    this.#begin(request, MESSAGE_TYPE.RESPONSE);
    // RFC 5780 §6.1: both, so that the client notices who rewrites addresses in passing.
    if (this.#places !== undefined) this.#writeAddress(ATTRIBUTE.MAPPED_ADDRESS, from);
    if (!this.#writeAddress(ATTRIBUTE.XOR_MAPPED_ADDRESS, from)) return undefined;
    this.#writePlaces(wishes, { origin: ATTRIBUTE.RESPONSE_ORIGIN, other: ATTRIBUTE.OTHER_ADDRESS });
    if (wishes.padding > 0) {
      // Deviates from RFC 5780 §6.1: as much padding as the request has, not as the MTU, or answers would be a weapon.
      this.#writeHeader(ATTRIBUTE.PADDING, wishes.padding);
      this.#out.fill(0, this.#offset, this.#offset + wishes.padding);
      this.#offset += wishes.padding;
    }
    if (wishes.hasFingerprint) this.#writeFingerprint();
    return this.#end(wishes.place, wishes.port);
  }

  #answerClassic(request: Uint8Array, from: Address, wishes: Wishes): StunAnswer | undefined {
    this.#begin(request, MESSAGE_TYPE.RESPONSE);
    if (!this.#writeAddress(ATTRIBUTE.MAPPED_ADDRESS, from)) return undefined;
    this.#writePlaces(wishes, { origin: ATTRIBUTE.SOURCE_ADDRESS, other: ATTRIBUTE.CHANGED_ADDRESS });
    return this.#end(wishes.place, wishes.port);
  }

  #refuse(
    request: Uint8Array,
    code: number,
    place: number,
    port: number,
    unknown: readonly number[],
  ): StunAnswer | undefined {
    this.#begin(request, MESSAGE_TYPE.ERROR);
    this.#writeHeader(ATTRIBUTE.ERROR_CODE, 4);
    this.#write16(0);
    this.#write16((Math.floor(code / 100) << 8) | (code % 100));
    if (unknown.length > 0) {
      const named = unknown.slice(0, MAX_NAMED_ATTRIBUTES);
      // An even number of them: classic clients know no padding, so the first one is repeated.
      if (named.length % 2 === 1) named.push(named[0]!);
      this.#writeHeader(ATTRIBUTE.UNKNOWN_ATTRIBUTES, 2 * named.length);
      for (const type of named) this.#write16(type);
    }
    return this.#end(place, port);
  }

  #isKnown(type: number): boolean {
    if (type >= FIRST_OPTIONAL_ATTRIBUTE || CREDENTIALS.has(type)) return true;
    return this.#places !== undefined && WISHES.has(type);
  }

  /** What the attributes ask for; `undefined` if that is malformed or contradicts itself. */
  #wishes(request: Uint8Array, attributes: readonly RawAttribute[], place: number, port: number): Wishes | undefined {
    const wishes = { asked: place, place, port, padding: 0, hasFingerprint: false };
    for (const { type, start, end } of attributes) {
      if (type === ATTRIBUTE.CHANGE_REQUEST) {
        if (end - start !== 4) return undefined;
        const flags = u32At(request, start);
        wishes.place ^=
          ((flags & CHANGE.ADDRESS) !== 0 ? OTHER_HOST : 0) | ((flags & CHANGE.PORT) !== 0 ? OTHER_PORT : 0);
      } else if (type === ATTRIBUTE.RESPONSE_PORT) {
        wishes.port = end - start >= 2 ? u16At(request, start) : 0;
        if (wishes.port === 0) return undefined;
      } else if (type === ATTRIBUTE.PADDING) {
        wishes.padding = (end - start) & ~3;
      } else if (type === ATTRIBUTE.FINGERPRINT) {
        wishes.hasFingerprint = true;
      }
    }
    // RFC 5780 §6.1: the two together are refused.
    return wishes.padding > 0 && attributes.some((each) => each.type === ATTRIBUTE.RESPONSE_PORT) ? undefined : wishes;
  }

  #begin(request: Uint8Array, type: number): void {
    const out = this.#out;
    out[0] = type >>> 8;
    out[1] = type;
    // With the cookie, or whatever a classic client has there.
    for (let i = 4; i < STUN_HEADER_SIZE; i++) out[i] = request[i]!;
    this.#offset = STUN_HEADER_SIZE;
  }

  #end(place: number, port: number): StunAnswer {
    this.#writeLength(this.#offset);
    this.#answer.length = this.#offset;
    this.#answer.place = place;
    this.#answer.port = port;
    return this.#answer;
  }

  /** RFC 5780 §6.1, Table 1: the other address is that of the place which was asked, wherever the answer comes from. */
  #writePlaces({ asked, place }: Wishes, types: { readonly origin: number; readonly other: number }): void {
    if (this.#places === undefined) return;
    this.#writeAddress(types.origin, this.#places[place]!);
    this.#writeAddress(types.other, this.#places[asked ^ OTHER_HOST ^ OTHER_PORT]!);
  }

  /** Whether the address was one; an XORed attribute is masked with the header (RFC 8489 §14.2). */
  #writeAddress(type: number, { host, port, family }: Address): boolean {
    const out = this.#out;
    const size = family === 4 ? 4 : 16;
    this.#writeHeader(type, 4 + size);
    const start = this.#offset;
    out[start] = 0;
    out[start + 1] = FAMILY_CODE[family];
    out[start + 2] = port >>> 8;
    out[start + 3] = port;
    if (!(family === 4 ? writeIpv4(host, out, start + 4) : writeIpv6(host, out, start + 4))) return false;
    this.#offset = start + 4 + size;
    if (type !== ATTRIBUTE.XOR_MAPPED_ADDRESS) return true;
    for (let i = 0; i < 2; i++) out[start + 2 + i] = out[start + 2 + i]! ^ out[4 + i]!;
    for (let i = 0; i < size; i++) out[start + 4 + i] = out[start + 4 + i]! ^ out[4 + i]!;
    return true;
  }

  #writeFingerprint(): void {
    // RFC 8489 §14.7: the length counts the attribute itself.
    this.#writeLength(this.#offset + ATTRIBUTE_HEADER_SIZE + 4);
    const sum = fingerprintOf(this.#out.subarray(0, this.#offset));
    this.#writeHeader(ATTRIBUTE.FINGERPRINT, 4);
    this.#write16(sum >>> 16);
    this.#write16(sum & 0xffff);
  }

  #writeHeader(type: number, size: number): void {
    this.#write16(type);
    this.#write16(size);
  }

  #writeLength(end: number): void {
    this.#out[2] = (end - STUN_HEADER_SIZE) >>> 8;
    this.#out[3] = end - STUN_HEADER_SIZE;
  }

  #write16(value: number): void {
    this.#out[this.#offset] = value >>> 8;
    this.#out[this.#offset + 1] = value;
    this.#offset += 2;
  }
}

/** Writes a dotted quad as the system prints it; without the garbage of a general parser, for it is done for every packet. */
function writeIpv4(text: string, out: Uint8Array, start: number): boolean {
  let value = 0;
  let index = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit >= 0 && digit <= 9) value = value * 10 + digit;
    else {
      if (digit !== -2 || index === 3) return false;
      out[start + index] = value;
      index += 1;
      value = 0;
    }
  }
  out[start + index] = value;
  return index === 3;
}

function writeIpv6(text: string, out: Uint8Array, start: number): boolean {
  const bytes = parseHost(text);
  if (bytes?.length !== 16) return false;
  out.set(bytes, start);
  return true;
}
