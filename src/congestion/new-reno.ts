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
  CongestionController,
  CongestionMarkEvent,
  CongestionSnapshot,
  LossEvent,
  SentEvent,
  SpuriousLossEvent,
} from "./controller.ts";

// Specification

/** Packets of the initial window (RFC 9002 §7.2). */
const INITIAL_WINDOW_PACKETS = 10;

/** Most bytes of the initial window unless two packets are more (RFC 9002 §7.2). */
const INITIAL_WINDOW_BYTES = 14_720;

/** Packets of the smallest window (RFC 9002 §7.2). */
const MINIMUM_WINDOW_PACKETS = 2;

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
  /** Packets of the period that are deemed lost and have not arrived. */
  missing: number;
}

/** The default congestion controller; see the module's theory of operation. */
export class NewReno implements CongestionController {
  readonly name = "new-reno";
  #mtu: number;
  #congestionWindow: number;
  #slowStartThreshold = Number.POSITIVE_INFINITY;
  /** When the window was last reduced; packets sent until then cause no further reduction. */
  #recoveryStartedAt: Instant | undefined;
  #isRecovering = false;
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
      if (this.#isFromBeforeRecovery(event.ledger.sentAt(packetNumber))) continue;
      this.#isRecovering = false;
      // RFC 9002 §7.8: no growth while the window is not used.
      if (!event.isAppLimited) this.#grow(event.ledger.size(packetNumber));
    }
  }

  /** Input: packets are deemed lost. */
  onLoss(event: LossEvent): void {
    if (!this.#isFromBeforeRecovery(event.newestSentAt)) {
      this.#undo = {
        congestionWindow: this.#congestionWindow,
        slowStartThreshold: this.#slowStartThreshold,
        missing: 0,
      };
      this.#reduce(event.now);
    }
    if (this.#undo !== undefined) this.#undo.missing += event.packets.length;
    if (event.isPersistent) this.#collapse();
  }

  /** Input: packets that were deemed lost have arrived. */
  onSpuriousLoss(event: SpuriousLossEvent): void {
    const startedAt = this.#recoveryStartedAt;
    for (const packetNumber of event.packets) {
      if (this.#undo === undefined || startedAt === undefined) return;
      // Losses from before the reduction belong to an earlier period.
      if (event.ledger.lostAt(packetNumber) < startedAt) continue;
      this.#undo.missing -= 1;
      if (this.#undo.missing === 0) this.#revert(this.#undo);
    }
  }

  /** Input: the peer reports marks of congestion. */
  onCongestionMark(event: CongestionMarkEvent): void {
    if (!this.#isFromBeforeRecovery(event.sentAt)) this.#reduce(event.now);
    // A mark is never spurious, so the period is not to be undone.
    this.#undo = undefined;
  }

  /** Input: the path's packet size changed. */
  onMtuChange(mtu: number): void {
    // RFC 9002 §7.2: the initial window follows the packet size.
    if (this.#congestionWindow === initialWindow(this.#mtu)) this.#congestionWindow = initialWindow(mtu);
    this.#mtu = mtu;
    this.#congestionWindow = Math.max(this.#congestionWindow, this.#minimumWindow);
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
    if (this.#isRecovering) return "recovery";
    return this.#congestionWindow < this.#slowStartThreshold ? "slow-start" : "congestion-avoidance";
  }

  #isFromBeforeRecovery(sentAt: Instant): boolean {
    return this.#recoveryStartedAt !== undefined && sentAt <= this.#recoveryStartedAt;
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
    this.#recoveryStartedAt = now;
    this.#isRecovering = true;
    this.#slowStartThreshold = Math.floor(this.#congestionWindow * LOSS_REDUCTION_FACTOR);
    this.#congestionWindow = Math.max(this.#slowStartThreshold, this.#minimumWindow);
    this.#avoidanceBytes = 0;
  }

  #collapse(): void {
    // RFC 9002 §7.6.2: the smallest window, and slow start from there (RFC 9002 §B.8).
    this.#congestionWindow = this.#minimumWindow;
    this.#recoveryStartedAt = undefined;
    this.#isRecovering = false;
    this.#undo = undefined;
  }

  #revert(undo: Undo): void {
    this.#congestionWindow = Math.max(this.#congestionWindow, undo.congestionWindow);
    this.#slowStartThreshold = undo.slowStartThreshold;
    this.#recoveryStartedAt = undefined;
    this.#isRecovering = false;
    this.#avoidanceBytes = 0;
    this.#undo = undefined;
  }
}
