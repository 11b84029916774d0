/**
 * @module
 */
import { describe, expect, test } from "vitest";
import { address } from "../../src/testing/address.ts";
import { Packet } from "../../src/testing/packet.ts";
import { Timeline } from "../../src/testing/timeline.ts";
import { Trace } from "../../src/testing/trace.ts";
import type { Instant } from "../../src/util/time.ts";

const FROM = address("192.0.2.1", 1000);
const TO = address("2001:db8::2", 2000);

function packet(payload: Uint8Array, from = FROM): Packet {
  return new Packet({ id: 5, from, to: TO, payload, ttl: 64 });
}

function hashOf(build: (trace: Trace, timeline: Timeline) => void): string {
  const timeline = new Timeline(0 as Instant);
  const trace = new Trace(timeline);
  build(trace, timeline);
  return trace.hash;
}

describe("Trace", () => {
  test("the hash depends on time, kind, place, reason, ports, length and both ends of the payload", () => {
    const bytes = new Uint8Array(100);
    const head = bytes.slice();
    head[0] = 1;
    const tail = bytes.slice();
    tail[99] = 1;
    const hashes = [
      hashOf(() => {}),
      hashOf((trace) => trace.packet("send", "a", "", packet(bytes))),
      hashOf((trace, timeline) => {
        timeline.advance(1e-9 as Instant);
        trace.packet("send", "a", "", packet(bytes));
      }),
      hashOf((trace) => trace.packet("deliver", "a", "", packet(bytes))),
      hashOf((trace) => trace.packet("send", "b", "", packet(bytes))),
      hashOf((trace) => trace.packet("send", "a", "x", packet(bytes))),
      hashOf((trace) => trace.packet("send", "a", "", packet(bytes, address("192.0.2.1", 1001)))),
      hashOf((trace) => trace.packet("send", "a", "", packet(bytes.subarray(1)))),
      hashOf((trace) => trace.packet("send", "a", "", packet(head))),
      hashOf((trace) => trace.packet("send", "a", "", packet(tail))),
      hashOf((trace) => trace.note("timer", "a", "")),
      hashOf((trace) => trace.note("event", "a", "opened")),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
    for (const hash of hashes) expect(hash).toMatch(/^[0-9a-f]{16}$/);
    expect(hashOf((trace) => trace.packet("send", "a", "", packet(tail)))).toBe(hashes[9]);
  });

  test("only the last entries are kept, in order, and the hash covers all", () => {
    const timeline = new Timeline(0 as Instant);
    const short = new Trace(timeline, 3);
    const long = new Trace(timeline, Number.POSITIVE_INFINITY);
    const none = new Trace(timeline, 0);
    for (let i = 0; i < 8; i++) for (const trace of [short, long, none]) trace.note("note", "here", `${i}`);
    expect(short.entries().map((entry) => entry.what)).toEqual(["5", "6", "7"]);
    expect(long.entries()).toHaveLength(8);
    expect(none.entries()).toEqual([]);
    expect(short.hash).toBe(long.hash);
    expect(none.hash).toBe(long.hash);
    expect(short.count).toBe(8);
    expect(long.text(2).split("\n")).toHaveLength(2);
    expect(long.text(0)).toBe("");
  });

  test("the text says when, what, where and between whom", () => {
    const timeline = new Timeline(1.5 as Instant);
    const trace = new Trace(timeline);
    trace.packet("drop", "link", "lost", packet(new Uint8Array(9)));
    trace.note("timer", "alice", "");
    expect(trace.text()).toBe(
      "       1.500  drop     link         lost #5 9 B 192.0.2.1:1000 → [2001:db8::2]:2000\n" +
        "       1.500  timer    alice",
    );
  });
});
