/**
 * Where servers are that people know by a name.
 *
 * @module
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { Address } from "../util/machine.ts";
import type { Duration } from "../util/time.ts";
import { PunchlineError } from "./errors.ts";

/** A server as people name it. */
export interface ServerName {
  /** A host name, or a literal address. */
  readonly host: string;
  readonly port: number;
}

// Specification

/** RFC 8489 §8. */
const STUN_PORT = 3478;

// Implementation

/** A name that does not resolve in this time does not help, in ms. */
const LOOKUP_LIMIT: Duration = 2_000;

const FAMILIES = [4, 6] as const;

/**
 * Reads a STUN server as people write it: `stun.example.net`, `192.0.2.1:3478`, `[2001:db8::1]:3478`, `2001:db8::1`.
 *
 * @throws {@link PunchlineError} `ERR_OPTION`.
 */
export function parseServerName(text: string): ServerName {
  const [, bracketed, name, digits] = /^(?:\[([^\]]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/.exec(String(text)) ?? [];
  const host = isIP(text) === 6 ? text : (bracketed ?? name);
  const port = digits === undefined ? STUN_PORT : Number(digits);
  const isMisplaced = bracketed !== undefined && isIP(bracketed) !== 6;
  if (host === undefined || isMisplaced || port < 1 || port > 65_535) {
    throw new PunchlineError("ERR_OPTION", `not a server: ${String(text)}`, {
      hint: "write stun.example.net, 192.0.2.1:3478 or [2001:db8::1]:3478",
    });
  }
  return { host, port };
}

/**
 * The addresses of all servers that can be found.
 *
 * @throws {@link PunchlineError} `ERR_SERVER` if there are none.
 */
export async function lookUpServers(names: readonly ServerName[]): Promise<readonly Address[]> {
  const found = (await Promise.all(names.map(lookUpServer))).flat();
  if (found.length > 0) return found;
  const hosts = names.map(({ host }) => host).join(", ");
  throw new PunchlineError("ERR_SERVER", `no name of a server leads to an address: ${hosts}`, { origin: "network" });
}

/**
 * The addresses behind a name, one of each family at most: more of one server tell nothing more. None if the name leads
 * nowhere, or nobody knows within two seconds; never rejects.
 */
export async function lookUpServer({ host, port }: ServerName): Promise<readonly Address[]> {
  if (isIP(host) !== 0) return [{ host, port, family: isIP(host) as 4 | 6 }];
  const late = new Promise<[]>((resolve) => setTimeout(() => resolve([]), LOOKUP_LIMIT).unref());
  const found = await Promise.race([lookup(host, { all: true }).catch(() => []), late]);
  const addresses = found.map((each) => ({ host: each.address, port, family: each.family as 4 | 6 }));
  return FAMILIES.flatMap((family) => addresses.find((each) => each.family === family) ?? []);
}
