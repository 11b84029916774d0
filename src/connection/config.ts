/**
 * Every default of a connection, with its unit and its reason.
 *
 * @module
 */
import type { CongestionName } from "../congestion/create.ts";
import type { Duration } from "../util/time.ts";

/** What can be chosen for a connection. */
export interface Config {
  /** How long a silent peer keeps the connection alive, in ms; the smaller of both sides' holds. */
  readonly linger: Duration;
  /** A challenge is sent after this much outbound silence, in ms. */
  readonly keepalive: Duration;
  /** Longest time that an acknowledgement is withheld, in ms. */
  readonly maxAckDelay: Duration;
  /** Shortest such time that the peer may ask for, in ms. */
  readonly minAckDelay: Duration;
  /** Most bytes of a UDP payload that the search for the path's MTU tries; 1200 switches it off. */
  readonly maxDatagramSize: number;
  /** Who decides how much may be in flight. */
  readonly congestion: CongestionName;
  /** Whether a peer that was connected before is soon sent to at half of the rate that its path had then (RFC 9959 §3). */
  readonly carefulResume: boolean;
  /** Initial credit that the peer gets for all its streams, in bytes. */
  readonly maxData: number;
  /** Initial credit that the peer gets for each stream, in bytes. */
  readonly maxStreamData: number;
  /** Streams that the peer may have open at once, of each direction. */
  readonly maxStreamsBidi: number;
  readonly maxStreamsUni: number;
  /** Most bytes that the receive windows of all streams together may grow to. */
  readonly memoryBudget: number;
  /** Unsent bytes of one stream from which on `write` asks the writer to wait. */
  readonly sendBuffer: number;
  /** AEAD ids by preference (spec/handshake.md): 1 AES-128-GCM, 2 ChaCha20-Poly1305. */
  readonly aeads: readonly number[];
  /** Packets that are sealed under one key. */
  readonly packetsPerPhase: number;
}

// Implementation

/** The defaults. */
export const DEFAULT_CONFIG: Config = {
  // As long as QUIC stacks wait by default (RFC 9000 §10.1 leaves the value open); grows once connections can migrate.
  linger: 30_000,
  // Half of the 30 s after which common NATs forget a binding (RFC 9000 §10.1.2).
  keepalive: 15_000,
  // RFC 9000 §18.2: the default of max_ack_delay.
  maxAckDelay: 25,
  // What a timer of Node can do.
  minAckDelay: 1,
  // More than networks carry, so the interface decides; only loopbacks allow more. There twice as much is hardly faster,
  // but three of them fill the receive buffer that Linux grants by default, and one in twenty would be lost.
  maxDatagramSize: 32 * 1024,
  congestion: "bbr",
  // Paths of homes and telephones change; who calls the same peer again and again may ask for it.
  carefulResume: false,
  // Three streams' worth, so that one bulk stream never waits for the credit of the connection.
  maxData: 3 * 1024 * 1024,
  // Seven round trips of slow start from ten packets; the window has grown before the eighth.
  maxStreamData: 1024 * 1024,
  maxStreamsBidi: 100,
  maxStreamsUni: 100,
  // A 1 Gbit/s path of 300 ms and half as much again; what one connection may cost at most in unread data.
  memoryBudget: 64 * 1024 * 1024,
  // Keeps a 100 Mbit/s path of 80 ms busy without asking the writer for each packet.
  sendBuffer: 1024 * 1024,
  aeads: [1, 2],
  // An eighth of what AES-GCM may seal under one key (RFC 9001 §6.6).
  packetsPerPhase: 2 ** 20,
};
