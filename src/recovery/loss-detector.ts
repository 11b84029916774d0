/**
 * Which packets arrived, which are lost, and when to probe (RFC 9002 §6).
 *
 * Theory of operation. The owner writes each packet into {@link LossDetector.sent} and says `onPacketSent`. Two inputs
 * decide the fate of packets: an ACK frame and the timer. Each leaves its results in `acked`, `lost` and `spurious`, lists
 * of packet numbers that stay valid, as do the ledger's rows behind them, until the next input or the next packet.
 * `ackEvent`, `lossEvent` and `spuriousEvent` say the same in the form that a congestion controller wants; they mean
 * something only while the list of the same name is not empty.
 *
 * A packet is lost when a later one was acknowledged and it is late by number or by time. While a packet is late by
 * neither, the timer waits for the time to pass; with no such packet it waits for the probe timeout. A probe timeout never
 * declares anything lost: it makes the owner send up to two packets past the congestion window, whose acknowledgement
 * then tells. Lost packets are remembered for a while, since an acknowledgement may still arrive; such a loss was spurious.
 *
 * A packet that probes the path's MTU is acknowledged like any other, but its loss changes nothing except its row in the
 * ledger (RFC 9000 §14.4): it is in no list, and no controller hears of it.
 *
 * The work that an ACK frame causes is bounded by the ledger and by the number of its ranges, not by their width.
 *
 * @module
 */
import type { Duration, Instant } from "../util/time.ts";
import { DeliveryRate, type RateSample } from "./delivery-rate.ts";
import { AckedPackets, ArrivedLatePackets, LostPackets } from "./outcome.ts";
import { PersistentCongestion } from "./persistent-congestion.ts";
import { ProbeTimer } from "./probe-timer.ts";
import { ReorderingWindow } from "./reordering.ts";
import { RttEstimator } from "./rtt.ts";
import { SentPackets } from "./sent-packets.ts";

// Specification

/** The peer's longest ack delay until it is known (RFC 9000 §18.2), in ms. */
export const DEFAULT_MAX_ACK_DELAY: Duration = 25;

// Implementation

/**
 * Numbers from the oldest packet in flight to the newest: 120 MB in full packets, more than any path in use holds. The
 * oldest are lost beyond that, so that a peer which withholds acknowledgements but keeps sending cannot make the ledger
 * grow above 12 MiB.
 */
export const MAX_SPAN = 100_000;

/**
 * Smoothed round trips for which a lost packet is remembered at least. It was lost after one, and the thresholds rise by
 * another at most, so that nothing is learnt from what comes later than this.
 */
const LOST_LIFETIME_RTTS = 2;

/** Packets at the end of an acknowledgement that are passed over in search of one that has overtaken none. */
const MAX_OVERTAKERS = 8;

/** What the detector reads of an ACK frame. */
export interface ReceivedAck {
  readonly largest: number;
  readonly delayUs: number;
  /** Half-open `start, end` pairs, descending. */
  readonly ranges: readonly number[];
}

/** How an ACK frame came: `"overtaking"` if its packet may have come before others that were sent earlier. */
export type AckArrival = "in-order" | "overtaking";

/** Starting values that may be chosen; all have defaults. */
export interface LossDetectorOptions {
  /** See `PACKET_THRESHOLD` in `reordering.ts`. */
  readonly packetThreshold?: number;
  /** See `TIME_THRESHOLD` there. */
  readonly timeThreshold?: number;
  /** See {@link DEFAULT_MAX_ACK_DELAY}. */
  readonly maxAckDelay?: Duration;
  /** See {@link MAX_SPAN}. */
  readonly maxSpan?: number;
  /** Number of the first packet, 0 by default. */
  readonly firstPacketNumber?: number;
}

/** What an ACK frame was: plausible, or a claim to have received what was never sent. */
export type AckVerdict = "ok" | "acked-unsent";

/** What a timer was for: nothing (yet), packets that are lost now, or probes that the owner must send. */
export type TimeoutVerdict = "none" | "lost" | "probe";

