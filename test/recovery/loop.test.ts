/**
 * Ledger, loss detection, congestion control, pacing and acknowledging together, over a link of a few lines.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { NewReno } from "../../src/congestion/new-reno.ts";
import { AckTracker } from "../../src/recovery/ack-tracker.ts";
import { LossDetector } from "../../src/recovery/loss-detector.ts";
import { Pacer } from "../../src/recovery/pacer.ts";
import { ACK_ELICITING, IN_FLIGHT } from "../../src/recovery/sent-packets.ts";
import type { AckFrame } from "../../src/wire/frame.ts";
import { at } from "./support.ts";

const SIZE = 1200;

interface Link {
  /** Bytes per ms of the bottleneck. */
  readonly rate: number;
  /** One way, in ms. */
  readonly delay: number;
  /** Packets that wait before the bottleneck drops. */
  readonly queue: number;
  /** Whether the packet is lost on the way. */
  readonly loses: (packetNumber: number, now: number) => boolean;
  /** Extra delay of a packet. */
  readonly detour: (packetNumber: number) => number;
}

const PLAIN: Link = { rate: 1250, delay: 15, queue: 25, loses: () => false, detour: () => 0 };

/** A sender with endless data and its receiver, in simulated time. */
class Loop {
  readonly detector = new LossDetector<never>();
  readonly controller = new NewReno(SIZE);
  readonly pacer = new Pacer(SIZE);
  readonly acks = new AckTracker({ maxAckDelay: 25, minAckDelay: 1 });
  now = 0;
  lost = 0;
  spurious = 0;
  probes = 0;
  reductions = 0;
  persistent = 0;
  largestExcess = 0;
  readonly #link: Link;
  readonly #seen = new Set<number>();
  readonly #flights: { readonly time: number; readonly packet: number | AckFrame }[] = [];
  #busyUntil = 0;
  #pacedUntil: number | undefined;

  constructor(link: Partial<Link> = {}) {
    this.#link = { ...PLAIN, ...link };
  }

  run(until: number): this {
    for (let step = 0; this.now < until; step++) {
      expect(step).toBeLessThan(5_000_000);
      this.#send();
      const timers = [this.detector.nextTimeout(), this.acks.nextTimeout(), this.#pacedUntil, this.#flights[0]?.time];
      const next = Math.min(...timers.filter((each) => each !== undefined));
      expect(next).toBeGreaterThanOrEqual(this.now);
      this.now = next;
      while (this.#flights[0] !== undefined && this.#flights[0].time <= this.now)
        this.#deliver(this.#flights.shift()!.packet);
      if ((this.detector.nextTimeout() ?? Number.POSITIVE_INFINITY) <= this.now) this.#onTimer();
      this.acks.handleTimeout(at(this.now));
      if (this.acks.shouldAckNow(at(this.now))) this.#acknowledge();
    }
    return this;
  }

  get goodput(): number {
    return (this.#seen.size * SIZE) / this.now;
  }

  #send(): void {
    const { sent } = this.detector;
    this.#pacedUntil = undefined;
    for (;;) {
      const isProbe = this.detector.probesPending > 0;
      if (!isProbe && sent.bytesInFlight + SIZE > this.controller.congestionWindow) return;
      this.pacer.update(this.controller, this.detector.rtt, at(this.now));
      if (!isProbe && this.pacer.budget(at(this.now)) < SIZE) {
        this.#pacedUntil = this.pacer.nextTimeout(at(this.now), SIZE);
        return;
      }
      const packetNumber = sent.nextPacketNumber;
      sent.begin(packetNumber);
      sent.commit(SIZE, at(this.now), ACK_ELICITING | IN_FLIGHT);
      this.detector.onPacketSent(at(this.now));
      this.pacer.onSent(SIZE, at(this.now));
      if (!isProbe) {
        this.largestExcess = Math.max(this.largestExcess, sent.bytesInFlight - this.controller.congestionWindow);
      }
      this.#carry(packetNumber);
    }
  }

  #carry(packetNumber: number): void {
    const { rate, delay, queue, loses, detour } = this.#link;
    const start = Math.max(this.now, this.#busyUntil);
    if ((start - this.now) * rate > queue * SIZE) return;
    this.#busyUntil = start + SIZE / rate;
    if (!loses(packetNumber, this.now)) this.#fly(this.#busyUntil + delay + detour(packetNumber), packetNumber);
  }

  #fly(time: number, packet: number | AckFrame): void {
    let index = this.#flights.length;
    while (index > 0 && this.#flights[index - 1]!.time > time) index -= 1;
    this.#flights.splice(index, 0, { time, packet });
  }

  #deliver(packet: number | AckFrame): void {
    if (typeof packet === "number") {
      this.#seen.add(packet);
      this.acks.onPacketReceived(packet, ACK_ELICITING, at(this.now));
      return;
    }
    expect(this.detector.onAckReceived(packet, at(this.now))).toBe("ok");
    this.#applyOutcome();
  }

  #acknowledge(): void {
    const frame = this.acks.takeAck(at(this.now))!;
    this.acks.onAckSent(0);
    this.#fly(this.now + this.#link.delay, frame);
  }

