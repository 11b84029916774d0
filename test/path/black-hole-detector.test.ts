import { describe, expect, test } from "vitest";
import { BlackHoleDetector, MIN_ROW } from "../../src/path/black-hole-detector.ts";
import { Rng } from "../../src/testing/rng.ts";

const LARGE = 1472;
const SMALL = 1200;

/** A detector and the packets that it hears of. */
class Bench {
  readonly detector = new BlackHoleDetector();
  readonly #sizes: number[] = [];
  readonly #ledger = { size: (packetNumber: number) => this.#sizes[packetNumber]! };

  /** Sends packets; returns their numbers. */
  send(size: number, count = 1): number[] {
    return Array.from({ length: count }, () => this.#sizes.push(size) - 1);
  }

  ack(...packets: number[]): void {
    this.detector.onAcked(packets, this.#ledger);
  }

  lose(...packets: number[]): void {
    this.detector.onLost(packets, this.#ledger);
  }

  /** Whether a black hole is seen once everything is decided. */
  get verdict(): boolean {
    return this.detector.isBlackHole(this.#sizes.length);
  }
}

describe("black hole (MTU-10, RFC 8899 §4.3)", () => {
  test("is a row of lost large packets and a small one after it that arrived", () => {
    const bench = new Bench();
    const row = bench.send(LARGE, MIN_ROW);
    const [small] = bench.send(SMALL);
    bench.ack(small!);
    bench.lose(...row.slice(1));
    expect(bench.verdict).toBe(false);
    bench.lose(row[0]!);
    expect(bench.verdict).toBe(true);
  });

  test("is none while only large packets are lost: the path may be dead altogether", () => {
    const bench = new Bench();
    bench.lose(...bench.send(LARGE, 1_000));
    expect(bench.verdict).toBe(false);
  });

  test("is none if the small packet was sent before the row", () => {
    const bench = new Bench();
    const [small] = bench.send(SMALL);
    bench.ack(small!);
    bench.lose(...bench.send(LARGE, 100));
    expect(bench.verdict).toBe(false);
  });

  test("is none while a large packet that was sent before the small one is undecided", () => {
    const bench = new Bench();
    const row = bench.send(LARGE, 50);
    const [large] = bench.send(LARGE);
    const [small] = bench.send(SMALL);
    bench.ack(small!);
    bench.lose(...row);
    expect(bench.detector.isBlackHole(large!)).toBe(false);
    expect(bench.detector.isSuspected).toBe(true);
    // After a burst of loss both arrive.
    bench.ack(large!);
    expect([bench.verdict, bench.detector.isSuspected]).toEqual([false, false]);
    bench.lose(...bench.send(LARGE, MIN_ROW - 1));
    bench.ack(...bench.send(SMALL));
    expect(bench.verdict).toBe(false);
  });

  test("is found among small packets that keep arriving, each newer than the last", () => {
    const bench = new Bench();
    const ledger: number[] = [];
    let found = -1;
    for (let i = 0; i < 100 && found < 0; i++) {
      ledger.push(...bench.send(LARGE), ...bench.send(SMALL));
      // The small one arrives, the large one before the last small one is lost.
      bench.ack(ledger[2 * i + 1]!);
      if (i >= 2) bench.lose(ledger[2 * (i - 2)]!);
      if (bench.detector.isBlackHole(Math.max(0, 2 * (i - 1)))) found = i;
    }
    expect(found).toBeGreaterThanOrEqual(MIN_ROW);
    expect(found).toBeLessThanOrEqual(MIN_ROW + 4);
  });

  test("is denied by a large packet of the row that arrives late", () => {
    const bench = new Bench();
    const row = bench.send(LARGE, MIN_ROW + 3);
    bench.lose(...row);
    bench.ack(row[10]!);
    bench.ack(...bench.send(SMALL));
    expect(bench.verdict).toBe(false);
  });

  test("begins anew after a restart: what was sent before does not count", () => {
    const bench = new Bench();
    const row = bench.send(LARGE, MIN_ROW);
    bench.detector.restart(row.at(-1)!);
    bench.lose(...row);
    bench.ack(...bench.send(SMALL));
    expect(bench.verdict).toBe(false);
  });
});

describe("random loss makes no black hole (MTU-10)", () => {
  test.each([
    { loss: 0.1, small: 0 },
    { loss: 0.1, small: 0.5 },
    { loss: 0.2, small: 0.1 },
    { loss: 0.2, small: 0.5 },
    { loss: 0.2, small: 0.9 },
  ])("$loss of 2,000,000 packets, $small of them small", ({ loss, small }) => {
    // The probability of a false alarm is below (large packets) · loss^16: 10^-10 for 10 %, 10^-5 for 20 %.
    let alarms = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const rng = new Rng(seed);
      const bench = new Bench();
      for (let sent = 0; sent < 100_000; ) {
        const acked: number[] = [];
        const lost: number[] = [];
        // Batches from a single packet to a window.
        for (let left = rng.integer(1, 100); left > 0; left--, sent++) {
          const [packetNumber] = bench.send(rng.chance(small) ? SMALL : LARGE);
          (rng.chance(loss) ? lost : acked).push(packetNumber!);
        }
        bench.ack(...acked);
        bench.lose(...lost);
        if (bench.verdict) alarms += 1;
      }
    }
    expect(alarms).toBe(0);
  });

  test("nor does a burst of loss, which large packets survive (MTU-10)", () => {
    const bench = new Bench();
    const rng = new Rng(1);
    for (let burst = 0; burst < 10_000; burst++) {
      const lost = bench.send(LARGE, rng.integer(1, 200));
      const survivors = bench.send(rng.chance(0.5) ? SMALL : LARGE, 3);
      const [large] = bench.send(LARGE);
      bench.ack(...survivors, large!);
      bench.lose(...lost);
      expect(bench.verdict).toBe(false);
    }
  });
});
