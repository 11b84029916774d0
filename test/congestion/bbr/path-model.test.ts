import { expect, test } from "vitest";
import { PathModel } from "../../../src/congestion/bbr/path-model.ts";
import type { Instant } from "../../../src/util/time.ts";

test("a clock that has run for long makes no measurement due (CC-26)", () => {
  const path = new PathModel(0 as Instant);
  path.onRtt(undefined, 60_000 as Instant);
  expect(path.isProbeRttDue).toBe(false);
  path.onRtt(30, 60_001 as Instant);
  expect([path.isProbeRttDue, path.minRtt]).toEqual([false, 30]);
  path.onRtt(31, 65_002 as Instant);
  expect(path.isProbeRttDue).toBe(true);
});
