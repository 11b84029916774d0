/**
 * Two ends of streams and the packets between them, kept in memory: whoever drives it says what becomes of each packet.
 *
 * @module
 */
import type { SentSink, StreamEvent, StreamToken } from "../../src/stream/stream-events.ts";
import { type StreamLimits, Streams } from "../../src/stream/streams.ts";
import { assert } from "../../src/util/invariant.ts";
import type { Instant } from "../../src/util/time.ts";
import type { CloseCode } from "../../src/wire/codes.ts";
import type { Frame } from "../../src/wire/frame.ts";
import { decodeFrame } from "../../src/wire/frame-codec.ts";
import { Reader } from "../../src/wire/reader.ts";
import { Writer } from "../../src/wire/writer.ts";

/** Limits for tests that are not about limits. */
export const AMPLE: StreamLimits & { memoryBudget: number } = {
  maxData: 768 * 1024,
  maxStreamData: 256 * 1024,
  maxStreamsBidi: 100,
  maxStreamsUni: 100,
  memoryBudget: 16 * 1024 * 1024,
};

/** Stream bytes that a packet carried. */
export interface SentStream {
  readonly id: number;
  readonly start: number;
  readonly length: number;
  readonly fin: 0 | 1;
}

/** A packet and what its sender remembers of it. */
export class Packet implements SentSink {
  bytes: Uint8Array = new Uint8Array(0);
  readonly streams: SentStream[] = [];
  readonly tokens: StreamToken[] = [];

  addStream(id: number, start: number, length: number, fin: 0 | 1): void {
    this.streams.push({ id, start, length, fin });
  }

  addToken(token: StreamToken): void {
    this.tokens.push(token);
  }

  /** Its frames, decoded from a copy of the bytes. */
  frames(): Frame[] {
    const reader = new Reader(new Uint8Array(this.bytes));
    const frames: Frame[] = [];
    while (reader.remaining > 0) {
      const frame = decodeFrame(reader);
      assert(frame !== undefined, "a packet that cannot be decoded");
      frames.push(frame);
    }
    return frames;
  }
}

/** One end. */
export class Side {
  readonly streams: Streams;
  /** Time that the end sees, in ms. */
  now = 1_000;
  rtt = 50;

  constructor(
    role: "initiator" | "responder",
    receive: StreamLimits & { memoryBudget: number } = AMPLE,
    sendBuffer = 64 * 1024,
  ) {
    this.streams = new Streams({ role, receive, sendBuffer });
  }

  /** Builds one packet of at most `size` bytes; `undefined` if there is nothing to send. */
  build(size = 1_200): Packet | undefined {
    const wasPending = this.streams.hasPending();
    const packet = new Packet();
    const writer = new Writer(new Uint8Array(size));
    this.streams.fill(writer, packet);
    assert(wasPending === writer.offset > 0, `pending ${wasPending}, but ${writer.offset} bytes were written`);
    packet.bytes = writer.buffer.subarray(0, writer.offset);
    return wasPending ? packet : undefined;
  }

  /** Builds packets until there is nothing to send. */
  buildAll(size = 1_200): Packet[] {
    const packets: Packet[] = [];
    for (let packet = this.build(size); packet !== undefined; packet = this.build(size)) packets.push(packet);
    return packets;
  }

  /** Applies the frames of a packet of the other end. Returns the code to close with. */
  receive(packet: Packet): CloseCode {
    for (const frame of packet.frames()) {
      const code = this.apply(frame);
      if (code !== 0) return code;
    }
    return 0;
  }

  /** Applies one frame. Returns the code to close with. */
  apply(frame: Frame): CloseCode {
    switch (frame.type) {
      case "stream":
        return this.streams.onStream(frame, this.now as Instant, this.rtt);
      case "reset-stream":
        return this.streams.onResetStream(frame);
      case "stop-sending":
        return this.streams.onStopSending(frame);
      case "max-data":
        return this.streams.onMaxData(frame);
      case "max-stream-data":
        return this.streams.onMaxStreamData(frame);
      case "max-streams":
        return this.streams.onMaxStreams(frame);
      case "data-blocked":
      case "stream-data-blocked":
      case "streams-blocked":
        return this.streams.onBlocked(frame);
      default:
        throw new Error(`no frame of streams: ${frame.type}`);
    }
  }

  /** Learns that a packet of this end has arrived. */
  onAcked(packet: Packet): void {
    for (const { id, start, length, fin } of packet.streams) this.streams.onStreamAcked(id, start, length, fin);
    for (const token of packet.tokens) this.streams.onTokenAcked(token);
  }

  /** Learns that a packet of this end is lost. */
  onLost(packet: Packet): void {
    for (const { id, start, length, fin } of packet.streams) this.streams.onStreamLost(id, start, length, fin);
    for (const token of packet.tokens) this.streams.onTokenLost(token);
  }

  /** All events since the last call. */
  events(): StreamEvent[] {
    const events: StreamEvent[] = [];
    for (let event = this.streams.pollEvent(); event !== undefined; event = this.streams.pollEvent())
      events.push(event);
    return events;
  }

  /** All that can be read of a stream now. */
  readAll(id: number): Uint8Array {
    const pieces: Uint8Array[] = [];
    for (let piece = this.streams.read(id); piece !== undefined; piece = this.streams.read(id)) pieces.push(piece);
    return new Uint8Array(Buffer.concat(pieces));
  }
}

/** Two ends that know each other's limits. */
export function connectedPair(
  limits: { initiator?: typeof AMPLE; responder?: typeof AMPLE; sendBuffer?: number } = {},
): { initiator: Side; responder: Side } {
  const { initiator: atInitiator = AMPLE, responder: atResponder = AMPLE, sendBuffer } = limits;
  const initiator = new Side("initiator", atInitiator, sendBuffer);
  const responder = new Side("responder", atResponder, sendBuffer);
  initiator.streams.setPeerLimits(atResponder);
  responder.streams.setPeerLimits(atInitiator);
  return { initiator, responder };
}

/** Carries everything from one end to the other and back the acknowledgements; returns the packets. */
export function carry(from: Side, to: Side, size = 1_200): Packet[] {
  const packets = from.buildAll(size);
  for (const packet of packets) {
    const code = to.receive(packet);
    assert(code === 0, `a packet was answered with code ${code}`);
    from.onAcked(packet);
  }
  return packets;
}

/** Carries everything both ways until neither end has more to send. */
export function settle(a: Side, b: Side, size = 1_200): void {
  for (let round = 0; a.streams.hasPending() || b.streams.hasPending(); round++) {
    assert(round < 10_000, "the ends do not come to rest");
    carry(a, b, size);
    carry(b, a, size);
  }
}
