/**
 * Controllers on simulated links: what they reach, and how they share.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { Flows } from "./flows.ts";

describe("CUBIC", () => {
  test("fills 10 Mbit/s with a queue of 25 packets: 9,400 kbit/s or more, few drops (CC-48)", () => {
    const run = new Flows({ rate: 10, delay: 15, queue: 25 }, [{ config: { congestion: "cubic" }, bytes: 10_000_000 }]);
    run.runToEnd();
    const [flow] = run.flows;
    const elapsed = flow!.lastByteAt - flow!.firstByteAt!;
    expect((10_000_000 * 8) / elapsed).toBeGreaterThan(9_400);
    expect(run.link.counters.tailDropped).toBeLessThan(80);
  });

  test("two flows share a link evenly (RFC 9438 §5.6)", () => {
    const cubic = { config: { congestion: "cubic" } } as const;
    const run = new Flows({ rate: 20, delay: 15, queue: 75 }, [cubic, cubic]).run(12_000);
    const [a, b] = run.flows.map((flow) => flow.rate(6_000, 12_000));
    expect((a! + b!) ** 2 / (2 * (a! ** 2 + b! ** 2))).toBeGreaterThan(0.95);
    expect(a! + b!).toBeGreaterThan(18.5);
  });
});

describe("background (CC-54)", () => {
  const link = { rate: 10, delay: 15, queue: 25 };
  const background = { config: { congestion: "background" } } as const;

  test("alone it uses nine tenths of the link with a queue of 10 ms and without drops", () => {
    const run = new Flows(link, [background]).run(12_000);
    // 9.56 Mbit/s of payload is all that fits.
    expect(run.flows[0]!.rate(2_000, 12_000)).toBeGreaterThan(0.9 * 9.56);
    expect(run.queueDelay(0.95)).toBeLessThan(10);
    expect(run.link.counters.tailDropped).toBeLessThanOrEqual(5);
  });

  test.each(["cubic", "bbr"] as const)(
    "beside %s it takes less than a tenth, and all again when that ends",
    (congestion) => {
      const other = { config: { congestion }, startAt: 2_000, closeAt: 12_000 };
      const run = new Flows(link, [background, other]).run(20_000);
      const [ours, theirs] = run.flows.map((flow) => flow.rate(4_000, 12_000));
      expect(ours! / (ours! + theirs!)).toBeLessThan(0.1);
      expect(theirs).toBeGreaterThan(8);
      expect(run.flows[0]!.rate(17_000, 20_000)).toBeGreaterThan(7);
    },
  );

  test("two of them share evenly, also if one comes later", () => {
    const run = new Flows(link, [background, { ...background, startAt: 4_000 }]).run(24_000);
    const [a, b] = run.flows.map((flow) => flow.rate(12_000, 24_000));
    expect((a! + b!) ** 2 / (2 * (a! ** 2 + b! ** 2))).toBeGreaterThan(0.95);
    expect(a! + b!).toBeGreaterThan(8);
  });
});
