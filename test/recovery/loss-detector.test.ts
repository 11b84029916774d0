import { describe, expect, test, vi } from "vitest";
import { LossDetector, MAX_SPAN } from "../../src/recovery/loss-detector.ts";
import { MIN_CAPACITY } from "../../src/recovery/packet-rows.ts";
import { MAX_PROBE_INTERVAL } from "../../src/recovery/probe-timer.ts";
import { ACK_ONLY, ack, at, DATA, send } from "./support.ts";

/** A detector that has measured 100 ms once: it probes after 100 + 2 x 50 + 25 = 225 ms; the next number is 1. */
function measured(): LossDetector<string> {
  const detector = new LossDetector<string>();
  send(detector, 0);
  ack(detector, 100, [0]);
  return detector;
}

describe("acknowledgements", () => {
  test("each packet is acknowledged once, ascending, however often it is reported", () => {
    const detector = new LossDetector<string>();
    send(detector, 0, { count: 5 });
    expect(ack(detector, 50, [[0, 1], 3])).toBe("ok");
    expect(detector.acked).toEqual([0, 1, 3]);
    expect(detector.sent.bytesInFlight).toBe(2400);
    ack(detector, 51, [[0, 1], 3]);
    expect(detector.acked).toEqual([]);
    ack(detector, 52, [[0, 4]]);
    expect(detector.acked).toEqual([2, 4]);
    expect(detector.sent.bytesInFlight).toBe(0);
    expect(detector.largestAcked).toBe(4);
  });

  test("an acknowledgement of a number above all that were sent changes nothing (REC-12, RFC 9000 §13.1)", () => {
    const detector = measured();
    send(detector, 200, { count: 3 });
    const before = detector.nextTimeout();
    expect(ack(detector, 300, [[1, 4]])).toBe("acked-unsent");
    expect(detector.acked).toEqual([]);
    expect([detector.sent.bytesInFlight, detector.largestAcked, detector.nextTimeout()]).toEqual([3600, 0, before]);
  });

  test("an acknowledgement of a skipped number changes nothing (REC-12, RFC 9000 §21.4)", () => {
    const detector = measured();
    send(detector, 200);
    detector.sent.skip(2);
    send(detector, 200, { count: 2 });
    expect(ack(detector, 300, [[1, 4]])).toBe("acked-unsent");
    expect(ack(detector, 300, [2])).toBe("acked-unsent");
    expect(ack(detector, 300, [[1, 2], 4])).toBe("acked-unsent");
    expect(detector.sent.bytesInFlight).toBe(3600);
    expect(ack(detector, 300, [1, [3, 4]])).toBe("ok");
    expect(detector.acked).toEqual([1, 3, 4]);
    // Even long after the packets around it were forgotten.
    expect(ack(detector, 400, [[0, 4]])).toBe("acked-unsent");
  });

  test("ranges as wide as all that was sent cost no more than what they newly acknowledge (REC-13)", () => {
    const detector = new LossDetector<string>();
    send(detector, 0, { count: 2000 });
    detector.onAckReceived({ largest: 1999, delayUs: 0, ranges: [0, 2000] }, at(50));
    expect(detector.acked).toHaveLength(2000);
    const looks = vi.spyOn(detector.sent, "isOutstanding");
    for (let i = 0; i < 1000; i++) {
      send(detector, 100 + i);
      const largest = detector.sent.nextPacketNumber - 1;
      detector.onAckReceived({ largest, delayUs: 0, ranges: [0, largest + 1] }, at(101 + i));
      expect(detector.acked).toHaveLength(1);
    }
    expect(looks).toHaveBeenCalledTimes(1000);
  });

  test("64 ranges over thousands of lost packets cost no more than the ledger (REC-13)", () => {
    const detector = new LossDetector<string>();
    send(detector, 0, { count: 10_000 });
    ack(detector, 50, [9_999]);
    expect(detector.lost).toHaveLength(9_997);
    const looks = vi.spyOn(detector.sent, "isOutstanding");
    for (let i = 0; i < 100; i++) {
      ack(
        detector,
        51,
        Array.from({ length: 64 }, (_, range) => [range * 150, range * 150 + 1] as const),
      );
      expect(detector.spurious).toHaveLength(i === 0 ? 128 : 0);
    }
    // What is lost is not walked through.
    expect(looks).toHaveBeenCalledTimes(0);
  });

  test("a round-trip sample needs a new largest number and a new ack-eliciting one (REC-9, RFC 9002 §5.1)", () => {
    const detector = new LossDetector<string>();
    send(detector, 0, { flags: ACK_ONLY });
    ack(detector, 10, [0]);
    expect(detector.rtt.hasSample).toBe(false);
    send(detector, 20); // 1
    send(detector, 25, { flags: ACK_ONLY }); // 2
    ack(detector, 60, [[1, 2]]);
    expect(detector.rtt.latest).toBe(35);
    send(detector, 70); // 3
    send(detector, 80); // 4
    ack(detector, 120, [4]);
    expect(detector.rtt.latest).toBe(40);
    ack(detector, 130, [[3, 4]]);
    expect(detector.rtt.latest).toBe(40);
    expect(detector.rateSample.rtt).toBeUndefined();
  });

  test("what may have overtaken others gives no sample for the minimum (REC-29)", () => {
    const detector = measured();
    send(detector, 110, { count: 20 }); // 1 to 20
    ack(detector, 150, [10]);
    expect(detector.rtt.latest).toBe(100);
    expect(detector.rateSample.rtt).toBeUndefined();
    // Four predecessors are enough, were they acknowledged before or with it.
    ack(detector, 190, [[2, 4], 10]);
    ack(detector, 195, [[2, 8], 10, 15]);
    expect(detector.rtt.latest).toBe(100);
    ack(detector, 199, [[2, 8], 10, [15, 19]]);
    expect([detector.rtt.latest, detector.rtt.min, detector.rateSample.rtt]).toEqual([89, 89, 89]);
  });

  test("the acknowledgement must not have overtaken others either (REC-29)", () => {
    const detector = measured();
    send(detector, 110, { count: 2 });
    detector.onAckReceived({ largest: 1, delayUs: 0, ranges: [1, 2] }, at(160), "overtaking");
    expect([detector.acked.length, detector.rtt.latest]).toEqual([1, 100]);
    expect(detector.rateSample.rtt).toBeUndefined();
    detector.onAckReceived({ largest: 2, delayUs: 0, ranges: [1, 3] }, at(165), "in-order");
    expect([detector.rtt.latest, detector.rtt.min]).toEqual([55, 55]);
  });

  test("without other samples for a round trip, or if it is long, such a one still counts for the average (REC-29)", () => {
    const detector = measured();
    send(detector, 110, { count: 20 });
    ack(detector, 240, [10]);
    expect(detector.rtt.latest).toBe(130);
    expect(detector.rateSample.rtt).toBeUndefined();
    ack(detector, 120 + 240, [15]);
    expect(detector.rtt.latest).toBe(250);
    send(detector, 420, { count: 10 });
    ack(detector, 490, [25]);
    expect([detector.rtt.latest, detector.rtt.min]).toEqual([70, 100]);
  });

  test("at 30 % loss the minimum is still found (REC-29)", () => {
    const detector = measured();
    for (let i = 1; i <= 400; i++) send(detector, 100 + i);
    const lost = (i: number) => (i * 7919) % 11 < 3;
    for (let i = 1; i <= 400; i++) {
      if (lost(i)) continue;
      // One packet in ten comes a little earlier than the others.
      ack(detector, 100 + i + (i % 10 === 0 ? 40 : 40.5), [i]);
    }
    expect(detector.rtt.min).toBe(40);
  });

  test("the reported delay counts up to the peer's max_ack_delay (REC-10, RFC 9002 §5.3)", () => {
    const detector = measured();
    detector.setMaxAckDelay(25);
    send(detector, 200);
    ack(detector, 500, [1], 10_000);
    expect(detector.rtt.smoothed).toBe(0.875 * 100 + 0.125 * 275);
  });
});

