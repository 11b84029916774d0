/**
 * Which losses ask for less.
 *
 * @module
 */
import { expect, test } from "vitest";
import { LossSignals } from "../../../src/congestion/bbr/loss-signals.ts";
import type { Instant } from "../../../src/util/time.ts";

const SIZE = 1_000;
const MIN_RTT = 40;

/** A round of a hundred packets that begins at `at`: some are lost, and the fastest takes `rtt`. */
class Rounds {
  readonly losses = new LossSignals();
  #delivered = 0;
  #number = 0;

  run(at: number, rtt: number, lost: number, before: (losses: LossSignals) => void = () => {}): void {
    for (let i = 0; i < lost; i++) {
      this.losses.onLost({ packetNumber: this.#number + 2 * i, sentAt: at as Instant, size: SIZE }, this.#delivered);
    }
    this.#number += 200;
    const delivered = (100 - lost) * SIZE;
    const sample = { deliveryRate: 10, delivered, priorDelivered: this.#delivered + delivered };
    this.losses.onAck(sample, delivered, rtt);
    before(this.losses);
    this.#delivered += delivered;
    this.losses.onAckEnd(sample, (at + rtt) as Instant);
  }
}

test("loss without a queue is the path's own, and only what is twice as much is congestion (CC-32)", () => {
  const rounds = new Rounds();
  for (let i = 0; i < 20; i++) {
    rounds.run(100 * i, MIN_RTT, 2, (losses) => {
      expect(losses.isCongestion(MIN_RTT)).toBe(false);
      losses.learnAmbient(MIN_RTT, SIZE);
    });
  }
  expect(rounds.losses.ambientLoss).toBeCloseTo(0.02, 3);
  expect(rounds.losses.threshold).toBeCloseTo(0.06, 3);
  rounds.run(3_000, 2 * MIN_RTT, 3, (losses) => expect(losses.isCongestion(MIN_RTT)).toBe(false));
  rounds.run(3_100, 2 * MIN_RTT, 5, (losses) => expect(losses.isCongestion(MIN_RTT)).toBe(true));
});

test("a queue stands if the fastest packet waits for half of the longest time that one has waited lately (CC-32)", () => {
  const rounds = new Rounds();
  rounds.run(0, 80, 0);
  rounds.run(100, 58, 0, (losses) => expect(losses.hasQueue(MIN_RTT)).toBe(false));
  rounds.run(200, 62, 0, (losses) => expect(losses.hasQueue(MIN_RTT)).toBe(true));
  // Ten seconds later nobody remembers, and what is left of the noise of timers is none.
  for (let at = 300; at < 12_000; at += 100) rounds.run(at, 41, 0);
  rounds.run(12_000, 42, 0, (losses) => expect(losses.hasQueue(MIN_RTT)).toBe(false));
  rounds.run(12_100, 43, 0, (losses) => expect(losses.hasQueue(MIN_RTT)).toBe(true));
});

test("what was lost of the data before slowing down counts for no round (CC-32)", () => {
  const rounds = new Rounds();
  rounds.losses.slowSince = 1_000 as Instant;
  rounds.run(999, 80, 50, (losses) => expect([losses.hasLoss, losses.lossRate]).toEqual([false, 0]));
  rounds.run(1_000, 80, 50, (losses) => expect([losses.hasLoss, losses.lossRate]).toEqual([true, 0.5]));
});

test("packets that arrive late were not lost in the round (CC-28)", () => {
  const { losses } = new Rounds();
  for (const packetNumber of [1, 5]) losses.onLost({ packetNumber, sentAt: 1 as Instant, size: SIZE }, 0);
  losses.onArrivedLate(SIZE, 2 as Instant);
  expect([losses.hasLoss, losses.events]).toEqual([true, 2]);
  losses.onArrivedLate(SIZE, 2 as Instant);
  expect([losses.hasLoss, losses.events, losses.lossRate]).toEqual([false, 0, 0]);
});
