/**
 * LEDBAT++ for transfers that may wait (draft-irtf-iccrg-ledbat-plus-plus): it uses what others leave.
 *
 * Theory of operation. The window grows while packets wait in queues for less than a target, and shrinks when they wait
 * for longer, the more the longer. Others, who only stop when packets are lost, push it aside; alone it fills the link, with a
 * queue of the target. Growth is slower than NewReno's, the more so the shorter the round trip, because it makes for more
 * rounds. What counts as waiting depends on knowing the round trip without a queue. So every now and then the flow slows
 * down to two packets for two round trips, which lets the queue run empty if it was its own, and then returns to the window
 * it had. The pauses between slowdowns are nine times as long as these, so that they cost no more than a tenth. A loss
 * halves the window as with NewReno.
 *
 * @module
 */
import { after, type Duration, type Instant } from "../util/time.ts";
import type {
  AckEvent,
  CongestionController,
  CongestionMarkEvent,
  CongestionSnapshot,
  LossEvent,
  SentEvent,
  SpuriousLossEvent,
} from "./controller.ts";
import { MINIMUM_WINDOW_PACKETS } from "./new-reno.ts";
import { QueueDelay } from "./queue-delay.ts";
import { RecoveryPeriod } from "./recovery-period.ts";

// Specification

/** Longest delay by queues that is aimed at, in ms (draft §4.5). */
const TARGET: Duration = 60;

/** Growth is at least this part of NewReno's (draft §4.2). */
const MAX_GAIN_DIVISOR = 16;

/** Part of the target at which the initial slow start ends (draft §4.1). */
const SLOW_START_SHARE = 3 / 4;

/** Most of the window that a round trip takes away (draft §4.3). */
const MAX_DECREASE = 1 / 2;

/** Round trips from the end of the initial slow start to the first slowdown, and of rest in each (draft §4.4). */
const SLOWDOWN_RTTS = 2;

/** Time between two slowdowns, measured in the length of the first of them (draft §4.4). */
const SLOWDOWN_PAUSE = 9;

/** What remains of the window after a loss (RFC 6817 §2.4.2). */
const LOSS_REDUCTION_FACTOR = 0.5;

// Implementation

/**
 * What is aimed at as a part of the round trip without queues. A queue that holds one round trip is the rule, and CUBIC
 * leaves four tenths of it when it is full. With the fixed target of the draft, queues of less than 60 ms would never be
 * reason to give way. A shorter target costs nothing: the link is full as soon as anything waits.
 */
const TARGET_SHARE = 1 / 4;

/** Shortest delay that is aimed at, in ms: less would take the jitter of a busy host or of Wi-Fi for a queue. */
const MIN_TARGET: Duration = 5;

/** Where a flow is in its cycle. */
type Phase =
  | { readonly name: "slow-start" }
  | { readonly name: "congestion-avoidance"; readonly slowdownAt: Instant }
  | { readonly name: "slowdown"; readonly beganAt: Instant; readonly until: Instant }
  /** Back to the window before the slowdown. */
  | { readonly name: "ramp-up"; readonly beganAt: Instant };

/** What to return to if the losses of a recovery period were spurious. */
interface Undo {
  readonly congestionWindow: number;
  readonly slowStartThreshold: number;
}

/** The controller for background transfers; see the module's theory of operation. */
export class Ledbat implements CongestionController {
  readonly name = "background";
  #mtu: number;
  #congestionWindow: number;
  #slowStartThreshold = Number.POSITIVE_INFINITY;
  #phase: Phase = { name: "slow-start" };
  readonly #delay = new QueueDelay();
  readonly #period = new RecoveryPeriod();
  #undo: Undo | undefined;

  constructor(mtu: number) {
    this.#mtu = mtu;
    this.#congestionWindow = this.#minimumWindow;
  }

  // Inputs

  /** Input: a packet left. */
  onPacketSent(_event: SentEvent): void {}

  /** Input: packets were acknowledged. */
  onAck(event: AckEvent): void {
    const { now, rate, rtt } = event;
    // A peer that waits for more to acknowledge is no queue.
    if (rate.rtt !== undefined) this.#delay.onSample(rtt.adjusted, rtt.smoothed, now);
    this.#changePhase(now, rtt.smoothed);
    const bytes = this.#period.bytesSince(event);
    if (bytes === 0) return;
    this.#period.onAcked();
    switch (this.#phase.name) {
      case "slow-start":
      case "ramp-up":
        // RFC 9002 §7.8: no growth while the window is not used.
        if (!event.isAppLimited) this.#rampUp(bytes);
        this.#endRampUp(now, rtt.smoothed);
        break;
      case "congestion-avoidance":
        this.#adapt(bytes, event.isAppLimited);
        break;
      case "slowdown":
        break;
    }
  }

  /** Input: packets are deemed lost. */
  onLoss(event: LossEvent): void {
    if (!this.#period.covers(event.newestSentAt)) {
      this.#undo = { congestionWindow: this.#congestionWindow, slowStartThreshold: this.#slowStartThreshold };
      this.#reduce(event.now);
    }
    this.#period.onLost(event.packets.length);
    if (event.isPersistent) this.#collapse();
  }

