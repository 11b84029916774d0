/**
 * What losses say: how much the path delivered lately, how much of the loss is its own, and whether there is more
 * (draft-ietf-ccwg-bbr, "Updating the Model Upon Packet Loss").
 *
 * Theory of operation. The draft takes 2 % of loss for a sign of too much in flight. Radio links lose as much of what is
 * sent to them at any rate, and a sender that gives way to that starves. Two things tell such loss apart. It does not
 * depend on the rate: so the loss of rounds in which nothing was probed and no queue stood is the path's own, and only
 * loss beyond twice that, and in several places, is congestion. And it comes without a queue: a round whose fastest packet
 * took hardly longer than the minimum met no standing queue, and its loss asks for no response as long as it stays below
 * a bound.
 *
 * @module
 */
import type { Duration, Instant } from "../../util/time.ts";
import { WindowedFilter } from "../../util/windowed-filter.ts";
import {
  AMBIENT_MARGIN,
  AMBIENT_SPAN_PACKETS,
  LOSS_THRESHOLD,
  MAX_RANDOM_LOSS,
  MIN_LOSS_EVENTS,
  MIN_RTT_LIFETIME,
  QUEUE_NOISE,
  QUEUE_SHARE,
} from "./parameters.ts";

/** What an acknowledgement says about delivery. */
export interface DeliverySample {
  readonly deliveryRate: number;
  readonly delivered: number;
  readonly priorDelivered: number;
}

/** A packet that is deemed lost. */
export interface LostPacket {
  readonly packetNumber: number;
  readonly sentAt: Instant;
  readonly size: number;
}

/** Keeps the signals of the current round; rates in bytes per ms. */
export class LossSignals {
  /** Greatest delivery rate of the round ("bw_latest"). */
  latestBandwidth = 0;
  /** Greatest volume delivered in a round trip that ended in this round ("inflight_latest"). */
  latestInflight = 0;
  /** Whether anything was lost in this round ("is_loss_in_round"). */
  hasLoss = false;
  /** Whether a mark of congestion was reported in this round. */
  hasMark = false;
  /** When data was last sent faster than the path was known to be, and less was sent from then on. */
  slowSince = 0 as Instant;
  /** Whether the last acknowledgement ended a round ("loss_round_start"). */
  isRoundOver = false;

  #roundEndsAt = 0;
  #startedAt = 0 as Instant;
  #lostBytes = 0;
  #lostPackets = 0;
  #deliveredBytes = 0;
  #events = 0;
  #eventsBefore = 0;
  #lastLost = -2;
  #roundMinRtt: Duration = Number.POSITIVE_INFINITY;
  /** Longest round trip that even the fastest packet of a round took. */
  readonly #longestRtt = new WindowedFilter("max", MIN_RTT_LIFETIME);
  #ambientLost = 0;
  #ambientTotal = 0;

  // Inputs

