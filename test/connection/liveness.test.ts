import { expect, test } from "vitest";
import { Liveness } from "../../src/connection/liveness.ts";
import type { Instant } from "../../src/util/time.ts";

const at = (ms: number) => ms as Instant;
const make = () => new Liveness({ linger: 30_000, keepalive: 15_000 }, at(0));

test("CONN-16: silence of the smaller linger ends the connection, and any authentic packet begins it anew", () => {
  const liveness = make();
  liveness.limitLinger(10_000);
  expect(liveness.isLost(at(9_999))).toBe(false);
  expect(liveness.isLost(at(10_000))).toBe(true);
  liveness.onReceived(at(9_000));
  expect(liveness.isLost(at(18_999))).toBe(false);
  expect(liveness.silence(at(18_999))).toBe(9_999);
  liveness.limitLinger(60_000);
  expect(liveness.isLost(at(19_000))).toBe(true);
});

test("CONN-17: a keepalive is due after 15 s without sending", () => {
  const liveness = make();
  expect(liveness.isKeepaliveDue(at(14_999))).toBe(false);
  expect(liveness.isKeepaliveDue(at(15_000))).toBe(true);
  liveness.onSent(at(15_000));
  expect(liveness.isKeepaliveDue(at(15_001))).toBe(false);
  expect(liveness.nextTimeout()).toBe(30_000);
});

test("CONN-18: a stall begins once, after three probe timeouts without the answer that is owed", () => {
  const liveness = make();
  liveness.onAnswerOwed(at(100), 500);
  liveness.onAnswerOwed(at(900), 500);
  expect(liveness.nextTimeout()).toBe(1_600);
  expect(liveness.beginsStall(at(1_599))).toBe(false);
  expect(liveness.beginsStall(at(1_600))).toBe(true);
  expect(liveness.beginsStall(at(1_601))).toBe(false);
  expect(liveness.onReceived(at(1_700))).toBe(true);
  expect(liveness.onReceived(at(1_701))).toBe(false);
  expect(liveness.beginsStall(at(9_000))).toBe(false);
});

test("CONN-18: the delay of a stall is at least 1 s and at most 5 s", () => {
  const fast = make();
  fast.onAnswerOwed(at(0), 10);
  expect(fast.beginsStall(at(999))).toBe(false);
  expect(fast.beginsStall(at(1_000))).toBe(true);
  const slow = make();
  slow.onAnswerOwed(at(0), 4_000);
  expect(slow.beginsStall(at(4_999))).toBe(false);
  expect(slow.beginsStall(at(5_000))).toBe(true);
});
