import { describe, expect, test } from "vitest";
import { AckTracker, MARKED_CE, MARKED_ECT0 } from "../../src/recovery/ack-tracker.ts";
import { ACK_ELICITING } from "../../src/recovery/sent-packets.ts";
import { ACK_ONLY, at } from "./support.ts";

function tracker(): AckTracker {
  return new AckTracker({ maxAckDelay: 25, minAckDelay: 1 });
}

/** Receives ack-eliciting packets at `now`. */
function receive(acks: AckTracker, now: number, ...numbers: number[]): void {
  for (const packetNumber of numbers) acks.onPacketReceived(packetNumber, ACK_ELICITING, at(now));
}

/** Takes a frame and says that it was sent. */
function flush(acks: AckTracker, now: number, flags = ACK_ONLY) {
  const frame = acks.takeAck(at(now));
  expect(frame).toBeDefined();
  acks.onAckSent(flags);
  return frame!;
}

/** A tracker that acknowledges because of reordering only, as in the tables of the draft. */
function reorderingOnly(reorderingThreshold: number): AckTracker {
  const acks = tracker();
  acks.onAckFrequency({ sequence: 0, threshold: 1000, maxAckDelayUs: 10_000_000, reorderingThreshold });
  return acks;
}

describe("when to acknowledge (RFC 9000 §13.2)", () => {
  test("every second ack-eliciting packet at once, a single one after max_ack_delay (REC-1, RFC 9000 §13.2.1, §13.2.2)", () => {
    const acks = tracker();
    expect(acks.nextTimeout()).toBe(undefined);
    receive(acks, 100, 0);
    expect([acks.shouldAckNow(at(100)), acks.shouldAckNow(at(124.9)), acks.nextTimeout()]).toEqual([false, false, 125]);
    expect(acks.shouldAckNow(at(125))).toBe(true);
    receive(acks, 110, 1);
    expect(acks.shouldAckNow(at(110))).toBe(true);
    expect(flush(acks, 111)).toEqual({ type: "ack", largest: 1, delayUs: 1000, ranges: [0, 2], ecn: undefined });
    expect([acks.shouldAckNow(at(1000)), acks.nextTimeout(), acks.takeAck(at(1000))]).toEqual([
      false,
      undefined,
      undefined,
    ]);
  });

  test("the deadline is that of the first packet, and is over once it was handled", () => {
    const acks = tracker();
    receive(acks, 100, 0);
    acks.handleTimeout(at(110));
    expect(acks.nextTimeout()).toBe(125);
    acks.handleTimeout(at(125));
    expect([acks.nextTimeout(), acks.shouldAckNow(at(125))]).toEqual([undefined, true]);
    flush(acks, 125);
    receive(acks, 130, 1);
    expect(acks.nextTimeout()).toBe(155);
  });

  test("a whole batch makes one frame (REC-1)", () => {
    const acks = tracker();
    receive(acks, 100, 0, 1, 2, 3, 4, 5, 6, 7);
    expect(flush(acks, 100).ranges).toEqual([0, 8]);
    expect(acks.shouldAckNow(at(100))).toBe(false);
  });

  test("a frame may go along earlier, and counts as sent only when it was (REC-1)", () => {
    const acks = tracker();
    receive(acks, 100, 0);
    expect(acks.takeAck(at(101))?.largest).toBe(0);
    expect(acks.takeAck(at(102))?.largest).toBe(0);
    acks.onAckSent(ACK_ELICITING);
    expect([acks.takeAck(at(102)), acks.nextTimeout()]).toEqual([undefined, undefined]);
  });

  test("packets that are not ack-eliciting wait for the next frame (REC-4, RFC 9000 §13.2.1)", () => {
    const acks = tracker();
    for (let i = 0; i < 10; i++) acks.onPacketReceived(i, ACK_ONLY, at(i));
    expect([acks.shouldAckNow(at(10_000)), acks.nextTimeout()]).toEqual([false, undefined]);
    acks.onPacketReceived(12, ACK_ONLY, at(20));
    expect(acks.shouldAckNow(at(10_000))).toBe(false);
    receive(acks, 30, 13, 14);
    expect(flush(acks, 30).ranges).toEqual([12, 15, 0, 10]);
  });

  test("a copy changes nothing (REC-3)", () => {
    const acks = tracker();
    receive(acks, 100, 0, 1, 2);
    flush(acks, 100);
    receive(acks, 110, 0, 1, 2, 2, 2);
    expect([acks.shouldAckNow(at(10_000)), acks.nextTimeout(), acks.takeAck(at(10_000))]).toEqual([
      false,
      undefined,
      undefined,
    ]);
  });
});

