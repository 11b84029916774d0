/**
 * What to acknowledge, and when (RFC 9000 §13.2; draft-ietf-quic-ack-frequency).
 *
 * Theory of operation. The owner reports every packet that it opened. `shouldAckNow` is meant to be asked after a whole
 * batch was reported, when datagrams are built. An ACK frame is due at once after every second ack-eliciting packet, when
 * numbers are missing that were not reported as missing yet, when a packet comes so late that the peer may have given it
 * up, and when the peer asks for it; otherwise when the ack delay is over. `takeAck` may also be asked while a packet is
 * built for other reasons: it returns a frame whenever there is news. Only `onAckSent` settles what the frame reported.
 *
 * Ranges that the peer is known to know are dropped, so the set is small; 64 ranges are its bound.
 *
 * @module
 */

import { RangeSet } from "../util/range-set.ts";
import { after, type Duration, type Instant } from "../util/time.ts";
import { MAX_ACK_RANGES } from "../wire/ack-frame.ts";
import type { AckFrame, EcnCounts } from "../wire/frame.ts";
import { ACK_ELICITING } from "./sent-packets.ts";

// Specification

/** Ack-eliciting packets that may go without an acknowledgement by default (RFC 9000 §13.2.2). */
export const DEFAULT_ACK_THRESHOLD = 1;

/** Missing numbers that call for an acknowledgement by default: the first one does (RFC 9000 §13.2.1). */
export const DEFAULT_REORDERING_THRESHOLD = 1;

/** Ack delays from here on are invalid, in ms (RFC 9000 §18.2). */
export const MAX_ACK_DELAY_LIMIT: Duration = 2 ** 14;

// Implementation

/** Flag of a received packet: marked ECT(0). Goes with {@link ACK_ELICITING}. */
export const MARKED_ECT0 = 4;

/** Flag of a received packet: marked ECT(1). */
export const MARKED_ECT1 = 8;

/** Flag of a received packet: marked Congestion Experienced. */
export const MARKED_CE = 16;

/**
 * Acknowledgements in packets that elicit none after which one should (RFC 9000 §13.2.4 suggests once per round trip, which
 * an endpoint that only receives cannot measure well): 64 ranges fill up no faster than this.
 */
const ELICIT_AFTER = 16;

/** Numbers before a packet that must have been received for it to count as having overtaken nothing; as in the ledger. */
const OVERTAKING_LOOKBACK = 4;

/** What the peer asks for with ACK_FREQUENCY. */
export interface AckFrequency {
  readonly sequence: number;
  readonly threshold: number;
  readonly maxAckDelayUs: number;
  readonly reorderingThreshold: number;
}

/** Delays of an {@link AckTracker} in ms. */
export interface AckTrackerOptions {
  /** Longest time that an acknowledgement is held back until the peer asks for another. */
  readonly maxAckDelay: Duration;
  /** Shortest such time that the peer may ask for. */
  readonly minAckDelay: Duration;
}

/** Keeps what was received and decides when to report it; see the module's theory of operation. */
export class AckTracker {
  readonly #received = new RangeSet(MAX_ACK_RANGES);
  readonly #minAckDelay: Duration;
  #maxAckDelay: Duration;
  #ackThreshold = DEFAULT_ACK_THRESHOLD;
  #reorderingThreshold = DEFAULT_REORDERING_THRESHOLD;
  #frequencySequence = -1;

  #largest = -1;
  #largestAt = 0 as Instant;
  #largestEliciting = -1;
  /** Numbers below are settled: the peer knows of them, or they are too old to be reported. */
  #floor = 0;
  /** Largest number in an ACK frame that was sent ("Largest Acked" of the draft). */
  #largestReported = -1;

  #elicitingSinceAck = 0;
  #newSinceAck = 0;
  #firstElicitingAt: Instant | undefined;
  #isDue = false;
  #acksWithoutEcho = 0;

  #ect0 = 0;
  #ect1 = 0;
  #ce = 0;
  #lastWasCe = false;

