/**
 * Every fault of a link, by exact schedule or by statistics over many packets. Bounds are five standard deviations.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { address } from "../../src/testing/address.ts";
import { Environment } from "../../src/testing/environment.ts";
import { Link } from "../../src/testing/link.ts";
import type { LinkOptions } from "../../src/testing/link-options.ts";
import { Packet } from "../../src/testing/packet.ts";
import { Rng } from "../../src/testing/rng.ts";
import { Timeline } from "../../src/testing/timeline.ts";
import { Trace } from "../../src/testing/trace.ts";
import type { Instant } from "../../src/util/time.ts";

const FROM = address("192.0.2.1", 1000);
const TO = address("192.0.2.2", 2000);

/** A link on a bench: send, let time pass, see what arrived when. */
class Bench {
  readonly arrivals: { id: number; at: number; payload: Uint8Array }[] = [];
  readonly timeline = new Timeline(0 as Instant);
  readonly link: Link;
  #sent = 0;

  constructor(conditions: LinkOptions, seed = 1) {
    const environment = new Environment({
      timeline: this.timeline,
      trace: new Trace(this.timeline, 0),
      rng: new Rng(seed),
    });
    this.link = new Link({
      name: "link",
      environment,
      conditions,
      deliver: ({ id, payload }) => this.arrivals.push({ id, at: this.timeline.now, payload }),
      defers: false,
    });
  }

