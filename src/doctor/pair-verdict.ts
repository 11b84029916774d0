/**
 * The form of verdicts on a pair (spec/doctor.md#verdict).
 *
 * @module
 */
import type { Technique } from "./odds.ts";

// Specification

/** Version of the form; it changes when a member changes its meaning or goes away (spec/verdict-schema.json). */
export const VERDICT_SCHEMA = 1;

/** Which of the two networks. */
export type PairSide = "a" | "b";

/** How people call the two networks. */
export type PairNames = Readonly<Record<PairSide, string>>;

/**
 * `yes`: it works, whatever is left open; `likely`: rather than not; `possible`: that depends on what is left open;
 * `no`: only a relay will do.
 */
export type DirectVerdict = "yes" | "likely" | "possible" | "no";

/** Both ends of what may be. */
export interface Range {
  readonly least: number;
  readonly most: number;
}

/** Why a direct connection fails or may fail. */
export type ReasonCode =
  | "udp-blocked"
  | "no-common-family"
  | "same-nat"
  | "unpredictable-ports"
  | "busy-nat"
  | "chance"
  | "unknown";

/** What would help. */
export type HelpCode = "allow-udp" | "port-mapping" | "ipv6" | "measure" | "relay";

/** What was taken for granted. */
export type AssumptionCode = "filter-scope" | "rtt" | "neighbours";

/** A code for programs, whom it concerns if not both, and a sentence for people. */
export interface Note<Code extends string> {
  readonly code: Code;
  readonly side?: PairSide;
  readonly text: string;
}

/** Whether two networks can connect directly, how, and how soon. */
export interface PairVerdict {
  readonly schema: typeof VERDICT_SCHEMA;
  readonly direct: DirectVerdict;
  /** Techniques that may come into play; empty if there is none. */
  readonly how: readonly Technique[];
  /** Median time from the call to the first byte, in whole milliseconds; absent if there is no way. */
  readonly ms?: Range;
  /** Probability of success, 0 to 1. */
  readonly chance: Range;
  readonly reasons: readonly Note<ReasonCode>[];
  readonly help: readonly Note<HelpCode>[];
  readonly assumptions: readonly Note<AssumptionCode>[];
  /** All of it in one paragraph. */
  readonly words: string;
}
