/**
 * NewReno as RFC 9002 §7 and its pseudocode in RFC 9002 §B have it, with undo of spurious reductions.
 *
 * Theory of operation. The window doubles per round trip below the slow start threshold, and grows by one packet per
 * round trip above it. A loss halves it, at most once per round trip: packets sent before the reduction belong to the same
 * recovery period, which ends when a packet sent in it is acknowledged. If all packets that were lost in that period
 * arrive after all, there was no congestion but reordering, and the window returns to what it was.
 *
 * @module
 */
import type { Instant } from "../util/time.ts";
import type {
  AckEvent,
  CongestionMarkEvent,
  CongestionSnapshot,
  LossEvent,
  ResumableController,
  SentEvent,
  SpuriousLossEvent,
} from "./controller.ts";
import { RecoveryPeriod } from "./recovery-period.ts";

// Specification

/** Packets of the initial window (RFC 9002 §7.2). */
const INITIAL_WINDOW_PACKETS = 10;

/** Most bytes of the initial window unless two packets are more (RFC 9002 §7.2). */
const INITIAL_WINDOW_BYTES = 14_720;

/** Packets of the smallest window (RFC 9002 §7.2). */
export const MINIMUM_WINDOW_PACKETS = 2;

/** What remains of the window after a loss (RFC 9002 §7.3.2). */
const LOSS_REDUCTION_FACTOR = 0.5;

/** The initial window in bytes for packets of `mtu` bytes (RFC 9002 §7.2). */
export function initialWindow(mtu: number): number {
  return Math.min(INITIAL_WINDOW_PACKETS * mtu, Math.max(INITIAL_WINDOW_BYTES, 2 * mtu));
}

/** What to return to if the losses of a recovery period were spurious. */
interface Undo {
  readonly congestionWindow: number;
  readonly slowStartThreshold: number;
}

/** The controller of RFC 9002 §7; see the module's theory of operation. */
export class NewReno implements ResumableController {
  readonly name = "new-reno";
  #mtu: number;
  #congestionWindow: number;
  #slowStartThreshold = Number.POSITIVE_INFINITY;
  readonly #period = new RecoveryPeriod();
  /** Bytes acknowledged since the window last grew in congestion avoidance. */
  #avoidanceBytes = 0;
  #undo: Undo | undefined;

  constructor(mtu: number) {
    this.#mtu = mtu;
    this.#congestionWindow = initialWindow(mtu);
  }

  /** Input: a packet left. */
  onPacketSent(_event: SentEvent): void {}

  /** Input: packets were acknowledged. */
  onAck(event: AckEvent): void {
    for (const packetNumber of event.packets) {
      if (!event.ledger.isInFlightKind(packetNumber)) continue;
      // RFC 9002 §7.3.2: no growth for packets from before the reduction; one from after it ends the period.
      if (this.#period.covers(event.ledger.sentAt(packetNumber))) continue;
      this.#period.onAcked();
      // RFC 9002 §7.8: no growth while the window is not used.
      if (!event.isAppLimited) this.#grow(event.ledger.size(packetNumber));
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
    // RFC 9002 §7.2: the initial window follows the packet size.
    if (this.#congestionWindow === initialWindow(this.#mtu)) this.#congestionWindow = initialWindow(mtu);
    this.#mtu = mtu;
    this.#congestionWindow = Math.max(this.#congestionWindow, this.#minimumWindow);
  }

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
    this.#undo = undefined;
  }

  /** Whether slow start goes on for the first time. */
  get isStarting(): boolean {
    return this.#slowStartThreshold === Number.POSITIVE_INFINITY;
  }

  /** Most bytes in flight. */
  get congestionWindow(): number {
    return this.#congestionWindow;
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
      congestionWindow: this.#congestionWindow,
      slowStartThreshold: this.#slowStartThreshold,
      pacingRate: undefined,
    };
  }

  get #minimumWindow(): number {
    return MINIMUM_WINDOW_PACKETS * this.#mtu;
  }

  get #state(): "slow-start" | "recovery" | "congestion-avoidance" {
    if (this.#period.isOpen) return "recovery";
    return this.#congestionWindow < this.#slowStartThreshold ? "slow-start" : "congestion-avoidance";
  }

  #grow(bytes: number): void {
    if (this.#congestionWindow < this.#slowStartThreshold) {
      // RFC 9002 §7.3.1: slow start.
      this.#congestionWindow += bytes;
      return;
    }
    // RFC 9002 §7.3.3: one packet for each window that is acknowledged.
    this.#avoidanceBytes += bytes;
    if (this.#avoidanceBytes < this.#congestionWindow) return;
    this.#avoidanceBytes -= this.#congestionWindow;
    this.#congestionWindow += this.#mtu;
  }

  #reduce(now: Instant): void {
    // RFC 9002 §7.3.2.
    this.#period.begin(now);
    this.#slowStartThreshold = Math.floor(this.#congestionWindow * LOSS_REDUCTION_FACTOR);
    this.#congestionWindow = Math.max(this.#slowStartThreshold, this.#minimumWindow);
    this.#avoidanceBytes = 0;
  }

  #collapse(): void {
    // RFC 9002 §7.6.2: the smallest window, and slow start from there (RFC 9002 §B.8).
    this.#congestionWindow = this.#minimumWindow;
    this.#period.forget();
    this.#undo = undefined;
  }

  #revert(): void {
    const undo = this.#undo;
    this.#undo = undefined;
    this.#period.forget();
    // A window that has outgrown what it was has nothing to return to.
    if (undo === undefined || this.#congestionWindow >= undo.congestionWindow) return;
    this.#congestionWindow = undo.congestionWindow;
    this.#slowStartThreshold = undo.slowStartThreshold;
    this.#avoidanceBytes = 0;
  }
}
