/**
 * Binding requests to bytes, and answers from bytes.
 *
 * Theory of operation. A received message is framed, fingerprinted and walked by our own code, which also checks that
 * each known attribute has a size that its kind may have. Only then the package reads the values. Its reading of
 * ERROR-CODE is wrong, and it does not know the classic addresses; those two are read here.
 *
 * @module
 */
import type { Address } from "../util/machine.ts";
import { formatHost } from "../wire/address.ts";
import { isFingerprintAcceptable } from "./integrity.ts";
import {
  ATTRIBUTE,
  FIRST_OPTIONAL_ATTRIBUTE,
  isStun,
  MESSAGE_TYPE,
  messageType,
  type RawAttribute,
  readAttributes,
  TRANSACTION_ID_SIZE,
  transactionIdOf,
  u16At,
} from "./message.ts";
import { type AttributeToWrite, decodeByPackage, encodeByPackage, type PackageMessage } from "./package.ts";

// Specification

/** Flags of CHANGE-REQUEST (RFC 5780 §7.2). */
export const CHANGE = { ADDRESS: 4, PORT: 2 } as const;

const FAMILY_IPV4 = 1;
const FAMILY_IPV6 = 2;

/** Longest SOFTWARE in bytes (RFC 8489 §14.14). */
const MAX_SOFTWARE_SIZE = 763;

// Implementation

/** Longest PADDING of a request: the MTU of Ethernet, so that the message goes in fragments (RFC 5780 §7.6). */
export const MAX_PADDING_SIZE = 1500;

/** What a Binding request asks for beyond an answer. */
export interface BindingRequest {
  /** {@link TRANSACTION_ID_SIZE} unpredictable bytes. */
  readonly transactionId: Uint8Array;
  /** From where the answer shall come instead of where the request went (RFC 5780 §7.2). */
  readonly change?: { readonly address: boolean; readonly port: boolean };
  /** Port of the same host to which the answer shall go (RFC 5780 §7.5). */
  readonly responsePort?: number;
  /** Bytes of PADDING (RFC 5780 §7.6), a multiple of 4 up to {@link MAX_PADDING_SIZE}; 0 for none. */
  readonly padding?: number;
  /** Name of the program that asks (RFC 8489 §14.14); none is sent by default, since nobody needs to know. */
  readonly software?: string;
}

/** What a message of the Binding method says. */
export interface StunMessage {
  readonly kind: "request" | "indication" | "response" | "error";
  /** A view of the message. */
  readonly transactionId: Uint8Array;
  /** XOR-MAPPED-ADDRESS, else MAPPED-ADDRESS. */
  readonly mapped: Address | undefined;
  /** RESPONSE-ORIGIN, else the classic SOURCE-ADDRESS. */
  readonly origin: Address | undefined;
  /** OTHER-ADDRESS, else the classic CHANGED-ADDRESS. */
  readonly other: Address | undefined;
  readonly change: { readonly address: boolean; readonly port: boolean } | undefined;
  readonly responsePort: number | undefined;
  /** Bytes of PADDING. */
  readonly padding: number;
  readonly software: string | undefined;
  /** 300 to 699, of an error. */
  readonly errorCode: number | undefined;
  /** Attributes of the request that the server says it does not know. */
  readonly refusedAttributes: readonly number[];
  /** Attributes that must be understood, and are not. */
  readonly unknownAttributes: readonly number[];
}

const KINDS: ReadonlyMap<number, StunMessage["kind"]> = new Map([
  [MESSAGE_TYPE.REQUEST, "request"],
  [MESSAGE_TYPE.INDICATION, "indication"],
  [MESSAGE_TYPE.RESPONSE, "response"],
  [MESSAGE_TYPE.ERROR, "error"],
]);

const KNOWN_ATTRIBUTES: ReadonlySet<number> = new Set(Object.values(ATTRIBUTE));

/**
 * The bytes of a Binding request.
 *
 * @throws RangeError if a field is out of range.
 */
export function encodeBindingRequest(request: BindingRequest): Uint8Array {
  const { transactionId, change, responsePort, padding = 0, software } = request;
  if (transactionId.length !== TRANSACTION_ID_SIZE) throw new RangeError(`an id has ${TRANSACTION_ID_SIZE} bytes`);
  if (responsePort !== undefined && !(responsePort >= 1 && responsePort <= 0xffff))
    throw new RangeError(`impossible port ${responsePort}`);
  if (padding % 4 !== 0 || !(padding >= 0 && padding <= MAX_PADDING_SIZE)) throw new RangeError(`padding ${padding}`);
  const attributes: AttributeToWrite[] = [];
  if (change !== undefined) {
    const value = (change.address ? CHANGE.ADDRESS : 0) | (change.port ? CHANGE.PORT : 0);
    attributes.push({ type: ATTRIBUTE.CHANGE_REQUEST, value });
  }
  if (responsePort !== undefined) attributes.push({ type: ATTRIBUTE.RESPONSE_PORT, value: responsePort });
  if (padding > 0) attributes.push({ type: ATTRIBUTE.PADDING, value: new Uint8Array(padding) });
  if (software !== undefined) {
    const name = new TextEncoder().encode(software);
    if (name.length > MAX_SOFTWARE_SIZE) throw new RangeError(`a name of ${name.length} bytes`);
    attributes.push({ type: ATTRIBUTE.SOFTWARE, value: name });
  }
  return encodeByPackage(MESSAGE_TYPE.REQUEST, transactionId, attributes);
}

