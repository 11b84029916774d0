import { describe, expect, test } from "vitest";
import { Ledbat } from "../../src/congestion/ledbat.ts";
import { MTU, Sender } from "./sender.ts";

/** A sender whose samples are `base` ms. */
class Background extends Sender<Ledbat> {
  now = 0;
  readonly base: number;

  constructor(base: number) {
    super(new Ledbat(MTU));
    this.base = base;
  }

  /** A window of packets, one acknowledgement for each; the samples show `queue` ms of waiting. Takes `base` ms. */
  round(queue = 0, { isAppLimited = false } = {}): number {
    const before = this.window;
    const packets = Math.floor(before / MTU);
    for (let i = 0; i < packets; i++) {
      this.now += this.base / packets;
      const facts = { sample: this.base + queue, smoothed: this.base, isAppLimited };
      this.ack(this.now, this.send(this.now, 1), facts);
    }
    return (this.window - before) / MTU;
  }

  /** Rounds until the state is that. */
  roundsUntil(state: string, queue = 0): void {
    while (this.state !== state) this.round(queue);
  }

  loseOne(): void {
    this.now += 1;
    this.lose(this.now, this.send(this.now, 1));
    // The next packets belong to no recovery period.
    this.now += 1;
  }
}

/** A sender after its first slowdown, with a window of some `packets`. */
function settled(base: number, packets: number): Background {
  const sender = new Background(base);
  while (sender.window < packets * MTU) sender.round();
  sender.round(base);
  sender.roundsUntil("slowdown", base / 8);
  sender.roundsUntil("congestion-avoidance");
  return sender;
}

describe("growth (CC-50)", () => {
  test.each([
    { base: 5, divisor: 16 },
    { base: 8, divisor: 15 },
    { base: 30, divisor: 4 },
    { base: 59, divisor: 3 },
    { base: 60, divisor: 2 },
    { base: 119, divisor: 2 },
    { base: 120, divisor: 1 },
    { base: 600, divisor: 1 },
  ])("with a round trip of $base ms it is 1/$divisor of NewReno's", ({ base, divisor }) => {
    const sender = new Background(base);
    expect(sender.window).toBe(2 * MTU);
    sender.ack(base, sender.send(0, 2), { sample: base, smoothed: base });
    expect(sender.window).toBe(Math.floor(2 * MTU + (2 * MTU) / divisor));
    const later = settled(base, 50);
    const growth = later.round(base / 8);
    expect(growth).toBeGreaterThan(0.95 / divisor);
    expect(growth).toBeLessThan(1.05 / divisor);
  });

  test("it is least while the round trip is not known", () => {
    const sender = new Background(100);
    sender.ack(100, sender.send(0, 2), { sample: undefined });
    expect(sender.window).toBe(Math.floor(2 * MTU + (2 * MTU) / 16));
  });

  test("there is none while the application sends too little (RFC 9002 §7.8)", () => {
    const sender = new Background(60);
    expect(sender.round(0, { isAppLimited: true })).toBe(0);
    const later = settled(60, 50);
    expect(later.round(0, { isAppLimited: true })).toBe(0);
  });
});

describe("delay by queues (CC-51)", () => {
  test.each([
    { base: 8, target: 5 },
    { base: 80, target: 20 },
    { base: 240, target: 60 },
    { base: 400, target: 60 },
  ])("with a round trip of $base ms $target ms are aimed at", ({ base, target }) => {
    const sender = settled(base, 200);
    sender.round(target * 0.95);
    sender.round(target * 0.95);
    expect(sender.round(target * 0.95)).toBeGreaterThan(0);
    sender.round(target * 1.2);
    sender.round(target * 1.2);
    expect(sender.round(target * 1.2)).toBeLessThan(0);
  });

  test("three quarters of the target end the first slow start, and the growth of the last round trip is taken back", () => {
    const sender = new Background(120);
    while (sender.window < 60 * MTU) sender.round();
    const { window } = sender;
    // The target is 30 ms.
    for (let i = 0; i < 4; i++) sender.ack(++sender.now, sender.send(sender.now, 1), { sample: 142, smoothed: 120 });
    expect(sender.state).toBe("slow-start");
    for (let i = 0; i < 4; i++) sender.ack(++sender.now, sender.send(sender.now, 1), { sample: 143, smoothed: 120 });
    expect(sender.state).toBe("congestion-avoidance");
    expect(sender.window).toBeGreaterThan((window + 6 * MTU) / 2);
    expect(sender.window).toBeLessThan((window + 9 * MTU) / 2);
  });

  test("a longer queue shrinks the window to what makes for the target; much longer ones by half at most", () => {
    for (const { queue, factor } of [
      { queue: 21, factor: 100 / 101 },
      { queue: 60, factor: 100 / 140 },
      { queue: 1_000, factor: 1 / 2 },
    ]) {
      const sender = settled(80, 300);
      for (let i = 0; i < 3; i++) sender.round(20);
      const before = sender.window;
      // All acknowledgements of a round trip in one, so that the step is that of the formula.
      sender.now += 200;
      const packets = sender.send(sender.now, Math.floor(before / MTU));
      const facts = { sample: 80 + queue, smoothed: 80 };
      sender.ack(sender.now, packets.slice(0, 1), facts); // begins a round
      sender.ack(sender.now + 81, packets.slice(1, 2), facts); // forgets the one before
      const window = sender.window;
      sender.ack(sender.now + 82, packets.slice(2), facts);
      const gain = MTU / 2;
      const expected = window + gain + window * (factor - 1);
      expect(Math.abs(sender.window - expected)).toBeLessThan(1.5 * MTU);
      expect(sender.window).toBeLessThan(window);
    }
  });

  test("time for which the peer holds acknowledgements back is no queue", () => {
    const sender = settled(80, 100);
    for (let i = 0; i < 5; i++) {
      const before = sender.window;
      sender.now += 80;
      sender.ack(sender.now, sender.send(sender.now - 80, 80), { sample: 120, smoothed: 85, held: 25 });
      expect(sender.window).toBeGreaterThan(before);
    }
  });

  test("two packets remain", () => {
    const sender = settled(80, 20);
    for (let i = 0; i < 40; i++) sender.round(500);
    expect(sender.window).toBe(2 * MTU);
  });
});