  /** Sends `count` packets of `size` bytes at once. */
  send(count = 1, size = 72): void {
    for (let i = 0; i < count; i++) {
      this.#sent += 1;
      this.link.send(new Packet({ id: this.#sent, from: FROM, to: TO, payload: new Uint8Array(size), ttl: 64 }));
    }
  }

  /** Sends one packet every ms. */
  stream(count: number): void {
    for (let i = 0; i < count; i++) {
      this.pass(this.timeline.now + 1);
      this.send();
    }
    this.pass(Number.POSITIVE_INFINITY);
  }

  pass(until: number): void {
    for (let at = this.timeline.nextAt(); at !== undefined && at <= until; at = this.timeline.nextAt()) {
      this.timeline.advance(at);
      this.timeline.take()!.run();
    }
    if (until < Number.POSITIVE_INFINITY) this.timeline.advance(until as Instant);
  }

  get times(): readonly number[] {
    return this.arrivals.map((arrival) => arrival.at);
  }

  get ids(): readonly number[] {
    return this.arrivals.map((arrival) => arrival.id);
  }
}

/** Whether `count` hits in `trials` fit a probability. */
function fits(count: number, trials: number, probability: number): boolean {
  return Math.abs(count - trials * probability) <= 5 * Math.sqrt(trials * probability * (1 - probability));
}

function expectConservation({ link }: Bench): void {
  const { sent, delivered, tailDropped, lost, oversized, policed, blackedOut, scripted } = link.counters;
  const { discarded, duplicated } = link.counters;
  const dropped = tailDropped + lost + oversized + policed + blackedOut + scripted + discarded;
  expect(delivered + dropped).toBe(sent + duplicated);
}

describe("time", () => {
  test("a perfect link delivers at once", () => {
    const bench = new Bench({});
    bench.send(3);
    expect(bench.times).toEqual([0, 0, 0]);
  });

  test("delay shifts every packet by the same time", () => {
    const bench = new Bench({ delay: 25 });
    bench.send();
    bench.pass(10);
    bench.send();
    bench.pass(100);
    expect(bench.times).toEqual([25, 35]);
  });

  test("the rate counts IP packets: 100 bytes at 100 kbit/s take 8 ms each", () => {
    const bench = new Bench({ bitsPerSecond: 100_000, delay: 5 });
    bench.send(3, 72);
    bench.pass(100);
    expect(bench.times).toEqual([13, 21, 29]);
  });

  test("framing takes its share of the rate, but no room in the queue", () => {
    const bench = new Bench({ bitsPerSecond: 100_000, framing: 25, queue: { bytes: 200 } });
    bench.send(3, 72);
    expect(bench.link.queueDelay).toBe(20);
    bench.pass(100);
    expect(bench.times).toEqual([10, 20]);
  });

  test("IPv6 headers are 20 bytes longer", () => {
    const [from, to] = [address("2001:db8::1", 1), address("2001:db8::2", 2)];
    const packet = new Packet({ id: 1, from, to, payload: new Uint8Array(52), ttl: 64 });
    expect(packet.size).toBe(100);
  });

  test("jitter spreads arrivals over its span without changing their order", () => {
    const bench = new Bench({ delay: 10, jitter: 0.9 });
    bench.stream(5000);
    const spread = bench.times.map((at, index) => at - (index + 1) - 10);
    expect(Math.min(...spread)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...spread)).toBeLessThan(0.9);
    expect(Math.abs(spread.reduce((a, b) => a + b, 0) / 5000 - 0.45)).toBeLessThan(5 * (0.9 / Math.sqrt(12 * 5000)));

    const wild = new Bench({ jitter: 50 });
    wild.stream(2000);
    expect(wild.ids).toEqual(Array.from({ length: 2000 }, (_, index) => index + 1));
    expect(wild.link.counters.reordered).toBe(0);
  });
});

describe("queue", () => {
  test("what is lost after the queue has taken its share of the rate, what is lost before it has not", () => {
    for (const lossBeforeQueue of [false, true]) {
      const bench = new Bench({ bitsPerSecond: 100_000, queue: { packets: 4 }, loss: 1, lossBeforeQueue });
      bench.send(3, 72);
      expect(bench.link.queueDelay).toBe(lossBeforeQueue ? 0 : 24);
      expect(bench.link.queueLength).toBe(lossBeforeQueue ? 0 : 3);
      bench.send(3, 72);
      expect(bench.link.counters.tailDropped).toBe(lossBeforeQueue ? 0 : 2);
      bench.pass(100);
      expectConservation(bench);
    }
  });

  test("packets beyond the limit are dropped at the tail", () => {
    const bench = new Bench({ bitsPerSecond: 100_000, queue: { packets: 4 } });
    bench.send(6);
    expect(bench.link.queueLength).toBe(4);
    bench.pass(100);
    expect(bench.ids).toEqual([1, 2, 3, 4]);
    expect(bench.link.counters).toMatchObject({ sent: 6, delivered: 4, tailDropped: 2 });
    expectConservation(bench);
  });

  test("bytes beyond the limit are dropped, so a smaller packet may still fit", () => {
    const bench = new Bench({ bitsPerSecond: 100_000, queue: { bytes: 250 } });
    bench.send(3, 72);
    bench.send(1, 22);
    bench.pass(100);
    expect(bench.ids).toEqual([1, 2, 4]);
  });

  test("a new rate holds for all that has not left, the rest of the packet on its way included", () => {
    const bench = new Bench({ bitsPerSecond: 100_000, delay: 5 });
    bench.send(3, 72);
    bench.pass(2);
    bench.link.update({ bitsPerSecond: 10_000 });
    expect(bench.link.queueDelay).toBe(60 + 80 + 80);
    bench.pass(100);
    bench.link.update({ bitsPerSecond: 1_000_000 });
    bench.pass(200);
    // 6 of 8 ms are left, at a tenth of the rate; 42 of 80 ms, at a hundredfold; then 0.8 ms.
    expect(bench.times).toEqual([2 + 60 + 5, 100 + 0.42 + 5, 100 + 0.42 + 0.8 + 5]);
  });

  test("a rate without limit empties the queue at once", () => {
    const bench = new Bench({ bitsPerSecond: 100_000 });
    bench.send(3, 72);
    bench.pass(2);
    bench.link.update({ bitsPerSecond: Number.POSITIVE_INFINITY });
    bench.send();
    bench.pass(2);
    expect(bench.times).toEqual([2, 2, 2, 2]);
    expect(bench.ids).toEqual([1, 2, 3, 4]);
  });

  test("a place is free again once a packet has left", () => {
    const bench = new Bench({ bitsPerSecond: 100_000, queue: { packets: 1 } });
    bench.send(2);
    bench.pass(8);
    expect(bench.link.queueLength).toBe(0);
    bench.send();
    bench.pass(100);
    expect(bench.ids).toEqual([1, 3]);
  });
});

describe("loss", () => {
  test("independent loss has its probability and no memory", () => {
    const bench = new Bench({ loss: 0.2 });
    bench.stream(20_000);
    const { lost } = bench.link.counters;
    expect(fits(lost, 20_000, 0.2)).toBe(true);
    const arrived = new Set(bench.ids);
    let pairs = 0;
    for (let id = 1; id < 20_000; id++) if (!arrived.has(id) && !arrived.has(id + 1)) pairs += 1;
    expect(fits(pairs, 20_000, 0.04)).toBe(true);
    expectConservation(bench);
  });

  test("after the longest run the next packet is spared: p + p² + p³ lost of 1 + p + p² + p³", () => {
    const bench = new Bench({ loss: 0.3, longestRun: 3 });
    bench.stream(20_000);
    const sum = 0.3 + 0.3 ** 2 + 0.3 ** 3;
    expect(fits(bench.link.counters.lost, 20_000, sum / (1 + sum))).toBe(true);
    const gaps = bench.ids.map((id, index) => id - (bench.ids[index - 1] ?? 0));
    expect(Math.max(...gaps)).toBe(4);
  });

  test("the model of Gilbert and Elliott has the share and the length of its bad state", () => {
    const bench = new Bench({ burstLoss: { enter: 0.01, leave: 0.25 } });
    bench.stream(100_000);
    const arrived = new Set(bench.ids);
    let bursts = 0;
    for (let id = 1; id <= 100_000; id++) if (!arrived.has(id) && (id === 1 || arrived.has(id - 1))) bursts += 1;
    const { lost, lostInBurst } = bench.link.counters;
    expect(lostInBurst).toBe(lost);
    expect(lost / 100_000).toBeCloseTo(0.01 / 0.26, 2);
    expect(lost / bursts).toBeGreaterThan(3.6);
    expect(lost / bursts).toBeLessThan(4.4);
  });

  test("its states may lose only a part", () => {
    const bench = new Bench({ burstLoss: { enter: 0.5, leave: 0.5, lossWhenGood: 0.1, lossWhenBad: 0.3 } });
    bench.stream(20_000);
    expect(fits(bench.link.counters.lost, 20_000, 0.2)).toBe(true);
  });

  test("packets larger than the MTU vanish, headers included", () => {
    const bench = new Bench({ mtu: 1500 });
    bench.send(1, 1472);
    bench.send(1, 1473);
    expect(bench.ids).toEqual([1]);
    expect(bench.link.counters.oversized).toBe(1);
  });

  test("a policer drops what exceeds its bucket, and lets through what the rate has earned", () => {
    // Packets of 100 bytes, 300 bytes in the bucket, and another packet's worth every 8 ms.
    const bench = new Bench({ policer: { bitsPerSecond: 100_000, burst: 300 } });
    bench.send(5);
    expect(bench.link.counters).toMatchObject({ policed: 2, delivered: 3 });
    bench.stream(16);
    expect(bench.link.counters).toMatchObject({ policed: 2 + 14, delivered: 3 + 2 });
  });

  test("in a blackout nothing leaves; what left before it arrives", () => {
    const bench = new Bench({ delay: 20, blackouts: [{ from: 10, until: 30 }] });
    for (const at of [0, 9, 10, 29, 30]) {
      bench.pass(at);
      bench.send();
    }
    bench.pass(100);
    expect(bench.times).toEqual([20, 29, 50]);
    expect(bench.link.counters.blackedOut).toBe(2);
    expectConservation(bench);
  });

  test("a link can be taken down and up again", () => {
    const bench = new Bench({});
    bench.link.isUp = false;
    bench.send();
    bench.link.isUp = true;
    bench.send();
    expect(bench.ids).toEqual([2]);
  });
});

describe("other faults", () => {
  test("late packets are overtaken by those that follow", () => {
    const bench = new Bench({ delay: 5, reordering: { probability: 0.1, minDelay: 3.5, maxDelay: 9.5 } });
    bench.stream(10_000);
    const late = bench.arrivals.filter(({ id, at }) => at - id > 5.5);
    expect(fits(late.length, 10_000, 0.1)).toBe(true);
    for (const { id, at } of late) {
      expect(at - id - 5).toBeGreaterThanOrEqual(3.5 - 1e-9);
      expect(at - id - 5).toBeLessThan(9.5);
    }
    // Only one whose next three packets are all late too escapes.
    expect(bench.link.counters.reordered).toBeGreaterThan(late.length * 0.95);
    expect(bench.link.counters.lost).toBe(0);
    expectConservation(bench);
  });

  test("packets that skip the delay overtake all that are under way, and hold nothing up", () => {
    const bench = new Bench({ delay: 20, jitter: 0.5, overtaking: 0.02 });
    bench.stream(10_000);
    const early = bench.arrivals.filter(({ id, at }) => at - id < 20);
    expect(fits(early.length, 10_000, 0.02)).toBe(true);
    for (const { id, at } of early) expect(at - id).toBeCloseTo(0, 6);
    const ordinary = bench.ids.filter((id) => !early.some((each) => each.id === id));
    expect(ordinary).toEqual([...ordinary].sort((a, b) => a - b));
    expectConservation(bench);
  });

  test("duplicates follow at once and have bytes of their own", () => {
    const bench = new Bench({ delay: 5, duplication: 0.05 });
    bench.stream(10_000);
    const { duplicated, delivered, reordered } = bench.link.counters;
    expect(fits(duplicated, 10_000, 0.05)).toBe(true);
    expect(delivered).toBe(10_000 + duplicated);
    expect(reordered).toBe(0);
    const single = new Bench({ duplication: 1 });
    single.send();
    const [first, second] = single.arrivals;
    expect(first!.id).toBe(second!.id);
    expect(first!.payload).toEqual(second!.payload);
    expect(first!.payload.buffer).not.toBe(second!.payload.buffer);
  });

  test("corruption flips exactly one bit, anywhere", () => {
    const bench = new Bench({ corruption: 0.5 });
    bench.stream(4000);
    const bits = new Set<number>();
    let corrupted = 0;
    for (const { payload } of bench.arrivals) {
      const flipped = [...payload].flatMap((byte, index) =>
        [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => (byte >> bit) & 1).map((bit) => 8 * index + bit),
      );
      expect(flipped.length).toBeLessThanOrEqual(1);
      for (const bit of flipped) bits.add(bit);
      corrupted += flipped.length;
    }
    expect(corrupted).toBe(bench.link.counters.corrupted);
    expect(fits(corrupted, 4000, 0.5)).toBe(true);
    expect(bits.size).toBeGreaterThan(500);
  });

  test("corruption may reach the first bytes only, spare the packet after a run, and end in the bin", () => {
    const bench = new Bench({ corruption: 0.9, corruptionReach: 4, longestRun: 2, discardsCorrupt: true });
    bench.stream(1000);
    const { corrupted, discarded, delivered } = bench.link.counters;
    expect(discarded).toBe(corrupted);
    expect(delivered).toBe(1000 - discarded);
    expect(Math.max(...bench.ids.map((id, index) => id - (bench.ids[index - 1] ?? 0)))).toBe(3);
    expectConservation(bench);
    const near = new Bench({ corruption: 1, corruptionReach: 4 });
    near.stream(200);
    const hit = near.arrivals.map(({ payload }) => payload.findIndex((byte) => byte !== 0));
    expect(new Set(hit)).toEqual(new Set([0, 1, 2, 3]));
  });

  test("one fault does not shift the draws of another", () => {
    const clean = new Bench({ loss: 0.1 });
    const dirty = new Bench({
      loss: 0.1,
      jitter: 1,
      corruption: 0.2,
      reordering: { probability: 0.1, minDelay: 1, maxDelay: 2 },
    });
    clean.stream(1000);
    dirty.stream(1000);
    expect(new Set(dirty.ids)).toEqual(new Set(clean.ids));
  });
});

describe("scripts", () => {
  test("dropNext drops exactly the next packets", () => {
    const bench = new Bench({});
    bench.send();
    bench.link.dropNext(2);
    bench.send(3);
    expect(bench.ids).toEqual([1, 4]);
    expect(bench.link.counters.scripted).toBe(2);
  });

  test("a filter passes, drops, duplicates, corrupts or delays what it chooses", () => {
    const bench = new Bench({ delay: 1 });
    bench.link.filter = ({ id }) => (["pass", "drop", "duplicate", "corrupt", 7] as const)[id - 1]!;
    bench.send(5);
    bench.pass(100);
    expect(bench.ids).toEqual([1, 3, 3, 4, 5]);
    expect(bench.times).toEqual([1, 1, 1, 1, 8]);
    expect(bench.arrivals[3]!.payload.some((byte) => byte !== 0)).toBe(true);
    expectConservation(bench);
  });

  test("conditions change for what enters afterwards, and a faster route overtakes", () => {
    const bench = new Bench({ delay: 50 });
    bench.send();
    bench.link.update({ delay: 10 });
    bench.send();
    bench.pass(100);
    expect(bench.ids).toEqual([2, 1]);
    expect(bench.times).toEqual([10, 50]);
    expect(bench.link.counters.reordered).toBe(1);
    expect(bench.link.conditions.delay).toBe(10);
  });

  test.each([
    { loss: 1.5 },
    { duplication: -1 },
    { corruption: Number.NaN },
    { bitsPerSecond: 0 },
    { delay: -1 },
    { jitter: Number.POSITIVE_INFINITY },
    { burstLoss: { enter: 2, leave: 0 } },
    { reordering: { probability: 0.5, minDelay: -2, maxDelay: 1 } },
    { overtaking: 2 },
    { framing: -1 },
    { longestRun: 0 },
    { corruptionReach: Number.NaN },
    { policer: { bitsPerSecond: 1e6, burst: 0 } },
  ])("impossible conditions are refused: %o", (conditions) => {
    expect(() => new Bench(conditions)).toThrow(RangeError);
  });
});
