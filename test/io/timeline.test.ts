/**
 * The story of a connection.
 *
 * @module
 */
import { expect, test } from "vitest";
import { Timeline } from "../../src/io/timeline.ts";
import type { Instant } from "../../src/util/time.ts";

test("times count from the beginning, and a path is told with its address and round-trip time", () => {
  const timeline = new Timeline(1_000 as Instant);
  expect(timeline.events).toEqual([]);
  timeline.note("connecting", 1_000 as Instant);
  const remote = { host: "2001:db8::1", port: 443, family: 6 } as const;
  timeline.path({ local: 0, remote, kind: "direct", rtt: 20.26 }, 1_042 as Instant);
  expect(timeline.events).toEqual([
    { type: "note", text: "connecting", at: 0 },
    { type: "path", kind: "direct", address: remote, rtt: 20.26, at: 42 },
  ]);
});

test("a long story keeps its beginning and its end", () => {
  const timeline = new Timeline(0 as Instant);
  for (let i = 0; i < 10_000; i++) timeline.note(`event ${i}`, i as Instant);
  const { events } = timeline;
  const texts = events.map((event) => (event.type === "note" ? `${event.at} ${event.text}` : ""));
  expect([texts.length, texts[0], texts[31], texts[32], texts[33], texts[96]]).toEqual([
    97,
    "0 event 0",
    "31 event 31",
    "9936 9904 more",
    "9936 event 9936",
    "9999 event 9999",
  ]);
});
