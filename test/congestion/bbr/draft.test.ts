/**
 * The behaviours that draft-ietf-ccwg-bbr, "BBR Example Test Cases", asks for, under the names that they have there.
 *
 * @module
 */
import { afterEach, describe, expect, test, vi } from "vitest";
import { Bbr } from "../../../src/congestion/bbr/bbr.ts";
import { BbrCore, type Sample } from "../../../src/congestion/bbr/core.ts";
import { checkDrainDone, enterDrain } from "../../../src/congestion/bbr/drain.ts";
import type { LostPacket } from "../../../src/congestion/bbr/loss-signals.ts";
import { onTooHigh, startCruise, startDown, startRefill, updateProbeBw } from "../../../src/congestion/bbr/probe-bw.ts";
import { checkProbeRtt } from "../../../src/congestion/bbr/probe-rtt.ts";
import { checkStartupDone } from "../../../src/congestion/bbr/startup.ts";
import { LossEpisodes } from "../../../src/congestion/bbr/undo.ts";
import type { Instant } from "../../../src/util/time.ts";
import { payloadRate, Watch } from "./watch.ts";

const MTU = 1_000;
const LINK = { rate: 10, delay: 20, queue: 200 };

afterEach(() => void vi.restoreAllMocks());

/** A core whose path delivers 100 bytes per ms in a round trip of 100 ms: ten packets. */
function settled(): BbrCore {
  const core = new BbrCore({ mtu: MTU, initialWindow: 10 * MTU, random: () => 0.5 });
  core.path.onDeliveryRate(100);
  core.path.onRtt(100, { now: 1 as Instant, isFilling: false });
  core.path.bandwidth = 100;
  core.window = 20 * MTU;
  core.fullPipe.wasReached = true;
  return core;
}

function sample(facts: Partial<Sample> = {}): Sample {
  return {
    now: 1_000 as Instant,
    deliveryRate: 100,
    delivered: 10 * MTU,
    priorDelivered: 0,
    newlyAcked: MTU,
    inFlightWhenSent: 10 * MTU,
    lost: 0,
    isAppLimited: false,
    bytesInFlight: 10 * MTU,
    ...facts,
  };
}

function lost(packetNumber: number, sentAt = 500): LostPacket {
  return { packetNumber, sentAt: sentAt as Instant, size: MTU };
}

/** Ends the present round. */
function round(core: BbrCore, rtt = 100): void {
  core.delivered += 10 * MTU;
  core.rounds.onAck({ deliveryRate: 100, priorDelivered: core.delivered, rtt }, core.delivered);
}

describe("Startup (CC-20, CC-21)", () => {
  test("Exiting STARTUP on Bandwidth Plateau", () => {
    const watch = new Watch(LINK);
    const { step, before } = watch.runTo("drain");
    expect(watch.phases.slice(0, 2)).toEqual(["startup", "drain"]);
    // Within 2 % of the link's rate; the pacing rate of Startup is 2.77 times it.
    expect(before.pacingRate! / 2.77 / 0.99 / payloadRate(10)).toBeGreaterThan(0.98);
    expect(before.pacingRate! / 2.77 / 0.99 / payloadRate(10)).toBeLessThan(1.02);
    expect(step.pacingRate! / before.pacingRate!).toBeCloseTo(0.5 / 2.77, 2);
    expect(watch.link.counters.tailDropped).toBe(0);
    // Twelve round trips of 40 ms: five doublings, three without growth, and the queue that they made.
    expect(step.at).toBeLessThan(800);
  });

  test("Exiting STARTUP on Loss When Application-Limited", () => {
    const core = settled();
    core.fullPipe.wasReached = false;
    const limited = sample({ isAppLimited: true });
    for (let i = 0; i < 12; i += 2) core.losses.onLost(lost(i), core.delivered);
    core.losses.onAck(limited, 20 * MTU, 100);
    expect(checkStartupDone(core, 1_000 as Instant)).toBe(true);
    expect([core.phase, core.fullPipe.wasReached]).toEqual(["drain", true]);
    expect(core.inflightLongterm).toBe(Math.max(100 * 100, limited.delivered));
  });

  test("a few losses, or a burst of them, do not end STARTUP (CC-32)", () => {
    for (const numbers of [
      [1, 5, 9, 13, 17],
      [1, 2, 3, 4, 5, 6, 7, 8],
    ]) {
      const core = settled();
      core.fullPipe.wasReached = false;
      for (const packetNumber of numbers) core.losses.onLost(lost(packetNumber), core.delivered);
      core.losses.onAck(sample(), 20 * MTU, 100);
      expect(checkStartupDone(core, 1_000 as Instant)).toBe(false);
      expect(core.phase).toBe("startup");
    }
  });

  test("Achieving Expected STARTUP Bandwidth on a Link With Aggregation", () => {
    const watch = new Watch(LINK);
    // Acknowledgements leave in slots of 20 ms.
    const up = watch.flows.hosts.listener.link.up;
    up.filter = () => 20 - (watch.flows.world.now % 20);
    const { before } = watch.runTo("drain");
    expect(before.congestionWindow).toBeGreaterThan(2 * payloadRate(10) * 40);
    expect(before.pacingRate! / 2.77 / 0.99 / payloadRate(10)).toBeGreaterThan(0.9);
  });
});

