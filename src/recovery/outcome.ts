/**
 * What one input to the loss detector did, in the form in which congestion controllers are told.
 *
 * Each detector has one object of each class and reuses it.
 *
 * @module
 */
import type { Instant } from "../util/time.ts";
import type { RateSample } from "./delivery-rate.ts";
import type { RttEstimator } from "./rtt.ts";
import type { SentPackets } from "./sent-packets.ts";

/** Packets acknowledged for the first time. */
export class AckedPackets<Token> {
  readonly packets: readonly number[];
  readonly ledger: SentPackets<Token>;
  readonly rtt: RttEstimator;
  readonly rate: RateSample;
  now = 0 as Instant;
  /** Bytes of those that were in flight. */
  bytes = 0;
  /** After the input. */
  bytesInFlight = 0;
  /** The sender had too little to send to use its window. */
  isAppLimited = false;

  constructor(packets: readonly number[], ledger: SentPackets<Token>, rtt: RttEstimator, rate: RateSample) {
    this.packets = packets;
    this.ledger = ledger;
    this.rtt = rtt;
    this.rate = rate;
  }

  /** Input: a new input to the detector begins. */
  begin(now: Instant): void {
    this.now = now;
    this.bytes = 0;
  }
}

/** Packets deemed lost. */
export class LostPackets<Token> {
  readonly packets: readonly number[];
  readonly ledger: SentPackets<Token>;
  now = 0 as Instant;
  bytes = 0;
  /** Send time of the newest of the packets. */
  newestSentAt = 0 as Instant;
  /** Bytes deemed lost so far, these included. */
  lost = 0;
  /** Bytes delivered so far. */
  delivered = 0;
  /** After the input. */
  bytesInFlight = 0;
  /** Whether the loss establishes persistent congestion (RFC 9002 §7.6). */
  isPersistent = false;

  constructor(packets: readonly number[], ledger: SentPackets<Token>) {
    this.packets = packets;
    this.ledger = ledger;
  }

  /** Input: a new input to the detector begins. */
  begin(now: Instant): void {
    this.now = now;
    this.bytes = 0;
    this.isPersistent = false;
  }
}

/** Packets that were deemed lost and arrived after all. */
export class ArrivedLatePackets<Token> {
  readonly packets: readonly number[];
  readonly ledger: SentPackets<Token>;
  now = 0 as Instant;

  constructor(packets: readonly number[], ledger: SentPackets<Token>) {
    this.packets = packets;
    this.ledger = ledger;
  }

  /** Input: a new input to the detector begins. */
  begin(now: Instant): void {
    this.now = now;
  }
}
