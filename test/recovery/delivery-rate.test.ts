import { describe, expect, test } from "vitest";
import { LossDetector } from "../../src/recovery/loss-detector.ts";
import { ACK_ONLY, ack, at, send } from "./support.ts";

describe("delivery rate (REC-19)", () => {
  test("a packet is stamped with how delivery stood when it left", () => {
    const detector = new LossDetector<never>();
    const { sent } = detector;
    send(detector, 10, { count: 2, size: 1000 });
    expect([sent.delivered(0), sent.deliveredAt(0), sent.firstSentAt(0), sent.lostWhenSent(0)]).toEqual([0, 10, 10, 0]);
    expect([sent.inFlightWhenSent(0), sent.inFlightWhenSent(1)]).toEqual([1000, 2000]);
    send(detector, 30, { count: 4, size: 1000 }); // 2 to 5
    ack(detector, 60, [0]);
    send(detector, 70, { size: 500 }); // 6
    expect([sent.delivered(6), sent.deliveredAt(6), sent.firstSentAt(6)]).toEqual([1000, 60, 10]);
    expect(sent.inFlightWhenSent(6)).toBe(5500);
    ack(detector, 90, [0, 5]);
    expect(detector.lost).toEqual([1, 2]);
    send(detector, 91, { size: 500 }); // 7
    expect([sent.delivered(7), sent.lostWhenSent(7), sent.firstSentAt(7)]).toEqual([2000, 2000, 30]);
  });

  test("the rate is what was delivered over the longer of sending and acknowledging", () => {
    const detector = new LossDetector<never>();
    // 10 packets, one per ms, acknowledged one per 2 ms.
    for (let i = 0; i < 10; i++) send(detector, i, { size: 1000 });
    for (let i = 0; i < 10; i++) ack(detector, 50 + 2 * i, [[0, i]]);
    // A second round, each packet sent as one is acknowledged in steady state.
    for (let i = 0; i < 10; i++) send(detector, 70 + i, { size: 1000 });
    ack(detector, 120, [[0, 10]]);
    for (let i = 1; i < 10; i++) ack(detector, 120 + 2 * i, [[0, 10 + i]]);
    const { rateSample } = detector;
    expect(rateSample).toMatchObject({
      hasData: true,
      lastAcked: 19,
      delivered: 10_000,
      priorDelivered: 10_000,
      priorDeliveredAt: 70,
      sendElapsed: 9,
      ackElapsed: 68,
      interval: 68,
      newlyAcked: 1000,
      newlyLost: 0,
      inFlightWhenSent: 10_000,
      lost: 0,
      rtt: 59,
    });
    expect(rateSample.deliveryRate).toBeCloseTo(10_000 / 68);
  });

  test("an interval below the smallest round trip gives no rate", () => {
    const detector = new LossDetector<never>();
    send(detector, 0, { count: 2 });
    ack(detector, 100, [0]);
    expect(detector.rateSample.deliveryRate).toBe(12);
    send(detector, 101);
    ack(detector, 103, [[0, 1]]);
    // Packet 1 was sent at 0, so its interval is 103; packet 2 was sent at 101 while 1 was in flight.
    ack(detector, 201, [[0, 2]]);
    expect(detector.rateSample.interval).toBe(101);
    expect(detector.rateSample.deliveryRate).toBeGreaterThan(0);
    send(detector, 300);
    ack(detector, 340, [3]);
    expect(detector.rateSample.interval).toBe(40);
    expect(detector.rateSample.deliveryRate).toBe(30); // 40 is the new minimum
    send(detector, 400, { count: 2 });
    detector.rtt.onPersistentCongestion();
    ack(detector, 400, [4]);
    expect(detector.rateSample).toMatchObject({ interval: 0, deliveryRate: 0, delivered: 1200 });
  });

  test("lost bytes since the newest acknowledged packet was sent", () => {
    const detector = new LossDetector<never>();
    send(detector, 0, { count: 10, size: 1000 });
    ack(detector, 100, [0, 9]);
    expect(detector.lost).toEqual([1, 2, 3, 4, 5, 6]);
    expect(detector.rateSample).toMatchObject({ newlyAcked: 2000, newlyLost: 6000, lost: 6000 });
    ack(detector, 101, [0, [7, 9]]);
    expect(detector.rateSample).toMatchObject({ newlyAcked: 2000, newlyLost: 0, lost: 6000, lastAcked: 8 });
  });

  test("the sample is taken from a packet that has overtaken none, if there is one (REC-19)", () => {
    const detector = new LossDetector<never>();
    send(detector, 0, { size: 1000 });
    ack(detector, 40, [0]);
    for (let i = 1; i <= 60; i++) send(detector, 100 + i, { size: 1000 });
    // Packet 30 was under way for 20 ms, all others for 40.
    ack(detector, 151, [[1, 11], 30]);
    expect(detector.rateSample).toMatchObject({ newlyAcked: 12_000, lastAcked: 11, ackElapsed: 50, sendElapsed: 10 });
    ack(detector, 152, [[1, 12], 30, 31]);
    expect(detector.rateSample.lastAcked).toBe(12);
    // Where all have, the newest has to do.
    ack(detector, 153, [[1, 12], [30, 32], 40]);
    expect(detector.rateSample.lastAcked).toBe(40);
  });

  test("app-limited lasts until what was in flight is delivered, and marks what is sent meanwhile", () => {
    const detector = new LossDetector<never>();
    const { sent } = detector;
    send(detector, 0, { count: 2 });
    expect(detector.delivery.isAppLimited).toBe(false);
    detector.markAppLimited();
    expect(detector.delivery.isAppLimited).toBe(true);
    send(detector, 10);
    expect([sent.isAppLimited(1), sent.isAppLimited(2)]).toEqual([false, true]);
    ack(detector, 100, [[0, 1]]);
    expect(detector.rateSample.isAppLimited).toBe(false);
    expect(detector.ackEvent.isAppLimited).toBe(true);
    ack(detector, 110, [[0, 2]]);
    expect(detector.rateSample.isAppLimited).toBe(true);
    expect(detector.ackEvent.isAppLimited).toBe(false);
  });

  test("marking with nothing in flight holds for the first acknowledgement only", () => {
    const detector = new LossDetector<never>();
    detector.markAppLimited();
    send(detector, 0, { count: 10 });
    ack(detector, 50, [[0, 1]]);
    expect(detector.ackEvent.isAppLimited).toBe(false);
  });

  test("an acknowledgement of packets that only acknowledge is no sample", () => {
    const detector = new LossDetector<never>();
    send(detector, 0);
    send(detector, 0, { flags: ACK_ONLY });
    send(detector, 0);
    ack(detector, 50, [1]);
    expect(detector.rateSample.hasData).toBe(false);
    expect(detector.delivery.delivered).toBe(0);
    expect(detector.ackEvent.bytes).toBe(0);
  });

  test("an old acknowledgement that arrives late does not replace the newer packet's sample", () => {
    const detector = new LossDetector<never>();
    send(detector, 0, { count: 2 });
    send(detector, 20, { count: 2 });
    ack(detector, 100, [[2, 3]]);
    expect(detector.delivery.firstSentAt).toBe(20);
    ack(detector, 101, [[0, 3]]);
    expect(detector.rateSample).toMatchObject({ hasData: true, lastAcked: 1, newlyAcked: 2400 });
    expect(detector.handleTimeout(at(102))).toBe("none");
    expect(detector.rateSample.hasData).toBe(false);
  });
});