describe("Drain (CC-22)", () => {
  test("Exiting DRAIN Based on Inflight", () => {
    const watch = new Watch(LINK);
    watch.runTo("drain");
    // Less than the path holds is in flight then, so DOWN is over with the same acknowledgement.
    const { from, before, step } = watch.runTo("probe-bw-cruise");
    const product = payloadRate(10) * 41.2;
    expect(from).toBe("drain");
    expect(before.bytesInFlight).toBeGreaterThan(product);
    expect(step.bytesInFlight).toBeLessThanOrEqual(product);
  });

  test("Exiting DRAIN Based on Time", () => {
    const core = settled();
    enterDrain(core, 0 as Instant);
    expect(core.pacingGain).toBe(0.5);
    for (let i = 0; i < 4; i++) {
      checkDrainDone(core, sample({ bytesInFlight: 15 * MTU }));
      expect(core.phase).toBe("drain");
      round(core);
    }
    checkDrainDone(core, sample({ bytesInFlight: 15 * MTU }));
    expect(core.phase).toBe("probe-bw-down");
  });
});

describe("ProbeBW (CC-23, CC-24, CC-25)", () => {
  test("Exiting PROBE_UP on Bandwidth Plateau", () => {
    const watch = new Watch(LINK);
    const { at } = watch.runTo("probe-bw-up");
    const change = watch.runTo("probe-bw-down");
    expect(change.from).toBe("probe-bw-up");
    // Three rounds without growth, each longer than the last by the queue, and no packet lost.
    expect(change.at - at).toBeGreaterThan(2 * 40);
    expect(change.at - at).toBeLessThan(8 * 40);
    expect(watch.link.counters.tailDropped).toBe(0);
  });

  test("Exiting PROBE_UP on Loss When Application-Limited", () => {
    const core = settled();
    core.phase = "probe-bw-up";
    core.isProbeSample = true;
    expect(onTooHigh(core, { inflight: 8 * MTU, isAppLimited: true, now: 5 as Instant })).toBe(true);
    expect([core.phase, core.inflightLongterm, core.hasProbedTooHigh]).toEqual([
      "probe-bw-down",
      Number.POSITIVE_INFINITY,
      true,
    ]);
  });

  test("Never Exiting PROBE_UP (or STARTUP) When Application-Limited With No Loss", () => {
    const core = settled();
    core.phase = "probe-bw-up";
    core.fullPipe.restart();
    for (let i = 0; i < 100; i++) {
      round(core);
      updateProbeBw(core, sample({ isAppLimited: true, bytesInFlight: 2 * MTU }));
    }
    expect(core.phase).toBe("probe-bw-up");
    const watch = new Watch(LINK, { bytes: 20_000 });
    watch.run(5_000);
    expect(watch.phases).toEqual(["startup"]);
  });

  test("Exiting PROBE_DOWN on Inflight", () => {
    const core = settled();
    startDown(core, 0 as Instant);
    core.feedback = "none";
    expect(core.pacingGain).toBe(0.9);
    core.inflightLongterm = 9 * MTU;
    updateProbeBw(core, sample({ now: 1 as Instant, bytesInFlight: 9.5 * MTU, inFlightWhenSent: 9 * MTU }));
    // A BDP fits, but the longterm bound is lower.
    expect(core.phase).toBe("probe-bw-down");
    updateProbeBw(core, sample({ now: 2 as Instant, bytesInFlight: 9 * MTU, inFlightWhenSent: 9 * MTU }));
    expect(core.phase).toBe("probe-bw-cruise");
  });

  test("Exiting PROBE_DOWN After Max Time", () => {
    const core = settled();
    startDown(core, 0 as Instant);
    core.feedback = "none";
    core.inflightLongterm = 10 * MTU;
    updateProbeBw(core, sample({ now: 2_500 as Instant, bytesInFlight: 12 * MTU }));
    expect(core.phase).toBe("probe-bw-down");
    updateProbeBw(core, sample({ now: 2_501 as Instant, bytesInFlight: 12 * MTU }));
    expect(core.phase).toBe("probe-bw-refill");
  });

  test("Achieving Expected Cruise Bandwidth on a Link With Aggregation", () => {
    const watch = new Watch(LINK);
    watch.runTo("probe-bw-cruise");
    const up = watch.flows.hosts.listener.link.up;
    up.filter = () => 20 - (watch.flows.world.now % 20);
    watch.run(4_000);
    const { now } = watch.flows.world;
    watch.run(3_000);
    expect(watch.last.congestionWindow).toBeGreaterThan(2 * payloadRate(10) * 40);
    expect(watch.flows.flows[0]!.rate(now, now + 3_000)).toBeGreaterThan(0.9 * 9.57);
  });

  test("Correctly Managing Sub-Packet BDPs", () => {
    const watch = new Watch({ rate: 0.5, delay: 5, queue: 20 });
    watch.run(30_000);
    expect(watch.phases).toContain("probe-bw-cruise");
    expect(watch.last.congestionWindow).toBeGreaterThanOrEqual(4 * 1_200);
    expect(watch.flows.flows[0]!.rate(10_000, 30_000)).toBeGreaterThan(0.85 * 0.5);
  });

  test("Increasing Bandwidth 10x and Ensuring Full Bandwidth is Reached", () => {
    const watch = new Watch({ rate: 2, delay: 20, queue: 100 });
    watch.run(4_000);
    watch.link.update({ bitsPerSecond: 20e6 });
    watch.run(5_000);
    const { now } = watch.flows.world;
    watch.run(1_000);
    expect(watch.flows.flows[0]!.rate(now, now + 1_000)).toBeGreaterThan(0.8 * 20);
  });

  test("Decreasing Bandwidth 10x and Ensuring Max Bandwidth Adapts Down", () => {
    const watch = new Watch({ rate: 20, delay: 20, queue: 100 });
    watch.run(4_000);
    watch.link.update({ bitsPerSecond: 2e6 });
    // The old maximum is forgotten with the second cycle, and ProbeRTT lengthens those.
    watch.run(24_000);
    expect(watch.last.pacingRate).toBeLessThan(1.4 * payloadRate(2));
    const { now } = watch.flows.world;
    watch.run(4_000);
    expect(watch.flows.flows[0]!.rate(now, now + 4_000)).toBeGreaterThan(0.85 * 2);
  });

  test("Handling Token Bucket Policers", () => {
    const watch = new Watch({ rate: 100, delay: 20, queue: 200 });
    watch.link.update({ policer: { bitsPerSecond: 5e6, burst: 50_000 } });
    watch.run(8_000);
    const { policed, sent } = watch.link.counters;
    const { now } = watch.flows.world;
    watch.run(8_000);
    const { counters } = watch.link;
    expect((counters.policed - policed) / (counters.sent - sent)).toBeLessThan(0.08);
    expect(watch.flows.flows[0]!.rate(now, now + 8_000)).toBeGreaterThan(0.85 * 5);
  });

  test("Handling Loss During PROBE_UP After inflight_longterm is Set", () => {
    const core = settled();
    core.inflightLongterm = 15 * MTU;
    core.phase = "probe-bw-up";
    core.isProbeSample = true;
    expect(onTooHigh(core, { inflight: 6 * MTU, isAppLimited: false, now: 7 as Instant })).toBe(true);
    // No lower than 7/10 of what the path holds.
    expect([core.phase, core.inflightLongterm]).toEqual(["probe-bw-down", 0.7 * 10 * MTU]);
    expect(core.isProbeSample).toBe(false);
  });

  test("Handling Application-Limited Sending During PROBE_REFILL", () => {
    const core = settled();
    startCruise(core);
    startRefill(core);
    round(core);
    updateProbeBw(core, sample({ isAppLimited: true, deliveryRate: 20 }));
    expect([core.phase, core.path.maxBandwidth]).toEqual(["probe-bw-up", 100]);
  });

  test("after a probe that lost too much, the next turns back at the bound, and if nothing is lost another follows", () => {
    const core = settled();
    core.inflightLongterm = 10 * MTU;
    core.hasProbedTooHigh = true;
    core.phase = "probe-bw-up";
    updateProbeBw(core, sample({ bytesInFlight: 10 * MTU }));
    expect([core.phase, core.wasPrecautionary, core.hasProbedTooHigh]).toEqual(["probe-bw-down", true, false]);
    round(core);
    updateProbeBw(core, sample());
    expect(core.phase).toBe("probe-bw-refill");
  });
});

