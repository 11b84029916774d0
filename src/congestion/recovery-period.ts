/**
 * Recovery periods, by which a controller reduces its window once per round trip (RFC 9002 §7.3.2).
 *
 * Theory of operation. A reduction begins a period. Packets sent up to then belong to it: their loss is no further news,
 * and their acknowledgement lets nothing grow. The acknowledgement of a later packet ends it. If all packets that were
 * deemed lost in the period arrive after all, there was no congestion but reordering, and the reduction can be undone.
 *
 * @module
 */
import type { Instant } from "../util/time.ts";
import type { AckEvent, SpuriousLossEvent } from "./controller.ts";

/** The last recovery period of a controller; see the module's theory of operation. */
export class RecoveryPeriod {
  /** When the window was last reduced. */
  #startedAt: Instant | undefined;
  #isOpen = false;
  /** Packets of the period that are deemed lost and have not arrived. */
  #missing = 0;
  /** Nothing but losses speaks for congestion so far. */
  #isRevocable = false;

  /** Input: the window is reduced. */
  begin(now: Instant): void {
    this.#startedAt = now;
    this.#isOpen = true;
    this.#missing = 0;
    this.#isRevocable = true;
  }

  /** Input: so many packets of the period are deemed lost. */
  onLost(packets: number): void {
    this.#missing += packets;
  }

  /** Input: there was a mark of congestion, which is never spurious. */
  onMark(): void {
    this.#isRevocable = false;
  }

  /** Input: a packet that was sent after the reduction was acknowledged. */
  onAcked(): void {
    this.#isOpen = false;
  }

  /** Input: packets that were deemed lost have arrived. Returns whether that is all that was lost in the period. */
  onArrivedLate({ packets, ledger }: SpuriousLossEvent): boolean {
    const startedAt = this.#startedAt;
    if (startedAt === undefined || !this.#isRevocable) return false;
    for (const packetNumber of packets) {
      // Losses from before the reduction belong to an earlier period.
      if (ledger.lostAt(packetNumber) >= startedAt) this.#missing -= 1;
    }
    return this.#missing === 0;
  }

  /** Command: as if there had been none. */
  forget(): void {
    this.#startedAt = undefined;
    this.#isOpen = false;
    this.#isRevocable = false;
  }

  /** Whether a packet that was sent at that time belongs to the period. */
  covers(sentAt: Instant): boolean {
    return this.#startedAt !== undefined && sentAt <= this.#startedAt;
  }

  /** Bytes of the acknowledged packets that were sent after the reduction; others let nothing grow. */
  bytesSince({ packets, ledger, bytes }: AckEvent): number {
    const first = packets[0];
    // Fast path: send times ascend with the numbers.
    if (first === undefined || !this.covers(ledger.sentAt(first))) return bytes;
    let later = 0;
    for (const packetNumber of packets) {
      if (!ledger.isInFlightKind(packetNumber) || this.covers(ledger.sentAt(packetNumber))) continue;
      later += ledger.size(packetNumber);
    }
    return later;
  }

  /** Whether it has not ended yet. */
  get isOpen(): boolean {
    return this.#isOpen;
  }
}
