/**
 * Rows of numbers about packets, in one buffer that is used as a ring.
 *
 * Packet numbers are dense, so a packet's row is found by its number modulo the capacity, a power of two. A row has a
 * fixed width and holds everything that a packet with at most one stream range and one ACK frame needs; what is rarer goes
 * to a side list. Rows know nothing of which packets are still of interest; `sent-packets.ts` does.
 *
 * @module
 */
import type { Instant } from "../util/time.ts";

// Implementation

/** Rows of an idle ledger, of 88 bytes each. */
export const MIN_CAPACITY = 4;

/** State of a number that was sent and is neither acknowledged nor deemed lost. */
export const OUTSTANDING = 0b0100_0000;

/** State of a packet that is deemed lost. */
export const LOST = 0b1000_0000;

/** State of a packet that was acknowledged. */
export const ACKED = 0b1100_0000;

/** The bits of a state; all 0 is a number that was not sent. */
export const STATE_MASK = 0b1100_0000;

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

// Bits of META between the flags of the packet, which take the lowest two, and its state.
const APP_LIMITED = 4;
const HAS_STREAM = 8;
const STREAM_FIN = 16;
const HAS_EXTRA = 32;

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

/** The rows and what can be asked about them; a packet number must be one that has a row. */
export class PacketRows<Token> {
  #capacity = MIN_CAPACITY;
  #slots = new Float64Array(MIN_CAPACITY * SLOTS);
  #words = new Uint32Array(this.#slots.buffer);
  #extras: (Extra<Token> | undefined)[] = new Array(MIN_CAPACITY).fill(undefined);

  // Getters

  /** Rows that the ring has room for. */
  get capacity(): number {
    return this.#capacity;
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
    return (this.meta(packetNumber) & APP_LIMITED) !== 0;
  }

  /** Largest packet number that the packet's ACK frame reported, -1 if it carried none. */
  ackLargest(packetNumber: number): number {
    return this.#slots[this.#row(packetNumber) + ACK_LARGEST]!;
  }

  /** How many stream ranges the packet carried. */
  streamRangeCount(packetNumber: number): number {
    const meta = this.meta(packetNumber);
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
    return (this.meta(packetNumber) & STREAM_FIN) === 0 ? 0 : 1;
  }

  /** What was attached with {@link addToken}, in order. */
  tokens(packetNumber: number): readonly Token[] {
    return (this.meta(packetNumber) & HAS_EXTRA) === 0 ? NO_TOKENS : this.#extra(packetNumber).tokens;
  }

  // For the ledger

  /** Flags and state of the packet, and bits of this class. */
  protected meta(packetNumber: number): number {
    return this.#words[this.#row(packetNumber) * 2 + META]!;
  }

  /** Empties a row for a new packet. */
  protected clearRow(packetNumber: number): void {
    const row = this.#row(packetNumber);
    this.#words[row * 2 + META] = 0;
    this.#slots[row + ACK_LARGEST] = -1;
    this.dropExtra(packetNumber);
  }

  /** Notes a range of a stream: the first one inline, others in the side list. */
  protected writeStream(packetNumber: number, streamId: number, start: number, length: number, fin: 0 | 1): void {
    const row = this.#row(packetNumber);
    const meta = this.#words[row * 2 + META]!;
    if ((meta & HAS_STREAM) !== 0) {
      this.#needExtra(packetNumber).ranges.push(streamId, start, length, fin);
      return;
    }
    this.#words[row * 2 + META] = meta | HAS_STREAM | (fin === 1 ? STREAM_FIN : 0);
    this.#words[row * 2 + STREAM_LENGTH] = length;
    this.#slots[row + STREAM_ID] = streamId;
    this.#slots[row + STREAM_START] = start;
  }

  /** Notes an ACK frame. */
  protected writeAck(packetNumber: number, largest: number): void {
    this.#slots[this.#row(packetNumber) + ACK_LARGEST] = largest;
  }

  /** Notes what else needs repair. */
  protected writeToken(packetNumber: number, token: Token): void {
    this.#needExtra(packetNumber).tokens.push(token);
  }

  /** Notes that the packet left. */
  protected writeSent(packetNumber: number, size: number, sentAt: Instant, flags: number): void {
    const row = this.#row(packetNumber);
    this.#words[row * 2 + META]! |= flags | OUTSTANDING;
    this.#words[row * 2 + SIZE] = size;
    this.#slots[row + SENT_AT] = sentAt;
  }

  /** Notes how delivery stood when the packet left. */
  protected writeDelivery(packetNumber: number, state: DeliveryState, bytesInFlight: number): void {
    const row = this.#row(packetNumber);
    this.#slots[row + DELIVERED] = state.delivered;
    this.#slots[row + DELIVERED_AT] = state.deliveredAt;
    this.#slots[row + FIRST_SENT_AT] = state.firstSentAt;
    this.#slots[row + LOST_WHEN_SENT] = state.lost;
    this.#words[row * 2 + IN_FLIGHT_WHEN_SENT] = bytesInFlight;
    if (state.isAppLimited) this.#words[row * 2 + META]! |= APP_LIMITED;
  }

  /** Changes the state of a packet to {@link LOST} or {@link ACKED}. */
  protected writeState(packetNumber: number, state: number): void {
    const word = this.#row(packetNumber) * 2 + META;
    this.#words[word] = (this.#words[word]! & ~STATE_MASK) | state;
  }

  /** Notes when the packet was deemed lost. */
  protected writeLostAt(packetNumber: number, now: Instant): void {
    this.#slots[this.#row(packetNumber) + LOST_AT] = now;
  }

  /** Lets go of what the side list holds for the packet. */
  protected dropExtra(packetNumber: number): void {
    this.#extras[packetNumber & (this.#capacity - 1)] = undefined;
  }

  /** Changes the number of rows; those of `[from, to)` are kept. */
  protected resize(capacity: number, from: number, to: number): void {
    const slots = new Float64Array(capacity * SLOTS);
    const extras: (Extra<Token> | undefined)[] = new Array(capacity).fill(undefined);
    for (let packetNumber = from; packetNumber < to; packetNumber++) {
      const row = this.#row(packetNumber);
      const index = packetNumber & (capacity - 1);
      slots.set(this.#slots.subarray(row, row + SLOTS), index * SLOTS);
      extras[index] = this.#extra(packetNumber);
    }
    this.#capacity = capacity;
    this.#slots = slots;
    this.#words = new Uint32Array(slots.buffer);
    this.#extras = extras;
  }

  /** First slot of a packet's row. `&` reduces numbers above 2^32 correctly: it works modulo 2^32. */
  #row(packetNumber: number): number {
    return (packetNumber & (this.#capacity - 1)) * SLOTS;
  }

  #extra(packetNumber: number): Extra<Token> {
    return this.#extras[packetNumber & (this.#capacity - 1)]!;
  }

  #needExtra(packetNumber: number): Extra<Token> {
    const index = packetNumber & (this.#capacity - 1);
    let extra = this.#extras[index];
    if (extra === undefined) {
      extra = { ranges: [], tokens: [] };
      this.#extras[index] = extra;
      this.#words[index * WORDS + META]! |= HAS_EXTRA;
    }
    return extra;
  }
}