describe("CRUISE (CC-23)", () => {
  test("paces at the bandwidth, and a twentieth below it while a queue stands", () => {
    const core = settled();
    startDown(core, 500 as Instant);
    startCruise(core);
    const gains = [100, 112, 113, 100].map((rtt) => {
      round(core, rtt);
      updateProbeBw(core, sample({ deliveryRate: 100 }));
      return core.pacingGain;
    });
    expect(gains).toEqual([1, 1, 0.95, 1]);
  });
});

describe("ProbeRTT (CC-26)", () => {
  test("Entering and Exiting PROBE_RTT", () => {
    const watch = new Watch(LINK);
    const entry = watch.runTo("probe-rtt");
    expect(entry.at).toBeGreaterThan(5_000);
    const exit = watch.runTo("probe-bw-cruise");
    expect(exit.from).toBe("probe-rtt");
    expect(exit.at - entry.at).toBeGreaterThan(200);
    expect(exit.at - entry.at).toBeLessThan(400);
    // Half of what the path holds.
    expect(exit.before.congestionWindow).toBeLessThan(0.6 * payloadRate(10) * 40);
  });

  test("Skipping PROBE_RTT Due to Application-Limited Sending", () => {
    const core = settled();
    startCruise(core);
    core.isRestartingFromIdle = true;
    core.path.onRtt(undefined, { now: 6_000 as Instant, isFilling: false });
    expect(core.path.isProbeRttDue).toBe(true);
    checkProbeRtt(core, sample({ now: 6_000 as Instant }), false);
    expect([core.phase, core.isRestartingFromIdle]).toEqual(["probe-bw-cruise", false]);
  });

  test("Entering and Exiting PROBE_RTT During STARTUP", () => {
    const core = settled();
    core.fullPipe.wasReached = false;
    core.path.onRtt(undefined, { now: 6_000 as Instant, isFilling: false });
    checkProbeRtt(core, sample({ now: 6_000 as Instant, bytesInFlight: 4 * MTU }), false);
    expect(core.phase).toBe("probe-rtt");
    round(core);
    checkProbeRtt(core, sample({ now: 6_200 as Instant, bytesInFlight: 4 * MTU }), false);
    expect(core.phase).toBe("probe-rtt");
    checkProbeRtt(core, sample({ now: 6_201 as Instant, bytesInFlight: 4 * MTU }), false);
    expect(core.phase).toBe("startup");
  });
});

