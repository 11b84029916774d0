/**
 * Notices that a gateway has lost its mappings: it counts seconds since it began, and the count stands in every answer.
 *
 * @module
 */
import type { Duration, Instant } from "../util/time.ts";

/**
 * Whether a count can follow an earlier one after so much time; all three in seconds.
 */
export type EpochRule = (previous: number, current: number, elapsed: number) => boolean;

/** RFC 6887 §8.5: back by at most one second, and otherwise in step with our clock, give or take 2 s and a sixteenth. */
export const pcpEpochRule: EpochRule = (previous, current, elapsed) => {
  if (current < previous - 1) return false;
  const counted = current - previous;
  const isFast = elapsed + 2 < counted - Math.floor(counted / 16);
  const isSlow = counted + 2 < elapsed - Math.floor(elapsed / 16);
  return !isFast && !isSlow;
};

/** RFC 6886 §3.6: not more than 2 s behind the old count plus seven eighths of the time since. */
export const pmpEpochRule: EpochRule = (previous, current, elapsed) => current >= previous + (elapsed * 7) / 8 - 2;

/** Follows the count of one gateway. */
export class GatewayEpoch {
  readonly #rule: EpochRule;
  #last: { readonly count: number; readonly at: Instant } | undefined;

  constructor(rule: EpochRule) {
    this.#rule = rule;
  }

  /** Notes a count, and tells whether the gateway may still have its mappings. The first one is always believed. */
  accept(count: number, now: Instant): boolean {
    const last = this.#last;
    this.#last = { count, at: now };
    return last === undefined || this.#rule(last.count, count, toSeconds(now - last.at));
  }
}

function toSeconds(time: Duration): number {
  return Math.floor(time / 1000);
}
