import { describe, expect, test } from "vitest";
import { Cubic } from "../../src/congestion/cubic.ts";
import { MTU, Sender } from "./sender.ts";

const INITIAL = 10 * MTU;

const start = () => new Sender(new Cubic(MTU));

/** A sender that has just lost a packet in congestion avoidance, when its window was `packets` and a bit. */
function afterLossAt(packets: number): { readonly sender: Sender<Cubic>; readonly now: number } {
  const sender = start();
  sender.ack(100, sender.send(0, 2 * packets - 10));
  // Persistent congestion leaves no plateau behind, and half as threshold.
  sender.lose(200, sender.send(150, 3), { isPersistent: true });
  sender.ack(400, sender.send(300, packets - 2));
  sender.ack(500, sender.send(400, 1));
  expect(sender.state).toBe("congestion-avoidance");
  sender.lose(600, sender.send(500, 1));
  return { sender, now: 600 };
}

/** RFC 9438 §4 in its own units, segments and seconds. Written from the formulas, one acknowledgement of one segment a time. */
class Oracle {
  cwnd: number;
  readonly wMax: number;
  readonly cwndPrior: number;
  readonly k: number;
  wEst: number;

  constructor(cwndEpoch: number, wMax: number, cwndPrior: number) {
    this.cwnd = cwndEpoch;
    this.wMax = wMax;
    this.cwndPrior = cwndPrior;
    this.k = ((wMax - cwndEpoch) / 0.4) ** (1 / 3);
    this.wEst = cwndEpoch;
  }

  cubic(t: number): number {
    return 0.4 * (t - this.k) ** 3 + this.wMax;
  }

  ack(t: number, rtt: number): "reno" | "cubic" {
    const alpha = this.wEst >= this.cwndPrior ? 1 : (3 * (1 - 0.7)) / (1 + 0.7);
    this.wEst += alpha * (1 / this.cwnd);
    if (this.cubic(t) < this.wEst) {
      this.cwnd = Math.max(this.cwnd, this.wEst);
      return "reno";
    }
    const wanted = this.cubic(t + rtt);
    const target = wanted < this.cwnd ? this.cwnd : wanted > 1.5 * this.cwnd ? 1.5 * this.cwnd : wanted;
    this.cwnd += (target - this.cwnd) / this.cwnd;
    return "cubic";
  }
}

describe("reduction (CC-40)", () => {
  test("a loss in congestion avoidance leaves seven tenths, once per round trip (RFC 9438 §4.6)", () => {
    const sender = start();
    sender.mark(100, 0); // ends slow start
    const [, lost, alsoLost] = sender.send(150, 3);
    sender.ack(200, sender.send(160, 1));
    const before = sender.window;
    sender.lose(250, [lost!]);
    expect(sender.window).toBe(Math.floor(before * 0.7));
    expect(sender.state).toBe("recovery");
    sender.lose(260, [alsoLost!]);
    expect(sender.window).toBe(Math.floor(before * 0.7));
  });

  test("a loss in slow start leaves half (RFC 9438 §4.10)", () => {
    const sender = start();
    sender.ack(100, sender.send(0, 10));
    sender.lose(200, sender.send(150, 1));
    expect([sender.window, sender.threshold]).toEqual([INITIAL, INITIAL]);
  });

  test("two packets remain at least, after marks too (RFC 9002 §7.2)", () => {
    const sender = start();
    for (let i = 0; i < 12; i++) sender.lose(100 * i + 50, sender.send(100 * i, 1));
    expect(sender.window).toBe(2 * MTU);
    sender.mark(2_000, 1_900);
    expect(sender.window).toBe(2 * MTU);
  });

  test("the acknowledgement of a packet sent in recovery ends it; older ones do not count (RFC 9002 §7.3.2)", () => {
    const sender = start();
    const packets = sender.send(0, 10);
    sender.lose(100, packets.slice(0, 1));
    const reduced = sender.window;
    sender.ack(110, packets.slice(1, 9));
    expect([sender.window, sender.state]).toEqual([reduced, "recovery"]);
    // One that covers packets from before and from after.
    sender.ack(210, [...packets.slice(9), ...sender.send(110, 1)]);
    expect(sender.state).toBe("congestion-avoidance");
    expect(sender.window).toBeLessThan(reduced + MTU);
  });
});