  /** Input: packets that were deemed lost have arrived. */
  onSpuriousLoss(event: SpuriousLossEvent): void {
    if (this.#period.onArrivedLate(event)) this.#revert();
  }

  /** Input: the peer reports marks of congestion. */
  onCongestionMark(event: CongestionMarkEvent): void {
    if (!this.#period.covers(event.sentAt)) this.#reduce(event.now);
    this.#period.onMark();
  }

  /** Input: the path's packet size changed. */
  onMtuChange(mtu: number): void {
    this.#mtu = mtu;
    this.#congestionWindow = Math.max(this.#congestionWindow, this.#minimumWindow);
  }

  // Getters

  /** Most bytes in flight. */
  get congestionWindow(): number {
    return Math.floor(this.#congestionWindow);
  }

  /** None; the pacer spreads the window over the round trip. */
  get pacingRate(): undefined {
    return undefined;
  }

  /** What statistics and traces show. */
  snapshot(): CongestionSnapshot {
    return {
      name: this.name,
      state: this.#period.isOpen ? "recovery" : this.#phase.name,
      congestionWindow: this.congestionWindow,
      slowStartThreshold: Math.floor(this.#slowStartThreshold),
      pacingRate: undefined,
    };
  }

  // Private

  get #minimumWindow(): number {
    return MINIMUM_WINDOW_PACKETS * this.#mtu;
  }

  /** The delay by queues that is aimed at, in ms. */
  get #target(): Duration {
    return Math.min(Math.max(this.#delay.base * TARGET_SHARE, MIN_TARGET), TARGET);
  }

  /** Growth as a part of NewReno's (draft §4.2). */
  get #gain(): number {
    const { base } = this.#delay;
    // Not every acknowledgement gives a sample; without one the least growth is the right one.
    if (base === Number.POSITIVE_INFINITY) return 1 / MAX_GAIN_DIVISOR;
    return 1 / Math.min(MAX_GAIN_DIVISOR, Math.ceil((2 * TARGET) / base));
  }

  /** Slowdowns begin and end by time (draft §4.4). */
  #changePhase(now: Instant, smoothedRtt: Duration): void {
    const phase = this.#phase;
    if (phase.name === "congestion-avoidance" && now >= phase.slowdownAt) {
      this.#slowStartThreshold = this.#congestionWindow;
      this.#congestionWindow = this.#minimumWindow;
      this.#phase = { name: "slowdown", beganAt: now, until: after(now, SLOWDOWN_RTTS * smoothedRtt) };
    } else if (phase.name === "slowdown" && now >= phase.until) {
      this.#phase = { name: "ramp-up", beganAt: phase.beganAt };
    }
  }

  #rampUp(bytes: number): void {
    // Draft §4.1: slow start with less gain.
    const grown = this.#congestionWindow + bytes * this.#gain;
    this.#congestionWindow = Math.min(grown, Math.max(this.#slowStartThreshold, this.#congestionWindow));
  }

  #endRampUp(now: Instant, smoothedRtt: Duration): void {
    const phase = this.#phase;
    const isFull = this.#congestionWindow >= this.#slowStartThreshold;
    if (phase.name === "ramp-up") {
      // Draft §4.4.
      const pause = SLOWDOWN_PAUSE * (now - phase.beganAt);
      if (isFull) this.#phase = { name: "congestion-avoidance", slowdownAt: after(now, pause) };
      return;
    }
    // Draft §4.1: only the initial slow start ends by delay.
    const isInitial = this.#slowStartThreshold === Number.POSITIVE_INFINITY;
    if (!isFull && !(isInitial && this.#delay.momentary > SLOW_START_SHARE * this.#target)) return;
    // The delay is that of packets which left a round trip ago, when the window was that much smaller.
    if (!isFull) this.#congestionWindow = Math.max(this.#congestionWindow / (1 + this.#gain), this.#minimumWindow);
    this.#slowStartThreshold = this.#congestionWindow;
    this.#phase = { name: "congestion-avoidance", slowdownAt: after(now, SLOWDOWN_RTTS * smoothedRtt) };
  }

  #adapt(bytes: number, isAppLimited: boolean): void {
    const window = this.#congestionWindow;
    // Both for a window of bytes that is acknowledged. Draft §4.2.
    let change = this.#gain * this.#mtu;
    // Draft §4.3.
    const { current, base } = this.#delay;
    const excess = current - this.#target;
    if (excess > 0) {
      // The window need not become smaller than one that makes for just the target: the delay is that of packets which left
      // a round trip ago, and to follow the draft until the effect is seen would leave the link idle.
      const most = Math.min(MAX_DECREASE, excess / (base + current));
      change = Math.max(change - (window * excess) / this.#target, -window * most);
    }
    // RFC 9002 §7.8: no growth while the window is not used.
    if (change > 0 && isAppLimited) return;
    this.#congestionWindow = Math.max(window + (change * bytes) / window, this.#minimumWindow);
  }

  #reduce(now: Instant): void {
    // RFC 6817 §2.4.2.
    const window = this.#congestionWindow * LOSS_REDUCTION_FACTOR;
    this.#congestionWindow = Math.max(window, this.#minimumWindow);
    // In a slowdown the threshold is the window to return to, and it is that which was too much.
    const isSlow = this.#phase.name === "slowdown" || this.#phase.name === "ramp-up";
    const threshold = isSlow ? this.#slowStartThreshold * LOSS_REDUCTION_FACTOR : window;
    this.#slowStartThreshold = Math.max(threshold, this.#congestionWindow);
    this.#period.begin(now);
  }

  #collapse(): void {
    // RFC 9002 §7.6.2.
    this.#congestionWindow = this.#minimumWindow;
    this.#phase = { name: "slow-start" };
    this.#period.forget();
    this.#undo = undefined;
  }

  #revert(): void {
    const undo = this.#undo;
    this.#undo = undefined;
    this.#period.forget();
    if (undo === undefined || this.#congestionWindow >= undo.congestionWindow) return;
    this.#congestionWindow = undo.congestionWindow;
    this.#slowStartThreshold = undo.slowStartThreshold;
  }
}
