import { expect, test } from "vitest";
import { SeenHandshakes } from "../../src/connection/seen-handshakes.ts";
import type { Instant } from "../../src/util/time.ts";

test("a fingerprint is remembered for at least one generation and forgotten after two", () => {
  const seen = new SeenHandshakes();
  seen.add(1, 0 as Instant);
  expect(seen.has(1)).toBe(true);
  seen.add(2, 600_000 as Instant);
  expect(seen.has(1)).toBe(true);
  seen.add(3, 1_200_000 as Instant);
  expect(seen.has(1)).toBe(false);
  expect(seen.has(2)).toBe(true);
});

test("the memory is bounded by two generations of 16,384", () => {
  const seen = new SeenHandshakes();
  for (let i = 0; i < 50_000; i++) seen.add(i, 0 as Instant);
  let remembered = 0;
  for (let i = 0; i < 50_000; i++) if (seen.has(i)) remembered += 1;
  expect(remembered).toBeLessThanOrEqual(2 * 16_384);
  expect(seen.has(49_999)).toBe(true);
});
