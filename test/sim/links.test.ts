/**
 * One bulk flow fills each link of `bench/links` as far as the row asks, with as few packets dropped and as short a queue.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { describeLink, LINK_ROWS, rowsNamed } from "../../bench/links/rows.ts";
import { simulateRow } from "../../bench/links/simulate.ts";

/**
 * Longest that half of the packets may wait in the queue, in ms. The queues hold 30 ms or more; those behind jitter are
 * left out, because there a delay says little about a queue.
 */
const QUEUE_DELAY: Readonly<Record<string, number>> = {
  "10-mbit": 5,
  // The hosts are slow at first, which takes a second of these flows to make good.
  "100-mbit": 10,
  "100-mbit-loss-1": 10,
  "100-mbit-loss-2": 5,
  "50-mbit-loss-2": 5,
  // Half of the flow is slow start there.
  "long-loss": 120,
  bloat: 5,
  "long-shallow": 10,
  bursts: 20,
  everything: 10,
};

describe("by default", () => {
  test.each(LINK_ROWS.map((row) => [`${row.name}: ${describeLink(row.link)}`, row] as const))("%s", (_, row) => {
    const flow = simulateRow(row, { seed: 1 });
    expect(flow.isComplete).toBe(true);
    expect(flow.goodput).toBeGreaterThanOrEqual(row.goodputAtLeast);
    expect(flow.share).toBeLessThan(1);
    expect(flow.tailDrops).toBeLessThanOrEqual(row.tailDropsAtMost ?? Number.POSITIVE_INFINITY);
    expect(flow.rtt.p95).toBeLessThanOrEqual(row.rttAtMost ?? Number.POSITIVE_INFINITY);
    expect(flow.queueDelay.p50).toBeLessThanOrEqual(QUEUE_DELAY[row.name] ?? Number.POSITIVE_INFINITY);
    // One for every ten packets of data at most, where there are no losses to tell.
    if (row.name === "100-mbit") expect(flow.ackPackets).toBeLessThan(flow.dataPackets / 10);
  });

  test("the listener's flow fares as the dialer's does", () => {
    const [row] = rowsNamed(["50-mbit-loss-2"]);
    const flow = simulateRow(row!, { seed: 1, sender: "listener" });
    expect(flow.goodput).toBeGreaterThanOrEqual(row!.goodputAtLeast);
    expect(flow.tailDrops).toBeLessThanOrEqual(row!.tailDropsAtMost!);
  });

  test("a seed determines every figure", () => {
    const [row] = rowsNamed(["bursts"]);
    expect(simulateRow(row!, { seed: 2 })).toEqual(simulateRow(row!, { seed: 2 }));
    expect(simulateRow(row!, { seed: 2 })).not.toEqual(simulateRow(row!, { seed: 3 }));
  });
});

describe.each(["cubic", "new-reno"] as const)("%s", (congestion) => {
  test("fills a link that loses nothing by itself", () => {
    const [row] = rowsNamed(["100-mbit"]);
    const flow = simulateRow(row!, { seed: 1, config: { congestion } });
    expect(flow.share).toBeGreaterThanOrEqual(0.94);
    expect(flow.retransmitted).toBeLessThan(3);
  });
});
