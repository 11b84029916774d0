/**
 * The ledger of sent packets: which are in flight, which are lost, which may be forgotten (RFC 9002 §A.1).
 *
 * Theory of operation. What is known of each packet lies in a ring of rows (`packet-rows.ts`). Three numbers cut it:
 *
 *     base … firstInFlight … nextPacketNumber
 *
 * Rows from `firstInFlight` on may be in flight; rows between `base` and it are kept only because some of them were
 * declared lost and may yet turn out to have arrived. A row stays readable until the next `begin` or `release`, so the
 * packet numbers in the loss detector's lists can be looked up here until the next input.
 *
 * The ring doubles when it is full, halves when a large one is nearly empty, and returns to its smallest size with
 * `shrink`, so that an idle connection holds less than 1 KiB here.
 *
 * @module
 */
import type { Instant } from "../util/time.ts";
import { ACKED, type DeliveryState, LOST, MIN_CAPACITY, OUTSTANDING, PacketRows, STATE_MASK } from "./packet-rows.ts";

// Implementation

/** Flag of a packet that makes the peer acknowledge (RFC 9002 §2). */
export const ACK_ELICITING = 1;

/** Flag of a packet that counts towards bytes in flight (RFC 9002 §2). */
export const IN_FLIGHT = 2;

/** Flag of a packet that asks whether the path carries its size; above the bits that the rows use for themselves. */
export const MTU_PROBE = 256;

/** Rings up to this many rows keep their size between bursts; larger ones halve when 7 of 8 rows are unused. */
const KEEP_CAPACITY = 1_024;

/** Skipped numbers remembered: a peer that guesses acknowledgements runs ahead, so only the newest can catch it. */
const MAX_SKIPPED = 16;

/**
 * Numbers before a packet that must be acknowledged for it to count as having overtaken nothing. On a path where 2 % of
 * the packets overtake others, five in a row do so once in three hundred million; on a path that loses 30 % of its packets,
 * a quarter of all packets still follow four that arrived.
 */
const OVERTAKING_LOOKBACK = 4;

/**
 * Every packet of one packet-number space that may still be acknowledged. `Token` is what the owner attaches for frames
 * that need repair when the packet is lost.
 */
export class SentPackets<Token> extends PacketRows<Token> {
  #base: number;
  #firstInFlight: number;
  #next: number;
  /** Lost packets that are still remembered, ascending. */
  #lost: number[] = [];
  #skipped: number[] = [];
  #bytesInFlight = 0;
  #ackElicitingInFlight = 0;

  constructor(firstPacketNumber = 0) {
    super();
    this.#base = firstPacketNumber;
    this.#firstInFlight = firstPacketNumber;
    this.#next = firstPacketNumber;
  }

  // Inputs: writing a packet

