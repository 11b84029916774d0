/**
 * The state that the phases of BBR share, and what all of them need to know of it.
 *
 * Fields have the names of draft-ietf-ccwg-bbr where those are words; the draft's name stands in quotes otherwise.
 *
 * @module
 */
import type { Instant } from "../../util/time.ts";
import type { AckEvent } from "../controller.ts";
import { FullPipe } from "./full-pipe.ts";
import { LossSignals } from "./loss-signals.ts";
import {
  HEADROOM,
  MAX_TURN_PACKETS,
  MIN_PIPE_PACKETS,
  STARTUP_EXTRA_SHARE,
  STARTUP_PACING_GAIN,
  TURN_TIME,
  UP_EXTRA_PACKETS,
  WINDOW_GAIN,
} from "./parameters.ts";
import { PathModel } from "./path-model.ts";
import { RoundCounter } from "./rounds.ts";

/** Where BBR is in its life; four of the states are ProbeBW's. */
export type Phase =
  | "startup"
  | "drain"
  | "probe-bw-down"
  | "probe-bw-cruise"
  | "probe-bw-refill"
  | "probe-bw-up"
  | "probe-rtt";

/** What acknowledgements that arrive now tell about a probe for bandwidth ("ack_phase"). */
export type ProbeFeedback = "none" | "refilling" | "starting" | "feedback" | "stopping";

/** What a rate sample says, with what BBR itself knows of its limits. */
export interface Sample {
  readonly now: Instant;
  readonly deliveryRate: number;
  readonly delivered: number;
  readonly priorDelivered: number;
  readonly newlyAcked: number;
  readonly inFlightWhenSent: number;
  readonly lost: number;
  readonly isAppLimited: boolean;
  readonly bytesInFlight: number;
}

/** Everything that one BBR controller remembers. */
export class BbrCore {
  readonly random: () => number;
  mtu: number;
  initialWindow: number;
  phase: Phase = "startup";
  pacingGain = STARTUP_PACING_GAIN;
  windowGain = WINDOW_GAIN;
  window: number;
  /** Bytes per ms; `undefined` before the first acknowledgement. */
  pacingRate: number | undefined = undefined;
  readonly path: PathModel;
  readonly rounds = new RoundCounter();
  readonly fullPipe = new FullPipe();
  readonly losses = new LossSignals();
  /** Bytes delivered so far ("C.delivered"). */
  delivered = 0;

  // Bounds: Infinity means none.
  bandwidthShortterm = Number.POSITIVE_INFINITY;
  inflightShortterm = Number.POSITIVE_INFINITY;
  inflightLongterm = Number.POSITIVE_INFINITY;

  // ProbeBW
  feedback: ProbeFeedback = "none";
  /** Acknowledgements now tell about data sent while probing, and no response was given yet ("is_bw_probe_sample"). */
  isProbeSample = false;
  hasProbedTooHigh = false;
  wasPrecautionary = false;
  cycleStartedAt: Instant;
  probeWait = 0;
  roundsSinceProbe = 0;
  /** Rounds of growth of the longterm bound in this probe ("bw_probe_up_rounds"). */
  upRounds = 0;
  upAcked = 0;
  upAckedPerPacket = Number.POSITIVE_INFINITY;

  // Drain and ProbeRTT
  drainStartedIn = 0;
  /** Drain empties the path of a jump that went too far ("carefully-resuming", RFC 9959 §C.3). */
  isRetreating = false;
  probeRttDoneAt: Instant | undefined = undefined;
  hasProbeRttRound = false;
  /** Samples of data sent when no more than this was delivered are low on purpose (MarkConnectionAppLimited). */
  lowUntilDelivered = -1;
  isRestartingFromIdle = false;

  /** The last known good window, while loss or ProbeRTT keeps the present one small ("prior_cwnd"). */
  priorWindow = 0;
  /** The window was used up in this round or the last one ("is_cwnd_limited"). */
  windowLimitedIn = -2;

  constructor(options: { readonly mtu: number; readonly initialWindow: number; readonly random: () => number }) {
    this.mtu = options.mtu;
    this.random = options.random;
    this.initialWindow = options.initialWindow;
    this.window = options.initialWindow;
    // Instants of the model matter once there was a sample.
    this.path = new PathModel(0 as Instant);
    this.cycleStartedAt = 0 as Instant;
  }

  /** Command: the phase, and the gains that go with it. */
  enter(phase: Phase, pacingGain: number, windowGain: number): void {
    this.phase = phase;
    this.pacingGain = pacingGain;
    this.windowGain = windowGain;
  }