  /** Input: a packet was lost when `delivered` bytes had been delivered ("NoteLoss"). */
  onLost(packet: LostPacket, delivered: number): void {
    if (packet.packetNumber !== this.#lastLost + 1) this.#events += 1;
    this.#lastLost = packet.packetNumber;
    // A loss that slowing down has answered already says nothing about the present.
    if (packet.sentAt < this.slowSince) return;
    if (!this.hasLoss) this.#roundEndsAt = delivered;
    this.hasLoss = true;
    this.#lostBytes += packet.size;
    this.#lostPackets += 1;
  }

  /** Input: a packet that was deemed lost at `lostAt` has arrived. */
  onArrivedLate(size: number, lostAt: Instant): void {
    if (lostAt < this.#startedAt || this.#lostPackets === 0) return;
    this.#lostBytes -= Math.min(size, this.#lostBytes);
    this.#lostPackets -= 1;
    if (this.#lostPackets > 0) return;
    this.hasLoss = false;
    this.#events = 0;
  }

  /** Input: an acknowledgement begins to be processed ("UpdateLatestDeliverySignals"). */
  onAck(sample: DeliverySample, newlyAcked: number, rtt: Duration | undefined): void {
    this.latestBandwidth = Math.max(this.latestBandwidth, sample.deliveryRate);
    this.latestInflight = Math.max(this.latestInflight, sample.delivered);
    this.#deliveredBytes += newlyAcked;
    if (rtt !== undefined && rtt < this.#roundMinRtt) this.#roundMinRtt = rtt;
    this.isRoundOver = sample.deliveryRate > 0 && sample.priorDelivered >= this.#roundEndsAt;
    if (this.isRoundOver) this.#roundEndsAt = sample.priorDelivered + sample.delivered;
  }

  /** Input: the acknowledgement has been processed ("AdvanceLatestDeliverySignals"). */
  onAckEnd(sample: DeliverySample, now: Instant): void {
    if (!this.isRoundOver) return;
    this.#startedAt = now;
    this.latestBandwidth = sample.deliveryRate;
    this.latestInflight = sample.delivered;
    this.hasLoss = false;
    this.hasMark = false;
    this.#lostBytes = 0;
    this.#lostPackets = 0;
    this.#deliveredBytes = 0;
    this.#eventsBefore = this.#events;
    this.#events = 0;
    if (this.#roundMinRtt < Number.POSITIVE_INFINITY) this.#longestRtt.update(this.#roundMinRtt, now);
    this.#roundMinRtt = Number.POSITIVE_INFINITY;
  }

  // Commands

  /** Command: begins anew ("ResetCongestionSignals"). */
  reset(): void {
    this.hasLoss = false;
    this.latestBandwidth = 0;
    this.latestInflight = 0;
  }

  /** Command: the round that is over probed for nothing; its loss is the path's own if it looks like it. */
  learnAmbient(minRtt: Duration, mtu: number): void {
    if (this.hasQueue(minRtt) || this.lossRate > MAX_RANDOM_LOSS) return;
    this.#ambientLost += this.#lostBytes;
    this.#ambientTotal += this.#lostBytes + this.#deliveredBytes;
    if (this.#ambientTotal <= AMBIENT_SPAN_PACKETS * mtu) return;
    this.#ambientLost /= 2;
    this.#ambientTotal /= 2;
  }

  // Outputs

  /** Whether the loss of the round that is over asks for less, where nothing was probed. */
  isCongestion(minRtt: Duration): boolean {
    if (this.hasMark) return true;
    if (!this.hasLoss) return false;
    if (this.hasQueue(minRtt)) return this.lossRate > AMBIENT_MARGIN * this.ambientLoss;
    return this.hasManyEvents && this.lossRate > MAX_RANDOM_LOSS;
  }

  /** Whether even the fastest packet of the round waited, for about as long as there has been to wait lately. */
  hasQueue(minRtt: Duration): boolean {
    if (this.#roundMinRtt === Number.POSITIVE_INFINITY) return false;
    const longest = (this.#longestRtt.value ?? minRtt) - minRtt;
    return this.#roundMinRtt - minRtt > Math.max(QUEUE_SHARE * longest, QUEUE_NOISE);
  }

  /** Whether so many bytes lost, of so many in flight, mean that too much was ("IsInflightTooHigh"). */
  isTooHigh(lost: number, inflight: number): boolean {
    return this.hasManyEvents && lost > inflight * this.threshold;
  }

  // Getters

  /** Share of lost data from which on a probe went too far. */
  get threshold(): number {
    return LOSS_THRESHOLD + AMBIENT_MARGIN * this.ambientLoss;
  }

  /** Share of data that the path loses by itself. */
  get ambientLoss(): number {
    return this.#ambientTotal === 0 ? 0 : this.#ambientLost / this.#ambientTotal;
  }

  /** Share of data lost in this round so far. */
  get lossRate(): number {
    return this.#lostBytes === 0 ? 0 : this.#lostBytes / (this.#lostBytes + this.#deliveredBytes);
  }

  /** Gaps in what arrived in this round. */
  get events(): number {
    return this.#events;
  }

  /** Whether there were more gaps within about a round than noise makes. */
  get hasManyEvents(): boolean {
    return this.#events + this.#eventsBefore >= MIN_LOSS_EVENTS;
  }
}
