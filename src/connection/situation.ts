/**
 * Where one side may be reached, and what it knows of the NATs in front of it: what it tells its peers.
 *
 * @module
 */
import type { Candidate } from "../wire/candidate.ts";
import type { NatProfile } from "../wire/nat-profile.ts";

/** See the module. */
export interface Situation {
  /** Grows with each change of the rest. */
  readonly generation: number;
  readonly candidates: readonly Candidate[];
  readonly profile: NatProfile | undefined;
}

/** Nothing is known yet. */
export const NO_SITUATION: Situation = { generation: 0, candidates: [], profile: undefined };
