/**
 * The story of a connection.
 *
 * @module
 */
import { expect, test } from "vitest";
import { Timeline } from "../../src/io/timeline.ts";
import type { Instant } from "../../src/util/time.ts";

test("times count from the first entry, and a path is told with its address and round-trip time", () => {
  const timeline = new Timeline();
  expect(timeline.toString()).toBe("");
  timeline.add(1_000 as Instant, "connecting");
  const remote = { host: "2001:db8::1", port: 443, family: 6 } as const;
  timeline.add(1_042 as Instant, "connected to", { local: 0, remote, kind: "direct", rtt: 20.26 });
  expect(timeline.toString()).toBe(
    ["       0 ms  connecting", "      42 ms  connected to [2001:db8::1]:443, direct, rtt 20.3 ms"].join("\n"),
  );
});

test("a long story keeps its beginning and its end", () => {
  const timeline = new Timeline();
  for (let i = 0; i < 10_000; i++) timeline.add(i as Instant, `event ${i}`);
  const lines = timeline.toString().split("\n");
  expect(lines).toHaveLength(97);
  expect([lines[0], lines[31], lines[32], lines[33], lines[96]].map((line) => line!.trim())).toEqual([
    "0 ms  event 0",
    "31 ms  event 31",
    "9904 more",
    "9936 ms  event 9936",
    "9999 ms  event 9999",
  ]);
});