describe("loss by number and by time (RFC 9002 §6.1)", () => {
  test("three numbers before an acknowledged one are lost, two are not (REC-11, RFC 9002 §6.1.1)", () => {
    const detector = measured();
    send(detector, 200, { count: 5 }); // 1 to 5
    ack(detector, 300, [5]);
    expect(detector.lost).toEqual([1, 2]);
    expect(detector.lossEvent).toMatchObject({ bytes: 2400, newestSentAt: 200, bytesInFlight: 2400 });
  });

  test("skipped numbers do not count (REC-11, RFC 9002 §A.10)", () => {
    const detector = measured();
    send(detector, 200); // 1
    detector.sent.skip(2);
    detector.sent.skip(3);
    send(detector, 200); // 4
    ack(detector, 270, [4]);
    expect(detector.lost).toEqual([]);
    send(detector, 270); // 5
    ack(detector, 275, [[4, 5]]);
    expect(detector.lost).toEqual([]);
    send(detector, 275); // 6
    ack(detector, 280, [[4, 6]]);
    expect(detector.lost).toEqual([1]);
  });

  test("9/8 of the larger of smoothed and latest round trip is too late (REC-11, RFC 9002 §6.1.2)", () => {
    const detector = measured();
    send(detector, 200); // 1
    send(detector, 210); // 2
    ack(detector, 290, [2]); // latest 80, smoothed 97.5
    expect(detector.lost).toEqual([]);
    const lossAt = 200 + 97.5 * 1.125;
    expect(detector.nextTimeout()).toBe(lossAt);
    expect(detector.handleTimeout(at(lossAt - 0.01))).toBe("none");
    expect(detector.handleTimeout(at(lossAt))).toBe("lost");
    expect(detector.lost).toEqual([1]);
    expect(detector.acked).toEqual([]);
    send(detector, 400);
    send(detector, 401);
    ack(detector, 600, [4]); // latest 199 exceeds smoothed
    expect(detector.nextTimeout()).toBe(400 + 199 * 1.125);
  });

  test("the time threshold is 1 ms at least (RFC 9002 §6.1.2)", () => {
    const detector = new LossDetector<string>();
    send(detector, 0);
    ack(detector, 0.1, [0]);
    send(detector, 10);
    send(detector, 10);
    ack(detector, 10.1, [2]);
    expect(detector.nextTimeout()).toBe(11);
  });

  test("nothing above the largest acknowledged number is lost, however late", () => {
    const detector = measured();
    send(detector, 200, { count: 3 });
    ack(detector, 5000, [1]);
    expect(detector.lost).toEqual([]);
  });

  test("packets that only acknowledge are never lost", () => {
    const detector = measured();
    send(detector, 200, { count: 10, flags: ACK_ONLY });
    send(detector, 200);
    ack(detector, 300, [11]);
    expect(detector.lost).toEqual([]);
    expect(detector.nextTimeout()).toBe(undefined);
  });

  test("thresholds may be chosen", () => {
    const detector = new LossDetector<string>({ packetThreshold: 5, timeThreshold: 2 });
    send(detector, 0);
    ack(detector, 100, [0]);
    send(detector, 200, { count: 6 });
    ack(detector, 300, [6]);
    expect(detector.lost).toEqual([1]);
    expect(detector.nextTimeout()).toBe(400);
  });
});