describe("undo (CC-28)", () => {
  test("Handling Spurious Fast Recovery", () => {
    const core = settled();
    core.inflightLongterm = 20 * MTU;
    core.phase = "probe-bw-up";
    const episodes = new LossEpisodes();
    episodes.onLost(core, 2, { newestSentAt: 10 as Instant, now: 20 as Instant });
    onTooHigh(core, { inflight: 12 * MTU, isAppLimited: false, now: 20 as Instant });
    episodes.onPhaseLeft("probe-bw-up");
    core.bandwidthShortterm = 70;
    core.window = 7 * MTU;
    episodes.onArrivedLate(core, 20 as Instant);
    expect(core.inflightLongterm).toBe(12 * MTU);
    episodes.onArrivedLate(core, 20 as Instant);
    expect([core.phase, core.inflightLongterm, core.bandwidthShortterm, core.window]).toEqual([
      "probe-bw-refill",
      20 * MTU,
      Number.POSITIVE_INFINITY,
      20 * MTU,
    ]);
  });

  test("Handling Spurious RTO Recovery", () => {
    const core = settled();
    const episodes = new LossEpisodes();
    episodes.onLost(core, 1, { newestSentAt: 10 as Instant, now: 20 as Instant });
    core.window = MTU;
    episodes.onArrivedLate(core, 20 as Instant);
    expect([core.window, episodes.isRecovering]).toEqual([20 * MTU, false]);
  });

  test("what an earlier episode turns out to have cost is not in what a later one returns to", () => {
    const core = settled();
    const episodes = new LossEpisodes();
    core.bandwidthShortterm = 90;
    episodes.onLost(core, 1, { newestSentAt: 10 as Instant, now: 20 as Instant });
    core.bandwidthShortterm = 60;
    episodes.onLost(core, 1, { newestSentAt: 30 as Instant, now: 40 as Instant });
    core.bandwidthShortterm = 40;
    episodes.onArrivedLate(core, 20 as Instant);
    expect([core.bandwidthShortterm, episodes.isRecovering]).toEqual([90, true]);
    core.bandwidthShortterm = 50;
    episodes.onArrivedLate(core, 40 as Instant);
    expect([core.bandwidthShortterm, episodes.isRecovering]).toEqual([90, false]);
  });

  test("remembers four episodes", () => {
    const core = settled();
    const episodes = new LossEpisodes();
    for (let i = 0; i < 5; i++) {
      core.bandwidthShortterm = 90 - 10 * i;
      episodes.onLost(core, 1, { newestSentAt: (1 + 20 * i) as Instant, now: (10 + 20 * i) as Instant });
    }
    core.bandwidthShortterm = 20;
    episodes.onArrivedLate(core, 10 as Instant);
    expect(core.bandwidthShortterm).toBe(20);
    episodes.onArrivedLate(core, 30 as Instant);
    expect(core.bandwidthShortterm).toBe(80);
  });
});

