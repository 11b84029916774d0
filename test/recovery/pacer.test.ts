import { describe, expect, test } from "vitest";
import { Pacer } from "../../src/recovery/pacer.ts";
import { at } from "./support.ts";

const MTU = 1200;

/** Sends full packets whenever the pacer lets it, woken `lateness(i)` ms after each deadline; returns bytes sent. */
function drive(
  pacer: Pacer,
  { from, until, lateness }: { from: number; until: number; lateness: (i: number) => number },
) {
  let now = from;
  let sent = 0;
  let wakes = 0;
  let largestBurst = 0;
  while (now < until) {
    let burst = 0;
    while (pacer.budget(at(now)) >= MTU) {
      pacer.onSent(MTU, at(now));
      burst += MTU;
    }
    sent += burst;
    if (wakes > 0) largestBurst = Math.max(largestBurst, burst);
    const due = pacer.nextTimeout(at(now), MTU);
    expect(due).toBeGreaterThan(now);
    now = due! + lateness(wakes);
    wakes += 1;
  }
  return { sent, wakes, largestBurst, elapsed: now - from };
}

/** A path whose round trips are all alike. */
const near = (rtt: number) => ({ hasSample: true, min: rtt, smoothed: rtt });

describe("pacing (RFC 9002 §7.7)", () => {
  test("a burst of ten packets, then the rate (REC-25)", () => {
    const pacer = new Pacer(MTU);
    pacer.setRate(125, at(0)); // 1 Mbit/s
    expect(pacer.budget(at(0))).toBe(10 * MTU);
    pacer.onSent(10 * MTU, at(0));
    expect(pacer.budget(at(0))).toBe(0);
    expect(pacer.budget(at(8))).toBe(1000);
    expect(pacer.nextTimeout(at(8), MTU)).toBe(9.6);
    expect(pacer.budget(at(9.6))).toBe(MTU);
    expect(pacer.nextTimeout(at(9.6), MTU)).toBe(undefined);
    // Idle time fills the bucket, no more.
    expect(pacer.budget(at(10_000))).toBe(10 * MTU);
  });

  test("at high rates a burst is 2 ms of the rate (REC-25)", () => {
    const pacer = new Pacer(MTU);
    pacer.setRate(125_000, at(0)); // 1 Gbit/s
    expect(pacer.budget(at(100))).toBe(250_000);
  });

  test("waits are 1 ms at least, as timers are", () => {
    const pacer = new Pacer(MTU);
    pacer.setRate(125_000, at(0));
    pacer.onSent(250_000, at(100));
    expect(pacer.nextTimeout(at(100), MTU)).toBe(101);
    expect(pacer.budget(at(101))).toBe(125_000);
  });

  test.each([125, 1250, 12_500, 125_000])("keeps %d bytes/ms although timers fire late (REC-25)", (rate) => {
    const pacer = new Pacer(MTU);
    pacer.setRate(rate, at(0));
    // Late by 0 to 7 ms, more often than not by little.
    const { sent, elapsed } = drive(pacer, { from: 0, until: 20_000, lateness: (i) => ((i * 7919) % 15) ** 2 / 28 });
    const burst = Math.max(10 * MTU, rate * 2);
    expect(sent).toBeLessThanOrEqual(rate * elapsed + burst + MTU);
    expect(sent).toBeGreaterThan(rate * elapsed * 0.99 - burst);
  });

  test("keeps the rate although the process now and then stands still for 50 ms (REC-25)", () => {
    const pacer = new Pacer(MTU);
    pacer.setRate(1250, at(0));
    const lateness = (i: number) => (i % 100 === 99 ? 50 : 0.5);
    const { sent, elapsed, largestBurst } = drive(pacer, { from: 0, until: 20_000, lateness });
    expect(sent).toBeGreaterThan(1250 * elapsed * 0.99);
    expect(sent).toBeLessThanOrEqual(1250 * elapsed + 11 * MTU);
    expect(largestBurst).toBeLessThanOrEqual(10 * MTU + 1250 * (8 + 2));
  });

  test("a burst has 256 packets at most, however fast the path (REC-25)", () => {
    const pacer = new Pacer(MTU);
    pacer.setRate(1_250_000, at(0)); // 10 Gbit/s
    expect(pacer.budget(at(100))).toBe(256 * MTU);
  });

  test("a timer that is a second late does not cause a burst of a second", () => {
    const pacer = new Pacer(MTU);
    pacer.setRate(12_500, at(0));
    const { largestBurst } = drive(pacer, { from: 0, until: 5000, lateness: () => 1000 });
    expect(largestBurst).toBeLessThanOrEqual(12_500 * (2 + 8 + 2));
  });

  test("the credit of a late timer is not kept when it is not used", () => {
    const pacer = new Pacer(MTU);
    pacer.setRate(12_500, at(0));
    pacer.onSent(pacer.budget(at(0)), at(0));
    pacer.nextTimeout(at(0), MTU);
    expect(pacer.budget(at(9))).toBe(9 * 12_500);
    pacer.onSent(MTU, at(9));
    expect(pacer.budget(at(9.001))).toBe(9 * 12_500 - MTU + 12);
    expect(pacer.budget(at(11.5))).toBe(25_000);
  });

  test("what need not ask leaves a debt", () => {
    const pacer = new Pacer(MTU);
    pacer.setRate(120, at(0));
    pacer.onSent(12 * MTU, at(0));
    expect(pacer.budget(at(0))).toBe(0);
    expect(pacer.nextTimeout(at(0), MTU)).toBe(30);
  });

  test("the rate is 5/4 of the window per round trip unless the controller sets one (REC-25)", () => {
    const pacer = new Pacer(MTU);
    pacer.update({ congestionWindow: 12_000, pacingRate: undefined }, near(100), at(0));
    expect(pacer.rate).toBe(150);
    pacer.update({ congestionWindow: 12_000, pacingRate: 77 }, near(100), at(0));
    expect(pacer.rate).toBe(77);
  });

  test("a new rate counts from when it was set", () => {
    const pacer = new Pacer(MTU);
    pacer.setRate(100, at(0));
    pacer.onSent(10 * MTU, at(0));
    pacer.setRate(1000, at(2));
    expect(pacer.budget(at(3))).toBe(1200);
  });

  test("everything is paced before there is a sample, and from 1 ms or a queue of 8 ms on (REC-26)", () => {
    for (const rtt of [{ ...near(0.9), hasSample: false }, near(1), { ...near(0.9), smoothed: 8 }]) {
      const pacer = new Pacer(MTU);
      pacer.update({ congestionWindow: 12_000, pacingRate: undefined }, rtt, at(0));
      expect(pacer.rate).toBeLessThan(Number.POSITIVE_INFINITY);
    }
  });

  test("below a round trip of 1 ms nothing is paced, whatever busy hosts add to it (REC-26)", () => {
    const pacer = new Pacer(MTU);
    pacer.update({ congestionWindow: 12_000, pacingRate: undefined }, { ...near(0.9), smoothed: 7.9 }, at(0));
    expect(pacer.budget(at(0))).toBe(Number.POSITIVE_INFINITY);
    pacer.onSent(1_000_000, at(0));
    expect(pacer.nextTimeout(at(0), MTU)).toBe(undefined);
    // Pacing that begins later begins with a full bucket.
    pacer.update({ congestionWindow: 12_000, pacingRate: undefined }, { ...near(0.9), smoothed: 10 }, at(1));
    expect(pacer.budget(at(1))).toBe(10 * MTU);
  });

  test("the bucket follows the packet size", () => {
    const pacer = new Pacer(MTU);
    pacer.setRate(1, at(0));
    pacer.onMtuChange(1452);
    expect(pacer.budget(at(100_000))).toBe(14_520);
  });
});
