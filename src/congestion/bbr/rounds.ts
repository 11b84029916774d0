/**
 * Rounds: the time from the sending of a packet to its acknowledgement, one after the other
 * (draft-ietf-ccwg-bbr, "BBR.round_count: Tracking Packet-Timed Round Trips").
 *
 * @module
 */

/** Counts rounds. */
export class RoundCounter {
  /** The round ends with the acknowledgement of a packet that was sent when so much was delivered. */
  #endsAt = 0;
  #count = 0;
  #hasStarted = false;

  /** Input: the newest packet of an acknowledgement was sent when `priorDelivered` bytes were delivered; now `delivered` are. */
  onAck(priorDelivered: number, delivered: number): void {
    this.#hasStarted = priorDelivered >= this.#endsAt;
    if (!this.#hasStarted) return;
    this.restart(delivered);
    this.#count += 1;
  }

  /** Command: lets a round begin now. */
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
