/**
 * Rounds: the time from the sending of a packet to its acknowledgement, one after the other
 * (draft-ietf-ccwg-bbr, "BBR.round_count: Tracking Packet-Timed Round Trips").
 *
 * @module
 */
import type { Duration } from "../../util/time.ts";

/** What an acknowledgement says about rounds. */
export interface RoundSample {
  readonly deliveryRate: number;
  readonly priorDelivered: number;
  /** The round-trip time in ms, if it gives one. */
  readonly rtt: Duration | undefined;
}

/** Counts rounds. */
export class RoundCounter {
  /** Shortest round-trip time of the last complete round, `undefined` if nothing told of it. */
  shortestRtt: Duration | undefined = undefined;
  /** The round ends with the acknowledgement of a packet that was sent when so much was delivered. */
  #endsAt = 0;
  #count = 0;
  #hasStarted = false;
  #shortestRtt: Duration | undefined = undefined;

  /** Input: an acknowledgement; now `delivered` bytes are delivered. */
  onAck({ deliveryRate, priorDelivered, rtt }: RoundSample, delivered: number): void {
    if (rtt !== undefined && rtt < (this.#shortestRtt ?? Number.POSITIVE_INFINITY)) this.#shortestRtt = rtt;
    // What overtook others gives no rate, and ends no round before its time.
    this.#hasStarted = deliveryRate > 0 && priorDelivered >= this.#endsAt;
    if (!this.#hasStarted) return;
    this.restart(delivered);
    this.#count += 1;
    this.shortestRtt = this.#shortestRtt;
    this.#shortestRtt = undefined;
  }

  /** Command: lets a round begin now ("StartRound"). */
  restart(delivered: number): void {
    this.#endsAt = delivered;
  }

  /** Rounds so far. */
  get count(): number {
    return this.#count;
  }

  /** Whether the last acknowledgement began a round. */
  get hasStarted(): boolean {
    return this.#hasStarted;
  }
}