describe("reordering (RFC 9000 §13.2.1, draft-ietf-quic-ack-frequency §6.2)", () => {
  test("a gap is reported at once, and once (REC-2, RFC 9000 §13.2.1)", () => {
    const acks = tracker();
    receive(acks, 0, 0, 1);
    flush(acks, 0);
    receive(acks, 1, 3);
    expect(acks.shouldAckNow(at(1))).toBe(true);
    flush(acks, 1);
    receive(acks, 2, 4);
    expect(acks.shouldAckNow(at(2))).toBe(false);
  });

  test("a packet below one that was reported is reported at once (REC-2, RFC 9000 §13.2.1)", () => {
    const acks = tracker();
    receive(acks, 0, 0, 1, 3);
    flush(acks, 0);
    receive(acks, 5, 2);
    expect(acks.shouldAckNow(at(5))).toBe(true);
    expect(flush(acks, 6)).toMatchObject({ ranges: [0, 4], largest: 3, delayUs: 6000 });
  });

  test("a packet may have overtaken others if one of the four before it is missing (REC-29)", () => {
    const acks = tracker();
    receive(acks, 0, 0);
    expect(acks.mayHaveOvertaken(0)).toBe(false);
    expect(acks.mayHaveOvertaken(1)).toBe(false);
    expect(acks.mayHaveOvertaken(2)).toBe(true);
    receive(acks, 1, 2, 3, 4, 5);
    expect(acks.mayHaveOvertaken(5)).toBe(true);
    expect(acks.mayHaveOvertaken(6)).toBe(false);
    // What is settled with the peer counts as received.
    acks.onAckAcked(1);
    expect(acks.mayHaveOvertaken(5)).toBe(false);
  });

  test("missing numbers below the first packet count", () => {
    const acks = tracker();
    receive(acks, 0, 1);
    expect(acks.shouldAckNow(at(0))).toBe(true);
  });

  // The tables of draft-ietf-quic-ack-frequency §6.2.1: packet received, acknowledgement sent.
  test.each([
    {
      threshold: 3,
      steps: [
        [0, false],
        [1, false],
        [3, false],
        [4, false],
        [5, true],
        [8, false],
        [9, true],
        [10, true],
      ],
    },
    {
      threshold: 5,
      steps: [
        [0, false],
        [1, false],
        [3, false],
        [5, false],
        [6, false],
        [7, true],
        [8, false],
        [9, true],
      ],
    },
  ] as const)("the table for reordering threshold $threshold (REC-2)", ({ threshold, steps }) => {
    const acks = reorderingOnly(threshold);
    const seen = steps.map(([packetNumber]) => {
      receive(acks, 0, packetNumber);
      const due = acks.shouldAckNow(at(0));
      if (due) flush(acks, 0);
      return [packetNumber, due];
    });
    expect(seen).toEqual(steps);
  });

  test("a packet that the peer has given up is reported at once: at the threshold below, not closer (REC-2)", () => {
    const late = (packetNumber: number) => {
      const acks = reorderingOnly(3);
      receive(acks, 0, 0, 1, 2, 3, 4, 8);
      acks.onImmediateAck();
      flush(acks, 0); // 5 to 7 are missing, 8 is the largest reported
      receive(acks, 1, packetNumber);
      return acks.shouldAckNow(at(1));
    };
    expect([late(5), late(6), late(7)]).toEqual([true, false, false]);
  });

  test("threshold 0 never reports at once (REC-2)", () => {
    const acks = reorderingOnly(0);
    receive(acks, 0, 0, 5, 3, 100, 1);
    expect(acks.shouldAckNow(at(0))).toBe(false);
    expect(acks.shouldAckNow(at(10_000))).toBe(true);
  });

  test("numbers that were settled by an acknowledged ACK are not missing", () => {
    const acks = reorderingOnly(5);
    receive(acks, 0, ...Array.from({ length: 101 }, (_, i) => i));
    acks.onImmediateAck();
    flush(acks, 0);
    acks.onAckAcked(100);
    expect(acks.rangeCount).toBe(0);
    receive(acks, 1, 101);
    expect(acks.shouldAckNow(at(1))).toBe(false);
    receive(acks, 1, 103);
    receive(acks, 1, 107);
    expect(acks.shouldAckNow(at(1))).toBe(true);
  });
});

