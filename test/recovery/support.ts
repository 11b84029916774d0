/**
 * Short forms for driving a loss detector by hand.
 *
 * @module
 */
import type { AckVerdict, LossDetector } from "../../src/recovery/loss-detector.ts";
import { ACK_ELICITING, IN_FLIGHT } from "../../src/recovery/sent-packets.ts";
import type { Instant } from "../../src/util/time.ts";

/** Flags of a packet with data. */
export const DATA = ACK_ELICITING | IN_FLIGHT;

/** Flags of a packet that only acknowledges. */
export const ACK_ONLY = 0;

/** An instant. */
export function at(ms: number): Instant {
  return ms as Instant;
}

/** Sends `count` packets at `now`; returns the number of the first. */
export function send<Token>(
  detector: LossDetector<Token>,
  now: number,
  { count = 1, size = 1200, flags = DATA }: { count?: number; size?: number; flags?: number } = {},
): number {
  const first = detector.sent.nextPacketNumber;
  for (let i = 0; i < count; i++) {
    detector.sent.begin(first + i);
    detector.sent.commit(size, at(now), flags);
    detector.onPacketSent(at(now));
  }
  return first;
}

/** Acknowledges numbers, given as single ones or inclusive pairs, ascending. */
export function ack<Token>(
  detector: LossDetector<Token>,
  now: number,
  numbers: readonly (number | readonly [number, number])[],
  delayMs = 0,
): AckVerdict {
  const ranges: number[] = [];
  for (const each of [...numbers].reverse()) {
    const [first, last] = typeof each === "number" ? [each, each] : each;
    ranges.push(first, last + 1);
  }
  return detector.onAckReceived({ largest: ranges[1]! - 1, delayUs: delayMs * 1000, ranges }, at(now));
}
