/**
 * BBR, version 3, as draft-ietf-ccwg-bbr has it.
 *
 * Theory of operation. Instead of filling the queue until it overflows, BBR models the path: the greatest rate at which it
 * delivered, and the shortest round trip that it showed. It paces at that rate and keeps about that much in flight. Since
 * the two cannot be seen at once, it takes turns: Startup finds the rate, Drain empties the queue that this made, ProbeBW
 * cruises and looks for more now and then, ProbeRTT empties the pipe for a moment. Loss bounds what is in flight.
 *
 * A file for each phase; what they share is in `core.ts`, the model in `path-model.ts`, what loss says in
 * `loss-signals.ts`, the numbers in `parameters.ts`. Where the draft contradicts itself or says nothing, and where we do
 * otherwise, is listed in spec/congestion.md#bbr.
 *
 * @module
 */
import type { Instant } from "../../util/time.ts";
import type {
  AckEvent,
  CongestionMarkEvent,
  CongestionSnapshot,
  LossEvent,
  ResumableController,
  SentEvent,
  SpuriousLossEvent,
} from "../controller.ts";
import { initialWindow } from "../new-reno.ts";
import { BbrCore, type Sample } from "./core.ts";
import { checkDrainDone, enterDrain } from "./drain.ts";
import { BETA, FULL_PIPE_QUEUE, PACING_MARGIN, PROBE_RTT_WINDOW_GAIN, STARTUP_PACING_GAIN } from "./parameters.ts";
import { onTooHigh, updateProbeBw } from "./probe-bw.ts";
import { checkProbeRtt, checkProbeRttDone } from "./probe-rtt.ts";
import { adaptShortterm } from "./shortterm.ts";
import { checkStartupDone } from "./startup.ts";
import { LossEpisodes } from "./undo.ts";

/** What a {@link Bbr} needs. */
export interface BbrOptions {
  /** Bytes of a UDP payload on the path. */
  readonly mtu: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** The controller; see the module's theory of operation. */
export class Bbr implements ResumableController {
  readonly name = "bbr";
  readonly #core: BbrCore;
  readonly #episodes = new LossEpisodes();

  constructor({ mtu, random }: BbrOptions) {
    this.#core = new BbrCore({ mtu, random, initialWindow: initialWindow(mtu) });
  }

  // Inputs

  /** Input: a packet left. */
  onPacketSent(event: SentEvent): void {
    const core = this.#core;
    if (event.bytesInFlight + core.mtu > core.window) core.windowLimitedIn = core.rounds.count;
    // "HandleRestartFromIdle"
    if (event.bytesInFlight !== event.size || !event.isAppLimited) return;
    core.isRestartingFromIdle = true;
    core.path.restartAggregation(event.now);
    if (core.isInProbeBw) this.#setPacingRate(1);
    else if (core.phase === "probe-rtt") checkProbeRttDone(core, event.now);
  }

  /** Input: packets were acknowledged ("UpdateOnACK"). */
  onAck(event: AckEvent): void {
    const core = this.#core;
    const { rate, ledger, packets } = event;
    if (!rate.hasData) return;
    core.delivered = rate.priorDelivered + rate.delivered;
    const sample = core.sampleOf(event);
    this.#updateModel(sample, rate.rtt);
    this.#episodes.onAcked(core, ledger.sentAt(packets[packets.length - 1] ?? rate.lastAcked));
    // "InitPacingRate", once there is a round trip to spread the first window over.
    if (core.pacingRate === undefined && event.rtt.hasSample) {
      core.pacingRate = (STARTUP_PACING_GAIN * core.initialWindow) / event.rtt.smoothed;
    }
    this.#setPacingRate(core.pacingGain);
    this.#setWindow(sample);
  }