/** What the bytes say, or `undefined` if they are no whole and faultless STUN message of the Binding method. */
export function decodeStunMessage(bytes: Uint8Array): StunMessage | undefined {
  if (!isStun(bytes)) return undefined;
  const kind = KINDS.get(messageType(bytes));
  const all = readAttributes(bytes);
  if (kind === undefined || all === undefined || !isFingerprintAcceptable(bytes)) return undefined;
  const attributes = authentic(all);
  if (!attributes.every((each) => hasPossibleSize(bytes, each))) return undefined;
  const read = decodeByPackage(bytes);
  if (read === undefined) return undefined;
  const at = (type: number): RawAttribute | undefined => attributes.find((each) => each.type === type);
  const change = at(ATTRIBUTE.CHANGE_REQUEST) === undefined ? undefined : read.number(ATTRIBUTE.CHANGE_REQUEST);
  const padding = at(ATTRIBUTE.PADDING);
  const errorCode = at(ATTRIBUTE.ERROR_CODE);
  const refused = at(ATTRIBUTE.UNKNOWN_ATTRIBUTES);
  return {
    kind,
    transactionId: transactionIdOf(bytes),
    ...addressesOf(bytes, at, read),
    change:
      change === undefined
        ? undefined
        : { address: (change & CHANGE.ADDRESS) !== 0, port: (change & CHANGE.PORT) !== 0 },
    responsePort: at(ATTRIBUTE.RESPONSE_PORT) === undefined ? undefined : read.number(ATTRIBUTE.RESPONSE_PORT),
    padding: padding === undefined ? 0 : padding.end - padding.start,
    software: softwareOf(at(ATTRIBUTE.SOFTWARE) === undefined ? undefined : read.bytes(ATTRIBUTE.SOFTWARE)),
    errorCode: errorCode === undefined ? undefined : errorCodeAt(bytes, errorCode.start),
    refusedAttributes: refused === undefined ? [] : listAt(bytes, refused),
    unknownAttributes: attributes
      .map((each) => each.type)
      .filter((type) => type < FIRST_OPTIONAL_ATTRIBUTE && !KNOWN_ATTRIBUTES.has(type)),
  };
}

/** RFC 8489 §14.5: what follows a MESSAGE-INTEGRITY is ignored, but for the proofs themselves. */
function authentic(attributes: readonly RawAttribute[]): readonly RawAttribute[] {
  const proof = attributes.findIndex((each) => each.type === ATTRIBUTE.MESSAGE_INTEGRITY);
  return proof === -1 ? attributes : attributes.slice(0, proof + 1);
}

function addressesOf(
  bytes: Uint8Array,
  at: (type: number) => RawAttribute | undefined,
  read: PackageMessage,
): Pick<StunMessage, "mapped" | "origin" | "other"> {
  const byPackage = (type: number): Address | undefined => (at(type) === undefined ? undefined : read.address(type));
  const classic = (type: number): Address | undefined => {
    const attribute = at(type);
    return attribute === undefined ? undefined : addressAt(bytes, attribute);
  };
  return {
    mapped: byPackage(ATTRIBUTE.XOR_MAPPED_ADDRESS) ?? byPackage(ATTRIBUTE.MAPPED_ADDRESS),
    origin: byPackage(ATTRIBUTE.RESPONSE_ORIGIN) ?? classic(ATTRIBUTE.SOURCE_ADDRESS),
    other: byPackage(ATTRIBUTE.OTHER_ADDRESS) ?? classic(ATTRIBUTE.CHANGED_ADDRESS),
  };
}

/** Whether the value is as long as its kind demands; of an address, whether the family says the same. */
function hasPossibleSize(bytes: Uint8Array, { type, start, end }: RawAttribute): boolean {
  const size = end - start;
  switch (type) {
    case ATTRIBUTE.MAPPED_ADDRESS:
    case ATTRIBUTE.XOR_MAPPED_ADDRESS:
    case ATTRIBUTE.SOURCE_ADDRESS:
    case ATTRIBUTE.CHANGED_ADDRESS:
    case ATTRIBUTE.RESPONSE_ORIGIN:
    case ATTRIBUTE.OTHER_ADDRESS:
      return size === 8 ? bytes[start + 1] === FAMILY_IPV4 : size === 20 && bytes[start + 1] === FAMILY_IPV6;
    case ATTRIBUTE.CHANGE_REQUEST:
    case ATTRIBUTE.FINGERPRINT:
      return size === 4;
    case ATTRIBUTE.RESPONSE_PORT:
      // RFC 5780 §7.5 can be read as 2 bytes and padding, or as 4 bytes.
      return size === 2 || size === 4;
    case ATTRIBUTE.ERROR_CODE:
      return size >= 4;
    case ATTRIBUTE.UNKNOWN_ATTRIBUTES:
      return size % 2 === 0;
    case ATTRIBUTE.SOFTWARE:
      return size <= MAX_SOFTWARE_SIZE;
    default:
      return true;
  }
}

/** An address that is not XORed; `undefined` for port 0. */
function addressAt(bytes: Uint8Array, { start, end }: RawAttribute): Address | undefined {
  const port = u16At(bytes, start + 2);
  if (port === 0) return undefined;
  return { host: formatHost(bytes.subarray(start + 4, end)), port, family: end - start === 8 ? 4 : 6 };
}

/** RFC 8489 §14.8: hundreds in three bits, the rest in a byte. */
function errorCodeAt(bytes: Uint8Array, start: number): number | undefined {
  const [hundreds, rest] = [bytes[start + 2]! & 7, bytes[start + 3]!];
  return hundreds >= 3 && hundreds <= 6 && rest < 100 ? 100 * hundreds + rest : undefined;
}

function listAt(bytes: Uint8Array, { start, end }: RawAttribute): readonly number[] {
  return Array.from({ length: (end - start) / 2 }, (_, index) => u16At(bytes, start + 2 * index));
}

function softwareOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}