describe("what an ACK frame holds", () => {
  test("at most 64 ranges, the highest, whatever arrives (REC-5, RFC 9000 §13.2.3)", () => {
    const acks = tracker();
    for (let i = 0; i < 100_000; i++) {
      receive(acks, i, 2 * i);
      if (acks.shouldAckNow(at(i))) acks.onAckSent(ACK_ONLY);
    }
    expect(acks.rangeCount).toBe(64);
    receive(acks, 100_000, 200_000);
    const frame = flush(acks, 100_000);
    expect(frame.ranges).toHaveLength(128);
    expect([frame.largest, frame.ranges[127]]).toEqual([200_000, 200_000 - 2 * 63 + 1]);
  });

  test("a number below all 64 ranges finds no room, and is no reason to report for ever (REC-5)", () => {
    const acks = tracker();
    for (let i = 1; i <= 64; i++) receive(acks, 0, 1000 + 2 * i);
    flush(acks, 0);
    receive(acks, 1, 5);
    expect(acks.rangeCount).toBe(64);
    expect(flush(acks, 1).ranges).toHaveLength(128);
    expect(acks.shouldAckNow(at(1000))).toBe(false);
  });

  test("the delay runs from the arrival of the largest number (REC-5, RFC 9000 §13.2.5)", () => {
    const acks = tracker();
    receive(acks, 100, 7);
    receive(acks, 110, 6);
    expect(flush(acks, 112.5).delayUs).toBe(12_500);
  });

  test("ranges that the peer knows of are dropped (REC-6, RFC 9000 §13.2.4)", () => {
    const acks = tracker();
    receive(acks, 0, 0, 1, 3, 5, 6);
    const { largest } = flush(acks, 0);
    receive(acks, 1, 8, 9);
    acks.onAckAcked(largest);
    expect(flush(acks, 1).ranges).toEqual([8, 10]);
    acks.onAckAcked(9);
    acks.onImmediateAck();
    // Nothing is known any more, so there is nothing to report, but the peer asked.
    expect(acks.takeAck(at(2))).toBe(undefined);
    receive(acks, 3, 4);
    expect(flush(acks, 3)).toMatchObject({ largest: 4, delayUs: 0, ranges: [4, 5] });
  });

  test("an endpoint that only acknowledges asks for an echo now and then, if it has ranges to drop (REC-6)", () => {
    const acks = tracker();
    receive(acks, 0, 0, 2);
    const asked: boolean[] = [];
    for (let i = 0; i < 40; i++) {
      receive(acks, i, 3 + 2 * i, 4 + 2 * i);
      asked.push(acks.shouldElicitAck);
      flush(acks, i, acks.shouldElicitAck ? ACK_ELICITING : ACK_ONLY);
    }
    expect(asked.flatMap((each, index) => (each ? [index] : []))).toEqual([16, 33]);
    acks.onAckAcked(1000);
    receive(acks, 50, 1001, 1002);
    for (let i = 0; i < 40; i++) acks.onAckSent(ACK_ONLY);
    expect(acks.shouldElicitAck).toBe(false);
  });
});

