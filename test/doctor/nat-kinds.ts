/**
 * The ten kinds of NAT whose pairs were measured with Linux kernels, and what came of it.
 *
 * @module
 */
import type { NatBehavior, NatProfile } from "../../src/wire/nat-profile.ts";

const BY_WORD: Readonly<Record<string, NatBehavior>> = {
  EI: "endpoint-independent",
  AD: "address-dependent",
  APD: "address-and-port-dependent",
};

/** Mapping and filtering (RFC 4787 §4.1, §5): EI endpoint-independent, AD by address, APD by address and port. */
export const KINDS = [
  "public",
  "EI/EI",
  "EI/AD",
  "EI/APD",
  "AD/EI",
  "AD/AD",
  "AD/APD",
  "APD/EI",
  "APD/AD",
  "APD/APD",
] as const;

/** One of them. */
export type Kind = (typeof KINDS)[number];

/** Whether a pair meets by simple opening; `/F`: not if filters keep their state for mappings rather than endpoints. */
export type Cell = "ok" | "ok/F" | "F";

/** Row and column as in {@link KINDS}, from the diagonal on. Ports are random. */
export const TRUTH: readonly (readonly Cell[])[] = [
  ["ok", "ok", "ok", "ok", "ok", "ok", "ok", "ok", "ok", "ok"],
  ["ok", "ok", "ok", "ok", "ok", "ok", "ok", "ok", "ok"],
  ["ok", "ok", "ok", "ok", "ok", "ok", "ok", "ok"],
  ["ok", "ok", "ok/F", "F", "ok", "ok/F", "F"],
  ["ok", "ok", "ok", "ok", "ok", "ok"],
  ["ok/F", "ok/F", "ok", "ok/F", "ok/F"],
  ["F", "ok", "ok/F", "F"],
  ["ok", "ok", "ok"],
  ["ok/F", "ok/F"],
  ["F"],
];

/** What discovery finds behind such a NAT. */
export function profileOfKind(kind: Kind): Pick<NatProfile, "allocator"> & {
  readonly mapping: NatBehavior;
  readonly filtering: NatBehavior;
} {
  const [mapping = "EI", filtering = "EI"] = kind === "public" ? [] : kind.split("/");
  return { mapping: BY_WORD[mapping]!, filtering: BY_WORD[filtering]!, allocator: "random" };
}

/** Both mappings depend on the peer, both filters look at ports: with random ports there is no hope. */
export function isHopeless(a: Kind, b: Kind): boolean {
  return [a, b].every((kind) => kind === "AD/APD" || kind === "APD/APD");
}