  /** Command: a round begins now ("StartRound"). */
  startRound(): void {
    this.rounds.restart(this.delivered);
  }

  /** Command: drops the bounds that belong to recent congestion ("ResetShortTermModel"). */
  resetShortterm(): void {
    this.bandwidthShortterm = Number.POSITIVE_INFINITY;
    this.inflightShortterm = Number.POSITIVE_INFINITY;
  }

  /** Command: remembers the window ("SaveCwnd"). */
  saveWindow(isRecovering: boolean): void {
    const isReduced = isRecovering || this.phase === "probe-rtt";
    this.priorWindow = isReduced ? Math.max(this.priorWindow, this.window) : this.window;
  }

  /** Command: returns to the last known good window ("RestoreCwnd"). */
  restoreWindow(): void {
    this.window = Math.max(this.window, this.priorWindow);
  }

  /** Whether the phase is one of ProbeBW's ("IsInAProbeBWState"). */
  get isInProbeBw(): boolean {
    const { phase } = this;
    return phase !== "startup" && phase !== "drain" && phase !== "probe-rtt";
  }

  /** Whether more is sent than is known to pass ("IsProbingBW"). */
  get isProbing(): boolean {
    const { phase } = this;
    return phase === "startup" || phase === "probe-bw-refill" || phase === "probe-bw-up";
  }

  /** Whether the window, not the pacer or the application, has held data back in the last round. */
  get isWindowLimited(): boolean {
    return this.rounds.count - this.windowLimitedIn <= 1;
  }

  /** Smallest window in bytes. */
  get minWindow(): number {
    return MIN_PIPE_PACKETS * this.mtu;
  }

  /** Bytes in flight that fill the path `gain` times, and no less than hosts need ("Inflight"). */
  inflight(gain: number): number {
    return this.#withTurns(this.#multiple(gain));
  }

  /** Most bytes in flight if nothing is wrong ("UpdateMaxInflight"). */
  get maxInflight(): number {
    let bunched = this.path.extraAcked;
    // CC-27: while the rate grows, more is always acknowledged than was expected, whether or not in bunches.
    if (this.phase === "startup") bunched = Math.min(bunched, this.#multiple(STARTUP_EXTRA_SHARE));
    return this.#withTurns(this.#multiple(this.windowGain) + bunched);
  }

  /** The longterm bound without the part that is left to others ("InflightWithHeadroom"). */
  get inflightWithHeadroom(): number {
    const bound = this.inflightLongterm;
    if (bound === Number.POSITIVE_INFINITY) return bound;
    // Others need room in the queue. What the path itself holds would go unused if it was left to them.
    const product = Math.min(bound, this.path.bandwidthDelayProduct ?? 0);
    return Math.max(bound - Math.max(this.mtu, HEADROOM * bound), product, this.minWindow);
  }

  /** Bytes that we want in flight: what the path holds, unless congestion has cut the window ("TargetInflight"). */
  get targetInflight(): number {
    return Math.min(this.path.bandwidthDelayProduct ?? this.initialWindow, this.window);
  }

  /** The window in ProbeRTT ("ProbeRTTCwnd"). */
  probeRttWindow(gain: number): number {
    return Math.max(this.#multiple(gain), this.minWindow);
  }

  /** What the phases look at in an acknowledgement. */
  sampleOf({ rate, now, bytesInFlight }: AckEvent): Sample {
    return {
      now,
      deliveryRate: rate.deliveryRate,
      delivered: rate.delivered,
      priorDelivered: rate.priorDelivered,
      newlyAcked: rate.newlyAcked,
      inFlightWhenSent: rate.inFlightWhenSent,
      lost: rate.lost,
      isAppLimited: rate.isAppLimited || rate.priorDelivered <= this.lowUntilDelivered,
      bytesInFlight,
    };
  }

  #multiple(gain: number): number {
    const product = this.path.bandwidthDelayProduct;
    return product === undefined ? this.initialWindow : gain * product;
  }

  /** "QuantizationBudget". */
  #withTurns(bytes: number): number {
    const turn = Math.min(this.path.bandwidth * TURN_TIME, MAX_TURN_PACKETS * this.mtu);
    const floor = Math.max(bytes, turn, this.minWindow);
    return this.phase === "probe-bw-up" ? floor + UP_EXTRA_PACKETS * this.mtu : floor;
  }
}
