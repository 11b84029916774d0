import { describe, expect, test } from "vitest";
import { LossDetector } from "../../src/recovery/loss-detector.ts";
import { MTU_PROBE } from "../../src/recovery/sent-packets.ts";
import { ack, DATA, send } from "./support.ts";

const PROBE = DATA | MTU_PROBE;

/** A detector that has measured 100 ms once; the next number is 1. */
function measured(): LossDetector<string> {
  const detector = new LossDetector<string>();
  send(detector, 0);
  ack(detector, 100, [0]);
  return detector;
}

describe("a packet that probes the path's MTU", () => {
  test("counts as in flight and is acknowledged like any other (MTU-3, RFC 9000 §14.4)", () => {
    const detector = measured();
    const probe = send(detector, 200, { size: 1472, flags: PROBE });
    expect(detector.sent.bytesInFlight).toBe(1472);
    expect(detector.sent.isMtuProbe(probe)).toBe(true);
    ack(detector, 300, [probe]);
    expect(detector.acked).toEqual([probe]);
    expect(detector.ackEvent.bytes).toBe(1472);
    expect(detector.sent.isAcked(probe)).toBe(true);
    expect(detector.sent.bytesInFlight).toBe(0);
  });

  test("is in no list and no event when it is lost (MTU-4, RFC 9000 §14.4)", () => {
    const detector = measured();
    const probe = send(detector, 200, { size: 1472, flags: PROBE });
    send(detector, 200, { count: 3 });
    ack(detector, 300, [[probe + 1, probe + 3]]);
    expect(detector.sent.isLost(probe)).toBe(true);
    expect(detector.lost).toEqual([]);
    expect(detector.lossEvent.bytes).toBe(0);
    expect(detector.delivery.lost).toBe(0);
    expect(detector.sent.bytesInFlight).toBe(0);
    expect(detector.sent.lostCount).toBe(0);
  });

  test("lost by time alone makes the timer say that something was lost (MTU-4)", () => {
    const detector = measured();
    const probe = send(detector, 200, { size: 1472, flags: PROBE });
    send(detector, 200);
    ack(detector, 300, [probe + 1]);
    const due = detector.nextTimeout()!;
    expect(due).toBe(200 + (9 / 8) * 100);
    expect(detector.handleTimeout(due)).toBe("lost");
    expect(detector.lost).toEqual([]);
    expect(detector.sent.isLost(probe)).toBe(true);
    expect(detector.nextTimeout()).toBe(undefined);
  });

  test("is no spurious loss when it arrives late (MTU-4)", () => {
    const detector = measured();
    const probe = send(detector, 200, { size: 1472, flags: PROBE });
    send(detector, 200, { count: 3 });
    ack(detector, 300, [[probe + 1, probe + 3]]);
    expect(ack(detector, 310, [[probe, probe + 3]])).toBe("ok");
    expect([detector.acked, detector.spurious]).toEqual([[], []]);
  });

  test("neither begins nor continues persistent congestion (MTU-4, RFC 9002 §7.6)", () => {
    const detector = measured();
    // Two seconds in which only probes are lost; with data it would be persistent congestion.
    const first = send(detector, 200, { size: 1472, flags: PROBE });
    send(detector, 2_200, { size: 1472, flags: PROBE });
    const data = send(detector, 2_300, { count: 2 });
    ack(detector, 2_400, [[data, data + 1]]);
    expect(detector.sent.isLost(first)).toBe(true);
    expect(detector.lossEvent.isPersistent).toBe(false);
    expect(detector.nextTimeout()).toBe(undefined);
  });
});
