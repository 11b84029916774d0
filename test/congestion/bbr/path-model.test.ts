import { expect, test } from "vitest";
import { PathModel } from "../../../src/congestion/bbr/path-model.ts";
import type { Instant } from "../../../src/util/time.ts";

test("a clock that has run for long makes no measurement due (CC-26)", () => {
  const path = new PathModel(0 as Instant);
  path.onRtt(undefined, { now: 60_000 as Instant, isFilling: false });
  expect(path.isProbeRttDue).toBe(false);
  path.onRtt(30, { now: 60_001 as Instant, isFilling: false });
  expect([path.isProbeRttDue, path.minRtt]).toEqual([false, 30]);
  path.onRtt(31, { now: 65_002 as Instant, isFilling: false });
  expect(path.isProbeRttDue).toBe(true);
});

test("while the pipe is being filled, a round trip as short as ever counts as the smallest (CC-26)", () => {
  const path = new PathModel(0 as Instant);
  path.onRtt(30, { now: 1 as Instant, isFilling: true });
  path.onRtt(31, { now: 4_000 as Instant, isFilling: true });
  path.onRtt(32, { now: 5_002 as Instant, isFilling: true });
  expect([path.isProbeRttDue, path.minRtt]).toEqual([false, 30]);
});
