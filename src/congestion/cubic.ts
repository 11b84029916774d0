/**
 * CUBIC (RFC 9438 §4), with HyStart++ (RFC 9406 §4) for the initial slow start.
 *
 * Theory of operation. A loss takes three tenths of the window. From then on the window is a cubic function of the time
 * since congestion avoidance began: it returns quickly to where the loss was, lingers there, and then grows ever faster in
 * search of more. Because time counts and not acknowledgements, flows with long round trips are not put at a disadvantage.
 * Where that function would be slower than NewReno on average, the window follows an estimate of NewReno's instead. Time in
 * which the sender has too little to send does not count. If all losses of a recovery period were spurious, everything is
 * as it was before.
 *
 * Windows are bytes and times are ms, where the RFC has segments and seconds. Its symbols: W_max is `saturationWindow`,
 * cwnd_prior is `priorWindow`, and of an {@link Epoch} t_epoch is `startedAt`, K `plateauAfter`, W_est `renoWindow`.
 *
 * @module
 */
import type { Duration, Instant } from "../util/time.ts";
import type {
  AckEvent,
  CongestionMarkEvent,
  CongestionSnapshot,
  LossEvent,
  ResumableController,
  SentEvent,
  SpuriousLossEvent,
} from "./controller.ts";
import { HyStart } from "./hystart.ts";
import { initialWindow, MINIMUM_WINDOW_PACKETS } from "./new-reno.ts";
import { RecoveryPeriod } from "./recovery-period.ts";

// Specification

/** C in packets per cubic second: how steep the function is (RFC 9438 §5.1). */
const STEEPNESS = 0.4;

/** What remains of the window after a loss (RFC 9438 §4.6). */
const LOSS_REDUCTION_FACTOR = 0.7;

/** What remains where slow start ends by a loss: the window has doubled since the lost packet left (RFC 9002 §7.3.2). */
const SLOW_START_REDUCTION_FACTOR = 0.5;

/** Packets per round trip by which NewReno with that factor would grow to the same average (RFC 9438 §4.3). */
const RENO_GROWTH = (3 * (1 - LOSS_REDUCTION_FACTOR)) / (1 + LOSS_REDUCTION_FACTOR);

/** Bound of the target, in windows: growth stays below that of slow start (RFC 9438 §4.2). */
const MAX_TARGET = 1.5;

/** Where the window is believed to saturate when it was already smaller at a loss than at the one before (RFC 9438 §4.7). */
const FAST_CONVERGENCE_FACTOR = (1 + LOSS_REDUCTION_FACTOR) / 2;

/** One stage of congestion avoidance. */
interface Epoch {
  /** When it began, put off by the time in which the sender had too little to send. */
  startedAt: Instant;
  /** C in bytes per cubic ms; the packet size of the beginning, lest the function jump when that changes. */
  readonly steepness: number;
  /** The height of the function's plateau. */
  readonly saturationWindow: number;
  /** When the function reaches the plateau, in ms from the beginning. */
  readonly plateauAfter: Duration;
  /** What NewReno's window would be. */
  renoWindow: number;
}

/** What to return to if the losses of a recovery period were spurious (RFC 9438 §4.9.2). */
interface Undo {
  readonly congestionWindow: number;
  readonly slowStartThreshold: number;
  readonly priorWindow: number;
  readonly saturationWindow: number;
  readonly epoch: Epoch | undefined;
}

/** The controller of most TCP connections; see the module's theory of operation. */
export class Cubic implements ResumableController {
  readonly name = "cubic";
  #mtu: number;
  #congestionWindow: number;
  #slowStartThreshold = Number.POSITIVE_INFINITY;
  /** The window when the threshold was last set. */
  #priorWindow = 0;
  /** Where the path is believed to be full; 0 where nothing is known. */
  #saturationWindow = 0;
  #epoch: Epoch | undefined;
  /** Up to when the time of the epoch is settled: it counts, or the beginning was put off by it. */
  #settledAt = 0 as Instant;
  readonly #hystart = new HyStart();
  readonly #period = new RecoveryPeriod();
  #undo: Undo | undefined;

  constructor(mtu: number) {
    this.#mtu = mtu;
    this.#congestionWindow = initialWindow(mtu);
  }

  // Inputs

