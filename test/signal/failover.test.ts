/**
 * Which of several servers is asked, and when.
 *
 * @module
 */
import { expect, test } from "vitest";
import { Failover } from "../../src/signal/failover.ts";
import type { Instant } from "../../src/util/time.ts";

const at = (ms: number) => ms as Instant;

function asked(failover: Failover): number[] {
  const servers: number[] = [];
  for (let each = failover.pollServer(); each !== undefined; each = failover.pollServer()) servers.push(each);
  return servers;
}

test("the first server that is ready is asked at once, the others 250 ms later (RDV-25)", () => {
  const failover = new Failover(3);
  expect(asked(failover)).toEqual([]);
  failover.onReady(1, at(100));
  expect(asked(failover)).toEqual([1]);
  expect(failover.nextTimeout()).toBeUndefined();
  failover.onReady(0, at(120));
  failover.onReady(0, at(120));
  expect(asked(failover)).toEqual([]);
  expect(failover.nextTimeout()).toBe(350);
  failover.handleTimeout(at(349));
  expect(asked(failover)).toEqual([]);
  failover.handleTimeout(at(350));
  expect(asked(failover)).toEqual([0]);
  expect(failover.nextTimeout()).toBeUndefined();
  // Who is ready later than that is asked at once.
  failover.onReady(2, at(400));
  expect(asked(failover)).toEqual([2]);
});

test("an answer spares the others (RDV-25)", () => {
  const failover = new Failover(2);
  failover.onReady(0, at(0));
  failover.onReady(1, at(10));
  expect(asked(failover)).toEqual([0]);
  failover.onAnswered();
  expect(failover.nextTimeout()).toBeUndefined();
  failover.handleTimeout(at(250));
  expect(asked(failover)).toEqual([]);
});

test("a server that has failed ends the head start; when all have failed there is nobody left (RDV-25)", () => {
  const failover = new Failover(3);
  failover.onReady(0, at(0));
  failover.onReady(1, at(10));
  expect(asked(failover)).toEqual([0]);
  failover.onFailed(0, at(20));
  expect(asked(failover)).toEqual([1]);
  failover.onFailed(1, at(30));
  // The last one has no head start to wait for.
  failover.onReady(2, at(40));
  expect(asked(failover)).toEqual([2]);
  expect(failover.isExhausted).toBe(false);
  failover.onFailed(2, at(60));
  expect(failover.isExhausted).toBe(true);
});

test("a server that can't be reached costs the others nothing (RDV-25)", () => {
  const failover = new Failover(2);
  failover.onFailed(0, at(0));
  failover.onReady(1, at(5));
  expect(asked(failover)).toEqual([1]);
});
