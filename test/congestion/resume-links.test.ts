/**
 * Careful resume on simulated links: what a second call gains, and what it costs where the path has changed.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { Flows } from "./flows.ts";

/** 300 ms there and back, of which 20 Mbit/s hold 510 packets. */
const LONG = { rate: 20, delay: 150, queue: 100 };
const RTT = 300;

/** A call that fills the link and ends, and another one to the same peer five seconds later. */
function callTwice(congestion: "bbr" | "cubic", carefulResume: boolean, laterRate = LONG.rate): Flows {
  const config = { congestion, carefulResume };
  const run = new Flows(LONG, [
    { config, bytes: 10_000_000, closeAt: 10_000 },
    { config, bytes: 2_000_000, startAt: 15_000 },
  ]);
  run.run(14_000);
  run.link.update({ bitsPerSecond: laterRate * 1e6 });
  return run;
}

/** Round trips from the second connection's beginning until it first has 80 % of the link for a fifth of a second. */
function roundsToFullRate(run: Flows): number {
  const [, second] = run.flows;
  run.run(6_000);
  let now = second!.connectedAt!;
  while (second!.rate(now, now + 200) < 0.8 * LONG.rate) {
    now += 10;
    if (now > run.world.now) throw new Error("never");
  }
  return (now - second!.connectedAt!) / RTT;
}

describe.each(["cubic", "bbr"] as const)("%s over 20 Mbit/s and 300 ms", (congestion) => {
  test("the second call has the full rate two and a half round trips sooner (CC-67)", () => {
    const without = roundsToFullRate(callTwice(congestion, false));
    const resumed = roundsToFullRate(callTwice(congestion, true));
    expect(without - resumed).toBeGreaterThan(2.5);
    expect(resumed).toBeLessThan(5);
  });

  test("where the link has a tenth of the rate, no more than two jumps are lost, and the transfer takes as long (CC-67)", () => {
    const cost = (carefulResume: boolean) => {
      const run = callTwice(congestion, carefulResume, LONG.rate / 10);
      const before = run.link.counters.tailDropped;
      run.runToEnd();
      const [, second] = run.flows;
      return { lost: run.link.counters.tailDropped - before, time: second!.lastByteAt - second!.connectedAt! };
    };
    const without = cost(false);
    const resumed = cost(true);
    // Half of what the path held.
    expect(resumed.lost).toBeLessThan(2 * 255);
    expect(resumed.time).toBeLessThan(1.15 * without.time);
  });
});
