/**
 * What all rungs of the ladder have in common: each knows what it sends next, and when.
 *
 * @module
 */
import type { Address, SocketId } from "../../util/machine.ts";
import type { Instant } from "../../util/time.ts";
import type { CandidateKind } from "../../wire/candidate.ts";

// Specification

/** Bytes of an opener: the least that no network drops for being too short. */
export const OPENER_SIZE = 16;

/** Bytes of a probe to a candidate: an answer of this size has room for an IPv6 address. */
export const PROBE_SIZE = 64;

/** Bytes of a probe to a guessed port: the smallest that carries a challenge. */
export const SPRAY_SIZE = 40;

/** How the address of a probe was found: as the peer says, by what came from there, or by guessing. */
export type ProbeKind = CandidateKind | "peer-reflexive" | "spray";

/** Something to send: an opener, which need not arrive, or a probe, which asks for an answer. */
export interface Shot {
  readonly type: "opener" | "probe";
  readonly via: SocketId;
  readonly to: Address;
  /** Hop limit; `undefined` is the system's own. */
  readonly ttl: number | undefined;
  /** Bytes of the datagram. */
  readonly size: number;
  readonly kind: ProbeKind;
}

/** A shot, when it is due, and which budget pays for it. */
export interface DueShot {
  readonly at: Instant;
  readonly shot: Shot;
  /** A candidate of the peer; guesses; where a packet of the peer came from. */
  readonly account: "candidate" | "spray" | "contact";
}

/** One technique at work. */
export interface Rung {
  /** Command: the shot that {@link next} names has left, or may not leave. */
  advance(now: Instant): void;
  /** What is sent next; `undefined` if nothing is left. */
  next(): DueShot | undefined;
}