describe("slowdowns (CC-52)", () => {
  test("the first comes two round trips after slow start, rests for two, and returns to the window", () => {
    const sender = new Background(120);
    while (sender.window < 60 * MTU) sender.round();
    while (sender.state === "slow-start")
      sender.ack(++sender.now, sender.send(sender.now, 1), { sample: 160, smoothed: 120 });
    const ended = sender.now;
    sender.roundsUntil("slowdown", 15);
    expect(sender.now - ended).toBeGreaterThan(239.9);
    expect(sender.now - ended).toBeLessThanOrEqual(360); // a round at most too late: that is how the test steps
    const before = sender.threshold;
    const began = sender.now;
    expect([sender.window, sender.state]).toEqual([2 * MTU, "slowdown"]);
    sender.roundsUntil("ramp-up");
    expect(sender.now - began).toBeGreaterThan(239.9);
    expect(sender.now - began).toBeLessThan(370);
    // A queue does not end the way back; only the first slow start heeds it.
    sender.roundsUntil("congestion-avoidance", 40);
    expect(sender.state).toBe("congestion-avoidance");
    expect(sender.window).toBeGreaterThan(0.7 * before);
    const length = sender.now - began;
    const settledAt = sender.now;
    sender.roundsUntil("slowdown", 15);
    expect((sender.now - settledAt) / length).toBeGreaterThan(8.5);
    expect((sender.now - settledAt) / length).toBeLessThan(9.5);
  });
});

describe("losses (CC-53)", () => {
  test("half of the window remains, once per round trip, and all of it returns if it was spurious", () => {
    const sender = settled(80, 100);
    const before = sender.window;
    const lost = sender.send(sender.now, 2);
    sender.lose(sender.now + 5, lost.slice(0, 1));
    sender.lose(sender.now + 6, lost.slice(1));
    expect([sender.window, sender.state]).toEqual([Math.floor(before / 2), "recovery"]);
    sender.arriveLate(sender.now + 7, lost);
    expect([sender.window, sender.state]).toEqual([before, "congestion-avoidance"]);
  });

  test("a loss ends slow start", () => {
    const sender = new Background(120);
    while (sender.window < 60 * MTU) sender.round();
    const before = sender.window;
    sender.loseOne();
    expect(sender.window).toBe(before / 2);
    sender.round();
    expect(sender.state).toBe("congestion-avoidance");
  });

  test("in a slowdown it is the window to return to that is halved", () => {
    const sender = settled(80, 100);
    sender.roundsUntil("slowdown", 10);
    const before = sender.threshold;
    sender.loseOne();
    expect(sender.window).toBe(2 * MTU);
    expect(sender.threshold).toBe(Math.floor(before / 2));
  });

  test("a mark of congestion counts as a loss that was none of the spurious", () => {
    const sender = settled(80, 100);
    const before = sender.window;
    const lost = sender.send(sender.now, 1);
    sender.lose(sender.now + 5, lost);
    sender.mark(sender.now + 6, sender.now);
    sender.arriveLate(sender.now + 7, lost);
    expect(sender.window).toBe(Math.floor(before / 2));
    sender.mark(sender.now + 20, sender.now + 10);
    expect(sender.window).toBe(Math.floor(before / 4));
  });

  test("persistent congestion leaves two packets and slow start up to half (RFC 9002 §7.6.2)", () => {
    const sender = settled(120, 100);
    const before = sender.window;
    sender.lose(sender.now + 5_000, sender.send(sender.now, 3), { isPersistent: true });
    expect([sender.window, sender.state]).toEqual([2 * MTU, "slow-start"]);
    sender.now += 6_000;
    sender.roundsUntil("congestion-avoidance");
    expect(sender.window).toBeGreaterThanOrEqual(Math.floor(before / 2));
    expect(sender.window).toBeLessThan(before / 2 + 2 * MTU);
  });

  test("the smallest window follows the packet size", () => {
    const sender = new Background(80);
    sender.controller.onMtuChange(9_000);
    expect(sender.window).toBe(18_000);
  });
});