  /** Input: a packet left. */
  onPacketSent(event: SentEvent): void {
    this.#hystart.onPacketSent(event.packetNumber);
    // RFC 9438 §5.8: idle periods do not count.
    if (event.bytesInFlight === event.size) this.#leaveOut(event.now);
  }

  /** Input: packets were acknowledged. */
  onAck(event: AckEvent): void {
    const bytes = this.#period.bytesSince(event);
    if (bytes === 0) return;
    this.#period.onAcked();
    if (this.#congestionWindow < this.#slowStartThreshold) this.#startSlowly(event, bytes);
    else this.#avoidCongestion(event, bytes);
  }

  /** Input: packets are deemed lost. */
  onLoss(event: LossEvent): void {
    if (!this.#period.covers(event.newestSentAt)) {
      // RFC 9438 §4.9.2.
      this.#undo = {
        congestionWindow: this.#congestionWindow,
        slowStartThreshold: this.#slowStartThreshold,
        priorWindow: this.#priorWindow,
        saturationWindow: this.#saturationWindow,
        epoch: this.#epoch,
      };
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
    // RFC 9002 §7.2: the initial window follows the packet size.
    if (this.#congestionWindow === initialWindow(this.#mtu)) this.#congestionWindow = initialWindow(mtu);
    this.#mtu = mtu;
    this.#congestionWindow = Math.max(this.#congestionWindow, this.#minimumWindow);
  }

  // Commands

  /** Command: goes on from this window. */
  resume(window: number): void {
    this.#congestionWindow = Math.max(window, this.#minimumWindow);
  }

  /** Command: the jump of careful resume has met congestion. The loss has been answered. */
  retreat(): void {}

  /** Command: the jump of careful resume is over; `pipeSize` bytes have arrived. */
  settle(window: number, pipeSize: number): void {
    this.#congestionWindow = Math.max(window, this.#minimumWindow);
    // RFC 9959 §3.5.
    this.#slowStartThreshold = Math.max(pipeSize * LOSS_REDUCTION_FACTOR, this.#minimumWindow);
    this.#saturationWindow = 0;
    this.#epoch = undefined;
    this.#undo = undefined;
  }

  // Getters

  /** Whether slow start goes on for the first time, and no queue builds up. */
  get isStarting(): boolean {
    return this.#isInitialSlowStart && !this.#hystart.isConservative;
  }

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
      state: this.#state,
      congestionWindow: this.congestionWindow,
      slowStartThreshold: Math.floor(this.#slowStartThreshold),
      pacingRate: undefined,
    };
  }

  get #minimumWindow(): number {
    return MINIMUM_WINDOW_PACKETS * this.#mtu;
  }

  get #state(): "slow-start" | "conservative-slow-start" | "recovery" | "congestion-avoidance" {
    if (this.#period.isOpen) return "recovery";
    if (this.#congestionWindow >= this.#slowStartThreshold) return "congestion-avoidance";
    return this.#isInitialSlowStart && this.#hystart.isConservative ? "conservative-slow-start" : "slow-start";
  }

  get #isInitialSlowStart(): boolean {
    return this.#slowStartThreshold === Number.POSITIVE_INFINITY;
  }

  // Growth

  #startSlowly(event: AckEvent, bytes: number): void {
    const { packets, isAppLimited, rate } = event;
    // RFC 9406 §4.3: HyStart++ for the initial slow start, the ordinary one from then on.
    const isInitial = this.#isInitialSlowStart;
    // RFC 9002 §7.8: no growth while the window is not used.
    if (!isAppLimited) this.#congestionWindow += isInitial ? this.#hystart.growth(bytes) : bytes;
    if (!isInitial) return;
    this.#hystart.onAck(packets[packets.length - 1]!, rate.rtt);
    if (!this.#hystart.isDone) return;
    // RFC 9438 §4.10: congestion avoidance without a loss; what saturates the path is not known.
    this.#slowStartThreshold = this.#congestionWindow;
    this.#priorWindow = this.#congestionWindow;
  }

