/**
 * How often strangers are answered by STUN (spec/rendezvous.md#limits).
 *
 * @module
 */
import type { Rate } from "../connection/rate-limit.ts";

/** How often strangers are answered. */
export interface StunRates {
  readonly perSource: Rate;
  readonly total: Rate;
}

// Implementation

/** A discovery asks some thirty times within a second, from one network often several machines. */
export const DEFAULT_STUN_RATES: StunRates = {
  perSource: { perSecond: 100, burst: 400 },
  total: { perSecond: 100_000, burst: 200_000 },
};
