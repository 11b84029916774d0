/**
 * The MTU of the interface by which datagrams to an address leave.
 *
 * Theory of operation. Node tells the addresses of this machine, but neither its routes nor MTUs, and Linux shows both as
 * small files: the routes in `/proc/net`, the MTU of each interface in `/sys/class/net`. What is sent to an address of this
 * machine goes through the loopback; everything else by the route with the longest prefix. Where the socket is bound to
 * one address, the interface that has it counts too, and the smaller MTU of the two: policies may route by source. Other
 * systems show no such files, and then nothing is known.
 *
 * A wrong answer does no harm. Too small a one makes datagrams smaller than they could be; too large a one costs probes,
 * which are lost, or come back from the kernel in fragments (`fragments.ts`).
 *
 * @module
 */
import { closeSync, openSync, readSync } from "node:fs";
import { networkInterfaces } from "node:os";
import type { Address } from "../util/machine.ts";
import { parseHost } from "../wire/address.ts";
import { isLoopback } from "./addresses.ts";

/** An address of this machine and the interface that has it. */
export interface OwnAddress {
  readonly name: string;
  readonly address: string;
  readonly internal: boolean;
}

/** What can be known of this machine's network. */
export interface NetworkView {
  addresses(): readonly OwnAddress[];
  /** The text of a file, `undefined` if it cannot be read. */
  read(path: string): string | undefined;
}

// Implementation

/** Longer files are not read: a router with every route of the Internet takes hundreds of MiB to list them. */
const MAX_FILE_BYTES = 256 * 1024;

/** Bytes read at a time; nearly all of these files are shorter. */
const CHUNK_BYTES = 8 * 1024;

/** Bit of a route that is in use, and of one that refuses. */
const ROUTE_UP = 0x0001;
const ROUTE_REJECT = 0x0200;

/** The MTU in bytes, headers of IP included; `undefined` if it cannot be found out. `local` is where the socket is bound. */
export function interfaceMtu(local: Address, remote: Address, view: NetworkView = system): number | undefined {
  const own = view.addresses();
  if (isLoopback(remote.host) || own.some(({ address }) => address === remote.host)) {
    return mtuOf(own.find(({ internal }) => internal)?.name ?? "lo", view);
  }
  const route = remote.family === 4 ? findRoute4(remote.host, view) : findRoute6(remote.host, view);
  const bound = own.find(({ address }) => address === local.host)?.name;
  const known = [
    route?.mtu,
    route === undefined ? undefined : mtuOf(route.name, view),
    bound === undefined ? undefined : mtuOf(bound, view),
  ].filter((mtu) => mtu !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** An interface, and the MTU of the route itself if it has one of its own. */
interface Route {
  readonly name: string;
  readonly mtu: number | undefined;
}

/** A route that may be the one. */
interface Candidate extends Route {
  readonly prefixLength: number;
  readonly metric: number;
}

/** The longest prefix wins, then the smallest metric. */
function best(candidates: readonly Candidate[]): Route | undefined {
  let found: Candidate | undefined;
  for (const each of candidates) {
    const isBetter =
      found === undefined ||
      each.prefixLength > found.prefixLength ||
      (each.prefixLength === found.prefixLength && each.metric < found.metric);
    if (isBetter) found = each;
  }
  return found;
}

/** `/proc/net/route`: a head, then interface, destination, gateway, flags, …, metric, mask, MTU. Addresses in memory order. */
function findRoute4(host: string, view: NetworkView): Route | undefined {
  const address = parseHost(host);
  if (address?.length !== 4) return undefined;
  const target = new DataView(address.buffer, address.byteOffset, 4).getUint32(0);
  const candidates: Candidate[] = [];
  for (const line of view.read("/proc/net/route")?.split("\n").slice(1) ?? []) {
    const [name, destination, , flags, , , metric, mask, mtu] = line.trim().split(/\s+/);
    if (name === undefined || destination === undefined || flags === undefined || mask === undefined) continue;
    const bits = hostOrder(mask);
    if (!isUsable(flags) || (target & bits) >>> 0 !== hostOrder(destination)) continue;
    const prefixLength = bits === 0 ? 0 : 32 - Math.log2(2 ** 32 - bits);
    candidates.push({ name, prefixLength, metric: Number(metric), mtu: positive(Number(mtu)) });
  }
  return best(candidates);
}

/** `/proc/net/ipv6_route`: destination, its prefix length, source, …, metric, uses, flags, interface; all hexadecimal. */
function findRoute6(host: string, view: NetworkView): Route | undefined {
  const [text = "", zone] = host.split("%");
  // A link-local address names its interface.
  if (zone !== undefined) return { name: zone, mtu: undefined };
  const address = parseHost(text);
  if (address?.length !== 16) return undefined;
  const target = toBits(Buffer.from(address).toString("hex"));
  const candidates: Candidate[] = [];
  for (const line of view.read("/proc/net/ipv6_route")?.split("\n") ?? []) {
    const [destination, length, , , , metric, , , flags, name] = line.trim().split(/\s+/);
    if (destination === undefined || length === undefined || flags === undefined || name === undefined) continue;
    const prefixLength = Number.parseInt(length, 16);
    if (!isUsable(flags) || toBits(destination).slice(0, prefixLength) !== target.slice(0, prefixLength)) continue;
    candidates.push({ name, prefixLength, metric: Number.parseInt(metric ?? "0", 16), mtu: undefined });
  }
  return best(candidates);
}

function isUsable(flags: string): boolean {
  const bits = Number.parseInt(flags, 16);
  return (bits & ROUTE_UP) !== 0 && (bits & ROUTE_REJECT) === 0;
}

/** The number behind four bytes of an address that were printed as this machine reads them. */
function hostOrder(hex: string): number {
  const bytes = new Uint8Array(Uint32Array.of(Number.parseInt(hex, 16)).buffer);
  return new DataView(bytes.buffer).getUint32(0);
}

function toBits(hex: string): string {
  return Array.from(hex, (digit) => Number.parseInt(digit, 16).toString(2).padStart(4, "0")).join("");
}

function mtuOf(name: string, view: NetworkView): number | undefined {
  // The name is part of a path; no interface is called "..", but a file might say so.
  if (name.includes("/") || name.startsWith(".")) return undefined;
  return positive(Number(view.read(`/sys/class/net/${name}/mtu`)));
}

function positive(value: number): number | undefined {
  return Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

/** This machine. */
const system: NetworkView = {
  addresses() {
    try {
      return Object.entries(networkInterfaces()).flatMap(([name, all]) =>
        (all ?? []).map(({ address, internal }) => ({ name, address, internal })),
      );
    } catch {
      // Some sandboxes forbid to ask.
      return [];
    }
  },
  read: readSmallFile,
};

/** The text of a file of the kernel, `undefined` if there is none or it is too long. These never wait for a disk. */
export function readSmallFile(path: string): string | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    const chunk = Buffer.alloc(CHUNK_BYTES);
    let text = "";
    for (let read = readSync(file, chunk); read > 0; read = readSync(file, chunk)) {
      text += chunk.toString("latin1", 0, read);
      if (text.length > MAX_FILE_BYTES) return undefined;
    }
    return text;
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