describe("what the peer asks for (draft-ietf-quic-ack-frequency)", () => {
  test("ACK_FREQUENCY sets threshold and delay; older frames are ignored (REC-7)", () => {
    const acks = tracker();
    expect(acks.onAckFrequency({ sequence: 5, threshold: 3, maxAckDelayUs: 50_000, reorderingThreshold: 1 })).toBe(
      "ok",
    );
    expect(acks.onAckFrequency({ sequence: 5, threshold: 0, maxAckDelayUs: 1000, reorderingThreshold: 0 })).toBe("ok");
    expect(acks.onAckFrequency({ sequence: 4, threshold: 0, maxAckDelayUs: 1000, reorderingThreshold: 0 })).toBe("ok");
    expect(acks.maxAckDelay).toBe(50);
    receive(acks, 0, 0, 1, 2);
    expect([acks.shouldAckNow(at(49)), acks.nextTimeout()]).toEqual([false, 50]);
    receive(acks, 1, 3);
    expect(acks.shouldAckNow(at(1))).toBe(true);
  });

  test("threshold 0 acknowledges every packet (REC-7)", () => {
    const acks = tracker();
    acks.onAckFrequency({ sequence: 0, threshold: 0, maxAckDelayUs: 25_000, reorderingThreshold: 1 });
    receive(acks, 0, 0);
    expect(acks.shouldAckNow(at(0))).toBe(true);
  });

  test.each([
    { maxAckDelayUs: 999, verdict: "invalid" },
    { maxAckDelayUs: 1000, verdict: "ok" },
    { maxAckDelayUs: 2 ** 14 * 1000 - 1, verdict: "ok" },
    { maxAckDelayUs: 2 ** 14 * 1000, verdict: "invalid" },
  ])("a delay of $maxAckDelayUs µs is $verdict (REC-7)", ({ maxAckDelayUs, verdict }) => {
    const acks = tracker();
    expect(acks.onAckFrequency({ sequence: 0, threshold: 1, maxAckDelayUs, reorderingThreshold: 1 })).toBe(verdict);
    if (verdict === "invalid") expect(acks.maxAckDelay).toBe(25);
  });

  test("IMMEDIATE_ACK is answered at once (REC-8)", () => {
    const acks = tracker();
    receive(acks, 0, 0);
    acks.onImmediateAck();
    expect([acks.shouldAckNow(at(0)), acks.nextTimeout()]).toEqual([true, undefined]);
    flush(acks, 0);
    expect(acks.shouldAckNow(at(0))).toBe(false);
  });

  test("marks are counted, and congestion is reported at once (REC-8, RFC 9000 §13.2.1)", () => {
    const acks = tracker();
    acks.onPacketReceived(0, ACK_ELICITING | MARKED_ECT0, at(0));
    expect(acks.shouldAckNow(at(0))).toBe(false);
    acks.onPacketReceived(1, MARKED_CE, at(0));
    expect(acks.shouldAckNow(at(0))).toBe(true);
    expect(flush(acks, 0).ecn).toEqual({ ect0: 1, ect1: 0, ce: 1 });
  });

  test("with a raised threshold only the first marked packet of a row is reported at once (REC-8)", () => {
    const acks = reorderingOnly(1);
    const due = [MARKED_CE, MARKED_CE, MARKED_ECT0, MARKED_CE].map((mark, packetNumber) => {
      acks.onPacketReceived(packetNumber, ACK_ELICITING | mark, at(0));
      const isDue = acks.shouldAckNow(at(0));
      if (isDue) flush(acks, 0);
      return isDue;
    });
    expect(due).toEqual([true, false, false, true]);
  });
});
