/**
 * Notices that a path has begun to drop large datagrams without a word (RFC 8899 §4.3).
 *
 * Theory of operation. A packet is large if it is larger than what every path must carry. While large packets arrive,
 * nothing is suspicious, however many are lost. Suspicious is a row of large packets of which none arrived, together with
 * a small one that was sent after them and did: the path is alive, yet nothing large gets through. The row must be so long
 * that random loss does not make one: at 10 % loss, 16 in a row are lost once in 10^16 packets, at 20 % once in 10^11.
 * A burst of loss makes such a row easily, but is followed by a large packet that arrives; hence the small one counts only
 * when everything that was sent before it has been decided upon. For a sender that is stalled because all it sent was
 * large, the probe timeout sends the small packet (spec/mtu.md).
 *
 * Lost probes of larger sizes are no part of this: that they are lost is to be expected.
 *
 * @module
 */
import { BASE_DATAGRAM_SIZE } from "../wire/datagram.ts";

// Implementation

/** Large packets in a row that random loss is not believed to take. */
export const MIN_ROW = 16;

/** What the detector asks about a packet. */
export interface PacketSizes {
  /** Bytes of the packet. */
  size(packetNumber: number): number;
}

/** Watches one path; see the module's theory of operation. */
export class BlackHoleDetector {
  /** Packets up to this one do not count: a large one arrived, or they were sent at another time. */
  #floor = -1;
  /** Large packets above the floor that are lost. */
  #lost = 0;
  /** The packet that made the row long enough; meaningful once it is. */
  #rowEnd = -1;
  /** The newest small packet that arrived. */
  #newestSmall = -1;
  /** A small packet that was sent after the row and arrived, -1 for none. */
  #proof = -1;

  /** Input: packets have arrived, be it after they were deemed lost; numbers ascend. */
  onAcked(packets: readonly number[], ledger: PacketSizes): void {
    for (let i = packets.length - 1; i >= 0; i--) {
      const packetNumber = packets[i]!;
      if (packetNumber <= this.#floor) return;
      if (ledger.size(packetNumber) > BASE_DATAGRAM_SIZE) {
        // Fast path: during a bulk transfer the newest packet is a large one.
        this.restart(packetNumber);
        return;
      }
      this.#newestSmall = Math.max(this.#newestSmall, packetNumber);
    }
    this.#findProof();
  }

  /** Input: packets are deemed lost; numbers ascend. Those that the same acknowledgement reports were told before. */
  onLost(packets: readonly number[], ledger: PacketSizes): void {
    for (const packetNumber of packets) {
      if (packetNumber <= this.#floor || ledger.size(packetNumber) <= BASE_DATAGRAM_SIZE) continue;
      this.#lost += 1;
      if (this.#lost === MIN_ROW) this.#rowEnd = packetNumber;
    }
    this.#findProof();
  }

  /** Command: what was sent up to this packet tells nothing about the path any more. */
  restart(packetNumber: number): void {
    this.#floor = packetNumber;
    this.#lost = 0;
    this.#proof = -1;
  }

  /** Output: whether only the fate of a few packets is missing for a verdict; what is sent meanwhile should be small. */
  get isSuspected(): boolean {
    return this.#proof >= 0;
  }

  /** Output: whether the path drops large packets. No packet below `firstInFlight` is in flight any more. */
  isBlackHole(firstInFlight: number): boolean {
    return this.#proof >= 0 && firstInFlight > this.#proof;
  }

  /** The oldest small packet that is known to count does: newer ones would have to wait for more decisions. */
  #findProof(): void {
    if (this.#proof < 0 && this.#lost >= MIN_ROW && this.#newestSmall > this.#rowEnd) this.#proof = this.#newestSmall;
  }
}