/** Loss detection of one packet-number space on one path; see the module's theory of operation. */
export class LossDetector<Token> {
  readonly rtt = new RttEstimator();
  readonly sent: SentPackets<Token>;
  /** Packets acknowledged for the first time by the last input, ascending; not those of {@link spurious}. */
  readonly acked: number[] = [];
  /** Packets deemed lost by the last input, ascending. */
  readonly lost: number[] = [];
  /** Packets that were deemed lost and that the last input acknowledged after all. */
  readonly spurious: number[] = [];
  readonly ackEvent: AckedPackets<Token>;
  readonly lossEvent: LostPackets<Token>;
  readonly spuriousEvent: ArrivedLatePackets<Token>;

  readonly #delivery: DeliveryRate<Token>;
  readonly #persistence = new PersistentCongestion();
  readonly #reordering: ReorderingWindow;
  readonly #maxSpan: number;
  #maxAckDelay: Duration;
  #largestAcked = -1;
  #largestAckedSentAt = 0 as Instant;
  #firstSampleAt: Instant | undefined;
  #lastSampleAt = 0 as Instant;
  /** When the oldest packet in flight is late by time. While it is set there is no probe timeout. */
  #lossAt: Instant | undefined;
  readonly #probes = new ProbeTimer();
  /** The last input found an MTU probe lost, which is in none of the lists. */
  #isMtuProbeLost = false;
  /** The last ACK frame, loss or packet. */
  #quietSince = 0 as Instant;

