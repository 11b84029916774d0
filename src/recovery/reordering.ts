/**
 * How late a packet may come before it is lost: the packet threshold and the time threshold, which follow the path
 * (RFC 9002 §6.1).
 *
 * Theory of operation. RFC 9002 §6.1.1 and §6.1.2 fix both thresholds, and allow for raising them where a path reorders.
 * On a path whose packets overtake a hundred others, fixed thresholds take a hundred packets for lost with each of them.
 * So both rise at once to what was observed when a packet comes that was overtaken: by how many packets, and by how much
 * time. For the packet threshold, time is what the overtaking packet was sent later: a packet is late by number only if it is
 * behind by more numbers, and by more of that time, than any that was overtaken. Where the detour of a packet takes a fixed
 * time, that holds while the rate doubles with each round trip of slow start. A packet that was overtaken but not yet deemed lost raises nothing; it shows that the path still reorders, and
 * so keeps what was learnt. Memory is two maxima, one of the current span of 16 round trips and 500 packets and one of the
 * span before; the older one is dropped when a new span begins. Thus a path that does not reorder, or no longer does, finds
 * its losses as fast as one with fixed thresholds.
 *
 * RFC 8985 §6.2 raises its window step by step. Here the distance is known exactly, because packets are numbered in the
 * order in which they are sent and never twice, so there is nothing to approach.
 *
 * @module
 */
import type { Duration } from "../util/time.ts";
import { GRANULARITY } from "./rtt.ts";

// Specification

/** A packet is lost once one that was sent this many numbers later is acknowledged (RFC 9002 §6.1.1). */
export const PACKET_THRESHOLD = 3;

/** A packet is lost this many round trips after it was sent, once a later one is acknowledged (RFC 9002 §6.1.2). */
export const TIME_THRESHOLD = 9 / 8;

/** Smoothed round trips by which the time threshold may rise at most (RFC 8985 §6.2 has the same bound). */
const MAX_LATENESS_RTTS = 1;

/**
 * Smoothed round trips whose packets are the most that the packet threshold may rise to: the time threshold finds what is
 * further behind.
 */
const MAX_DISTANCE_RTTS = 1;

// Implementation

/** Round trips for which an observation counts at least; RFC 8985 §6.2 keeps its window for as many recoveries. */
const MEMORY_ROUNDS = 16;

/** Packets for which it does: where one in a hundred is late, a small window meets the next one after many round trips. */
const MEMORY_PACKETS = 500;

/** Below any difference of two send times. */
const NO_SPREAD: Duration = -1;

/** What is seen of a packet that arrives after ones that were sent later. */
export interface OvertakenPacket {
  /** By how many numbers the packet is behind the largest acknowledged one. */
  readonly distance: number;
  /** By how much later that one was sent, in ms. */
  readonly spread: Duration;
  /** Time since the packet was sent, in ms. */
  readonly age: Duration;
}

/** What the thresholds need to know of round-trip times. */
interface RoundTrip {
  readonly latest: Duration;
  readonly smoothed: Duration;
}

/** Adapts both thresholds to one path; see the module's theory of operation. */
export class ReorderingWindow {
  readonly #packetThreshold: number;
  readonly #timeThreshold: number;
  /** Largest distance, spread and lateness of the current span of rounds. */
  #distance = 0;
  #spread: Duration = NO_SPREAD;
  #lateness: Duration = 0;
  /** The same of the span before. */
  #oldDistance = 0;
  #oldSpread: Duration = NO_SPREAD;
  #oldLateness: Duration = 0;
  #rounds = 0;
  /** The round is over when this number is acknowledged. */
  #roundEnd = 0;
  /** The span is not over before this number is acknowledged. */
  #spanEnd = MEMORY_PACKETS;

  /** The values below which the thresholds never are. */
  constructor(packetThreshold = PACKET_THRESHOLD, timeThreshold = TIME_THRESHOLD) {
    this.#packetThreshold = packetThreshold;
    this.#timeThreshold = timeThreshold;
  }

  // Inputs

  /** Input: a packet has arrived after `packet.distance` later ones or fewer. */
  onOvertaken(packet: OvertakenPacket, rtt: RoundTrip): void {
    const { distance, spread, age } = packet;
    const longest = MAX_DISTANCE_RTTS * rtt.smoothed;
    const bounded = spread > longest ? Math.floor((distance * longest) / spread) : distance;
    this.#distance = Math.max(this.#distance, bounded);
    // Packets that are paced alike are not sent at the same distance to the last bit.
    this.#spread = Math.max(this.#spread, spread + GRANULARITY);
    // A packet that is as late again must come before the timer, which may fire early by its resolution.
    const lateness = age - this.#timeThreshold * Math.max(rtt.latest, rtt.smoothed) + GRANULARITY;
    this.#lateness = Math.max(this.#lateness, lateness);
  }

  /** Input: packets up to `largestAcked` were acknowledged when the next to be sent was `nextPacketNumber`. */
  onAcked(largestAcked: number, nextPacketNumber: number): void {
    if (largestAcked < this.#roundEnd) return;
    this.#roundEnd = nextPacketNumber;
    this.#rounds += 1;
    if (this.#rounds < MEMORY_ROUNDS || largestAcked < this.#spanEnd) return;
    this.#rounds = 0;
    this.#spanEnd = nextPacketNumber + MEMORY_PACKETS;
    this.#oldDistance = this.#distance;
    this.#oldSpread = this.#spread;
    this.#oldLateness = this.#lateness;
    this.#distance = 0;
    this.#spread = NO_SPREAD;
    this.#lateness = 0;
  }

  // Outputs

  /** A packet is lost once one that was sent so many numbers later is acknowledged (RFC 9002 §6.1.1). */
  get packetThreshold(): number {
    // What came `distance` numbers late must not be lost when it does so again.
    return Math.max(this.#packetThreshold, this.#distance + 1, this.#oldDistance + 1);
  }

  /**
   * A packet is late by number only if the acknowledged one was sent more than this much later, in ms; negative while
   * nothing was overtaken, since packets of one burst are sent at the same time.
   */
  spread(rtt: RoundTrip): Duration {
    return Math.min(Math.max(this.#spread, this.#oldSpread), MAX_DISTANCE_RTTS * rtt.smoothed);
  }

  /** A packet is lost so long after it was sent, once a later one is acknowledged (RFC 9002 §6.1.2), in ms. */
  lossDelay(rtt: RoundTrip): Duration {
    const lateness = Math.max(this.#lateness, this.#oldLateness, 0);
    const allowed = Math.min(lateness, MAX_LATENESS_RTTS * rtt.smoothed);
    return Math.max(this.#timeThreshold * Math.max(rtt.latest, rtt.smoothed) + allowed, GRANULARITY);
  }
}
