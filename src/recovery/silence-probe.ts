/**
 * Asks whether the peer is still there when a flow that only comes in falls silent.
 *
 * Theory of operation. Who only receives sends acknowledgements, which nobody answers. If the path dies, or a NAT forgets
 * its binding so that what the peer sends goes nowhere, a receiver that waits would wait until the connection is given
 * up, although one packet from its side might mend the path (the peer answers where the newest packet comes from). So a
 * receiver in the middle of a flow breaks the silence after a probe timeout, with a packet that has to be acknowledged;
 * if that is lost, the loss detector's probe timer goes on.
 *
 * In the middle of a flow is who has just received a full packet: a sender fills packets while it has more to send, so
 * that the last one of what it had is shorter. Three times the recent pause between packets must have passed as well, for
 * flows that are slower than the path. One question is asked for one silence, and the next only after more data. An open
 * stream on which nothing happens is left alone.
 *
 * For the same reason, and to learn the round-trip time, a few packets a second of those that only acknowledge are made to
 * be acknowledged themselves (RFC 9000 §13.2.4).
 *
 * @module
 */
import { after, type Duration, type Instant } from "../util/time.ts";

// Specification

/** Bytes that a packet has at least if it was filled: every path carries as many (RFC 9000 §14). */
const FULL_PACKET_SIZE = 1_200;

// Implementation

/** Pauses of the flow that count as silence. The second of two lost packets is not taken for one. */
const SILENT_PAUSES = 3;

/** What remains of the longest pause with each packet: a stall is forgotten after some dozens. */
const PAUSE_DECAY = 7 / 8;

/** Packets in a row that only acknowledge before one has to be acknowledged. Fewer are no flow. */
const UNANSWERED_ACKS = 4;

/** Shortest time between those, in ms: what it costs the peer to answer should not count. */
const ANSWER_INTERVAL: Duration = 100;

/** Watches the flow of one connection; see the module's theory of operation. */
export class SilenceProbe {
  #lastSize = 0;
  /** The last packet was full, and no question was asked since. */
  #isFlowing = false;
  #heardAt = 0 as Instant;
  #dataAt: Instant | undefined;
  /** The longest of the recent pauses between packets, in ms. */
  #pause: Duration = 0;
  #elicitedAt = 0 as Instant;
  #acksSinceElicited = 0;

  // Inputs

  /** Input: a packet of `size` bytes that asks for an acknowledgement has arrived. */
  onElicitingReceived(size: number, now: Instant): void {
    const pause = this.#dataAt === undefined ? 0 : now - this.#dataAt;
    this.#pause = Math.max(pause, this.#pause * PAUSE_DECAY);
    this.#isFlowing = size >= FULL_PACKET_SIZE && size >= this.#lastSize;
    this.#lastSize = size;
    this.#dataAt = now;
    this.#heardAt = now;
  }

  /** Input: another packet has arrived. */
  onOtherReceived(now: Instant): void {
    this.#heardAt = now;
  }

  /** Input: a packet that has to be acknowledged was sent. */
  onElicitingSent(now: Instant): void {
    this.#elicitedAt = now;
    this.#acksSinceElicited = 0;
  }

  /** Input: a packet that only acknowledges was sent. */
  onAckSent(): void {
    this.#acksSinceElicited += 1;
  }

  /** Input: the question is about to be asked, or there is nothing to ask for. */
  onAsked(): void {
    this.#isFlowing = false;
  }

  // Outputs

  /** Output: when the silence is to be broken, `undefined` if it is not. `probeTimeout` is without backoff. */
  nextTimeout(probeTimeout: Duration): Instant | undefined {
    if (!this.#isFlowing) return undefined;
    return after(this.#heardAt, Math.max(probeTimeout, SILENT_PAUSES * this.#pause));
  }

  /** Output: whether a packet that would only acknowledge should have to be acknowledged. */
  shouldElicit(smoothedRtt: Duration, now: Instant): boolean {
    if (this.#acksSinceElicited < UNANSWERED_ACKS) return false;
    return now >= after(this.#elicitedAt, Math.max(smoothedRtt, ANSWER_INTERVAL));
  }
}
