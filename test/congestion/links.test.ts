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
