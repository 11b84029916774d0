/**
 * The replay window against a plain set, over any list of numbers.
 *
 * @module
 */
import fc from "fast-check";
import { ReplayWindow } from "../../src/crypto/replay-window.ts";
import { assert } from "../../src/util/invariant.ts";
import { record } from "../arbitraries.ts";
import type { FuzzTarget } from "../target.ts";

/** Steps relative to the highest number so far, so that most fall around the edges of the window. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("near" as const), by: fc.integer({ min: -70, max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("edge" as const), by: fc.integer({ min: -3, max: 3 }) }) },
  fc.record({ kind: fc.constant("far" as const), by: fc.integer({ min: -40_000, max: 40_000 }) }),
  fc.record({ kind: fc.constant("run" as const), by: fc.integer({ min: 1, max: 200 }) }),
  fc.record({ kind: fc.constant("leap" as const), by: fc.maxSafeNat() }),
);

const input = record({
  size: fc.constantFrom(32, 64, 96, 256, 4_096, 16_384),
  steps: fc.array(step, { maxLength: 200, size: "max" }),
});

export const target: FuzzTarget = {
  name: "replay-window",
  property: () =>
    fc.property(input, ({ size, steps }) => {
      const window = new ReplayWindow(size);
      const seen = new Set<number>();
      let highest = -1;
      const offer = (number: number): void => {
        const isExpected = number > highest - size && !seen.has(number);
        assert(window.isFresh(number) === isExpected, `${number} fresh`);
        assert(window.accept(number) === isExpected, `${number} accepted`);
        assert(!window.accept(number), `${number} twice`);
        seen.add(number);
        highest = Math.max(highest, number);
        assert(window.highest === highest, "highest");
        assert(window.byteLength <= size / 8 + 8, "memory");
      };
      for (const { kind, by } of steps) {
        if (kind === "run") {
          for (let i = 0; i < by; i++) offer(inRange(highest + 1));
        } else if (kind === "leap") {
          // Seldom more than once: from then on the numbers are large.
          offer(by % 7 === 0 ? Math.floor(by / 2) : inRange(highest + (by % 100)));
        } else {
          offer(inRange(kind === "edge" ? highest - size + by : highest + by));
        }
      }
    }),
};

function inRange(number: number): number {
  return Math.min(Math.max(0, number), Number.MAX_SAFE_INTEGER);
}
