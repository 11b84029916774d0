/**
 * Where servers are that people know by a name.
 *
 * @module
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { Address } from "../util/machine.ts";
import type { Duration } from "../util/time.ts";

/** A server as people name it. */
export interface ServerName {
  /** A host name, or a literal address. */
  readonly host: string;
  readonly port: number;
}

// Implementation

/** A name that does not resolve in this time does not help, in ms. */
const LOOKUP_LIMIT: Duration = 2_000;

const FAMILIES = [4, 6] as const;

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