describe("spurious loss", () => {
  test("a lost packet that is acknowledged is reported once, and counts as delivered (REC-16)", () => {
    const detector = measured();
    send(detector, 200, { count: 4 });
    ack(detector, 300, [4]);
    expect(detector.lost).toEqual([1]);
    ack(detector, 310, [[1, 4]]);
    expect(detector.spurious).toEqual([1]);
    expect(detector.acked).toEqual([2, 3]);
    expect(detector.delivery.delivered).toBe(5 * 1200);
    ack(detector, 320, [[1, 4]]);
    expect(detector.spurious).toEqual([]);
    expect(detector.sent.bytesInFlight).toBe(0);
  });

  test("it is remembered for a probe timeout, not for ever (REC-16)", () => {
    const late = (delay: number) => {
      const detector = measured();
      send(detector, 200, { count: 4 });
      ack(detector, 300, [[2, 4]]);
      expect(detector.lost).toEqual([1]);
      const timeout = detector.probeTimeout;
      ack(detector, 300 + timeout * delay, [[1, 4]]);
      return detector.spurious.length;
    };
    expect(late(0.99)).toBe(1);
    expect(late(1.01)).toBe(0);
  });

  test("what the packet carried can still be looked up", () => {
    const detector = measured();
    detector.sent.begin(1);
    detector.sent.addStream(4, 100, 50, 1);
    detector.sent.commit(1200, at(200), DATA);
    detector.onPacketSent(at(200));
    send(detector, 200, { count: 100 });
    ack(detector, 300, [[2, 101]]);
    expect(detector.lost).toEqual([1]);
    send(detector, 310, { count: 500 });
    ack(detector, 320, [[1, 101]]);
    expect(detector.spurious).toEqual([1]);
    const { sent } = detector;
    expect([sent.streamId(1, 0), sent.streamStart(1, 0), sent.streamLength(1, 0), sent.streamFin(1, 0)]).toEqual([
      4, 100, 50, 1,
    ]);
  });

  test("after the last packet the timer forgets the lost ones and gives the memory back", () => {
    const detector = measured();
    send(detector, 200, { count: 200 });
    ack(detector, 300, [[2, 200]]);
    expect(detector.sent.lostCount).toBe(1);
    const due = detector.nextTimeout()!;
    expect(due).toBe(300 + detector.probeTimeout);
    expect(detector.sent.capacity).toBe(256);
    expect(detector.handleTimeout(due)).toBe("none");
    expect([detector.sent.capacity, detector.sent.lostCount, detector.sent.span]).toEqual([MIN_CAPACITY, 0, 0]);
    expect(detector.nextTimeout()).toBe(undefined);
  });
});

