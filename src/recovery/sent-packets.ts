/**
 * The ledger of sent packets: what each packet carried and how the connection stood when it left (RFC 9002 §A.1).
 *
 * Theory of operation. Packet numbers are dense, so a packet's record is a row of fixed width in one buffer that is used
 * as a ring: row `packetNumber modulo capacity`. Nothing is allocated for a packet whose content is at most one stream
 * range and one ACK frame; everything rarer goes to a side list. Three numbers cut the ring:
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

// Implementation

/** Flag of a packet that makes the peer acknowledge (RFC 9002 §2). */
export const ACK_ELICITING = 1;

/** Flag of a packet that counts towards bytes in flight (RFC 9002 §2). */
export const IN_FLIGHT = 2;

/** Rows of an idle ledger: 8 x 88 bytes. */
const MIN_CAPACITY = 8;

/** Rings up to this many rows keep their size between bursts; larger ones halve when 7 of 8 rows are unused. */
const KEEP_CAPACITY = 1_024;

/** Skipped numbers remembered: a peer that guesses acknowledgements runs ahead, so only the newest can catch it. */
const MAX_SKIPPED = 16;

// A row: eleven 8-byte slots, the first two of which are split into halves of 4 bytes.
const SLOTS = 11;
const WORDS = 2 * SLOTS;
const META = 0;
const SIZE = 1;
const STREAM_LENGTH = 2;
const IN_FLIGHT_WHEN_SENT = 3;
const SENT_AT = 2;
const DELIVERED = 3;
const DELIVERED_AT = 4;
const FIRST_SENT_AT = 5;
const LOST_WHEN_SENT = 6;
const LOST_AT = 7;
const ACK_LARGEST = 8;
const STREAM_ID = 9;
const STREAM_START = 10;

// Bits of META above the two flags.
const APP_LIMITED = 4;
const HAS_STREAM = 8;
const STREAM_FIN = 16;
const HAS_EXTRA = 32;
// State of the packet; 0 is a number that was not sent.
const STATE_MASK = 0b1100_0000;
const STATE_OUTSTANDING = 0b0100_0000;
const STATE_LOST = 0b1000_0000;
const STATE_ACKED = 0b1100_0000;

/** What a packet carried beyond its inline fields. `ranges` is flat: id, start, length, fin. */
interface Extra<Token> {
  readonly ranges: number[];
  readonly tokens: Token[];
}

/** How delivery stood when a packet was sent; see `delivery-rate.ts`. */
export interface DeliveryState {
  /** Bytes acknowledged so far. */
  readonly delivered: number;
  /** When `delivered` last changed. */
  readonly deliveredAt: Instant;
  /** Send time of the packet that was most recently acknowledged. */
  readonly firstSentAt: Instant;
  /** Bytes declared lost so far. */
  readonly lost: number;
  readonly isAppLimited: boolean;
}

const NO_TOKENS: readonly never[] = [];

/**
 * Every packet of one packet-number space that may still be acknowledged. `Token` is what the owner attaches for frames
 * that need repair when the packet is lost.
 */
export class SentPackets<Token> {
  #capacity = MIN_CAPACITY;
  #slots = new Float64Array(MIN_CAPACITY * SLOTS);
  #words = new Uint32Array(this.#slots.buffer);
  #extras: (Extra<Token> | undefined)[] = new Array(MIN_CAPACITY).fill(undefined);
  #base: number;
  #firstInFlight: number;
  #next: number;
  /** Lost packets that are still remembered, ascending. */
  #lost: number[] = [];
  #skipped: number[] = [];
  #bytesInFlight = 0;
  #ackElicitingInFlight = 0;

