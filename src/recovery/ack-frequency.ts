/**
 * How often the peer should acknowledge (draft-ietf-quic-ack-frequency).
 *
 * Theory of operation. An acknowledgement of every second packet costs both sides more than it tells at high rates. What
 * the sender needs is a number of acknowledgements for each round trip: enough for slow start to measure and grow, for
 * BBR to sample the rate, and for a loss to be seen soon. So it asks for one after each tenth of the window, at most 32
 * packets, and after a quarter of a round trip in any case. With a small window that is one for every second packet, the
 * default, and nothing is asked for. Packets out of order are to be reported once they are as far behind as the loss
 * detector's packet threshold, because before that it would do nothing.
 *
 * The owner calls `update` now and then, at least with each acknowledgement. A wish goes out when it differs enough from
 * the last one, once for each round trip at most, in a frame with the next sequence number. A lost frame is repeated
 * unless a newer one has gone out. The peer may go by any frame that was sent since the last acknowledged one, so the
 * longest of their delays is what the probe timeout has to allow for.
 *
 * @module
 */
import type { Duration, Instant } from "../util/time.ts";
import { DEFAULT_ACK_THRESHOLD, DEFAULT_REORDERING_THRESHOLD } from "./ack-tracker.ts";
import { PACKET_THRESHOLD } from "./reordering.ts";

// Implementation

/**
 * Acknowledgements in the time in which a window is sent: the eight samples that HyStart++ wants (RFC 9406 §4.2) and two
 * to spare. BBR keeps about half of its window in flight and so gets five for each round trip, where it asks for four.
 */
const ACKS_PER_WINDOW = 10;

/** Packets for one acknowledgement at most. More would save little: its share of the work is below that of a packet. */
const MAX_PACKETS_PER_ACK = 32;

/** Acknowledgements of a round trip if packets are too few to cause them. */
const ACKS_PER_ROUND_TRIP = 4;

/** A wish that differs by less than this share from the last one is not worth a frame; quinn has the same. */
const WORTHWHILE_CHANGE = 0.2;

/** What the peer tells of itself in the handshake, in ms. */
export interface AckDelays {
  /** Longest time that it holds back an acknowledgement by itself. */
  readonly maxAckDelay: Duration;
  /** Shortest that it can be asked for. */
  readonly minAckDelay: Duration;
}

/** What a wish depends on. */
export interface AckNeeds {
  /** The congestion window in full packets. */
  readonly windowPackets: number;
  readonly smoothedRtt: Duration;
  /** The loss detector's. */
  readonly packetThreshold: number;
}

/** The fields of an ACK_FREQUENCY frame. */
export interface AckWish {
  readonly sequence: number;
  readonly threshold: number;
  readonly maxAckDelayUs: number;
  readonly reorderingThreshold: number;
}

/** The sender's side of ACK_FREQUENCY; see the module's theory of operation. */
export class AckFrequencyPolicy {
  #peer: AckDelays;
  /** The last wish; before the first one, what the peer does by itself. */
  #wish: AckWish;
  #sentAt: Instant | undefined;
  #ackedSequence = -1;
  /** What the peer goes by for sure: its own delay, or that of the newest acknowledged frame. */
  #ackedDelay: Duration;
  /** The longest delay of the frames since then. */
  #pendingDelay: Duration = 0;

  constructor(peer: AckDelays) {
    this.#peer = peer;
    this.#ackedDelay = peer.maxAckDelay;
    this.#wish = {
      sequence: -1,
      threshold: DEFAULT_ACK_THRESHOLD,
      maxAckDelayUs: peer.maxAckDelay * 1000,
      reorderingThreshold: DEFAULT_REORDERING_THRESHOLD,
    };
  }

  // Inputs

  /** Input: what the handshake has told. No wish is older than it. */
  setPeer(peer: AckDelays): void {
    this.#peer = peer;
    this.#ackedDelay = peer.maxAckDelay;
    this.#wish = { ...this.#wish, maxAckDelayUs: peer.maxAckDelay * 1000 };
  }

  /** Input: a packet with the frame of this sequence number was acknowledged. */
  onAcked(sequence: number): void {
    if (sequence <= this.#ackedSequence) return;
    this.#ackedSequence = sequence;
    // Of older frames the peer only knows the newest, of newer ones it may know any.
    if (sequence !== this.#wish.sequence) return;
    this.#ackedDelay = this.#wish.maxAckDelayUs / 1000;
    this.#pendingDelay = 0;
  }

  // Outputs

  /** Output: the sequence number of a new wish that should go to the peer, `undefined` if there is none now. */
  update(needs: AckNeeds, now: Instant): number | undefined {
    // draft-ietf-quic-ack-frequency §7.1: no more than one frame per round trip.
    if (this.#sentAt !== undefined && now - this.#sentAt < needs.smoothedRtt) return undefined;
    const share = Math.floor(needs.windowPackets / ACKS_PER_WINDOW);
    const packets = Math.min(Math.max(share, DEFAULT_ACK_THRESHOLD + 1), MAX_PACKETS_PER_ACK);
    const isOrdinary = packets === DEFAULT_ACK_THRESHOLD + 1 && needs.packetThreshold <= PACKET_THRESHOLD;
    if (isOrdinary && this.#sentAt === undefined) return undefined;
    const { maxAckDelay, minAckDelay } = this.#peer;
    const delay = Math.max(Math.min(needs.smoothedRtt / ACKS_PER_ROUND_TRIP, maxAckDelay), minAckDelay);
    const last = this.#wish;
    const isWorthwhile =
      differs(packets, last.threshold + 1) ||
      differs(delay * 1000, last.maxAckDelayUs) ||
      differs(needs.packetThreshold, last.reorderingThreshold);
    if (!isWorthwhile) return undefined;
    this.#sentAt = now;
    const maxAckDelayUs = Math.ceil(delay * 1000);
    this.#pendingDelay = Math.max(this.#pendingDelay, maxAckDelayUs / 1000);
    const sequence = last.sequence + 1;
    this.#wish = { sequence, threshold: packets - 1, maxAckDelayUs, reorderingThreshold: needs.packetThreshold };
    return sequence;
  }

  /** Output: the wish of this sequence number, `undefined` if a newer one has taken its place. */
  wish(sequence: number): AckWish | undefined {
    return sequence === this.#wish.sequence ? this.#wish : undefined;
  }

  /** The longest time that the peer may hold back an acknowledgement, in ms. */
  get maxAckDelay(): Duration {
    return Math.max(this.#ackedDelay, this.#pendingDelay);
  }
}

function differs(wanted: number, last: number): boolean {
  return Math.abs(wanted - last) > WORTHWHILE_CHANGE * last;
}
