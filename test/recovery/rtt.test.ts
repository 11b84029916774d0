import { describe, expect, test } from "vitest";
import { INITIAL_RTT, RttEstimator } from "../../src/recovery/rtt.ts";

describe("round-trip time (RFC 9002 §5)", () => {
  test("before the first sample the probe timeout is about a second (RFC 9002 §6.2.2)", () => {
    const rtt = new RttEstimator();
    expect(rtt.hasSample).toBe(false);
    expect(rtt.smoothed).toBe(INITIAL_RTT);
    expect(rtt.probeTimeout(0)).toBe(999);
  });

  test("the first sample sets everything (RFC 9002 §5.2, §5.3)", () => {
    const rtt = new RttEstimator();
    rtt.onSample(300, 100);
    expect([rtt.latest, rtt.min, rtt.smoothed, rtt.variance]).toEqual([300, 300, 300, 150]);
    expect(rtt.probeTimeout(25)).toBe(300 + 600 + 25);
  });

  test("later samples move the averages, the variation first (REC-9, RFC 9002 §5.3)", () => {
    const rtt = new RttEstimator();
    rtt.onSample(100, 0);
    rtt.onSample(120, 0);
    expect(rtt.variance).toBe(0.75 * 50 + 0.25 * 20);
    expect(rtt.smoothed).toBe(0.875 * 100 + 0.125 * 120);
    expect(rtt.min).toBe(100);
    expect(rtt.latest).toBe(120);
  });

  test("what may have overtaken others does not lower the minimum (REC-29)", () => {
    const rtt = new RttEstimator();
    rtt.onSample(100, 0);
    rtt.onSample(50, 0, "overtaking");
    expect([rtt.min, rtt.latest]).toEqual([100, 50]);
    expect(rtt.smoothed).toBe(0.875 * 100 + 0.125 * 50);
    rtt.onSample(50, 0);
    expect(rtt.min).toBe(50);
  });

  test.each([
    { sample: 150, ackDelay: 20, adjusted: 130, why: "the delay is subtracted" },
    { sample: 120, ackDelay: 20, adjusted: 100, why: "down to the minimum exactly" },
    { sample: 119, ackDelay: 20, adjusted: 119, why: "not below the minimum" },
    { sample: 90, ackDelay: 5, adjusted: 90, why: "not below a new minimum" },
  ])("sample $sample with delay $ackDelay counts as $adjusted: $why (REC-10, RFC 9002 §5.3)", (row) => {
    const rtt = new RttEstimator();
    rtt.onSample(100, 0);
    rtt.onSample(row.sample, row.ackDelay);
    expect(rtt.adjusted).toBe(row.adjusted);
    expect(rtt.smoothed).toBe(0.875 * 100 + 0.125 * row.adjusted);
    expect(rtt.variance).toBe(0.75 * 50 + 0.25 * Math.abs(100 - row.adjusted));
    expect(rtt.min).toBe(Math.min(100, row.sample));
  });

  test("four variations count as 1 ms at least (RFC 9002 §6.2.1)", () => {
    const rtt = new RttEstimator();
    for (let i = 0; i < 100; i++) rtt.onSample(10, 0);
    expect(rtt.variance).toBeLessThan(0.001);
    expect(rtt.probeTimeout(25)).toBeCloseTo(10 + 1 + 25, 6);
  });

  test("persistent congestion makes the newest sample the minimum (REC-18, RFC 9002 §5.2)", () => {
    const rtt = new RttEstimator();
    rtt.onSample(10, 0);
    rtt.onSample(400, 0);
    rtt.onPersistentCongestion();
    expect(rtt.min).toBe(400);
  });

  test("a reset forgets the path and keeps the assumption it is given", () => {
    const rtt = new RttEstimator();
    rtt.onSample(10, 0);
    rtt.reset(80);
    expect([rtt.hasSample, rtt.latest, rtt.min, rtt.smoothed, rtt.variance]).toEqual([false, 0, 0, 80, 40]);
    rtt.onSample(20, 0);
    expect([rtt.min, rtt.smoothed, rtt.variance]).toEqual([20, 20, 10]);
  });
});