  constructor(firstPacketNumber = 0) {
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
    if (this.#next - this.#base >= this.#capacity) this.#makeRoom();
    const row = this.#row(packetNumber);
    this.#words[row * 2 + META] = 0;
    this.#slots[row + ACK_LARGEST] = -1;
    this.#extras[packetNumber & (this.#capacity - 1)] = undefined;
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
    const row = this.#row(this.#next);
    const meta = this.#words[row * 2 + META]!;
    if ((meta & HAS_STREAM) !== 0) {
      this.#extraOfNext().ranges.push(streamId, start, length, fin);
      return;
    }
    this.#words[row * 2 + META] = meta | HAS_STREAM | (fin === 1 ? STREAM_FIN : 0);
    this.#words[row * 2 + STREAM_LENGTH] = length;
    this.#slots[row + STREAM_ID] = streamId;
    this.#slots[row + STREAM_START] = start;
  }

  /** Input: the packet carries an ACK frame that reports packets up to `largest`. */
  addAck(largest: number): void {
    this.#slots[this.#row(this.#next) + ACK_LARGEST] = largest;
  }

  /** Input: the packet carries something else that may need repair. */
  addToken(token: Token): void {
    this.#extraOfNext().tokens.push(token);
  }

  /**
   * Input: the packet that was begun is on its way. `flags` are {@link ACK_ELICITING} and {@link IN_FLIGHT}; `sentAt`
   * never goes back from one packet to the next.
   */
  commit(size: number, sentAt: Instant, flags: number): void {
    const row = this.#row(this.#next);
    this.#words[row * 2 + META]! |= flags | STATE_OUTSTANDING;
    this.#words[row * 2 + SIZE] = size;
    this.#slots[row + SENT_AT] = sentAt;
    this.#next += 1;
    if ((flags & IN_FLIGHT) === 0) return;
    this.#bytesInFlight += size;
    if ((flags & ACK_ELICITING) !== 0) this.#ackElicitingInFlight += 1;
  }

  /** Input: how delivery stood when the newest packet was committed. */
  stampDelivery(state: DeliveryState): void {
    const row = this.#row(this.#next - 1);
    this.#slots[row + DELIVERED] = state.delivered;
    this.#slots[row + DELIVERED_AT] = state.deliveredAt;
    this.#slots[row + FIRST_SENT_AT] = state.firstSentAt;
    this.#slots[row + LOST_WHEN_SENT] = state.lost;
    this.#words[row * 2 + IN_FLIGHT_WHEN_SENT] = this.#bytesInFlight;
    if (state.isAppLimited) this.#words[row * 2 + META]! |= APP_LIMITED;
  }

  // Inputs: what became of packets (called by the loss detector)

  /** Input: an outstanding packet was acknowledged. */
  markAcked(packetNumber: number): void {
    this.#settle(packetNumber, STATE_ACKED);
  }

  /** Input: an outstanding packet is deemed lost. Packets are lost in ascending order. */
  markLost(packetNumber: number, now: Instant): void {
    this.#settle(packetNumber, STATE_LOST);
    this.#slots[this.#row(packetNumber) + LOST_AT] = now;
    this.#lost.push(packetNumber);
  }

  /** Input: the peer reports `[start, end)`; moves lost packets among them to `arrived`. */
  takeArrivedLate(start: number, end: number, arrived: number[]): void {
    const from = this.#lowerBound(start);
    const to = this.#lowerBound(end);
    if (from === to) return;
    for (let i = from; i < to; i++) {
      const packetNumber = this.#lost[i]!;
      const word = this.#row(packetNumber) * 2 + META;
      this.#words[word]! |= STATE_ACKED;
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
    for (let packetNumber = this.#base; packetNumber < end; packetNumber++) {
      this.#extras[packetNumber & (this.#capacity - 1)] = undefined;
    }
    this.#base = end;
    if (this.#capacity > KEEP_CAPACITY && this.span * 8 <= this.#capacity) this.#resize(this.#capacity / 2);
  }

  /** Command: forgets lost packets and, if nothing is in flight, gives memory back. */
  shrink(): void {
    this.#lost = [];
    if (this.#bytesInFlight > 0) return;
    this.#firstInFlight = this.#next;
    this.release();
    if (this.isEnlarged) this.#resize(MIN_CAPACITY);
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
    return this.#capacity > MIN_CAPACITY;
  }

  /** Rows that the ring has room for. */
  get capacity(): number {
    return this.#capacity;
  }

  /** The newest skipped numbers, ascending. */
  get skipped(): readonly number[] {
    return this.#skipped;
  }

  /** Whether the packet was sent and is neither acknowledged nor deemed lost. */
  isOutstanding(packetNumber: number): boolean {
    return (this.#meta(packetNumber) & STATE_MASK) === STATE_OUTSTANDING;
  }

  /** Whether the packet was acknowledged. */
  isAcked(packetNumber: number): boolean {
    return (this.#meta(packetNumber) & STATE_MASK) === STATE_ACKED;
  }

  /** Whether the packet is deemed lost and was not acknowledged since. */
  isLost(packetNumber: number): boolean {
    return (this.#meta(packetNumber) & STATE_MASK) === STATE_LOST;
  }

  /** Whether the packet is outstanding and counts towards bytes in flight; only such packets can be lost. */
  isInFlight(packetNumber: number): boolean {
    return (this.#meta(packetNumber) & (STATE_MASK | IN_FLIGHT)) === (STATE_OUTSTANDING | IN_FLIGHT);
  }

  /** Whether the packet counted, or counts, towards bytes in flight. */
  isInFlightKind(packetNumber: number): boolean {
    return (this.#meta(packetNumber) & IN_FLIGHT) !== 0;
  }

  /** Whether the packet makes the peer acknowledge. */
  isAckEliciting(packetNumber: number): boolean {
    return (this.#meta(packetNumber) & ACK_ELICITING) !== 0;
  }

  /** Bytes of the packet. */
  size(packetNumber: number): number {
    return this.#words[this.#row(packetNumber) * 2 + SIZE]!;
  }

  /** When the packet was sent. */
  sentAt(packetNumber: number): Instant {
    return this.#slots[this.#row(packetNumber) + SENT_AT] as Instant;
  }

  /** When the packet was deemed lost; meaningful only if it was. */
  lostAt(packetNumber: number): Instant {
    return this.#slots[this.#row(packetNumber) + LOST_AT] as Instant;
  }

  /** {@link DeliveryState.delivered} when the packet was sent. */
  delivered(packetNumber: number): number {
    return this.#slots[this.#row(packetNumber) + DELIVERED]!;
  }

  /** {@link DeliveryState.deliveredAt} when the packet was sent. */
  deliveredAt(packetNumber: number): Instant {
    return this.#slots[this.#row(packetNumber) + DELIVERED_AT] as Instant;
  }

  /** {@link DeliveryState.firstSentAt} when the packet was sent. */
  firstSentAt(packetNumber: number): Instant {
    return this.#slots[this.#row(packetNumber) + FIRST_SENT_AT] as Instant;
  }

  /** {@link DeliveryState.lost} when the packet was sent. */
  lostWhenSent(packetNumber: number): number {
    return this.#slots[this.#row(packetNumber) + LOST_WHEN_SENT]!;
  }

  /** Bytes in flight when the packet was sent, itself included. */
  inFlightWhenSent(packetNumber: number): number {
    return this.#words[this.#row(packetNumber) * 2 + IN_FLIGHT_WHEN_SENT]!;
  }

  /** {@link DeliveryState.isAppLimited} when the packet was sent. */
  isAppLimited(packetNumber: number): boolean {
    return (this.#meta(packetNumber) & APP_LIMITED) !== 0;
  }

  /** Largest packet number that the packet's ACK frame reported, -1 if it carried none. */
  ackLargest(packetNumber: number): number {
    return this.#slots[this.#row(packetNumber) + ACK_LARGEST]!;
  }

  /** How many stream ranges the packet carried. */
  streamRangeCount(packetNumber: number): number {
    const meta = this.#meta(packetNumber);
    if ((meta & HAS_STREAM) === 0) return 0;
    return (meta & HAS_EXTRA) === 0 ? 1 : 1 + this.#extra(packetNumber).ranges.length / 4;
  }

  /** Stream of the packet's range number `index`. */
  streamId(packetNumber: number, index: number): number {
    if (index > 0) return this.#extra(packetNumber).ranges[index * 4 - 4]!;
    return this.#slots[this.#row(packetNumber) + STREAM_ID]!;
  }

  /** Offset of the first byte of the packet's range number `index`. */
  streamStart(packetNumber: number, index: number): number {
    if (index > 0) return this.#extra(packetNumber).ranges[index * 4 - 3]!;
    return this.#slots[this.#row(packetNumber) + STREAM_START]!;
  }

  /** Bytes of the packet's range number `index`. */
  streamLength(packetNumber: number, index: number): number {
    if (index > 0) return this.#extra(packetNumber).ranges[index * 4 - 2]!;
    return this.#words[this.#row(packetNumber) * 2 + STREAM_LENGTH]!;
  }

  /** 1 if the packet's range number `index` ends its stream, else 0. */
  streamFin(packetNumber: number, index: number): 0 | 1 {
    if (index > 0) return this.#extra(packetNumber).ranges[index * 4 - 1] as 0 | 1;
    return (this.#meta(packetNumber) & STREAM_FIN) === 0 ? 0 : 1;
  }

  /** What was attached with {@link addToken}, in order. */
  tokens(packetNumber: number): readonly Token[] {
    return (this.#meta(packetNumber) & HAS_EXTRA) === 0 ? NO_TOKENS : this.#extra(packetNumber).tokens;
  }

  // Private

  /** First slot of a packet's row. `&` reduces numbers above 2^32 correctly: it works modulo 2^32. */
  #row(packetNumber: number): number {
    return (packetNumber & (this.#capacity - 1)) * SLOTS;
  }

  #meta(packetNumber: number): number {
    return this.#words[this.#row(packetNumber) * 2 + META]!;
  }

  #extra(packetNumber: number): Extra<Token> {
    return this.#extras[packetNumber & (this.#capacity - 1)]!;
  }

  #extraOfNext(): Extra<Token> {
    const index = this.#next & (this.#capacity - 1);
    let extra = this.#extras[index];
    if (extra === undefined) {
      extra = { ranges: [], tokens: [] };
      this.#extras[index] = extra;
      this.#words[index * WORDS + META]! |= HAS_EXTRA;
    }
    return extra;
  }

  #settle(packetNumber: number, state: number): void {
    const word = this.#row(packetNumber) * 2 + META;
    const meta = this.#words[word]!;
    this.#words[word] = (meta & ~STATE_MASK) | state;
    if ((meta & IN_FLIGHT) === 0) return;
    this.#bytesInFlight -= this.#words[word + SIZE]!;
    if ((meta & ACK_ELICITING) !== 0) this.#ackElicitingInFlight -= 1;
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
    if (this.span >= this.#capacity) this.#resize(this.#capacity * 2);
  }

  #resize(capacity: number): void {
    const slots = new Float64Array(capacity * SLOTS);
    const extras: (Extra<Token> | undefined)[] = new Array(capacity).fill(undefined);
    for (let packetNumber = this.#base; packetNumber < this.#next; packetNumber++) {
      const from = this.#row(packetNumber);
      const index = packetNumber & (capacity - 1);
      slots.set(this.#slots.subarray(from, from + SLOTS), index * SLOTS);
      extras[index] = this.#extra(packetNumber);
    }
    this.#capacity = capacity;
    this.#slots = slots;
    this.#words = new Uint32Array(slots.buffer);
    this.#extras = extras;
  }
}
