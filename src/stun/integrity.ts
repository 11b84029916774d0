/**
 * FINGERPRINT and MESSAGE-INTEGRITY: proof that a message is STUN, and that somebody who knows the key has sent it
 * (RFC 8489 §14.5, §14.7).
 *
 * Both are computed over the message as it was received, padding included, with a length that ends behind the attribute
 * in question. Public servers share no key with anybody, so MESSAGE-INTEGRITY is only ever checked, never made.
 *
 * @module
 */
import { ATTRIBUTE, ATTRIBUTE_HEADER_SIZE, readAttributes, STUN_HEADER_SIZE, u32At } from "./message.ts";

// Specification

/** RFC 8489 §14.7: so that the sum differs from that of another protocol which also ends with one. */
const FINGERPRINT_MASK = 0x5354_554e;

const FINGERPRINT_SIZE = 4;
const HMAC_SHA1_SIZE = 20;

/** The reflected polynomial of CRC-32 (ITU V.42). */
const CRC_POLYNOMIAL = 0xedb8_8320;

/** What it takes to check a MESSAGE-INTEGRITY; cryptography lies in another layer. */
export interface IntegrityFunctions {
  /** HMAC-SHA1 of all parts, in order. */
  hmacSha1(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array;
  /** Whether the two are equal, in a time that does not depend on where they differ. */
  areEqual(a: Uint8Array, b: Uint8Array): boolean;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 0 ? value >>> 1 : (value >>> 1) ^ CRC_POLYNOMIAL;
  return value;
});

/** The FINGERPRINT of the bytes before it, whose length field already counts it. */
export function fingerprintOf(bytes: Uint8Array): number {
  let sum = 0xffff_ffff;
  for (let i = 0; i < bytes.length; i++) sum = (sum >>> 8) ^ CRC_TABLE[(sum ^ bytes[i]!) & 0xff]!;
  return (~sum ^ FINGERPRINT_MASK) >>> 0;
}

/** Whether a framed message has a FINGERPRINT that is right or has none; one that is not the last attribute is wrong. */
export function isFingerprintAcceptable(bytes: Uint8Array): boolean {
  const fingerprint = readAttributes(bytes)?.find((each) => each.type === ATTRIBUTE.FINGERPRINT);
  if (fingerprint === undefined) return true;
  const { start, end } = fingerprint;
  if (end - start !== FINGERPRINT_SIZE || end !== bytes.length) return false;
  return u32At(bytes, start) === fingerprintOf(bytes.subarray(0, start - ATTRIBUTE_HEADER_SIZE));
}

/** Whether a framed message has a MESSAGE-INTEGRITY made with `key`. */
export function hasIntegrity(bytes: Uint8Array, key: Uint8Array, functions: IntegrityFunctions): boolean {
  const attribute = readAttributes(bytes)?.find((each) => each.type === ATTRIBUTE.MESSAGE_INTEGRITY);
  if (attribute === undefined || attribute.end - attribute.start !== HMAC_SHA1_SIZE) return false;
  // RFC 8489 §14.5: the length counts what comes before and this attribute, not what follows.
  const header = bytes.slice(0, STUN_HEADER_SIZE);
  const length = attribute.end - STUN_HEADER_SIZE;
  header[2] = length >>> 8;
  header[3] = length;
  const body = bytes.subarray(STUN_HEADER_SIZE, attribute.start - ATTRIBUTE_HEADER_SIZE);
  const expected = functions.hmacSha1(key, header, body);
  return functions.areEqual(bytes.subarray(attribute.start, attribute.end), expected);
}