describe("headroom (CC-23)", () => {
  test("is left to others in the queue, never in what the path itself holds", () => {
    const core = settled();
    core.inflightLongterm = 20 * MTU;
    expect(core.inflightWithHeadroom).toBe(17 * MTU);
    core.inflightLongterm = 11 * MTU;
    expect(core.inflightWithHeadroom).toBe(10 * MTU);
    core.inflightLongterm = 8 * MTU;
    expect(core.inflightWithHeadroom).toBe(8 * MTU);
  });
});

describe("the window", () => {
  test("is that of the new packet size until as much was delivered (CC-33)", () => {
    const controller = new Bbr({ mtu: 1_200, random: () => 0.5 });
    expect(controller.congestionWindow).toBe(12_000);
    controller.onMtuChange(2_000);
    // RFC 9002 §7.2: at most 14,720 bytes, or two packets.
    expect(controller.congestionWindow).toBeCloseTo(14_720, 6);
    controller.onMtuChange(1_200);
    expect(controller.congestionWindow).toBeCloseTo(12_000, 6);
  });

  test("has four packets at least, and what both ends need for a turn of their event loops (CC-27)", () => {
    const core = new BbrCore({ mtu: MTU, initialWindow: 10 * MTU, random: () => 0.5 });
    core.path.onRtt(0.1, { now: 1 as Instant, isFilling: false });
    core.path.bandwidth = 1;
    expect(core.maxInflight).toBe(4 * MTU);
    core.path.bandwidth = 20_000;
    expect(core.maxInflight).toBe(3 * 20_000);
    core.path.bandwidth = 100_000;
    expect(core.maxInflight).toBe(160 * MTU);
    core.path.onAcked(5 * MTU, { now: 2 as Instant, round: 1, window: 10 * MTU });
    expect(core.path.extraAcked).toBe(5 * MTU);
  });

  test("after persistent congestion is what is in flight and a packet, and returns (CC-29)", () => {
    const controller = new Bbr({ mtu: MTU, random: () => 0.5 });
    const records = {
      size: () => MTU,
      sentAt: (packetNumber: number) => (packetNumber * 100) as Instant,
      lostAt: () => 0 as Instant,
      isInFlightKind: () => true,
      delivered: () => 0,
      lostWhenSent: () => 0,
      inFlightWhenSent: () => 4 * MTU,
      isAppLimited: () => false,
    };
    const before = controller.congestionWindow;
    controller.onLoss({
      now: 1_000 as Instant,
      packets: [1, 2],
      ledger: records,
      bytes: 2 * MTU,
      newestSentAt: 200 as Instant,
      bytesInFlight: 2 * MTU,
      lost: 2 * MTU,
      delivered: 0,
      isPersistent: true,
    });
    expect(controller.congestionWindow).toBe(3 * MTU);
    const rate = {
      ...{ hasData: true, deliveryRate: 10, isAppLimited: false, interval: 100, delivered: MTU, priorDelivered: 0 },
      ...{ priorDeliveredAt: 0 as Instant, sendElapsed: 100, ackElapsed: 100, newlyAcked: MTU, newlyLost: 0 },
      ...{ inFlightWhenSent: MTU, lost: 0, lastAcked: 11, rtt: 100 },
    };
    controller.onAck({
      now: 1_200 as Instant,
      packets: [11],
      ledger: records,
      bytes: MTU,
      bytesInFlight: 0,
      isAppLimited: false,
      rtt: { hasSample: true, latest: 100, adjusted: 100, min: 100, smoothed: 100, variance: 1 },
      rate,
    });
    expect(controller.congestionWindow).toBeGreaterThanOrEqual(before);
  });
});
