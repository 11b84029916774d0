import { expect, test } from "vitest";
import { type EpochRule, GatewayEpoch, pcpEpochRule, pmpEpochRule } from "../../src/portmap/epoch.ts";
import type { Instant } from "../../src/util/time.ts";

const CASES: readonly [name: string, rule: EpochRule, rows: readonly (readonly [number, number, number, boolean])[]][] =
  [
    [
      "PCP (RFC 6887 §8.5)",
      pcpEpochRule,
      // Previous and current count, seconds between them by our clock.
      [
        [1000, 1000, 0, true],
        [1000, 999, 0, true],
        [1000, 998, 0, false],
        [1000, 4600, 3600, true],
        // Too slow: 3373 + 2 is just as much as 3600 less a sixteenth.
        [1000, 4373, 3600, true],
        [1000, 4372, 3600, false],
        // Too fast.
        [1000, 4842, 3600, true],
        [1000, 4844, 3600, false],
        [1000, 5, 3600, false],
      ],
    ],
    [
      "NAT-PMP (RFC 6886 §3.6)",
      pmpEpochRule,
      [
        [1000, 1000, 0, true],
        [1000, 998, 0, true],
        [1000, 997, 0, false],
        [1000, 4148, 3600, true],
        [1000, 4147, 3600, false],
        [1000, 100_000, 3600, true],
      ],
    ],
  ];

test.each(CASES)("MAP-5: which counts can follow which, %s", (_name, rule, rows) => {
  for (const [previous, current, elapsed, expected] of rows) {
    expect(rule(previous, current, elapsed), `${previous} ${current} ${elapsed}`).toBe(expected);
  }
});

test("MAP-5: the first count is believed, and each is compared with the one before", () => {
  const epoch = new GatewayEpoch(pcpEpochRule);
  const at = (seconds: number): Instant => (seconds * 1000) as Instant;
  expect(epoch.accept(5_000_000, at(0))).toBe(true);
  expect(epoch.accept(5_000_010, at(10))).toBe(true);
  expect(epoch.accept(3, at(20))).toBe(false);
  expect(epoch.accept(13, at(30))).toBe(true);
});
