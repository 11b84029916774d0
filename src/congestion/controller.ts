/**
 * What a congestion controller is told and what it answers (RFC 9002 §7).
 *
 * A controller decides how many bytes may be in flight, and perhaps how fast they leave. It keeps no packets: events name
 * them by number, and the ledger tells about them. The objects behind events are reused; a controller must not keep them.
 * For one acknowledgement the order is `onSpuriousLoss`, `onLoss`, `onAck`, each only if there is something to tell.
 *
 * @module
 */
import type { Duration, Instant } from "../util/time.ts";

/** What can be asked about a packet that an event names. */
export interface PacketRecords {
  size(packetNumber: number): number;
  sentAt(packetNumber: number): Instant;
  /** Meaningful for packets that are or were deemed lost. */
  lostAt(packetNumber: number): Instant;
  /** False for packets that only acknowledge; they are no matter of congestion. */
  isInFlightKind(packetNumber: number): boolean;
  /** Bytes delivered when the packet was sent. */
  delivered(packetNumber: number): number;
  /** Bytes deemed lost when the packet was sent. */
  lostWhenSent(packetNumber: number): number;
  /** Bytes in flight when the packet was sent, itself included. */
  inFlightWhenSent(packetNumber: number): number;
  /** Whether the application had too little to send when the packet was sent. */
  isAppLimited(packetNumber: number): boolean;
}

/** A delivery-rate sample (draft-ietf-ccwg-bbr, "Rate Sample"). Rates are bytes per ms. */
export interface RateSampleView {
  readonly hasData: boolean;
  readonly deliveryRate: number;
  readonly isAppLimited: boolean;
  readonly interval: Duration;
  readonly delivered: number;
  readonly priorDelivered: number;
  readonly priorDeliveredAt: Instant;
  readonly sendElapsed: Duration;
  readonly ackElapsed: Duration;
  readonly newlyAcked: number;
  readonly newlyLost: number;
  readonly inFlightWhenSent: number;
  readonly lost: number;
  readonly lastAcked: number;
  /** Round-trip sample, `undefined` if there is none, or it may be that of a packet that has overtaken others. */
  readonly rtt: Duration | undefined;
}

/** Round-trip times of the path in ms. */
export interface RttView {
  readonly hasSample: boolean;
  readonly latest: Duration;
  /** The newest sample without the time for which the peer held the acknowledgement back (RFC 9002 §5.3). */
  readonly adjusted: Duration;
  readonly min: Duration;
  readonly smoothed: Duration;
  readonly variance: Duration;
}

/** A packet left, one that counts as in flight. */
export interface SentEvent {
  readonly now: Instant;
  readonly packetNumber: number;
  readonly size: number;
  /** The packet included. */
  readonly bytesInFlight: number;
  /** Whether the sender had too little to send to use the window lately. */
  readonly isAppLimited: boolean;
}

/** Packets were acknowledged for the first time. */
export interface AckEvent {
  readonly now: Instant;
  /** Ascending. */
  readonly packets: readonly number[];
  readonly ledger: PacketRecords;
  /** Bytes of those packets that were in flight. */
  readonly bytes: number;
  /** After the acknowledgement. */
  readonly bytesInFlight: number;
  /** The sender had too little to send to use the window; being held by the pacer is something else. */
  readonly isAppLimited: boolean;
  readonly rtt: RttView;
  readonly rate: RateSampleView;
}

/** Packets that were in flight are deemed lost. */
export interface LossEvent {
  readonly now: Instant;
  /** Ascending. */
  readonly packets: readonly number[];
  readonly ledger: PacketRecords;
  readonly bytes: number;
  /** Send time of the newest of the packets. */
  readonly newestSentAt: Instant;
  /** Bytes deemed lost so far, these included. */
  readonly lost: number;
  /** Bytes delivered so far. */
  readonly delivered: number;
  /** After the loss. */
  readonly bytesInFlight: number;
  /** Whether the loss establishes persistent congestion (RFC 9002 §7.6). */
  readonly isPersistent: boolean;
}

/** Packets that were deemed lost have arrived after all. */
export interface SpuriousLossEvent {
  readonly now: Instant;
  /** Ascending. */
  readonly packets: readonly number[];
  readonly ledger: PacketRecords;
}

/** Packets arrived with a mark that says that a queue is building up (RFC 9002 §7.1). */
export interface CongestionMarkEvent {
  readonly now: Instant;
  /** Send time of the largest packet that the reporting ACK acknowledges. */
  readonly sentAt: Instant;
}

/** What statistics and traces show. */
export interface CongestionSnapshot {
  readonly name: string;
  readonly state: string;
  readonly congestionWindow: number;
  /** Infinity until the first loss. */
  readonly slowStartThreshold: number;
  /** Bytes per ms, `undefined` if the controller sets none. */
  readonly pacingRate: number | undefined;
}

/** Decides how much may be in flight on one path. */
export interface CongestionController {
  readonly name: string;
  /** Most bytes in flight. */
  readonly congestionWindow: number;
  /** Bytes per ms; `undefined` leaves it to the pacer, which derives it from the window. */
  readonly pacingRate: number | undefined;
  onPacketSent(event: SentEvent): void;
  onAck(event: AckEvent): void;
  /** A persistent loss is told here only, as {@link LossEvent.isPersistent}. */
  onLoss(event: LossEvent): void;
  onSpuriousLoss(event: SpuriousLossEvent): void;
  onCongestionMark(event: CongestionMarkEvent): void;
  /** The path's packet size changed. */
  onMtuChange(mtu: number): void;
  snapshot(): CongestionSnapshot;
}

/** A controller that careful resume can take ahead in its first search for the path's rate (RFC 9959 §3). */
export interface ResumableController extends CongestionController {
  /** Whether that search goes on, without a sign of congestion. */
  readonly isStarting: boolean;
  /** Command: goes on from this window, which is in use already. */
  resume(window: number): void;
  /** Command: going ahead has met congestion; what is measured until it is settled is not to be believed. */
  retreat(now: Instant): void;
  /** Command: all of it has left the path. Goes on from this window; `pipeSize` bytes of it have arrived. */
  settle(window: number, pipeSize: number): void;
}
