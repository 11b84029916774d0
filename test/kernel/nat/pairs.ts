/**
 * Puts a host behind each of two kinds of NAT, for every test that goes through pairs of them.
 *
 * @module
 */
import { type FilterScope, type Kind, rulesOf } from "./kinds.ts";
import type { HostName, NatLab } from "./lab.ts";
import type { Rules } from "./ruleset.ts";

/** Where the two ends of a pair are. */
export interface Ends {
  readonly a: HostName;
  readonly b: HostName;
}

/** Gives both routers their rules; a public host is elsewhere. */
export async function installPair(lab: NatLab, pair: readonly [Kind, Kind], scope: FilterScope): Promise<Ends> {
  return installRules(lab, rulesOf(pair[0], scope), rulesOf(pair[1], scope));
}

/** The same with any rules; without any, the host is public. */
export async function installRules(lab: NatLab, a: Rules | undefined, b: Rules | undefined): Promise<Ends> {
  await Promise.all([a && lab.install("na", a), b && lab.install("nb", b)]);
  return { a: a === undefined ? "pub" : "ha", b: b === undefined ? "pub2" : "hb" };
}