describe("growth (CC-41, RFC 9438 §4.2)", () => {
  test.each([
    { packets: 20, rtt: 30, rounds: 40 },
    { packets: 100, rtt: 100, rounds: 120 },
    { packets: 1_000, rtt: 100, rounds: 120 },
    { packets: 300, rtt: 300, rounds: 60 },
  ])("each step from $packets packets at $rtt ms is that of the formulas", ({ packets, rtt, rounds }) => {
    const { sender, now } = afterLossAt(packets);
    const cwnd = sender.window / MTU;
    const oracle = new Oracle(cwnd, cwnd / 0.7, cwnd / 0.7);
    const regions = new Set<string>();
    let time = now + 1;
    const began = time + 1;
    for (let round = 0; round < rounds; round++) {
      const acks = Math.max(1, Math.floor(oracle.cwnd));
      for (let i = 0; i < acks; i++) {
        time += rtt / acks;
        const at = round === 0 && i === 0 ? began : Math.max(time, began);
        sender.ack(at, sender.send(at - 0.5, 1), { smoothed: rtt });
        regions.add(oracle.ack((at - began) / 1e3, rtt / 1e3));
      }
      expect(sender.window / MTU).toBeCloseTo(oracle.cwnd, 1);
    }
    expect(regions).toContain(packets === 20 ? "reno" : "cubic");
  });

  test("with all acknowledgements on time the window is the closed form, a round trip ahead", () => {
    const { sender, now } = afterLossAt(1_000);
    const cwnd = sender.window / MTU;
    const wMax = cwnd / 0.7;
    const k = Math.cbrt((wMax - cwnd) / 0.4); // 9.1 s
    expect(k).toBeCloseTo(9.1, 1);
    const began = now + 10;
    for (let t = 0; t <= 15_000; t += 10) {
      // A tenth of a window each tenth of a round trip.
      sender.ack(began + t, sender.send(began + t - 1, Math.round(sender.window / MTU / 10)), { smoothed: 100 });
      if (t < 500 || t % 1_000 !== 0) continue;
      const seconds = t / 1e3;
      const early = 0.4 * (seconds - k) ** 3 + wMax;
      const late = 0.4 * (seconds + 0.1 - k) ** 3 + wMax;
      expect(sender.window / MTU).toBeGreaterThan(early - 1);
      expect(sender.window / MTU).toBeLessThan(late + 1);
    }
    expect(sender.window / MTU).toBeGreaterThan(wMax + 70); // convex again
  });

  test("it never grows faster than by half in a round trip", () => {
    const { sender, now } = afterLossAt(20);
    const began = now + 10;
    sender.ack(began, sender.send(began - 1, 1));
    const before = sender.window;
    // A minute later, without a pause that would not count: the function has left for thousands of packets.
    let time = began;
    time = sender.stream(time, { acks: 60, every: 1_000, packets: 1 });
    const window = sender.window;
    expect(window).toBeGreaterThan(before);
    sender.ack(time + 1, sender.send(time, Math.floor(window / MTU)), { smoothed: 100 });
    expect(sender.window).toBeLessThanOrEqual(1.5 * window + 1);
    expect(sender.window).toBeGreaterThan(1.4 * window);
  });

  test("the epoch begins with congestion avoidance, not with the loss", () => {
    const { sender, now } = afterLossAt(100);
    const reduced = sender.window;
    // Five seconds pass in recovery. The plateau is 4.2 s away; the first acknowledgement is at the beginning.
    const first = sender.send(now + 1, 1);
    sender.ack(now + 5_000, first, { smoothed: 100 });
    expect(sender.window - reduced).toBeLessThan(0.1 * MTU);
  });
});

describe("time in which the sender has too little to send does not count (CC-42, RFC 9438 §5.8)", () => {
  /** The growth of the first window after a second of growth and a pause that `pause` fills. */
  function growthAfter(pause: (sender: Sender<Cubic>, from: number) => number): number {
    const { sender, now } = afterLossAt(100);
    let time = now + 10;
    time = sender.stream(time, { acks: 100, every: 10, packets: 7 });
    time = pause(sender, time);
    const before = sender.window;
    sender.stream(time, { acks: 10, every: 10, packets: 7 });
    return sender.window - before;
  }
  const none = growthAfter((_, from) => from);

  test("an idle period", () => {
    const idle = growthAfter((sender, from) => {
      // Nothing is in flight before the next packet.
      sender.send(from + 30_000, 1, 0);
      return from + 30_000;
    });
    expect(idle).toBeCloseTo(none, -2);
  });

  test("acknowledgements of an application that sends little", () => {
    const slow = growthAfter((sender, from) => {
      const before = sender.window;
      const time = sender.stream(from, { acks: 60, every: 500, packets: 1 }, { isAppLimited: true });
      expect(sender.window).toBe(before);
      return time;
    });
    expect(slow).toBeCloseTo(none, -2);
  });

  test("slow start does not grow either (RFC 9002 §7.8)", () => {
    const sender = start();
    sender.ack(100, sender.send(0, 10), { isAppLimited: true });
    expect(sender.window).toBe(INITIAL);
  });
});

