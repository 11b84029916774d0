/**
 * The network of the QUIC interop runner: two hosts and a link between them, as its simulator builds it from ns-3.
 *
 * A packet waits in a queue of so many packets, in a device that holds one more, and on the wire. Frames are two bytes
 * longer than IP packets. What is lost or damaged is so at the far end, after it has taken its share of the rate, and
 * after three such packets in a row the next one is spared; the two directions know nothing of each other.
 *
 * @module
 */
import type { LinkOptions } from "../../../src/testing/index.ts";

/** What a link may do to packets beyond making them wait. */
export type LinkFaults = Pick<LinkOptions, "loss" | "corruption" | "discardsCorrupt" | "blackouts">;

/** One direction of the link; what is left out is as in most cases of the runner. */
export interface Wire {
  /** 10 unless given. */
  readonly megabitsPerSecond?: number;
  /** One way, in ms; 15 unless given. */
  readonly delay?: number;
  /** Packets in the queue proper; 25 unless given. */
  readonly queue?: number;
  /** What else it does. */
  readonly faults?: LinkFaults;
}

// Specification

/** Of Ethernet, which the hosts believe to be on. */
export const MTU = 1500;

/** The protocol field of the Point-to-Point Protocol (RFC 1661 §2). */
export const FRAMING = 2;

/** A packet in the device's own queue and one on its way onto the wire. */
export const PLACES_BEHIND_QUEUE = 2;

/** Packets in a row that a fault may hit. */
const LONGEST_RUN = 3;

/** Damage strikes one of the bytes 0 to 50 of the payload. */
const CORRUPTION_REACH = 51;

/** The wire as conditions of a link. */
export function link({ megabitsPerSecond = 10, delay = 15, queue = 25, faults = {} }: Wire = {}): LinkOptions {
  return {
    bitsPerSecond: megabitsPerSecond * 1e6,
    framing: FRAMING,
    queue: { packets: queue + PLACES_BEHIND_QUEUE },
    delay,
    mtu: MTU,
    longestRun: LONGEST_RUN,
    corruptionReach: CORRUPTION_REACH,
    ...faults,
  };
}
