/**
 * Connection ids of both ends (RFC 9000 §5.1): ours, by which packets find the connection, and the peer's, by which we
 * address it.
 *
 * @module
 */
import { equalBytes } from "../util/bytes.ts";
import { CLOSE_CODE } from "../wire/codes.ts";
import type { NewConnectionIdFrame } from "../wire/frame.ts";

// Specification

/** Ids of one side that may be active at once (spec/wire.md): one in use, and spares for new networks. */
export const MAX_ACTIVE_IDS = 4;

/** Ids that each side gives in the handshake: the first network, a relay, the next network. */
export const HANDSHAKE_IDS = 3;

// Implementation

/** Retirements that may be unacknowledged: twice the active ids (RFC 9000 §5.1.2). */
const MAX_PENDING_RETIREMENTS = 2 * MAX_ACTIVE_IDS;

/** The ids that we gave to the peer. */
export class LocalConnectionIds {
  readonly #active = new Map<number, Uint8Array>();
  #nextSequence = 0;
  /** Ids below this number have been told to the peer. */
  #toldBelow: number;

  /** Takes the ids of the handshake. */
  constructor(ids: readonly Uint8Array[]) {
    for (const id of ids) this.#active.set(this.#nextSequence++, id);
    this.#toldBelow = this.#nextSequence;
  }

  /** Command: gives out one more id; returns its sequence number. */
  add(id: Uint8Array): number {
    const sequence = this.#nextSequence++;
    this.#active.set(sequence, id);
    return sequence;
  }

  /** Command: the id with this sequence number is on its way to the peer. */
  markTold(sequence: number): void {
    this.#toldBelow = Math.max(this.#toldBelow, sequence + 1);
  }

  /** Input: RETIRE_CONNECTION_ID. Returns the id that is retired, `undefined` if it was already, or a close code. */
  retire(sequence: number): Uint8Array | number | undefined {
    // RFC 9000 §19.16: a sequence number that was never sent is a violation. So replacements do not pile up.
    if (sequence >= this.#toldBelow) return CLOSE_CODE.PROTOCOL_VIOLATION;
    const id = this.#active.get(sequence);
    this.#active.delete(sequence);
    return id;
  }

  /** The id with this sequence number, unless it is retired. */
  get(sequence: number): Uint8Array | undefined {
    return this.#active.get(sequence);
  }

  /** Whether these 8 bytes at `offset` are an id of ours. */
  includes(bytes: Uint8Array, offset: number): boolean {
    const candidate = bytes.subarray(offset, offset + 8);
    for (const id of this.#active.values()) if (equalBytes(id, candidate)) return true;
    return false;
  }

  /** All ids that are in use. */
  all(): Uint8Array[] {
    return [...this.#active.values()];
  }
}

/** The ids that the peer gave to us. */
export class RemoteConnectionIds {
  readonly #known = new Map<number, Uint8Array>();
  #current: Uint8Array = new Uint8Array(8);
  #currentSequence = 0;
  #retiredBelow = 0;
  /** Sequence numbers that were given up without the peer's having acknowledged it. */
  #retiring: readonly number[] = [];

  /** Command: takes the ids of the handshake; the first is used. */
  start(ids: readonly Uint8Array[]): void {
    for (const [sequence, id] of ids.entries()) this.#known.set(sequence, id.slice());
    this.#current = this.#known.get(0) ?? this.#current;
  }

  /**
   * Input: NEW_CONNECTION_ID. Returns a close code, or the sequence numbers that are to be retired (RFC 9000 §5.1.2).
   */
  onNew(frame: NewConnectionIdFrame): number | readonly number[] {
    if (frame.retirePriorTo > frame.sequence) return CLOSE_CODE.FRAME_ENCODING;
    const known = this.#known.get(frame.sequence);
    if (known !== undefined) return equalBytes(known, frame.connectionId) ? [] : CLOSE_CODE.PROTOCOL_VIOLATION;
    if (frame.sequence < this.#retiredBelow) {
      return this.isRetiring(frame.sequence) ? [] : this.#giveUp([frame.sequence]);
    }
    this.#known.set(frame.sequence, frame.connectionId.slice());
    const retired = this.#retireBelow(frame.retirePriorTo);
    return this.#known.size > MAX_ACTIVE_IDS ? CLOSE_CODE.CONNECTION_ID_LIMIT : this.#giveUp(retired);
  }

  /** Input: the peer has acknowledged a RETIRE_CONNECTION_ID, perhaps one of several copies. */
  onRetirementAcked(sequence: number): void {
    if (this.isRetiring(sequence)) this.#retiring = this.#retiring.filter((each) => each !== sequence);
  }

  /** Whether the peer has not acknowledged yet that the id was given up. */
  isRetiring(sequence: number): boolean {
    return this.#retiring.includes(sequence);
  }

  /** The id that packets to the peer carry. */
  get current(): Uint8Array {
    return this.#current;
  }

  /** Notes what is to be retired; returns it, or a close code if it is too much. */
  #giveUp(sequences: readonly number[]): number | readonly number[] {
    if (sequences.length > 0) this.#retiring = [...this.#retiring, ...sequences];
    return this.#retiring.length > MAX_PENDING_RETIREMENTS ? CLOSE_CODE.CONNECTION_ID_LIMIT : sequences;
  }

  #retireBelow(limit: number): number[] {
    const retired: number[] = [];
    if (limit <= this.#retiredBelow) return retired;
    this.#retiredBelow = limit;
    for (const sequence of this.#known.keys()) if (sequence < limit) retired.push(sequence);
    for (const sequence of retired) this.#known.delete(sequence);
    if (this.#currentSequence < limit) {
      this.#currentSequence = Math.min(...this.#known.keys());
      this.#current = this.#known.get(this.#currentSequence) ?? this.#current;
    }
    return retired;
  }
}