describe("the function's plateau", () => {
  test("a window that got less far than the last makes room (CC-43, RFC 9438 §4.7)", () => {
    const { sender, now } = afterLossAt(100);
    let time = now + 10;
    sender.ack(time, sender.send(now + 1, 1));
    const window = sender.window / MTU; // 70, below W_max of 100
    sender.lose(time + 200, sender.send(time + 100, 1));
    const reduced = sender.window / MTU;
    expect(reduced).toBeCloseTo(0.7 * window, 1);
    const oracle = new Oracle(reduced, 0.85 * window, window);
    time += 400;
    for (let i = 0; i < 500; i++) {
      sender.ack(time + i, sender.send(time + i - 1, 1), { smoothed: 100 });
      oracle.ack(i / 1e3, 0.1);
    }
    expect(sender.window / MTU).toBeCloseTo(oracle.cwnd, 1);
  });

  test("after persistent congestion it is where congestion avoidance begins (CC-44, RFC 9438 §4.8)", () => {
    const { sender, now } = afterLossAt(100);
    const window = sender.window;
    sender.lose(now + 2_000, sender.send(now + 500, 5), { isPersistent: true });
    expect([sender.window, sender.state]).toEqual([2 * MTU, "slow-start"]);
    expect(sender.threshold).toBeCloseTo(0.7 * window, -1);
    // Ordinary slow start up to the threshold (RFC 9406 §4.3: HyStart++ only for the initial one).
    let time = now + 3_000;
    while (sender.state === "slow-start") {
      const before = sender.window;
      sender.ack(time, sender.send(time - 100, 1), { sample: time / 10 });
      expect(sender.window).toBe(before + MTU);
      time += 10;
    }
    // K is 0: the function rises from its plateau at once, but no faster than NewReno at first.
    const began = sender.window / MTU;
    const oracle = new Oracle(began, began, window / MTU);
    for (let i = 0; i < 3_000; i += 10) {
      sender.ack(time + i, sender.send(time + i - 1, 5), { smoothed: 100 });
      for (let j = 0; j < 5; j++) oracle.ack(i / 1e3, 0.1);
    }
    expect(sender.window / MTU).toBeCloseTo(oracle.cwnd, 0);
    expect(sender.window / MTU).toBeGreaterThan(began + 5);
  });

  test("the initial window follows the packet size, a later one and the epoch do not jump", () => {
    const fresh = start();
    fresh.controller.onMtuChange(1452);
    expect(fresh.window).toBe(14_520);
    const { sender, now } = afterLossAt(100);
    let time = now + 10;
    time = sender.stream(time, { acks: 100, every: 10, packets: 7 });
    const before = sender.window;
    sender.controller.onMtuChange(9_000);
    sender.stream(time, { acks: 1, every: 10, packets: 7 });
    expect(sender.window - before).toBeLessThan(MTU);
    fresh.controller.onMtuChange(65_507);
    expect(fresh.window).toBe(131_014);
  });
});

