/**
 * What the tests of a discovery have in common: how they ask servers and get sockets.
 *
 * @module
 */
import type { Address, SocketId } from "../../util/machine.ts";
import type { Duration, Instant } from "../../util/time.ts";
import type { StunClientEvent, StunRequest } from "../client.ts";
import type { TransactionTiming } from "../transaction.ts";

/** A socket that nothing was sent from before. */
export interface FreshSocket {
  readonly via: SocketId;
  readonly localPort: number;
}

/** One test. Whatever it asks for, it hears of it; nothing else concerns it. */
export interface DiscoveryTest {
  /** Input: what became of a request. */
  onOutcome(event: StunClientEvent, now: Instant): void;
  /** Input: a socket that was asked for; `undefined` if there is none to be had. */
  onSocket(socket: FreshSocket | undefined, now: Instant): void;
}

/** What a test can do. */
export interface DiscoveryContext {
  /** Command: asks a server; the outcome goes to `test`. Returns whether that was possible. */
  ask(request: StunRequest, test: DiscoveryTest): boolean;
  /** Command: asks for a fresh socket, which goes to `test`. */
  openSocket(test: DiscoveryTest): void;
  /** Command: this socket is of no more use. */
  closeSocket(via: SocketId): void;
}

// Implementation

/**
 * Patience with a server that may not be there: requests at 0, 0.2, 0.6 and 1.4 s, the end at 3 s. An answer may take
 * 1.6 s, which is more than a satellite needs, and whoever has no UDP knows it after 3 s.
 */
// Deviates from RFC 8489 §6.2.1: the first repetition comes after 0.2 s, not 0.5 s, since people wait for it.
export const FIRST_CONTACT: TransactionTiming = { rto: 200, requests: 4, lastWait: 8 };

/** Shortest and longest time between the first two requests to a server that has answered before, in ms. */
const MIN_RTO: Duration = 100;
const MAX_RTO: Duration = 800;

/** Longest time between the first two requests, as a part of the round trip: later answers are not late ones. */
const RTO_FACTOR = 1.5;

/** Assumed if the first answer was to a repeated request, in ms. */
const DEFAULT_RTT: Duration = 200;

/** Patience with a server that answers: four requests lose an answer once in 600 times where a tenth is lost each way. */
export function timingFor(rtt: Duration | undefined): TransactionTiming {
  const rto = Math.min(Math.max(RTO_FACTOR * (rtt ?? DEFAULT_RTT), MIN_RTO), MAX_RTO);
  return { rto, requests: 4, lastWait: 3 };
}

/** A server that has answered. */
export interface KnownServer {
  readonly address: Address;
  readonly rtt: Duration | undefined;
}
