/**
 * The part of the npm package `stun` that is used: it builds requests and reads the values of attributes.
 *
 * Only this file knows it, and only two of its modules, which reach no socket: its own client and server do, and give up
 * at the first stray datagram. What it is handed has passed our own checks, and what it does wrong is done elsewhere
 * (spec/decisions/008-stun-package.md).
 *
 * @module
 */
import decode from "stun/src/node_modules/message/decode.js";
import StunRequest from "stun/src/node_modules/message/request.js";
import type { Address } from "../util/machine.ts";
import { formatHost, parseHost } from "../wire/address.ts";

/** An attribute to be written: a number for those that hold one, bytes for the others. */
export interface AttributeToWrite {
  readonly type: number;
  readonly value: number | Uint8Array;
}

/** Reads the values of one message; what is absent is `undefined`. */
export interface PackageMessage {
  address(type: number): Address | undefined;
  number(type: number): number | undefined;
  bytes(type: number): Uint8Array | undefined;
}

/** The bytes of a message. */
export function encodeByPackage(
  type: number,
  transactionId: Uint8Array,
  attributes: readonly AttributeToWrite[],
): Uint8Array {
  const request = new StunRequest();
  request.setType(type);
  request.setTransactionId(toBuffer(transactionId));
  for (const { type: attribute, value } of attributes) {
    request.addAttribute(attribute, typeof value === "number" ? value : toBuffer(value));
  }
  // A plain array: the slice of a Buffer shares its memory.
  return new Uint8Array(request.toBuffer());
}

/** A framed message, read; `undefined` if the package cannot read one of its attributes. */
export function decodeByPackage(bytes: Uint8Array): PackageMessage | undefined {
  let message: ReturnType<typeof decode>;
  try {
    message = decode(toBuffer(bytes));
  } catch {
    return undefined;
  }
  const valueAt = (type: number): unknown => message.getAttribute(type)?.value;
  return {
    address: (type) => addressFrom(valueAt(type)),
    number: (type) => {
      const value = valueAt(type);
      return typeof value === "number" ? value : undefined;
    },
    bytes: (type) => {
      const value = valueAt(type);
      return value instanceof Uint8Array ? value : undefined;
    },
  };
}

/** The package shortens IPv6 addresses in a way of its own, so the text is made anew. */
function addressFrom(value: unknown): Address | undefined {
  if (!(value instanceof Object)) return undefined;
  const { address, port } = value as { readonly address?: unknown; readonly port?: unknown };
  if (typeof address !== "string" || typeof port !== "number") return undefined;
  const host = parseHost(address);
  return host === undefined ? undefined : { host: formatHost(host), port, family: host.length === 4 ? 4 : 6 };
}

/** The package reads numbers by methods that only a Buffer has. */
function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
