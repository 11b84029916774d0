/**
 * The one contract between protocol code and the world.
 *
 * Every protocol machine, from the STUN client to the endpoint, is a pure function of its inputs: datagrams, time and
 * commands. It owns no socket, clock, timer, generator of random numbers, promise or emitter. Whoever owns a machine
 * (the driver in `io/`, the simulator in `testing/`) follows four rules:
 *
 * 1. After any input or command, take `pollTransmit` until it returns `undefined`, then `pollEvent` until it returns
 *    `undefined`, then arm one timer for `nextTimeout()`.
 * 2. `now` may stand still but never goes back (a machine clamps it).
 * 3. A datagram that could not be sent is a lost datagram, never an error.
 * 4. A payload given to `receive` belongs to the machine from then on; a payload taken from `pollTransmit` belongs to
 *    the taker, who hands its buffer back to the {@link BufferPool} when it has left.
 *
 * In return a machine never throws on network bytes, and `nextTimeout()` after `handleTimeout(t)` is later than `t`.
 *
 * @module
 */
import type { Instant } from "./time.ts";

/** A UDP address. `host` is a literal IP address in its canonical text form, never a name. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly family: 4 | 6;
}

/** Names one local socket. The owner of the machine chooses it; a machine only repeats it. */
export type SocketId = number;

/** What arrived: one datagram, or several of `segmentSize` bytes each (the last may be shorter) from one address. */
export interface Datagram {
  readonly via: SocketId;
  readonly from: Address;
  readonly payload: Uint8Array;
  /** Size of each segment in `payload`; equal to its length for a single datagram. */
  readonly segmentSize: number;
}

/** What is to be sent: one datagram, or several of `segmentSize` bytes each (the last may be shorter) to one address. */
export interface Transmit {
  readonly via: SocketId;
  readonly to: Address;
  /** A view into a buffer from the machine's {@link BufferPool}. */
  readonly payload: Uint8Array;
  /** Size of each segment in `payload`; equal to its length for a single datagram. */
  readonly segmentSize: number;
  /** Hop limit for openers of hole punching; `undefined` is the system's own. */
  readonly ttl: number | undefined;
  /** It asks whether the path carries one datagram of this size; see {@link Machine.onMtuProbeRefused}. */
  readonly isMtuProbe?: boolean;
}

/** The contract of every protocol machine; see the module's rules. */
export interface Machine<Event> {
  /** Input: what a socket received. Network bytes never make it throw. */
  receive(datagram: Datagram, now: Instant): void;
  /** Input: time has passed. Safe when nothing is due. */
  handleTimeout(now: Instant): void;
  /**
   * Input: the system cut a datagram of `size` bytes, an MTU probe, into fragments, or would not send it. Where nobody can
   * tell, this is never called.
   */
  onMtuProbeRefused?(via: SocketId, to: Address, size: number, now: Instant): void;
  /** Output: the next datagrams to send; call until `undefined`. */
  pollTransmit(now: Instant): Transmit | undefined;
  /** Output: the next thing that the owner should know; call until `undefined`. */
  pollEvent(): Event | undefined;
  /** Output: when to call `handleTimeout`; `undefined` means that no timer is needed. */
  nextTimeout(): Instant | undefined;
}

/** Whether two addresses name the same place. */
export function sameAddress(a: Address, b: Address): boolean {
  return a.port === b.port && a.host === b.host;
}

/** An address as people and maps write it: `192.0.2.1:443` or `[2001:db8::1]:443`. */
export function formatAddress(address: Address): string {
  return address.family === 6 ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
