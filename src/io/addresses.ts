/**
 * Which addresses of this machine go into a ticket, and addresses as people write them.
 *
 * @module
 */
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import type { Address } from "../util/machine.ts";

// Specification

/** Addresses that one ticket holds (spec/ticket.md). */
const MAX_TICKET_ADDRESSES = 8;

/** The part of `os.networkInterfaces()` that matters here. */
export interface InterfaceAddress {
  readonly address: string;
  readonly family: string | number;
  readonly internal: boolean;
}

/**
 * The addresses under which sockets bound to `bound` can be reached from elsewhere, at most 8.
 *
 * A wildcard address stands for all addresses of its family on this machine. Loopback addresses count only if there is
 * nothing else; link-local ones never do, because they mean nothing on another machine.
 */
export function reachableAddresses(
  bound: readonly Address[],
  own: readonly InterfaceAddress[] = interfaceAddresses(),
): readonly Address[] {
  const all = bound.flatMap((address) => (isWildcard(address.host) ? expand(address, own) : [address]));
  const elsewhere = all.filter((address) => !isLoopback(address.host) && !isLinkLocal(address.host));
  const chosen = elsewhere.length > 0 ? elsewhere : all.filter((address) => isLoopback(address.host));
  return interleave(chosen).slice(0, MAX_TICKET_ADDRESSES);
}

/**
 * Reads `192.0.2.1:443`, `[2001:db8::1]:443`, or either address alone (port 0, brackets optional); `undefined` if it is
 * none of these.
 */
export function parseAddress(text: string): Address | undefined {
  if (typeof text !== "string") return undefined;
  if (isIP(text) !== 0) return { host: text, port: 0, family: isIP(text) as 4 | 6 };
  const match = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([0-9.]{7,15}))(?::([0-9]{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const host = match[1] ?? match[2]!;
  const family = isIP(host);
  const port = Number(match[3] ?? "0");
  if (family !== (match[1] === undefined ? 4 : 6) || port > 65_535) return undefined;
  return { host, port, family: family as 4 | 6 };
}

function interfaceAddresses(): readonly InterfaceAddress[] {
  return Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
}

function expand(wildcard: Address, own: readonly InterfaceAddress[]): Address[] {
  const { port, family } = wildcard;
  return own.filter((each) => isIP(each.address) === family).map((each) => ({ host: each.address, port, family }));
}

/** Both families get their turn, so that neither pushes the other out of the ticket. */
function interleave(addresses: readonly Address[]): Address[] {
  const four = addresses.filter((address) => address.family === 4);
  const six = addresses.filter((address) => address.family === 6);
  const mixed: Address[] = [];
  for (let i = 0; i < Math.max(four.length, six.length); i++) {
    if (i < four.length) mixed.push(four[i]!);
    if (i < six.length) mixed.push(six[i]!);
  }
  return mixed;
}

function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

/** Whether an address never leaves this machine. */
export function isLoopback(host: string): boolean {
  return host.startsWith("127.") || host === "::1";
}

function isLinkLocal(host: string): boolean {
  return host.startsWith("169.254.") || /^fe[89ab]/i.test(host);
}