  #onTimer(): void {
    const verdict = this.detector.handleTimeout(at(this.now));
    if (verdict === "probe") this.probes += 1;
    this.#applyOutcome();
  }

  #applyOutcome(): void {
    const { detector, controller } = this;
    const before = controller.congestionWindow;
    this.lost += detector.lost.length;
    this.spurious += detector.spurious.length;
    if (detector.spurious.length > 0) controller.onSpuriousLoss(detector.spuriousEvent);
    if (detector.lost.length > 0) controller.onLoss(detector.lossEvent);
    if (detector.lost.length > 0 && detector.lossEvent.isPersistent) this.persistent += 1;
    if (controller.congestionWindow < before) this.reductions += 1;
    if (detector.acked.length > 0) controller.onAck(detector.ackEvent);
  }
}

describe("a bulk transfer over 10 Mbit/s, 30 ms, a queue of 25 packets", () => {
  test("fills the link, and bytes in flight stay below the window (REC-20, RFC 9002 §7)", () => {
    const loop = new Loop().run(10_000);
    expect(loop.goodput).toBeGreaterThan(0.95 * PLAIN.rate);
    expect(loop.largestExcess).toBeLessThanOrEqual(0);
    expect([loop.spurious, loop.probes]).toEqual([0, 0]);
    // Each reduction costs a handful of packets, but for the end of slow start.
    expect(loop.lost).toBeLessThan(60 + 5 * loop.reductions);
  });

  test("survives 5 % loss without a spurious one (REC-11)", () => {
    const loop = new Loop({ loses: (packetNumber) => (packetNumber * 7919) % 20 === 0 }).run(10_000);
    // Windows of 4 to 8 packets in round trips of 30 to 55 ms: what NewReno makes of that much loss.
    expect(loop.goodput).toBeGreaterThan(100);
    expect(loop.spurious).toBe(0);
    expect(loop.probes).toBeLessThan(5);
  });

  test("a blackout of 30 s costs probes, not packets, and the transfer goes on at most 2 s after it (REC-14, REC-15)", () => {
    const loop = new Loop({ loses: (_, now) => now > 2_000 && now < 32_000 }).run(32_000);
    expect(loop.probes).toBeLessThan(24);
    loop.run(34_500);
    expect(loop.detector.probeCount).toBe(0);
    expect(loop.lost).toBeLessThan(150);
    expect(loop.persistent).toBe(1);
    loop.run(50_000);
    expect(loop.controller.congestionWindow).toBeGreaterThan(10 * SIZE);
  });

  test("reordering by 8 packets costs one repetition, which is undone, so the window survives (REC-16, REC-23, REC-27)", () => {
    const reordering = { queue: 10_000, detour: (packetNumber: number) => (packetNumber % 200 === 199 ? 9 : 0) };
    const loop = new Loop(reordering).run(5_000);
    expect([loop.lost, loop.spurious]).toEqual([1, 1]);
    expect(loop.goodput).toBeGreaterThan(0.95 * PLAIN.rate);
  });

  test("below 1 ms of round trip nothing is paced, and 1 Gbit/s is reached (REC-26)", () => {
    const loop = new Loop({ rate: 125_000, delay: 0.1, queue: 60 }).run(100);
    expect(loop.goodput).toBeGreaterThan(0.9 * 125_000);
    expect(loop.pacer.rate).toBe(Number.POSITIVE_INFINITY);
  });
});