  /** Input: packets are deemed lost ("HandleLostPacket" for each). */
  onLoss(event: LossEvent): void {
    const core = this.#core;
    const { ledger, now } = event;
    this.#episodes.onLost(core, event.packets.length, event);
    let lost = event.lost - event.bytes;
    for (const packetNumber of event.packets) {
      if (!ledger.isInFlightKind(packetNumber)) continue;
      const size = ledger.size(packetNumber);
      lost += size;
      core.losses.onLost({ packetNumber, sentAt: ledger.sentAt(packetNumber), size }, event.delivered);
      if (!core.isProbeSample) continue;
      const inflight = ledger.inFlightWhenSent(packetNumber);
      const lostSince = lost - ledger.lostWhenSent(packetNumber);
      if (!core.losses.isTooHigh(lostSince, inflight)) continue;
      const at = { inflight: this.#inflightAtLoss(inflight - size, lostSince - size), now };
      if (onTooHigh(core, { ...at, isAppLimited: ledger.isAppLimited(packetNumber) })) {
        this.#episodes.onPhaseLeft("probe-bw-up");
      }
    }
    // "OnEnterRTO"
    if (event.isPersistent) core.window = event.bytesInFlight + core.mtu;
  }

  /** Input: packets that were deemed lost have arrived. */
  onSpuriousLoss(event: SpuriousLossEvent): void {
    const core = this.#core;
    for (const packetNumber of event.packets) {
      const lostAt = event.ledger.lostAt(packetNumber);
      core.losses.onArrivedLate(event.ledger.size(packetNumber), lostAt);
      this.#episodes.onArrivedLate(core, lostAt);
    }
  }

  /** Input: the peer reports marks of congestion, which count like loss ("ECN"). */
  onCongestionMark(event: CongestionMarkEvent): void {
    const core = this.#core;
    core.losses.hasMark = true;
    if (!core.isProbeSample) return;
    onTooHigh(core, { inflight: core.targetInflight, isAppLimited: false, now: event.now });
  }

  /** Input: the path's packet size changed. */
  onMtuChange(mtu: number): void {
    const core = this.#core;
    const growth = initialWindow(mtu) / core.initialWindow;
    core.mtu = mtu;
    core.initialWindow = initialWindow(mtu);
    // RFC 9002 §7.2: the initial window is that of the new size. Once there are measurements, they tell what may leave.
    if (core.delivered < core.initialWindow) {
      core.window *= growth;
      if (core.pacingRate !== undefined) core.pacingRate *= growth;
    }
    core.window = Math.max(core.window, core.minWindow);
  }

  // Commands

  /** Command: goes on from this window; before the pipe was full it does not shrink by itself. */
  resume(window: number): void {
    this.#core.window = Math.max(window, this.#core.minWindow);
  }

  /** Command: the jump of careful resume has met congestion (RFC 9959 §C.3). */
  retreat(now: Instant): void {
    const core = this.#core;
    core.isRetreating = true;
    this.#episodes.forgetPhases();
    if (core.phase === "startup") {
      core.fullPipe.wasReached = true;
      enterDrain(core, now);
    }
  }

  /** Command: the jump of careful resume is over; `pipeSize` bytes have arrived. */
  settle(window: number, pipeSize: number): void {
    const core = this.#core;
    core.window = Math.max(window, core.minWindow);
    core.inflightLongterm = Math.max(Math.min(core.inflightLongterm, pipeSize * BETA), core.minWindow);
  }

  // Outputs

  /** Whether Startup goes on. */
  get isStarting(): boolean {
    return this.#core.phase === "startup";
  }

  /** Most bytes in flight. */
  get congestionWindow(): number {
    return this.#core.window;
  }

  /** Bytes per ms; `undefined` before the first acknowledgement. */
  get pacingRate(): number | undefined {
    return this.#core.pacingRate;
  }

  /** What statistics and traces show. */
  snapshot(): CongestionSnapshot {
    const { phase, window, inflightLongterm, pacingRate } = this.#core;
    return {
      name: this.name,
      state: phase,
      congestionWindow: window,
      slowStartThreshold: inflightLongterm,
      pacingRate,
    };
  }

  /** "UpdateModelAndState" */
  #updateModel(sample: Sample, rtt: number | undefined): void {
    const core = this.#core;
    const { losses, rounds, path, fullPipe } = core;
    losses.onAck(sample, sample.newlyAcked, rtt);
    rounds.onAck({ deliveryRate: sample.deliveryRate, priorDelivered: sample.priorDelivered, rtt }, core.delivered);
    fullPipe.onSample(sample.deliveryRate);
    if (rounds.hasStarted) core.roundsSinceProbe += 1;
    // RFC 9959 §C.3: what is measured after a jump that went too far is not to be believed.
    if (core.phase !== "drain") core.isRetreating = false;
    const isTelling = sample.deliveryRate > 0 && (sample.deliveryRate >= path.maxBandwidth || !sample.isAppLimited);
    if (isTelling && !core.isRetreating) path.onDeliveryRate(sample.deliveryRate);
    if (losses.isRoundOver) adaptShortterm(core);
    if (!fullPipe.wasReached && rounds.hasStarted) path.forgetAggregation();
    path.onAcked(sample.newlyAcked, { now: sample.now, round: rounds.count, window: core.window });
    if (rounds.hasStarted) {
      const hasQueue = (rounds.shortestRtt ?? 0) > FULL_PIPE_QUEUE * path.minRtt;
      fullPipe.onRound({ isTelling: !sample.isAppLimited, hasQueue });
    }
    if (checkStartupDone(core, sample.now)) this.#episodes.onPhaseLeft("startup");
    checkDrainDone(core, sample);
    updateProbeBw(core, sample);
    path.onRtt(rtt, { now: sample.now, isFilling: core.phase === "startup" });
    checkProbeRtt(core, sample, this.#episodes.isRecovering);
    losses.onAckEnd(sample, sample.now);
    path.bandwidth = Math.min(path.maxBandwidth, core.bandwidthShortterm);
  }

  /** "SetPacingRateWithGain": before the pipe was full once, rates may be too low for want of data, and only rise. */
  #setPacingRate(gain: number): void {
    const core = this.#core;
    // What the path loses by itself does not arrive, so that much more has to leave.
    const rate = (gain * core.path.bandwidth * (1 - PACING_MARGIN)) / (1 - core.losses.ambientLoss);
    if (core.fullPipe.wasReached || rate > (core.pacingRate ?? Number.POSITIVE_INFINITY)) core.pacingRate = rate;
  }

