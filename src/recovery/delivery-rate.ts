/**
 * Delivery-rate samples: how fast the path carried what an acknowledgement covers (draft-ietf-ccwg-bbr, "Delivery Rate
 * Samples").
 *
 * Theory of operation. Each packet is stamped with how much had been delivered when it left, and since when. When it is
 * acknowledged, the difference to now is the volume delivered meanwhile; divided by the longer of the time it took to
 * send that volume and the time it took to see it acknowledged, it is a rate that neither a burst of sending nor a burst
 * of acknowledgements can inflate. Packets sent while the application had nothing more to send are marked, because their
 * rate says something about the application and not about the path.
 *
 * @module
 */
import type { Duration, Instant } from "../util/time.ts";
import type { DeliveryState } from "./packet-rows.ts";
import type { SentPackets } from "./sent-packets.ts";

/** What one acknowledgement says about the path. One object is reused for all. */
export class RateSample {
  /** Whether the acknowledgement was the first for any packet; otherwise the other fields mean nothing. */
  hasData = false;
  /** Bytes per ms, 0 if the interval was too short to tell. */
  deliveryRate = 0;
  /** Whether the newest acknowledged packet was sent while the application had too little to send. */
  isAppLimited = false;
  /** What the rate was measured over, in ms. */
  interval: Duration = 0;
  /** Bytes delivered in the interval. */
  delivered = 0;
  /** Bytes that had been delivered when the newest acknowledged packet was sent. */
  priorDelivered = 0;
  /** When `priorDelivered` was reached. */
  priorDeliveredAt = 0 as Instant;
  /** Time it took to send what was delivered. */
  sendElapsed: Duration = 0;
  /** Time it took to see it acknowledged. */
  ackElapsed: Duration = 0;
  /** Bytes newly acknowledged. */
  newlyAcked = 0;
  /** Bytes newly deemed lost. */
  newlyLost = 0;
  /** Bytes in flight when the newest acknowledged packet was sent, itself included. */
  inFlightWhenSent = 0;
  /** Bytes deemed lost between the sending of the newest acknowledged packet and now. */
  lost = 0;
  /** The newest acknowledged packet. */
  lastAcked = -1;
  /** Round-trip sample of the acknowledgement, `undefined` if it gave none that says something about the minimum. */
  rtt: Duration | undefined = undefined;
}

/** Takes delivery-rate samples of one path; the draft's connection state. */
export class DeliveryRate<Token> implements DeliveryState {
  readonly sample = new RateSample();
  readonly #sent: SentPackets<Token>;
  #delivered = 0;
  #deliveredAt = 0 as Instant;
  #firstSentAt = 0 as Instant;
  #lost = 0;
  /** The path is app-limited until this many bytes are delivered; 0 if it is not. */
  #appLimitedUntil = 0;

  constructor(sent: SentPackets<Token>) {
    this.#sent = sent;
  }

  /** Input: the newest packet of the ledger, which counts as in flight, was sent. */
  onPacketSent(size: number, now: Instant): void {
    if (this.#sent.bytesInFlight === size) {
      // Nothing else is in flight, so any later acknowledgement shows what was delivered from now on.
      this.#firstSentAt = now;
      this.#deliveredAt = now;
    }
    this.#sent.stampDelivery(this);
  }

  /** Input: an acknowledgement is about to be processed. */
  onAckStart(): void {
    const sample = this.sample;
    sample.hasData = false;
    sample.deliveryRate = 0;
    sample.interval = 0;
    sample.delivered = 0;
    sample.newlyAcked = 0;
    sample.newlyLost = 0;
    sample.rtt = undefined;
  }

  /** Input: a packet that counted as in flight was acknowledged for the first time, be it after it was deemed lost. */
  onPacketAcked(packetNumber: number, now: Instant): void {
    const sent = this.#sent;
    const sample = this.sample;
    this.onOvertakerAcked(packetNumber, now);
    if (sample.hasData && !this.#isNewest(packetNumber)) return;
    sample.hasData = true;
    sample.priorDelivered = sent.delivered(packetNumber);
    sample.priorDeliveredAt = sent.deliveredAt(packetNumber);
    sample.isAppLimited = sent.isAppLimited(packetNumber);
    sample.sendElapsed = sent.sentAt(packetNumber) - sent.firstSentAt(packetNumber);
    sample.ackElapsed = now - sample.priorDeliveredAt;
    sample.inFlightWhenSent = sent.inFlightWhenSent(packetNumber);
    sample.lastAcked = packetNumber;
    this.#firstSentAt = sent.sentAt(packetNumber);
  }

  /**
   * Input: the same of a packet that may have overtaken others, if the acknowledgement covers one that has not. It counts
   * as delivered, but the sample is not taken from it: it was under way for less time than what it is counted with, and a
   * round trip would seem to end with it.
   */
  onOvertakerAcked(packetNumber: number, now: Instant): void {
    const size = this.#sent.size(packetNumber);
    this.#delivered += size;
    this.#deliveredAt = now;
    this.sample.newlyAcked += size;
  }

  /** Input: a packet that counted as in flight is deemed lost. */
  onPacketLost(size: number): void {
    this.#lost += size;
    this.sample.newlyLost += size;
  }

  /** Input: all packets of the acknowledgement were reported; completes {@link sample}. */
  onAckEnd(minRtt: Duration, arrival: "in-order" | "overtaking" = "in-order"): void {
    if (this.#appLimitedUntil > 0 && this.#delivered > this.#appLimitedUntil) this.#appLimitedUntil = 0;
    const sample = this.sample;
    if (!sample.hasData) return;
    sample.lost = this.#lost - this.#sent.lostWhenSent(sample.lastAcked);
    sample.interval = Math.max(sample.sendElapsed, sample.ackElapsed);
    sample.delivered = this.#delivered - sample.priorDelivered;
    // Acknowledgements of one round trip cannot arrive faster than that unless they were compressed on the way. One that
    // overtook others also tells what they would have told, before its time.
    if (sample.interval < minRtt || sample.interval === 0 || arrival === "overtaking") return;
    sample.deliveryRate = sample.delivered / sample.interval;
  }

  /** Command: there was nothing to send although the congestion window had room. */
  markAppLimited(): void {
    this.#appLimitedUntil = Math.max(this.#delivered + this.#sent.bytesInFlight, 1);
  }

  /** Whether what is in flight was too little to use the path. */
  get isAppLimited(): boolean {
    return this.#appLimitedUntil > 0;
  }

  /** Bytes acknowledged so far. */
  get delivered(): number {
    return this.#delivered;
  }

  /** When {@link delivered} last changed. */
  get deliveredAt(): Instant {
    return this.#deliveredAt;
  }

  /** Send time of the packet that was most recently acknowledged. */
  get firstSentAt(): Instant {
    return this.#firstSentAt;
  }

  /** Bytes deemed lost so far. */
  get lost(): number {
    return this.#lost;
  }

  #isNewest(packetNumber: number): boolean {
    const sentAt = this.#sent.sentAt(packetNumber);
    return sentAt > this.#firstSentAt || (sentAt === this.#firstSentAt && packetNumber > this.sample.lastAcked);
  }
}
