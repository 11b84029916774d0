/**
 * The names that the first version of STUN (2003) gave to NATs, because people still search for them.
 *
 * They are a gloss and decide nothing: one name covers NATs that let others in quite differently.
 *
 * @module
 */
import type { NatBehavior } from "../wire/nat-profile.ts";

// Specification

/** All of them; `cone` if the filter is not known. */
export const CLASSIC_NAMES = [
  "open internet",
  "symmetric firewall",
  "full cone",
  "restricted cone",
  "port-restricted cone",
  "cone",
  "symmetric",
  "blocked",
  "unknown",
] as const;

/** See the module. */
export type ClassicName = (typeof CLASSIC_NAMES)[number];

/** What decides on the name. */
export interface Classified {
  readonly udp: "open" | "blocked" | "unknown";
  readonly translated: "yes" | "no" | "unknown";
  readonly mapping: NatBehavior | "unknown";
  readonly filtering: NatBehavior | "unknown";
}

const CONE: Readonly<Record<Classified["filtering"], ClassicName>> = {
  "endpoint-independent": "full cone",
  "address-dependent": "restricted cone",
  "address-and-port-dependent": "port-restricted cone",
  unknown: "cone",
};

/** The name of what was found. */
export function classicNameOf({ udp, translated, mapping, filtering }: Classified): ClassicName {
  if (udp === "blocked") return "blocked";
  if (translated === "no") {
    if (filtering === "unknown") return "unknown";
    return filtering === "endpoint-independent" ? "open internet" : "symmetric firewall";
  }
  if (mapping === "unknown") return "unknown";
  return mapping === "endpoint-independent" ? CONE[filtering] : "symmetric";
}
