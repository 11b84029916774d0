import { describe, expect, test } from "vitest";
import { LossDetector } from "../../src/recovery/loss-detector.ts";
import { ReorderingWindow } from "../../src/recovery/reordering.ts";
import { ack, at, send } from "./support.ts";

const RTT = { latest: 40, smoothed: 40 };

/** Lets round trips pass without anything unusual. */
function rounds(window: ReorderingWindow, count: number, from = 0, packets = 50): number {
  let next = from;
  for (let i = 0; i < count; i++) {
    next += packets;
    window.onAcked(next - 1, next);
  }
  return next;
}

describe("thresholds", () => {
  test("are those of RFC 9002 §6.1.1 and §6.1.2 where nothing is reordered", () => {
    const window = new ReorderingWindow();
    rounds(window, 100);
    expect(window.packetThreshold).toBe(3);
    expect(window.spread(RTT)).toBeLessThan(0);
    expect(window.lossDelay(RTT)).toBe(45);
    expect(window.lossDelay({ latest: 80, smoothed: 40 })).toBe(90);
    expect(window.lossDelay({ latest: 0.1, smoothed: 0.1 })).toBe(1);
  });

  test("rise at once to what was observed (REC-27)", () => {
    const window = new ReorderingWindow();
    window.onOvertaken({ distance: 20, spread: 10, age: 60 }, RTT);
    expect([window.packetThreshold, window.spread(RTT)]).toEqual([21, 11]);
    expect(window.lossDelay(RTT)).toBe(61);
    window.onOvertaken({ distance: 5, spread: 3, age: 50 }, RTT);
    expect([window.packetThreshold, window.lossDelay(RTT)]).toEqual([21, 61]);
  });

  test("rise to the packets of one smoothed round trip and by one smoothed round trip at most (REC-27)", () => {
    const window = new ReorderingWindow();
    window.onOvertaken({ distance: 1000, spread: 200, age: 10_000 }, RTT);
    expect([window.packetThreshold, window.spread(RTT)]).toEqual([201, 40]);
    expect(window.lossDelay(RTT)).toBe(45 + 40);
    // The bound follows the round trip.
    expect(window.lossDelay({ latest: 20, smoothed: 20 })).toBe(22.5 + 20);
  });

  test("are kept for 16 round trips and forgotten after 32 (REC-28)", () => {
    const window = new ReorderingWindow();
    const begin = rounds(window, 15);
    window.onOvertaken({ distance: 20, spread: 10, age: 60 }, RTT);
    const kept = rounds(window, 16, begin);
    expect([window.packetThreshold, window.lossDelay(RTT)]).toEqual([21, 61]);
    rounds(window, 1, kept);
    expect([window.packetThreshold, window.lossDelay(RTT)]).toEqual([3, 45]);

    window.onOvertaken({ distance: 20, spread: 10, age: 60 }, RTT);
    rounds(window, 32, kept + 50);
    expect(window.packetThreshold).toBe(3);
  });

  test("are kept for 500 packets, however many round trips that takes (REC-28)", () => {
    const window = new ReorderingWindow();
    window.onOvertaken({ distance: 20, spread: 10, age: 60 }, RTT);
    const kept = rounds(window, 100, 0, 5);
    expect(window.packetThreshold).toBe(21);
    rounds(window, 102, kept, 5);
    expect(window.packetThreshold).toBe(3);
  });
});

