import { describe, expect, test } from "vitest";
import { LossDetector } from "../../src/recovery/loss-detector.ts";
import { PersistentCongestion } from "../../src/recovery/persistent-congestion.ts";
import { ack, at, send } from "./support.ts";

describe("persistent congestion (RFC 9002 §7.6)", () => {
  test("the example of RFC 9002 §7.6.3: a run of 7 against 3 timeouts of 2 (REC-18)", () => {
    const run = new PersistentCongestion();
    run.onRoundStart();
    run.onAcked(); // #1
    for (const sentAt of [1, 2, 3, 4, 5, 6, 8]) run.onLost(at(sentAt)); // #2 to #8
    expect(run.isEstablished(2)).toBe(true);
    expect(run.isEstablished(7 / 3)).toBe(false); // reached, not exceeded
  });

  /** The packets of the example at `unit` ms each; `maxAckDelay` makes the probe timeout what the example assumes. */
  function example({ timeout, acked = [] }: { timeout: number; acked?: readonly number[] }) {
    const unit = 1000;
    const detector = new LossDetector<never>();
    detector.setMaxAckDelay(16_000);
    // Samples of 0.2 before the example begins; the last one is of the packet that becomes #0.
    send(detector, -2 * unit);
    ack(detector, -1.8 * unit, [0]);
    send(detector, 0); // #1
    send(detector, 1 * unit); // #2
    ack(detector, 1.2 * unit, [[0, 1]], unit);
    for (const time of [2, 3, 4, 5, 6]) send(detector, time * unit); // #3 to #7
    send(detector, 8 * unit); // #8
    send(detector, 12 * unit); // #9
    detector.setMaxAckDelay(timeout * unit - detector.rtt.probeTimeout(0));
    // The sample of #9 moves the timeout a little, by less than the room that the example leaves.
    ack(detector, 12.2 * unit, [...acked, 9]);
    return detector;
  }

  test("the same through the loss detector: #2 to #8 are lost at the acknowledgement of #9 (RFC 9002 §7.6.3)", () => {
    const detector = example({ timeout: 2 });
    expect(detector.lost).toEqual([2, 3, 4, 5, 6, 7, 8]);
    expect(detector.lossEvent.isPersistent).toBe(true);
    expect(detector.lossEvent.newestSentAt).toBe(8000);
    expect(detector.rtt.min).toBeCloseTo(200);
  });

  test("not with a timeout of 2.5, since 7 does not exceed 7.5 (RFC 9002 §7.6.1)", () => {
    const detector = example({ timeout: 2.5 });
    expect(detector.lost).toHaveLength(7);
    expect(detector.lossEvent.isPersistent).toBe(false);
  });

  test("not when a packet in between was acknowledged (RFC 9002 §7.6.2)", () => {
    const detector = example({ timeout: 2, acked: [5] });
    expect(detector.lost).toEqual([2, 3, 4, 6, 7, 8]);
    expect(detector.lossEvent.isPersistent).toBe(false);
  });

  test("not for packets that were sent before the first round-trip sample (RFC 9002 §7.6.2)", () => {
    const detector = new LossDetector<never>();
    for (let i = 0; i < 10; i++) send(detector, i * 1000);
    ack(detector, 9100, [9]);
    expect(detector.lost).toHaveLength(9);
    expect(detector.lossEvent.isPersistent).toBe(false);
  });

  test("not for packets that the peer need not acknowledge", () => {
    const detector = new LossDetector<never>();
    send(detector, 0);
    ack(detector, 100, [0]);
    for (let i = 1; i < 10; i++) send(detector, i * 1000, { flags: 2 });
    send(detector, 10_000);
    ack(detector, 10_100, [10]);
    expect(detector.lost).toHaveLength(9);
    expect(detector.lossEvent.isPersistent).toBe(false);
  });

  test("a run may stretch over several rounds of loss detection, and is declared once", () => {
    const detector = new LossDetector<never>();
    send(detector, 0);
    ack(detector, 100, [0]); // timeout 100 + 200 + 25
    send(detector, 200, { count: 3 }); // 1 to 3: lost first
    send(detector, 250);
    ack(detector, 350, [4]);
    expect([...detector.lost]).toEqual([1, 2, 3]);
    expect(detector.lossEvent.isPersistent).toBe(false);
    // 4 was acknowledged, so a new run begins here.
    send(detector, 400);
    send(detector, 800);
    send(detector, 3000, { count: 3 });
    send(detector, 3001);
    ack(detector, 3100, [10]);
    expect([...detector.lost]).toEqual([5, 6, 7]);
    expect(detector.lossEvent.isPersistent).toBe(true);
    expect(detector.handleTimeout(at(4000))).toBe("lost");
    expect(detector.lost).toEqual([8, 9]);
    expect(detector.lossEvent.isPersistent).toBe(false);
  });
});