describe("probe timeout (RFC 9002 §6.2)", () => {
  test("runs from the newest ack-eliciting packet (REC-14, RFC 9002 §6.2.1)", () => {
    const detector = new LossDetector<string>();
    expect(detector.nextTimeout()).toBe(undefined);
    send(detector, 0, { flags: ACK_ONLY });
    expect(detector.nextTimeout()).toBe(undefined);
    send(detector, 10);
    expect(detector.nextTimeout()).toBe(10 + 999 + 25);
    send(detector, 20);
    send(detector, 30, { flags: ACK_ONLY });
    expect(detector.nextTimeout()).toBe(20 + 999 + 25);
  });

  test("asks for two probes, declares nothing lost and leaves bytes in flight alone (REC-15, RFC 9002 §6.2, §6.2.4)", () => {
    const detector = measured();
    send(detector, 200, { count: 3 });
    const due = detector.nextTimeout()!;
    expect(due).toBe(425);
    expect(detector.handleTimeout(at(424))).toBe("none");
    expect(detector.handleTimeout(due)).toBe("probe");
    expect(detector.lost).toEqual([]);
    expect(detector.sent.bytesInFlight).toBe(3600);
    expect([detector.probesPending, detector.oldestInFlight]).toEqual([2, 1]);
    send(detector, 425, { flags: ACK_ONLY });
    expect(detector.probesPending).toBe(2);
    send(detector, 425, { count: 2 });
    expect(detector.probesPending).toBe(0);
    send(detector, 425);
    expect(detector.probesPending).toBe(0);
  });

  test("doubles with each expiry up to 2 s, and an acknowledgement ends that (REC-14, RFC 9002 §6.2.1)", () => {
    const detector = measured();
    send(detector, 200);
    let now = 200;
    const pauses: number[] = [];
    for (let i = 0; i < 40; i++) {
      const due = detector.nextTimeout()!;
      pauses.push(due - now);
      now = due;
      expect(detector.handleTimeout(due)).toBe("probe");
      send(detector, now);
    }
    expect(pauses.slice(0, 7)).toEqual([225, 450, 900, 1800, 2000, 2000, 2000]);
    expect(pauses[39]).toBe(MAX_PROBE_INTERVAL);
    expect(detector.probeCount).toBe(40);
    ack(detector, now + 100, [41]);
    expect(detector.probeCount).toBe(0);
    expect(detector.lost).toHaveLength(40);
  });

  test("a probe timeout above 2 s is not shortened", () => {
    const detector = new LossDetector<string>();
    send(detector, 0);
    ack(detector, 5000, [0]);
    send(detector, 6000);
    expect(detector.nextTimeout()).toBe(6000 + 10_025);
    detector.handleTimeout(at(16_025));
    expect(detector.nextTimeout()).toBe(16_025 + 10_025);
  });

  test("an acknowledgement of nothing new does not end the doubling", () => {
    const detector = measured();
    send(detector, 200);
    detector.handleTimeout(at(425));
    ack(detector, 430, [0]);
    expect([detector.probeCount, detector.probesPending]).toEqual([1, 2]);
    ack(detector, 440, [1]);
    expect([detector.probeCount, detector.probesPending]).toEqual([0, 0]);
  });

  test("a packet after a silence of a probe timeout ends the doubling, and what is overdue then is sent at once (REC-14)", () => {
    const detector = measured();
    send(detector, 200);
    for (let i = 0; i < 3; i++) detector.handleTimeout(detector.nextTimeout()!);
    const expiredAt = 200 + 225 + 450 + 900;
    expect(detector.nextTimeout()).toBe(expiredAt + 1_800);
    detector.onHeard(detector.probeTimeout - 1);
    expect(detector.nextTimeout()).toBe(expiredAt + 1_800);
    detector.onHeard(detector.probeTimeout);
    expect(detector.nextTimeout()).toBe(expiredAt + 225);
    expect(detector.handleTimeout(at(expiredAt + 1_000))).toBe("probe");
    expect(detector.nextTimeout()).toBe(expiredAt + 1_000 + 450);
  });

  test("is not armed while a packet waits for the time threshold (RFC 9002 §6.2.1)", () => {
    const detector = measured();
    send(detector, 200);
    send(detector, 210);
    send(detector, 220);
    ack(detector, 290, [2]);
    expect(detector.nextTimeout()).toBe(200 + 97.5 * 1.125);
    detector.handleTimeout(detector.nextTimeout()!);
    // Back to the probe timeout of packet 3.
    expect(detector.nextTimeout()).toBe(220 + detector.rtt.probeDelay(25));
  });

  test("the deadline lies in the future after every expiry, even when the timer fires hours late", () => {
    const detector = measured();
    send(detector, 200);
    const late = 200 + 3_600_000;
    expect(detector.handleTimeout(at(late))).toBe("probe");
    expect(detector.nextTimeout()!).toBeGreaterThan(late);
    expect(detector.handleTimeout(at(late))).toBe("none");
  });
});