  constructor(options: LossDetectorOptions = {}) {
    this.#reordering = new ReorderingWindow(options.packetThreshold, options.timeThreshold);
    this.#maxAckDelay = options.maxAckDelay ?? DEFAULT_MAX_ACK_DELAY;
    this.#maxSpan = options.maxSpan ?? MAX_SPAN;
    this.sent = new SentPackets(options.firstPacketNumber);
    this.#delivery = new DeliveryRate(this.sent);
    this.ackEvent = new AckedPackets(this.acked, this.sent, this.rtt, this.#delivery.sample);
    this.lossEvent = new LostPackets(this.lost, this.sent);
    this.spuriousEvent = new ArrivedLatePackets(this.spurious, this.sent);
  }

  // Inputs

  /** Input: the newest packet of the ledger, just committed, was sent. */
  onPacketSent(now: Instant): void {
    const sent = this.sent;
    const packetNumber = sent.nextPacketNumber - 1;
    this.#quietSince = now;
    // Late by number beyond all measure; the timer is due at once.
    if (sent.nextPacketNumber - sent.firstInFlight > this.#maxSpan) this.#lossAt = now;
    if (!sent.isInFlightKind(packetNumber)) return;
    this.#delivery.onPacketSent(sent.size(packetNumber), now);
    if (sent.isAckEliciting(packetNumber)) this.#probes.onElicitingSent(now);
  }

  /**
   * Input: an ACK frame, and whether its packet may have overtaken others. After `"acked-unsent"`, which calls for the end
   * of the connection (RFC 9000 §13.1), nothing has changed and the lists are empty.
   */
  onAckReceived(ack: ReceivedAck, now: Instant, arrival: AckArrival = "in-order"): AckVerdict {
    this.#beginInput(now);
    this.#quietSince = now;
    // RFC 9000 §13.1 and §21.4: every number that the frame reports must have been sent.
    if (ack.largest >= this.sent.nextPacketNumber || this.sent.hasSkipped(ack.ranges)) return "acked-unsent";
    this.#takeRanges(ack.ranges);
    if (this.acked.length === 0 && this.spurious.length === 0) return "ok";
    const largestBefore = this.#largestAcked;
    if (ack.largest > largestBefore) {
      this.#largestAcked = ack.largest;
      if (this.sent.isKnown(ack.largest)) this.#largestAckedSentAt = this.sent.sentAt(ack.largest);
    }
    this.#countDelivered(now);
    this.#measureRtt(ack, now, arrival);
    this.#observeReordering(largestBefore, now);
    this.#detectLost(now);
    this.#delivery.onAckEnd(this.rtt.min, arrival);
    this.ackEvent.isAppLimited = this.#delivery.isAppLimited;
    this.ackEvent.bytesInFlight = this.sent.bytesInFlight;
    this.#probes.onAcked();
    return "ok";
  }

  /** Input: an authentic packet has arrived, the first for `silence` ms. */
  onHeard(silence: Duration): void {
    if (this.#probes.count > 0 && silence >= this.probeTimeout) this.#probes.onSilenceBroken();
  }

  /** Input: time has passed. Safe when nothing is due. */
  handleTimeout(now: Instant): TimeoutVerdict {
    const deadline = this.nextTimeout();
    const isProbe = this.#lossAt === undefined && this.sent.ackElicitingInFlight > 0;
    this.#beginInput(now);
    if (deadline === undefined || now < deadline) return "none";
    if (isProbe) {
      // RFC 9002 §6.2: a probe timeout declares nothing lost, and the next one waits twice as long.
      this.#probes.onExpired(now);
      return "probe";
    }
    if (this.#lossAt === undefined) {
      this.sent.shrink();
      return "none";
    }
    this.#detectLost(now);
    // The timer may have fired so late that the probe timeout has passed as well. That one starts over: an owner that
    // has just slept cannot know whether an acknowledgement is waiting to be read.
    if ((this.nextTimeout() ?? Number.POSITIVE_INFINITY) <= now) this.#probes.restart(now);
    return this.lost.length > 0 || this.#isMtuProbeLost ? "lost" : "none";
  }

  // Commands

  /** Command: there was nothing to send although the congestion window had room and the pacer did not object. */
  markAppLimited(): void {
    this.#delivery.markAppLimited();
  }

  /** Command: the longest time that the peer holds an acknowledgement back, in ms. */
  setMaxAckDelay(maxAckDelay: Duration): void {
    this.#maxAckDelay = maxAckDelay;
  }

  // Outputs

  /** Output: when to call {@link handleTimeout}. It may lie in the past until that is done, and never after. */
  nextTimeout(): Instant | undefined {
    if (this.#lossAt !== undefined) return this.#lossAt;
    const sent = this.sent;
    if (sent.ackElicitingInFlight > 0) return this.#probes.expiresAt(this.rtt.probeDelay(this.#maxAckDelay));
    if (sent.lostCount === 0 && (!sent.isEnlarged || sent.bytesInFlight > 0)) return undefined;
    return (this.#quietSince + this.#lostLifetime) as Instant;
  }

  // Getters

  /** Probe timeout without backoff, in ms. */
  get probeTimeout(): Duration {
    return this.rtt.probeTimeout(this.#maxAckDelay);
  }

  /** A packet is lost once one that was sent so many numbers later is acknowledged (RFC 9002 §6.1.1). */
  get packetThreshold(): number {
    return this.#reordering.packetThreshold;
  }

  /** How much later the acknowledged one must have been sent for a packet to be late by number, in ms; may be negative. */
  get reorderingSpread(): Duration {
    return this.#reordering.spread(this.rtt);
  }

  /** A packet is lost so long after it was sent, once a later one is acknowledged (RFC 9002 §6.1.2), in ms. */
  get lossDelay(): Duration {
    return this.#reordering.lossDelay(this.rtt);
  }

  /** Probe timeouts since the last acknowledgement. */
  get probeCount(): number {
    return this.#probes.count;
  }

  /** Packets that the owner should send now whatever the congestion window says; they must be ack-eliciting. */
  get probesPending(): number {
    return this.#probes.pending;
  }

  /** The oldest packet in flight, whose content a probe may repeat. */
  get oldestInFlight(): number | undefined {
    return this.sent.nextInFlight(this.sent.firstInFlight);
  }

  /** The largest packet number that the peer acknowledged, -1 before the first. */
  get largestAcked(): number {
    return this.#largestAcked;
  }

  /** The delivery-rate sample of the last acknowledgement. */
  get rateSample(): RateSample {
    return this.#delivery.sample;
  }

  /** Totals and marks of delivery on this path. */
  get delivery(): DeliveryRate<Token> {
    return this.#delivery;
  }

  // Private

  #beginInput(now: Instant): void {
    this.acked.length = 0;
    this.lost.length = 0;
    this.spurious.length = 0;
    this.#isMtuProbeLost = false;
    this.ackEvent.begin(now);
    this.lossEvent.begin(now);
    this.spuriousEvent.begin(now);
    this.#delivery.onAckStart();
    const sent = this.sent;
    // RFC 9002 §A.1: state of lost packets is kept for a time, to recognize a spurious loss.
    sent.forgetLost((now - this.#lostLifetime) as Instant, sent.nextPacketNumber - this.#maxSpan);
    sent.release();
  }

  /** Sorts what the ranges cover into `acked` and `spurious`, ascending. */
  #takeRanges(ranges: readonly number[]): void {
    const sent = this.sent;
    let next = sent.firstInFlight;
    for (let i = ranges.length - 2; i >= 0; i -= 2) {
      const start = ranges[i]!;
      const end = ranges[i + 1]!;
      if (sent.lostCount > 0) sent.takeArrivedLate(start, end, this.spurious);
      if (start > next) next = start;
      for (; next < end; next++) {
        if (!sent.isOutstanding(next)) continue;
        sent.markAcked(next);
        this.acked.push(next);
      }
    }
  }

  /** Updates the delivery state from what was newly acknowledged. */
  #countDelivered(now: Instant): void {
    const sent = this.sent;
    for (const packetNumber of this.spurious) this.#delivery.onPacketAcked(packetNumber, now);
    if (this.spurious.length > 0) this.#persistence.onAcked();
    let bytes = 0;
    const newest = this.#newestInOrder();
    for (const packetNumber of this.acked) {
      if (!sent.isInFlightKind(packetNumber)) continue;
      bytes += sent.size(packetNumber);
      if (packetNumber > newest) this.#delivery.onOvertakerAcked(packetNumber, now);
      else this.#delivery.onPacketAcked(packetNumber, now);
    }
    this.ackEvent.bytes = bytes;
  }

  /**
   * The newest acknowledged packet that has overtaken none. If there is no such among the last few, it is the newest of
   * those that arrived late, or else of all.
   */
  #newestInOrder(): number {
    const { acked, sent } = this;
    const last = acked.length - 1;
    for (let i = last; i >= 0 && i > last - MAX_OVERTAKERS; i--) {
      if (sent.isInFlightKind(acked[i]!) && !sent.mayHaveOvertaken(acked[i]!)) return acked[i]!;
    }
    return this.spurious[this.spurious.length - 1] ?? acked[last] ?? -1;
  }

  /** Takes a sample of the round-trip time if the frame gives one. */
  #measureRtt(ack: ReceivedAck, now: Instant, arrival: AckArrival): void {
    const { sent, rtt } = this;
    // RFC 9002 §5.1: a sample needs the largest packet to be new, and one that the peer had to acknowledge.
    if (this.acked[this.acked.length - 1] !== ack.largest || !this.#hasElicited()) return;
    const sample = now - sent.sentAt(ack.largest);
    const isOvertaking = arrival === "overtaking" || sent.mayHaveOvertaken(ack.largest);
    // Deviates from RFC 9002 §5.1: what may have overtaken others is no sample if it is a short one, unless there was no
    // other for a round trip.
    if (isOvertaking && sample < rtt.smoothed && rtt.hasSample && now - this.#lastSampleAt <= rtt.smoothed) return;
    // RFC 9002 §5.3: no more than max_ack_delay. Data packets exist only under keys that both sides have, so there is
    // no time before confirmation in which longer delays would have to be believed.
    const ackDelay = Math.min(ack.delayUs / 1000, this.#maxAckDelay);
    // For controllers, which look for the minimum in it.
    if (!isOvertaking || !rtt.hasSample) this.#delivery.sample.rtt = sample;
    rtt.onSample(sample, ackDelay, isOvertaking ? "overtaking" : "in-order");
    this.#lastSampleAt = now;
    this.#firstSampleAt ??= now;
  }

  #hasElicited(): boolean {
    for (const packetNumber of this.acked) if (this.sent.isAckEliciting(packetNumber)) return true;
    return false;
  }

  /** RFC 9002 §6.1: the thresholds learn from packets that were overtaken, and forget when nothing is. */
  #observeReordering(largestBefore: number, now: Instant): void {
    // An acknowledgement of what was deemed lost comes at once, so that the largest number in it is the one that counts.
    for (const packetNumber of this.spurious) this.#observeOvertaken(packetNumber, this.#largestAcked, now);
    // Any other may have waited for more packets. What the acknowledgement before it reported is certain.
    for (const packetNumber of this.acked) {
      if (packetNumber >= largestBefore) break;
      if (this.sent.isInFlightKind(packetNumber)) this.#observeOvertaken(packetNumber, largestBefore, now);
    }
    this.#reordering.onAcked(this.#largestAcked, this.sent.nextPacketNumber);
  }

  #observeOvertaken(packetNumber: number, overtaker: number, now: Instant): void {
    const sentAt = this.sent.sentAt(packetNumber);
    const spread = this.sent.sentAt(overtaker) - sentAt;
    this.#reordering.onOvertaken({ distance: overtaker - packetNumber, spread, age: now - sentAt }, this.rtt);
  }

  /** RFC 9002 §6.1: finds lost packets, oldest first, and when the next may be lost. */
  #detectLost(now: Instant): void {
    const sent = this.sent;
    const { lossDelay, reorderingSpread } = this;
    const tooOld = this.#tooOld();
    const lateByNumber = this.#lateByNumber();
    this.#lossAt = undefined;
    this.#persistence.onRoundStart();
    let packetNumber = sent.firstInFlight;
    for (; packetNumber < sent.nextPacketNumber; packetNumber++) {
      if (sent.isInFlight(packetNumber)) {
        const sentAt = sent.sentAt(packetNumber);
        const isLateByNumber = packetNumber <= lateByNumber && this.#largestAckedSentAt - sentAt > reorderingSpread;
        if (!isLateByNumber && packetNumber > tooOld) {
          if (packetNumber > this.#largestAcked) break;
          // Send times ascend, so what follows is not late either.
          if (sentAt + lossDelay > now) break;
        }
        this.#lose(packetNumber, now);
      } else if (sent.isAcked(packetNumber)) {
        this.#persistence.onAcked();
      }
    }
    sent.advance(packetNumber);
    if (packetNumber < this.#largestAcked) this.#lossAt = (sent.sentAt(packetNumber) + lossDelay) as Instant;
    if (this.lost.length > 0) this.#completeLoss(now);
  }

  /** The largest packet number that is late by number. */
  #lateByNumber(): number {
    let limit = this.#largestAcked - this.packetThreshold;
    // RFC 9002 §A.10: the threshold assumes no gaps made by the sender, so skipped numbers do not count.
    const { skipped } = this.sent;
    for (let i = skipped.length - 1; i >= 0 && skipped[i]! > limit; i--) {
      if (skipped[i]! < this.#largestAcked) limit -= 1;
    }
    return limit;
  }

  /** The largest packet number that is too far back to be kept: -1 within the bound, else an eighth of it at a time. */
  #tooOld(): number {
    const next = this.sent.nextPacketNumber;
    if (next - this.sent.firstInFlight <= this.#maxSpan) return -1;
    return next - Math.floor((this.#maxSpan * 7) / 8);
  }

  #lose(packetNumber: number, now: Instant): void {
    const sent = this.sent;
    const sentAt = sent.sentAt(packetNumber);
    const size = sent.size(packetNumber);
    sent.markLost(packetNumber, now);
    // RFC 9000 §14.4: the loss of an MTU probe is no sign of congestion, so neither list nor event nor rate know of it.
    if (sent.isMtuProbe(packetNumber)) {
      this.#isMtuProbeLost = true;
      return;
    }
    this.lost.push(packetNumber);
    this.lossEvent.bytes += size;
    this.lossEvent.newestSentAt = sentAt;
    this.#delivery.onPacketLost(size);
    // RFC 9002 §7.6.2: only ack-eliciting packets that were sent when a round-trip sample existed.
    if (!sent.isAckEliciting(packetNumber)) return;
    if (this.#firstSampleAt !== undefined && sentAt > this.#firstSampleAt) this.#persistence.onLost(sentAt);
  }

  #completeLoss(now: Instant): void {
    this.#quietSince = now;
    this.lossEvent.bytesInFlight = this.sent.bytesInFlight;
    this.lossEvent.lost = this.#delivery.lost;
    this.lossEvent.delivered = this.#delivery.delivered;
    if (!this.#persistence.isEstablished(this.probeTimeout)) return;
    this.lossEvent.isPersistent = true;
    this.#persistence.onDeclared();
    this.rtt.onPersistentCongestion();
  }

  /** How long lost packets are remembered: no shorter than the time thresholds may rise by what they teach. */
  get #lostLifetime(): Duration {
    return Math.max(this.probeTimeout, LOST_LIFETIME_RTTS * this.rtt.smoothed);
  }
}