  /** "SetCwnd" */
  #setWindow(sample: Sample): void {
    const core = this.#core;
    const most = core.maxInflight;
    if (core.fullPipe.wasReached) core.window = Math.min(core.window + sample.newlyAcked, most);
    else if (core.window < most || core.delivered < core.initialWindow) core.window += sample.newlyAcked;
    core.window = Math.max(core.window, core.minWindow);
    if (core.phase === "probe-rtt") core.window = Math.min(core.window, core.probeRttWindow(PROBE_RTT_WINDOW_GAIN));
    this.#boundWindow();
  }

  /** "BoundCwndForModel" */
  #boundWindow(): void {
    const core = this.#core;
    const leavesHeadroom = core.phase === "probe-bw-cruise" || core.phase === "probe-rtt";
    let bound = Number.POSITIVE_INFINITY;
    if (leavesHeadroom) bound = core.inflightWithHeadroom;
    else if (core.isInProbeBw) bound = core.inflightLongterm;
    bound = Math.max(Math.min(bound, core.inflightShortterm), core.minWindow);
    core.window = Math.min(core.window, bound);
  }

  /** "InflightAtLoss": what was in flight when the share of lost data crossed the threshold. */
  #inflightAtLoss(inflightBefore: number, lostBefore: number): number {
    const { threshold } = this.#core.losses;
    return inflightBefore + (threshold * inflightBefore - lostBefore) / (1 - threshold);
  }
}