describe("bounds", () => {
  test("a packet more than 100,000 numbers behind is lost, so withheld acknowledgements pin little memory (REC-17)", () => {
    const detector = new LossDetector<string>();
    send(detector, 0);
    let largest = 0;
    // The peer sends data, which we acknowledge, but never acknowledges our one packet.
    for (let i = 1; i < 2 * MAX_SPAN; i++) {
      send(detector, i / 10, { size: 60, flags: ACK_ONLY });
      const due = detector.nextTimeout();
      if (due !== undefined && due <= i / 10 && detector.handleTimeout(at(i / 10)) === "probe") send(detector, i / 10);
      largest = Math.max(largest, detector.sent.capacity);
    }
    expect(largest).toBe(131_072);
    expect(detector.delivery.lost).toBeGreaterThan(0);
  });

  test("so is unacknowledged data: the oldest eighth at a time", () => {
    const detector = new LossDetector<string>({ maxSpan: 800 });
    send(detector, 0, { count: 801 });
    expect(detector.nextTimeout()).toBe(0);
    expect(detector.handleTimeout(at(0))).toBe("lost");
    expect(detector.lost).toHaveLength(102);
    expect(detector.nextTimeout()!).toBeGreaterThan(0);
    send(detector, 1, { count: 99 });
    expect(detector.sent.capacity).toBe(1024);
  });
});
