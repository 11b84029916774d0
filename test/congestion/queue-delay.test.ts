import { describe, expect, test } from "vitest";
import { QueueDelay } from "../../src/congestion/queue-delay.ts";
import type { Instant } from "../../src/util/time.ts";

const at = (now: number) => now as Instant;

/** One sample for each 10 ms from `from` on. */
function feed(delay: QueueDelay, from: number, samples: readonly number[]): void {
  for (const [i, sample] of samples.entries()) delay.onSample(sample, 100, at(from + 10 * i));
}

describe("delay by queues (RFC 6817 §2.4.2)", () => {
  test("is nothing before the first sample", () => {
    const delay = new QueueDelay();
    expect([delay.base, delay.current, delay.momentary]).toEqual([Number.POSITIVE_INFINITY, 0, 0]);
  });

  test("is the shortest of the last one to two round trips less the shortest of all", () => {
    const delay = new QueueDelay();
    feed(delay, 0, [50, 80, 55, 90]);
    expect([delay.base, delay.current]).toEqual([50, 0]);
    feed(delay, 100, [70, 65, 90]); // the round before still counts
    expect(delay.current).toBe(0);
    feed(delay, 200, [90]);
    expect(delay.current).toBe(15);
    feed(delay, 300, [90]);
    expect(delay.current).toBe(40);
    feed(delay, 310, [45]);
    expect([delay.base, delay.current]).toEqual([45, 0]);
  });

  test("of the moment is that of four samples", () => {
    const delay = new QueueDelay();
    feed(delay, 0, [50, 80, 90, 85]);
    expect(delay.momentary).toBe(0);
    feed(delay, 40, [70]);
    expect([delay.momentary, delay.current]).toEqual([20, 0]);
  });

  test("forgets a shorter route after ten minutes", () => {
    const delay = new QueueDelay();
    feed(delay, 0, [20]);
    for (let minute = 1; minute < 10; minute++) feed(delay, minute * 60_000, [50, 49]);
    expect(delay.base).toBe(20);
    feed(delay, 600_000, [51]);
    expect(delay.base).toBe(49);
  });
});