  #avoidCongestion({ now, isAppLimited, rtt }: AckEvent, bytes: number): void {
    this.#epoch ??= this.#beginEpoch(now);
    // RFC 9438 §5.8: no growth while the window is not used, and the time does not count.
    if (isAppLimited) {
      this.#leaveOut(now);
      return;
    }
    this.#settledAt = now;
    const epoch = this.#epoch;
    const window = this.#congestionWindow;
    // RFC 9438 §4.3: a packet for each window once the estimate is where the threshold was set, until then less.
    const renoGrowth = epoch.renoWindow >= this.#priorWindow ? 1 : RENO_GROWTH;
    epoch.renoWindow += (renoGrowth * bytes * this.#mtu) / window;
    const elapsed = now - epoch.startedAt;
    if (cubicWindow(epoch, elapsed) < epoch.renoWindow) {
      // RFC 9438 §4.3: Reno-friendly region.
      this.#congestionWindow = Math.max(window, epoch.renoWindow);
      return;
    }
    // RFC 9438 §4.2: where the window should be in a round trip; RFC 9438 §4.4 and §4.5: the way to it.
    const target = Math.min(Math.max(cubicWindow(epoch, elapsed + rtt.smoothed), window), MAX_TARGET * window);
    this.#congestionWindow += ((target - window) * bytes) / window;
  }

  #beginEpoch(now: Instant): Epoch {
    this.#settledAt = now;
    const window = this.#congestionWindow;
    // RFC 9438 §4.8 and §4.10: after persistent congestion or HyStart++ the function starts at its plateau. So it does
    // where the window has outgrown the plateau.
    this.#saturationWindow = Math.max(this.#saturationWindow, window);
    const steepness = (STEEPNESS * this.#mtu) / 1e9;
    return {
      startedAt: now,
      steepness,
      saturationWindow: this.#saturationWindow,
      // RFC 9438 §4.2: K.
      plateauAfter: Math.cbrt((this.#saturationWindow - window) / steepness),
      renoWindow: window,
    };
  }

  /** The time since the last event of the epoch does not count. */
  #leaveOut(now: Instant): void {
    if (this.#epoch === undefined) return;
    this.#epoch.startedAt = (this.#epoch.startedAt + now - this.#settledAt) as Instant;
    this.#settledAt = now;
  }

  // Reduction

  #reduce(now: Instant): void {
    const window = this.#congestionWindow;
    // RFC 9438 §4.7: a window that did not get as far as the last time is to make room for others.
    this.#saturationWindow = window < this.#saturationWindow ? window * FAST_CONVERGENCE_FACTOR : window;
    this.#priorWindow = window;
    // RFC 9438 §4.6, with the window instead of the bytes in flight, because it does not grow while it is not used.
    // Deviates from RFC 9438 §4.6: a mark, too, leaves two packets (RFC 9002 §7.2), not one.
    // Deviates from RFC 9438 §4.6: half in slow start, because seven tenths of what overflowed the queue a round trip after
    // it was full would overflow it again; RFC 9438 §4.10 leaves the end of slow start open.
    const remains = window < this.#slowStartThreshold ? SLOW_START_REDUCTION_FACTOR : LOSS_REDUCTION_FACTOR;
    this.#slowStartThreshold = Math.max(window * remains, this.#minimumWindow);
    this.#congestionWindow = this.#slowStartThreshold;
    this.#epoch = undefined;
    this.#period.begin(now);
  }

  #collapse(): void {
    // RFC 9002 §7.6.2: the smallest window, and slow start from there (RFC 9002 §B.8).
    this.#congestionWindow = this.#minimumWindow;
    // RFC 9438 §4.8: the next epoch starts at its plateau.
    this.#saturationWindow = 0;
    this.#period.forget();
    this.#undo = undefined;
  }

  #revert(): void {
    const undo = this.#undo;
    this.#undo = undefined;
    this.#period.forget();
    // RFC 9438 §4.9.2: not if the window has grown beyond what it was.
    if (undo === undefined || this.#congestionWindow >= undo.congestionWindow) return;
    this.#congestionWindow = undo.congestionWindow;
    this.#slowStartThreshold = undo.slowStartThreshold;
    this.#priorWindow = undo.priorWindow;
    this.#saturationWindow = undo.saturationWindow;
    this.#epoch = undo.epoch;
  }
}

/** W_cubic: the window so long after the beginning of the epoch (RFC 9438 §4.2), in bytes. */
function cubicWindow(epoch: Epoch, elapsed: Duration): number {
  const distance = elapsed - epoch.plateauAfter;
  return epoch.steepness * distance * distance * distance + epoch.saturationWindow;
}
