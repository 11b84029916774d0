/**
 * The least that a channel must offer so that two peers can find each other over it: a call of a rendezvous server, two
 * strings that people paste, or whatever channel a program has.
 *
 * @module
 */

/**
 * Brings envelopes (`envelope.ts`) to one peer and from it. Envelopes may be lost, repeated, late and out of order;
 * whoever reads or changes them on the way can do no more than lose them.
 */
export interface Signalling {
  /** Command: tries to bring an envelope to the peer. The bytes are the carrier's from then on. */
  send(envelope: Uint8Array): void;
  /** Command: from now on `receive` is called with every envelope that arrives; it never throws. */
  onMessage(receive: (envelope: Uint8Array) => void): void;
}
