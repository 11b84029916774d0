/**
 * STUN messages as bytes: what is one, and what it consists of (RFC 8489 §5, §14).
 *
 * ```
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * +-+-+---------------------------+-------------------------------+
 * |0 0| message type              | length − 20                   |
 * +-+-+---------------------------+-------------------------------+
 * | magic cookie 0x2112A442                                       |
 * +---------------------------------------------------------------+
 * | transaction id (96)                                           |
 * +-------------------------------+-------------------------------+
 * | attribute type                | length of value               |   any number of these, each padded to 4 bytes
 * +-------------------------------+-------------------------------+
 * | value …                                                       |
 * ```
 *
 * Everything here looks at the bytes alone and fails by returning `false` or `undefined`.
 *
 * @module
 */

// Specification

/** Bytes before the first attribute. */
export const STUN_HEADER_SIZE = 20;

/** RFC 8489 §5. */
export const MAGIC_COOKIE = 0x2112_a442;

/** Where the transaction id stands, and where it ends. */
export const TRANSACTION_ID_START = 8;

/** Bytes of a transaction id. */
export const TRANSACTION_ID_SIZE = 12;

/** Bytes before the value of an attribute. */
export const ATTRIBUTE_HEADER_SIZE = 4;

/** The message types of the Binding method (RFC 8489 §5). */
export const MESSAGE_TYPE = {
  REQUEST: 0x0001,
  INDICATION: 0x0011,
  RESPONSE: 0x0101,
  ERROR: 0x0111,
} as const;

/** Attribute types (RFC 8489 §18.3, RFC 5780 §9.1), and with "classic" those of the first version of STUN (2003). */
export const ATTRIBUTE = {
  MAPPED_ADDRESS: 0x0001,
  CHANGE_REQUEST: 0x0003,
  /** Classic: where the answer comes from. */
  SOURCE_ADDRESS: 0x0004,
  /** Classic: the server's other address. */
  CHANGED_ADDRESS: 0x0005,
  USERNAME: 0x0006,
  MESSAGE_INTEGRITY: 0x0008,
  ERROR_CODE: 0x0009,
  UNKNOWN_ATTRIBUTES: 0x000a,
  REALM: 0x0014,
  NONCE: 0x0015,
  MESSAGE_INTEGRITY_SHA256: 0x001c,
  PASSWORD_ALGORITHM: 0x001d,
  USERHASH: 0x001e,
  XOR_MAPPED_ADDRESS: 0x0020,
  PADDING: 0x0026,
  RESPONSE_PORT: 0x0027,
  SOFTWARE: 0x8022,
  FINGERPRINT: 0x8028,
  RESPONSE_ORIGIN: 0x802b,
  OTHER_ADDRESS: 0x802c,
} as const;

/** Attributes from here on may be ignored by who does not know them (RFC 8489 §14). */
export const FIRST_OPTIONAL_ATTRIBUTE = 0x8000;

const MAX_TYPE = 0x3fff;

/** One attribute of a message: its type, and where in the message its value lies, without the padding. */
export interface RawAttribute {
  readonly type: number;
  readonly start: number;
  readonly end: number;
}

// Implementation

/** Attributes of one message: three times what any server sends. */
export const MAX_ATTRIBUTES = 32;

/**
 * Whether the bytes are one whole STUN message: two zero bits, a length that is a multiple of 4 and right to the byte,
 * and the magic cookie (RFC 8489 §6.3). Whether anybody waits for it is another question.
 */
export function isStun(bytes: Uint8Array): boolean {
  return isFramed(bytes) && cookieOf(bytes) === MAGIC_COOKIE;
}

/** Whether the bytes are a Binding request of a classic client, which knows no cookie (RFC 8489 §11). */
export function isClassicRequest(bytes: Uint8Array): boolean {
  return isFramed(bytes) && messageType(bytes) === MESSAGE_TYPE.REQUEST && cookieOf(bytes) !== MAGIC_COOKIE;
}

/** The type of a framed message. */
export function messageType(bytes: Uint8Array): number {
  return (bytes[0]! << 8) | bytes[1]!;
}

/** The transaction id of a framed message, as a view. */
export function transactionIdOf(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(TRANSACTION_ID_START, STUN_HEADER_SIZE);
}

/** The attributes of a framed message in order, or `undefined` if they do not fill it exactly or are too many. */
export function readAttributes(bytes: Uint8Array): readonly RawAttribute[] | undefined {
  const found: RawAttribute[] = [];
  let offset = STUN_HEADER_SIZE;
  while (offset < bytes.length) {
    // The length of a framed message is a multiple of 4, so here is a whole attribute header.
    const start = offset + ATTRIBUTE_HEADER_SIZE;
    const end = start + u16At(bytes, offset + 2);
    offset = paddedEnd(end);
    if (offset > bytes.length || found.length === MAX_ATTRIBUTES) return undefined;
    found.push({ type: u16At(bytes, start - ATTRIBUTE_HEADER_SIZE), start, end });
  }
  return found;
}

/** The next multiple of 4. */
export function paddedEnd(end: number): number {
  return (end + 3) & ~3;
}

/** Two bytes. */
export function u16At(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! << 8) | bytes[offset + 1]!;
}

/** Four bytes. */
export function u32At(bytes: Uint8Array, offset: number): number {
  return ((u16At(bytes, offset) << 16) | u16At(bytes, offset + 2)) >>> 0;
}

function isFramed(bytes: Uint8Array): boolean {
  const { length } = bytes;
  if (length < STUN_HEADER_SIZE || (length & 3) !== 0) return false;
  return messageType(bytes) <= MAX_TYPE && STUN_HEADER_SIZE + u16At(bytes, 2) === length;
}

function cookieOf(bytes: Uint8Array): number {
  return u32At(bytes, 4);
}
