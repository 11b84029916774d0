/**
 * What the path can do: its bandwidth, its round-trip time, and how its acknowledgements bunch up
 * (draft-ietf-ccwg-bbr, "Updating Network Path Model Parameters").
 *
 * @module
 */
import type { Duration, Instant } from "../../util/time.ts";
import { WindowedFilter } from "../../util/windowed-filter.ts";
import { EXTRA_ACKED_ROUNDS, MIN_RTT_LIFETIME, PROBE_RTT_INTERVAL, RTT_NOISE } from "./parameters.ts";

/** The model of one path; rates in bytes per ms. */
export class PathModel {
  /** The least of the bounds on the bandwidth: what the controller works with ("BBR.bw"). */
  bandwidth = 0;
  /** Whether the round-trip time has not been seen at its minimum for a while ("probe_rtt_expired"). */
  isProbeRttDue = false;
  /** When the round-trip time was last as low as it has been since the last measurement ("probe_rtt_min_stamp"). */
  probeRttMinAt: Instant;

  /** The draft's filter over two cycles of ProbeBW needs one value for each ("max_bw_filter"). */
  #cycleMax = 0;
  #lastRate = Number.POSITIVE_INFINITY;
  #previousCycleMax = 0;
  #minRtt: Duration = Number.POSITIVE_INFINITY;
  #minRttAt: Instant;
  #probeRttMin: Duration = Number.POSITIVE_INFINITY;
  readonly #extraAcked = new WindowedFilter("max", EXTRA_ACKED_ROUNDS);
  #aggregatedSince: Instant;
  #aggregated = 0;

  constructor(now: Instant) {
    this.probeRttMinAt = now;
    this.#minRttAt = now;
    this.#aggregatedSince = now;
  }

  // Inputs

  /**
   * Input: a delivery rate that is the path's, or larger than what was thought to be ("UpdateMaxBw"). It counts once two
   * acknowledgements in a row have shown it: where they come at irregular times, the greatest of single ones is far above
   * the path's rate.
   */
  onDeliveryRate(rate: number): void {
    this.#cycleMax = Math.max(this.#cycleMax, Math.min(rate, this.#lastRate));
    this.#lastRate = rate;
  }

  /** Input: a cycle of ProbeBW is over ("AdvanceMaxBwFilter"). */
  onCycle(): void {
    this.#previousCycleMax = this.#cycleMax;
    this.#cycleMax = 0;
  }

  /**
   * Input: an acknowledgement, with its round-trip time in ms if it gives one ("UpdateMinRTT"). While the pipe is being
   * filled for the first time, a round trip as short as ever shows as well as a shorter one that no queue stands.
   */
  onRtt(rtt: Duration | undefined, at: { readonly now: Instant; readonly isFilling: boolean }): void {
    // Nothing that was measured is too old while nothing was measured: the clock may have run for long before.
    const hasSample = this.#probeRttMin !== Number.POSITIVE_INFINITY;
    this.isProbeRttDue = hasSample && at.now > this.probeRttMinAt + PROBE_RTT_INTERVAL;
    if (rtt !== undefined) {
      const isShort = rtt < this.#probeRttMin;
      if (isShort || this.isProbeRttDue) this.#probeRttMin = rtt;
      const isAsShort = at.isFilling && rtt <= this.#probeRttMin + RTT_NOISE;
      if (isShort || isAsShort || this.isProbeRttDue) this.probeRttMinAt = at.now;
    }
    if (this.#probeRttMin < this.#minRtt || at.now > this.#minRttAt + MIN_RTT_LIFETIME) {
      this.#minRtt = this.#probeRttMin;
      this.#minRttAt = this.probeRttMinAt;
    }
  }

  /** Input: `bytes` were newly acknowledged, in that round; `window` bytes may be in flight ("UpdateACKAggregation"). */
  onAcked(bytes: number, at: { readonly now: Instant; readonly round: number; readonly window: number }): void {
    let expected = this.bandwidth * (at.now - this.#aggregatedSince);
    if (this.#aggregated <= expected) {
      this.#aggregated = 0;
      this.#aggregatedSince = at.now;
      expected = 0;
    }
    this.#aggregated += bytes;
    this.#extraAcked.update(Math.min(this.#aggregated - expected, at.window), at.round);
  }

  // Commands

  /** Command: what is acknowledged from now on belongs to nothing before. */
  restartAggregation(now: Instant): void {
    this.#aggregatedSince = now;
  }

  /** Command: forgets how acknowledgements bunched up; Startup remembers one round only. */
  forgetAggregation(): void {
    this.#extraAcked.reset();
  }

  // Getters

  /** The greatest delivery rate of this cycle of ProbeBW and the last one ("max_bw"). */
  get maxBandwidth(): number {
    return Math.max(this.#cycleMax, this.#previousCycleMax);
  }

  /** Infinity before the first sample ("min_rtt"). */
  get minRtt(): Duration {
    return this.#minRtt;
  }

  /** Bytes that were acknowledged beyond what the bandwidth explains, at most, lately ("extra_acked"). */
  get extraAcked(): number {
    return this.#extraAcked.value ?? 0;
  }

  /** Bytes that the path holds without a queue ("bdp"); `undefined` before the first sample of the round-trip time. */
  get bandwidthDelayProduct(): number | undefined {
    return this.#minRtt === Number.POSITIVE_INFINITY ? undefined : this.bandwidth * this.#minRtt;
  }
}
