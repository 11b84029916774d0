/**
 * Joins datagrams as a kernel does for a socket with receive coalescing (UDP_GRO).
 *
 * @module
 */
import { type Address, type Datagram, type SocketId, sameAddress } from "../util/machine.ts";

/** How a host joins datagrams. */
export interface Coalescing {
  /** How long the first datagram waits for others, in ms: the interrupt moderation of a network card. */
  readonly window: number;
  /** Whether the segment size is withheld, as by sockets that cannot read it: `segmentSize` is then the whole length. */
  readonly hidesSegmentSize: boolean;
}

/** A datagram that has arrived at a socket. */
export interface Arrival {
  readonly via: SocketId;
  readonly from: Address;
  readonly payload: Uint8Array;
}

// Specification

/** Segments and bytes that a kernel joins at most (`UDP_GRO_CNT_MAX` in Linux, and the largest IP packet). */
const MAX_SEGMENTS = 64;
const MAX_BYTES = 65_507;

/**
 * Joins each run of arrivals of one flow and one size; a shorter one ends its run. Order is kept.
 */
export function coalesce(arrivals: readonly Arrival[], hidesSegmentSize: boolean): readonly Datagram[] {
  const datagrams: Datagram[] = [];
  for (let start = 0; start < arrivals.length; ) {
    const end = runEnd(arrivals, start);
    const { via, from, payload: first } = arrivals[start]!;
    const payload = end - start === 1 ? first : join(arrivals, start, end);
    datagrams.push({ via, from, payload, segmentSize: hidesSegmentSize ? payload.length : first.length });
    start = end;
  }
  return datagrams;
}

/** Index after the last arrival that joins the one at `start`. */
function runEnd(arrivals: readonly Arrival[], start: number): number {
  const first = arrivals[start]!;
  const segmentSize = first.payload.length;
  let bytes = segmentSize;
  // An empty datagram is never joined.
  if (segmentSize === 0) return start + 1;
  for (let index = start + 1; index < arrivals.length; index++) {
    const next = arrivals[index]!;
    const size = next.payload.length;
    const isSameFlow = next.via === first.via && sameAddress(next.from, first.from);
    if (!isSameFlow || size === 0 || size > segmentSize || index - start >= MAX_SEGMENTS || bytes + size > MAX_BYTES) {
      return index;
    }
    if (size < segmentSize) return index + 1;
    bytes += size;
  }
  return arrivals.length;
}

function join(arrivals: readonly Arrival[], start: number, end: number): Uint8Array {
  let length = 0;
  for (let i = start; i < end; i++) length += arrivals[i]!.payload.length;
  const whole = new Uint8Array(length);
  let offset = 0;
  for (let i = start; i < end; i++) {
    whole.set(arrivals[i]!.payload, offset);
    offset += arrivals[i]!.payload.length;
  }
  return whole;
}