  constructor(options: AckTrackerOptions) {
    this.#maxAckDelay = options.maxAckDelay;
    this.#minAckDelay = options.minAckDelay;
  }

  // Inputs

  /**
   * Input: a packet was opened. `flags` are {@link ACK_ELICITING} and one of {@link MARKED_ECT0}, {@link MARKED_ECT1},
   * {@link MARKED_CE}. A number that is known already changes nothing.
   */
  onPacketReceived(packetNumber: number, flags: number, now: Instant): void {
    if (this.#received.contains(packetNumber)) return;
    this.#received.add(packetNumber, packetNumber + 1);
    // The set drops its lowest range when it is full; what lies below counts as settled from then on.
    if (this.#received.rangeCount === MAX_ACK_RANGES) this.#floor = Math.max(this.#floor, this.#received.first!);
    this.#newSinceAck += 1;
    if (packetNumber > this.#largest) {
      this.#largest = packetNumber;
      this.#largestAt = now;
    }
    this.#countMark(flags);
    if ((flags & ACK_ELICITING) !== 0) this.#onEliciting(packetNumber, now);
  }

  /** Input: time has passed. Safe when nothing is due. */
  handleTimeout(now: Instant): void {
    if (this.shouldAckNow(now)) this.#isDue = true;
  }

  /** Input: the frame of {@link takeAck} is on its way, in a packet with these `flags` ({@link ACK_ELICITING}). */
  onAckSent(flags: number): void {
    this.#largestReported = Math.max(this.#largestReported, this.#largest);
    this.#elicitingSinceAck = 0;
    this.#newSinceAck = 0;
    this.#firstElicitingAt = undefined;
    this.#isDue = false;
    this.#acksWithoutEcho = (flags & ACK_ELICITING) === 0 ? this.#acksWithoutEcho + 1 : 0;
  }

  /** Input: the peer acknowledged a packet whose ACK frame reported packets up to `largest`. */
  onAckAcked(largest: number): void {
    // RFC 9000 §13.2.4: what the peer has seen reported need not be reported again.
    this.#received.remove(0, largest + 1);
    this.#floor = Math.max(this.#floor, largest + 1);
  }

  /** Input: an ACK_FREQUENCY frame. `"invalid"` calls for the end of the connection. */
  onAckFrequency(frame: AckFrequency): "ok" | "invalid" {
    const maxAckDelay = frame.maxAckDelayUs / 1000;
    if (maxAckDelay >= MAX_ACK_DELAY_LIMIT || maxAckDelay < this.#minAckDelay) return "invalid";
    if (frame.sequence <= this.#frequencySequence) return "ok";
    this.#frequencySequence = frame.sequence;
    this.#maxAckDelay = maxAckDelay;
    this.#ackThreshold = frame.threshold;
    this.#reorderingThreshold = frame.reorderingThreshold;
    return "ok";
  }

  /** Input: an IMMEDIATE_ACK frame. */
  onImmediateAck(): void {
    this.#isDue = true;
  }

  // Outputs

  /** Output: whether an ACK frame should be sent even if nothing else is. */
  shouldAckNow(now: Instant): boolean {
    if (!this.#hasNews) return false;
    if (this.#isDue || this.#elicitingSinceAck > this.#ackThreshold) return true;
    return this.#firstElicitingAt !== undefined && now >= after(this.#firstElicitingAt, this.#maxAckDelay);
  }

  /** Output: when to call {@link handleTimeout}; `undefined` also while an acknowledgement is due already. */
  nextTimeout(): Instant | undefined {
    if (this.#isDue || this.#firstElicitingAt === undefined) return undefined;
    return after(this.#firstElicitingAt, this.#maxAckDelay);
  }

  /** Output: an ACK frame if there is news for the peer. Nothing is settled before {@link onAckSent}. */
  takeAck(now: Instant): AckFrame | undefined {
    if (!this.#hasNews) return undefined;
    const received = this.#received;
    const ranges: number[] = [];
    for (let i = received.rangeCount - 1; i >= 0; i--) ranges.push(received.start(i), received.end(i));
    const largest = ranges[1]! - 1;
    // RFC 9000 §13.2.5: the delay of the largest number, which is known only if that is the largest ever.
    const delayUs = largest === this.#largest ? Math.floor((now - this.#largestAt) * 1000) : 0;
    return { type: "ack", largest, delayUs, ranges, ecn: this.#ecn };
  }

  // Getters

  /**
   * Whether the packet that carries the next ACK frame should be made ack-eliciting with a PING, so that the peer's
   * answer allows old ranges to be dropped (RFC 9000 §13.2.4).
   */
  get shouldElicitAck(): boolean {
    return this.#acksWithoutEcho >= ELICIT_AFTER && this.#received.rangeCount > 1;
  }

  /** Longest time that an acknowledgement is held back, in ms. */
  get maxAckDelay(): Duration {
    return this.#maxAckDelay;
  }

  /** The largest packet number received, -1 before the first. */
  get largestReceived(): number {
    return this.#largest;
  }

  /**
   * Whether the packet, just opened, may have overtaken others: one of those sent just before it is missing. What is
   * settled with the peer counts as received.
   */
  mayHaveOvertaken(packetNumber: number): boolean {
    const from = Math.max(packetNumber - OVERTAKING_LOOKBACK, this.#floor);
    return from < packetNumber && this.#firstMissing(from) < packetNumber;
  }

  /** Ranges that the next ACK frame would have. */
  get rangeCount(): number {
    return this.#received.rangeCount;
  }

  // Private

  #onEliciting(packetNumber: number, now: Instant): void {
    this.#elicitingSinceAck += 1;
    this.#firstElicitingAt ??= now;
    if (packetNumber > this.#largestEliciting) this.#largestEliciting = packetNumber;
    if (this.#isOutOfOrder(packetNumber)) this.#isDue = true;
  }

  /** draft-ietf-quic-ack-frequency §6.2: whether the peer could, or did, take a packet for lost by now. */
  #isOutOfOrder(packetNumber: number): boolean {
    const threshold = this.#reorderingThreshold;
    if (threshold === 0) return false;
    const largestReportedMissing = this.#largestReported - threshold;
    if (this.#largestReported >= 0 && packetNumber <= largestReportedMissing) return true;
    const from = this.#largestReported < 0 ? this.#floor : Math.max(largestReportedMissing + 1, this.#floor);
    const missing = this.#firstMissing(from);
    return missing < this.#largestEliciting && this.#largestEliciting - missing >= threshold;
  }

  /** The lowest number from `from` on that was not received. */
  #firstMissing(from: number): number {
    const received = this.#received;
    const index = received.indexOfRangeAfter(from);
    if (index === received.rangeCount || received.start(index) > from) return from;
    return received.end(index);
  }

  #countMark(flags: number): void {
    const isCe = (flags & MARKED_CE) !== 0;
    if ((flags & MARKED_ECT0) !== 0) this.#ect0 += 1;
    if ((flags & MARKED_ECT1) !== 0) this.#ect1 += 1;
    if (isCe) this.#ce += 1;
    // RFC 9000 §13.2.1: marks are reported at once; with a raised threshold only the first of a row, as in the draft.
    if (isCe && (this.#ackThreshold <= 1 || !this.#lastWasCe)) this.#isDue = true;
    this.#lastWasCe = isCe;
  }

  /** Whether there is anything to report that was not, or that the peer wants to hear again. */
  get #hasNews(): boolean {
    return (this.#newSinceAck > 0 || this.#isDue) && !this.#received.isEmpty;
  }

  get #ecn(): EcnCounts | undefined {
    if (this.#ect0 === 0 && this.#ect1 === 0 && this.#ce === 0) return undefined;
    return { ect0: this.#ect0, ect1: this.#ect1, ce: this.#ce };
  }
}