describe("undo (CC-45, RFC 9438 §4.9.2)", () => {
  test("when all losses of the period were spurious, everything is as it was", () => {
    const { sender, now } = afterLossAt(100);
    const twin = afterLossAt(100).sender;
    let time = now + 10;
    for (const each of [sender, twin]) {
      for (let i = 0; i < 100; i++) each.ack(time + 10 * i, each.send(time + 10 * i - 5, 7), { smoothed: 100 });
    }
    time += 1_000;
    const before = sender.window;
    const threshold = sender.threshold;
    const lost = sender.send(time, 3);
    sender.lose(time + 20, lost.slice(0, 2));
    sender.lose(time + 21, lost.slice(2));
    expect(sender.window).toBeLessThan(before);
    sender.arriveLate(time + 25, lost.slice(0, 2));
    expect(sender.window).toBeLessThan(before);
    sender.arriveLate(time + 26, lost.slice(2));
    expect([sender.window, sender.threshold, sender.state]).toEqual([before, threshold, "congestion-avoidance"]);
    // The function goes on as that of a flow which never saw a loss.
    time += 30;
    for (const each of [sender, twin]) {
      for (let i = 0; i < 300; i++) each.ack(time + 10 * i, each.send(time + 10 * i - 5, 7), { smoothed: 100 });
    }
    expect(sender.window).toBe(twin.window);
  });

  test("slow start goes on where it was interrupted", () => {
    const sender = start();
    const lost = sender.send(0, 1);
    sender.lose(100, lost);
    sender.arriveLate(110, lost);
    expect([sender.window, sender.threshold, sender.state]).toEqual([INITIAL, Number.POSITIVE_INFINITY, "slow-start"]);
    sender.ack(200, sender.send(120, 10));
    expect(sender.window).toBe(2 * INITIAL);
  });

  test("not if one is really lost, not after a mark, not after persistent congestion", () => {
    for (const spoil of ["missing", "mark", "persistent"] as const) {
      const sender = start();
      const lost = sender.send(0, 2);
      sender.lose(100, lost, { isPersistent: spoil === "persistent" });
      if (spoil === "mark") sender.mark(105, 0);
      sender.arriveLate(110, spoil === "missing" ? lost.slice(1) : lost);
      expect(sender.window, spoil).toBe(spoil === "persistent" ? 2 * MTU : INITIAL / 2);
    }
  });

  test("a window that has outgrown the earlier one stays", () => {
    const sender = start();
    const lost = sender.send(0, 1);
    sender.lose(100, lost);
    let time = 300;
    while (sender.window <= INITIAL) time = sender.stream(time, { acks: 1, every: 10, packets: 5 });
    const { window, threshold } = sender;
    sender.arriveLate(time + 1, lost);
    expect([sender.window, sender.threshold]).toEqual([window, threshold]);
  });
});

describe("slow start with HyStart++ (CC-47, RFC 9406 §4.2)", () => {
  /** Acknowledges a round of `packets` packets two at a time; the samples go from `from` to `to`. */
  function round(sender: Sender<Cubic>, now: number, samples: { from: number; to?: number }, packets = 40): void {
    const { from, to = from } = samples;
    const numbers = sender.send(now - 50, packets);
    const acks = packets / 2;
    for (let i = 0; i < acks; i++) {
      const sample = from + ((to - from) * i) / (acks - 1);
      sender.ack(now + i, numbers.slice(2 * i, 2 * i + 2), { sample });
    }
  }

  test("a longer round trip slows growth to a quarter, and after five rounds slow start is over without a loss", () => {
    const sender = start();
    round(sender, 100, { from: 30 });
    round(sender, 200, { from: 30 });
    round(sender, 300, { from: 40 });
    expect(sender.state).toBe("conservative-slow-start");
    for (let i = 1; i <= 4; i++) {
      const before = sender.window;
      round(sender, 300 + 100 * i, { from: 40 });
      if (i < 4) expect(sender.window - before).toBe((40 * MTU) / 4);
    }
    round(sender, 800, { from: 40 }, 2);
    expect(sender.state).toBe("congestion-avoidance");
    expect(sender.threshold).toBeLessThanOrEqual(sender.window);
    // CC-44, RFC 9438 §4.10: the function begins at its plateau.
    const began = sender.window / MTU;
    const oracle = new Oracle(began, began, began);
    for (let i = 0; i < 2_000; i += 10) {
      sender.ack(1_000 + i, sender.send(999 + i, 5), { smoothed: 100 });
      for (let j = 0; j < 5; j++) oracle.ack(i / 1e3, 0.1);
    }
    expect(sender.window / MTU).toBeCloseTo(oracle.cwnd, 0);
  });

  test("jitter that passes does not end slow start", () => {
    const sender = start();
    round(sender, 100, { from: 30 });
    round(sender, 200, { from: 30 });
    round(sender, 300, { from: 40 });
    expect(sender.state).toBe("conservative-slow-start");
    round(sender, 400, { from: 30 });
    expect(sender.state).toBe("slow-start");
  });

  test("a loss ends it", () => {
    const sender = start();
    round(sender, 100, { from: 30 });
    const { window } = sender;
    sender.lose(200, sender.send(150, 1));
    expect([sender.window, sender.threshold]).toEqual([window / 2, window / 2]);
  });
});
