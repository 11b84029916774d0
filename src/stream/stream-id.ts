/**
 * Stream identifiers, RFC 9000 §2.1: who opened a stream, in which directions it carries data, and its number among
 * those alike.
 *
 * ```
 *  bit 0   0 opened by the initiator   1 by the responder
 *  bit 1   0 bidirectional             1 unidirectional
 *  rest    0, 1, 2, … in the order of opening
 * ```
 *
 * @module
 */
import type { StreamDirection } from "../wire/frame.ts";

// Specification

const RESPONDER = 1;
const UNIDIRECTIONAL = 2;

/** Identifiers of one kind are this far apart. */
const STEP = 4;

/** The id of the stream that is number `sequence` among those that `role` opens in `direction`. */
export function streamIdOf(role: "initiator" | "responder", direction: StreamDirection, sequence: number): number {
  return STEP * sequence + (direction === "uni" ? UNIDIRECTIONAL : 0) + (role === "responder" ? RESPONDER : 0);
}

/** The number of a stream among those of its kind. */
export function sequenceOf(id: number): number {
  return Math.floor(id / STEP);
}

/** In which directions a stream carries data. */
export function directionOf(id: number): StreamDirection {
  // Bitwise operators take a number modulo 2^32, which keeps the low bits.
  return (id & UNIDIRECTIONAL) === 0 ? "bidi" : "uni";
}

/** Who opened a stream, or is to open it. */
export function openerOf(id: number): "initiator" | "responder" {
  return (id & RESPONDER) === 0 ? "initiator" : "responder";
}
