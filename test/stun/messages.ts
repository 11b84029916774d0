/**
 * STUN messages made by hand, for tests: right ones and wrong ones.
 *
 * @module
 */
import { concatBytes } from "../../src/util/bytes.ts";
import type { Address } from "../../src/util/machine.ts";
import { parseHost } from "../../src/wire/address.ts";

const COOKIE = [0x21, 0x12, 0xa4, 0x42] as const;

/** One attribute, with padding. */
export function attribute(type: number, value: readonly number[] | Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + ((value.length + 3) & ~3));
  bytes.set([type >>> 8, type & 0xff, value.length >>> 8, value.length & 0xff, ...value]);
  return bytes;
}

/** A message with these attributes. */
export function message(
  type: number,
  transactionId: Uint8Array,
  attributes: readonly Uint8Array[] = [],
  cookie: readonly number[] = COOKIE,
): Uint8Array {
  const body = concatBytes(...attributes);
  const head = Uint8Array.of(type >>> 8, type & 0xff, body.length >>> 8, body.length & 0xff, ...cookie);
  return concatBytes(head, transactionId, body);
}

/** The value of an address attribute. */
export function addressValue({ host, port, family }: Address): Uint8Array {
  return Uint8Array.of(0, family === 4 ? 1 : 2, port >>> 8, port & 0xff, ...parseHost(host)!);
}

/** The value of an XORed address attribute. */
export function xorAddressValue(address: Address, transactionId: Uint8Array): Uint8Array {
  const value = addressValue(address);
  const mask = [...COOKIE, ...transactionId];
  return value.map((byte, i) => (i < 2 ? byte : byte ^ (i < 4 ? mask[i - 2]! : mask[i - 4]!)));
}