describe("a detector", () => {
  /** Sends a packet each 0.1 ms for a second; `arrivesAt` tells when the acknowledgement of each one comes back. */
  function stream(arrivesAt: (packetNumber: number, sentAt: number) => number | undefined) {
    const detector = new LossDetector<never>();
    send(detector, 0);
    ack(detector, 40, [0]);
    const tally = { lost: 0, spurious: 0, late: 0, detector };
    const arrivals: { time: number; packetNumber: number }[] = [];
    for (let i = 1; i <= 10_000; i++) {
      const time = arrivesAt(i, 100 + i / 10);
      if (time !== undefined) arrivals.push({ time, packetNumber: i });
    }
    arrivals.sort((a, b) => a.time - b.time);
    let sent = 0;
    for (const { time, packetNumber } of arrivals) {
      while (sent < 10_000 && 100 + (sent + 1) / 10 <= time) {
        send(detector, 100 + (sent + 1) / 10);
        sent += 1;
      }
      for (let due = detector.nextTimeout(); due !== undefined && due <= time; due = detector.nextTimeout()) {
        detector.handleTimeout(due);
        tally.lost += detector.lost.length;
      }
      ack(detector, time, [packetNumber]);
      tally.lost += detector.lost.length;
      tally.spurious += detector.spurious.length;
      if (time > 600) tally.late += detector.lost.length;
    }
    return tally;
  }

  test("loses what an early packet overtakes once, and not again (REC-27)", () => {
    const { lost, spurious, late } = stream((i, sentAt) => sentAt + (i % 50 === 49 ? 30 : 40));
    // The first one overtakes all 48 before it, the second a hundred others, half of which are too far back by then.
    expect(lost).toBe(46 + 49);
    expect(spurious).toBe(lost);
    expect(late).toBe(0);
  });

  test("waits for packets that come 15 ms late (REC-27)", () => {
    const { lost, spurious, late } = stream((i, sentAt) => sentAt + (i % 50 === 49 ? 55 : 40));
    // Those that were overtaken before the first one had arrived.
    expect(lost).toBe(3);
    expect(spurious).toBe(lost);
    expect(late).toBe(0);
  });

  test("finds losses as fast as ever where nothing is reordered (REC-28)", () => {
    const { lost, spurious, detector } = stream((i, sentAt) => (i % 50 === 49 ? undefined : sentAt + 40));
    expect(lost).toBe(200 - 1);
    expect(spurious).toBe(0);
    expect(detector.packetThreshold).toBe(3);
    expect(detector.lossDelay).toBeCloseTo(45);
  });

  test("a packet that was overtaken but not lost keeps what was learnt, and raises nothing (REC-28)", () => {
    const detector = new LossDetector<never>();
    send(detector, 0);
    ack(detector, 40, [0]);
    send(detector, 100, { count: 10 });
    ack(detector, 140, [10]);
    ack(detector, 141, [[1, 10]]);
    expect(detector.spurious).toHaveLength(7);
    expect(detector.packetThreshold).toBe(10);
    let now = 200;
    let next = 11;
    const round = (overtakes: number) => {
      send(detector, now, { count: 10 });
      if (overtakes > 0) ack(detector, now + 40, [next + overtakes]);
      ack(detector, now + 40, [[next, next + 9]]);
      expect(detector.lost).toEqual([]);
      now += 50;
      next += 10;
    };
    for (let i = 0; i < 110; i++) round(5);
    expect(detector.packetThreshold).toBe(6);
    for (let i = 0; i < 110; i++) round(0);
    expect(detector.packetThreshold).toBe(3);
  });

  test("at twice the rate, what is overtaken for as long is not lost, though it is twice as many packets (REC-27)", () => {
    const detector = new LossDetector<never>();
    send(detector, 0);
    ack(detector, 40, [0]);
    // Every millisecond one packet, then two, then one again; one in each flight comes 10 ms early.
    for (let i = 1; i <= 20; i++) send(detector, 100 + i);
    ack(detector, 150, [[1, 10], 20]);
    expect(detector.lost).toEqual([11, 12, 13, 14, 15, 16, 17]);
    ack(detector, 160, [[1, 20]]);
    expect(detector.spurious).toHaveLength(7);
    expect([detector.packetThreshold, detector.reorderingSpread]).toEqual([10, 10]);
    for (let i = 0; i < 40; i++) send(detector, 200 + Math.floor(i / 2)); // 21 to 60
    ack(detector, 250, [[1, 41], 60]);
    expect(detector.lost).toEqual([]);
    ack(detector, 259, [[1, 60]]);
    // What was overtaken without being lost has shown how many packets these 9 ms are now.
    expect([detector.packetThreshold, detector.spurious.length]).toEqual([19, 0]);
    // What is both further behind and was sent earlier than any before is lost.
    for (let i = 0; i < 40; i++) send(detector, 300 + Math.floor(i / 2)); // 61 to 100
    ack(detector, 350, [[1, 70], 100]);
    expect(detector.lost).toEqual([71, 72, 73, 74, 75, 76, 77, 78]);
  });

  test("what is as far behind as before is not lost for a rounding error (REC-27)", () => {
    const detector = new LossDetector<never>();
    send(detector, 0);
    ack(detector, 40, [0]);
    const flight = (from: number) => {
      const first = detector.sent.nextPacketNumber;
      for (let i = 0; i < 6; i++) send(detector, from + i / 10);
      ack(detector, from + 40, [first + 5]);
      const { length } = detector.lost;
      ack(detector, from + 41, [[first, first + 5]]);
      return length;
    };
    expect(flight(100)).toBe(3);
    for (const from of [200, 1_000.1, 33_333.3, 1e6 / 3]) expect(flight(from)).toBe(0);
  });

  test("packets of one burst are lost by number where nothing is overtaken (REC-27, REC-11)", () => {
    const detector = new LossDetector<never>();
    send(detector, 0);
    ack(detector, 40, [0]);
    send(detector, 100, { count: 5 });
    ack(detector, 140, [5]);
    expect(detector.lost).toEqual([1, 2]);
  });

  test("packets that only acknowledge teach nothing", () => {
    const detector = new LossDetector<never>();
    send(detector, 0);
    ack(detector, 40, [0]);
    send(detector, 100, { count: 10, flags: 0 });
    send(detector, 100);
    ack(detector, 140, [11]);
    ack(detector, 150, [[1, 11]]);
    expect(detector.packetThreshold).toBe(3);
    expect(detector.handleTimeout(at(1000))).toBe("none");
  });
});
