import { describe, expect, test } from "vitest";
import { SkippedNumbers } from "../../src/recovery/skipped-numbers.ts";

/** The numbers that are given up among the first `count`. */
function gaps(random: () => number, count: number): number[] {
  const skips = new SkippedNumbers(random);
  const given: number[] = [];
  for (let i = 0; i < count; i++) if (skips.takeDue(i)) given.push(i);
  return given;
}

describe("packet numbers that are given up (RFC 9000 §21.4)", () => {
  test("the first is among 256 to 512, and the distance doubles up to 65,536 to 131,072 (REC-31)", () => {
    expect(gaps(() => 0, 200_000)).toEqual([256, 768, 1792, 3840, 7936, 16_128, 32_512, 65_280, 130_816, 196_352]);
    expect(gaps(() => 0.999_999, 3000)).toEqual([511, 1534]);
  });

  test("a probe timeout gives up one at once (REC-31, RFC 9002 §6.2.4)", () => {
    const skips = new SkippedNumbers(() => 0.5);
    expect(skips.takeDue(7)).toBe(false);
    skips.onProbeTimeout();
    expect(skips.takeDue(8)).toBe(true);
    expect(skips.takeDue(9)).toBe(false);
  });
});