  /**
   * Input: starts the record of the packet that is being built. Calling it again before {@link commit} starts over.
   *
   * @throws RangeError unless `packetNumber` is {@link nextPacketNumber}.
   */
  begin(packetNumber: number): void {
    if (packetNumber !== this.#next) throw new RangeError(`packet number ${packetNumber} is not ${this.#next}`);
    if (this.span >= this.capacity) this.#makeRoom();
    this.clearRow(packetNumber);
  }

  /**
   * Input: gives up a packet number that will never be sent, so that a peer which acknowledges it is caught
   * (RFC 9000 §21.4).
   *
   * @throws RangeError unless `packetNumber` is {@link nextPacketNumber}.
   */
  skip(packetNumber: number): void {
    this.begin(packetNumber);
    this.#next += 1;
    if (this.#skipped.length === MAX_SKIPPED) this.#skipped.shift();
    this.#skipped.push(packetNumber);
  }

  /** Input: the packet carries this range of a stream. */
  addStream(streamId: number, start: number, length: number, fin: 0 | 1): void {
    this.writeStream(this.#next, streamId, start, length, fin);
  }

  /** Input: the packet carries an ACK frame that reports packets up to `largest`. */
  addAck(largest: number): void {
    this.writeAck(this.#next, largest);
  }

  /** Input: the packet carries something else that may need repair. */
  addToken(token: Token): void {
    this.writeToken(this.#next, token);
  }

  /**
   * Input: the packet that was begun is on its way. `flags` are {@link ACK_ELICITING}, {@link IN_FLIGHT} and
   * {@link MTU_PROBE}; `sentAt` never goes back from one packet to the next.
   */
  commit(size: number, sentAt: Instant, flags: number): void {
    this.writeSent(this.#next, size, sentAt, flags);
    this.#next += 1;
    if ((flags & IN_FLIGHT) === 0) return;
    this.#bytesInFlight += size;
    if ((flags & ACK_ELICITING) !== 0) this.#ackElicitingInFlight += 1;
  }

  /** Input: how delivery stood when the newest packet was committed. */
  stampDelivery(state: DeliveryState): void {
    this.writeDelivery(this.#next - 1, state, this.#bytesInFlight);
  }

  // Inputs: what became of packets (called by the loss detector)

  /** Input: an outstanding packet was acknowledged. */
  markAcked(packetNumber: number): void {
    this.#settle(packetNumber, ACKED);
  }

  /** Input: an outstanding packet is deemed lost. Packets are lost in ascending order. */
  markLost(packetNumber: number, now: Instant): void {
    this.#settle(packetNumber, LOST);
    // A lost probe carried nothing and says nothing about congestion, so that it may arrive late is of no interest.
    if (this.isMtuProbe(packetNumber)) return;
    this.writeLostAt(packetNumber, now);
    this.#lost.push(packetNumber);
  }

  /** Input: the peer reports `[start, end)`; moves lost packets among them to `arrived`. */
  takeArrivedLate(start: number, end: number, arrived: number[]): void {
    const from = this.#lowerBound(start);
    const to = this.#lowerBound(end);
    if (from === to) return;
    for (let i = from; i < to; i++) {
      const packetNumber = this.#lost[i]!;
      this.writeState(packetNumber, ACKED);
      arrived.push(packetNumber);
    }
    this.#lost.copyWithin(from, to);
    this.#lost.length -= to - from;
  }

  /** Input: no packet below `packetNumber` is in flight any more. */
  advance(packetNumber: number): void {
    this.#firstInFlight = packetNumber;
  }

  /** Input: packets that were lost by `lostBefore`, or are numbered below `floor`, will not be waited for any more. */
  forgetLost(lostBefore: Instant, floor: number): void {
    let count = 0;
    for (; count < this.#lost.length; count++) {
      const packetNumber = this.#lost[count]!;
      if (packetNumber >= floor && this.lostAt(packetNumber) > lostBefore) break;
    }
    if (count === 0) return;
    this.#lost.copyWithin(0, count);
    this.#lost.length -= count;
  }

  /** Input: rows that nobody needs any more may be reused. Ends the validity of packet numbers in outcome lists. */
  release(): void {
    const end = Math.min(this.#firstInFlight, this.#lost[0] ?? Number.POSITIVE_INFINITY);
    for (let packetNumber = this.#base; packetNumber < end; packetNumber++) this.dropExtra(packetNumber);
    this.#base = end;
    if (this.capacity > KEEP_CAPACITY && this.span * 8 <= this.capacity) this.#resizeTo(this.capacity / 2);
  }

  /** Command: forgets lost packets and, if nothing is in flight, gives memory back. */
  shrink(): void {
    this.#lost = [];
    if (this.#bytesInFlight > 0) return;
    this.#firstInFlight = this.#next;
    this.release();
    if (this.isEnlarged) this.#resizeTo(MIN_CAPACITY);
  }

  // Getters

  /** The number of the next packet. */
  get nextPacketNumber(): number {
    return this.#next;
  }

  /** No packet below this number is in flight. */
  get firstInFlight(): number {
    return this.#firstInFlight;
  }

  /** The first packet from `packetNumber` on that is in flight. */
  nextInFlight(packetNumber: number): number | undefined {
    for (let candidate = Math.max(packetNumber, this.#firstInFlight); candidate < this.#next; candidate++) {
      if (this.isInFlight(candidate)) return candidate;
    }
    return undefined;
  }

  /** Bytes of the packets that are in flight (RFC 9002 §B.2). */
  get bytesInFlight(): number {
    return this.#bytesInFlight;
  }

  /** How many packets in flight make the peer acknowledge. */
  get ackElicitingInFlight(): number {
    return this.#ackElicitingInFlight;
  }

  /** How many lost packets are still remembered. */
  get lostCount(): number {
    return this.#lost.length;
  }

  /** How many rows are in use. */
  get span(): number {
    return this.#next - this.#base;
  }

  /** Whether {@link shrink} would give memory back once nothing is in flight. */
  get isEnlarged(): boolean {
    return this.capacity > MIN_CAPACITY;
  }

  /** Whether one of the newest skipped numbers is in these ranges: half-open `start, end` pairs, descending. */
  hasSkipped(ranges: readonly number[]): boolean {
    for (const packetNumber of this.#skipped) {
      for (let i = 0; i < ranges.length; i += 2) {
        if (packetNumber < ranges[i]!) continue;
        if (packetNumber < ranges[i + 1]!) return true;
        break;
      }
    }
    return false;
  }

  /** The newest skipped numbers, ascending. */
  get skipped(): readonly number[] {
    return this.#skipped;
  }

  /** Whether the ledger has a row for the packet. */
  isKnown(packetNumber: number): boolean {
    return packetNumber >= this.#base && packetNumber < this.#next;
  }

  /** Whether the packet was sent and is neither acknowledged nor deemed lost. */
  isOutstanding(packetNumber: number): boolean {
    return (this.meta(packetNumber) & STATE_MASK) === OUTSTANDING;
  }

  /** Whether the packet was acknowledged. */
  isAcked(packetNumber: number): boolean {
    return (this.meta(packetNumber) & STATE_MASK) === ACKED;
  }

  /** Whether the packet is deemed lost and was not acknowledged since. */
  isLost(packetNumber: number): boolean {
    return (this.meta(packetNumber) & STATE_MASK) === LOST;
  }

  /** Whether the packet is outstanding and counts towards bytes in flight; only such packets can be lost. */
  isInFlight(packetNumber: number): boolean {
    return (this.meta(packetNumber) & (STATE_MASK | IN_FLIGHT)) === (OUTSTANDING | IN_FLIGHT);
  }

  /** Whether the packet counted, or counts, towards bytes in flight. */
  isInFlightKind(packetNumber: number): boolean {
    return (this.meta(packetNumber) & IN_FLIGHT) !== 0;
  }

  /** Whether the packet makes the peer acknowledge. */
  isAckEliciting(packetNumber: number): boolean {
    return (this.meta(packetNumber) & ACK_ELICITING) !== 0;
  }

  /**
   * Whether the packet, which was acknowledged, may have overtaken others: one of those sent just before it was not
   * acknowledged.
   */
  mayHaveOvertaken(packetNumber: number): boolean {
    const from = Math.max(packetNumber - OVERTAKING_LOOKBACK, this.#base);
    for (let before = packetNumber - 1; before >= from; before--) {
      const state = this.meta(before) & STATE_MASK;
      if (state === OUTSTANDING || state === LOST) return true;
    }
    return false;
  }

  /** Whether the packet asks for nothing but whether the path carries its size. */
  isMtuProbe(packetNumber: number): boolean {
    return (this.meta(packetNumber) & MTU_PROBE) !== 0;
  }

  // Private

  #settle(packetNumber: number, state: number): void {
    this.writeState(packetNumber, state);
    if (!this.isInFlightKind(packetNumber)) return;
    this.#bytesInFlight -= this.size(packetNumber);
    if (this.isAckEliciting(packetNumber)) this.#ackElicitingInFlight -= 1;
  }

  /** Index of the first remembered lost packet that is not below `packetNumber`. */
  #lowerBound(packetNumber: number): number {
    let low = 0;
    let high = this.#lost.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#lost[middle]! < packetNumber) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Drops leading packets that cannot be lost (an endpoint that only acknowledges sends no others), else grows. */
  #makeRoom(): void {
    while (this.#firstInFlight < this.#next && !this.isInFlight(this.#firstInFlight)) this.#firstInFlight += 1;
    this.release();
    if (this.span >= this.capacity) this.#resizeTo(this.capacity * 2);
  }

  #resizeTo(capacity: number): void {
    this.resize(capacity, this.#base, this.#next);
  }
}
