/**
 * A peer that holds valid keys and says what it likes: it builds its own packets, frame by frame, with the handshake and
 * the packet protection of the product. The other end is a real endpoint.
 *
 * @module
 */
import { DEFAULT_CONFIG } from "../../src/connection/config.ts";
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import type { ConnectionEvent } from "../../src/connection/events.ts";
import { type Keys, keysFor } from "../../src/connection/keys.ts";
import { localParameters } from "../../src/connection/negotiation.ts";
import { InitiatorHandshake, ResponderHandshake } from "../../src/crypto/handshake.ts";
import {
  type AeadId,
  type DirectionSecrets,
  deriveDirection,
  type SessionSecrets,
} from "../../src/crypto/key-schedule.ts";
import { PacketSealer } from "../../src/crypto/packet-protection.ts";
import { keyPairFromSeed } from "../../src/crypto/primitives.ts";
import { deriveTicketKeys } from "../../src/crypto/ticket-keys.ts";
import { ticketCore } from "../../src/ticket/ticket.ts";
import type { Address } from "../../src/util/machine.ts";
import { RangeSet } from "../../src/util/range-set.ts";
import type { Frame } from "../../src/wire/frame.ts";
import { decodeFrame, encodeFrame } from "../../src/wire/frame-codec.ts";
import { decodeInit, decodeResp, encodeInit, encodeResp } from "../../src/wire/handshake-datagram.ts";
import {
  HEADER_SIZE,
  MIN_PACKET_SIZE,
  type PacketSpace,
  TAG_SIZE,
  writePacketHeader,
} from "../../src/wire/packet-header.ts";
import { decodeParameters, encodeParameters, type Parameters } from "../../src/wire/parameters.ts";
import { Reader } from "../../src/wire/reader.ts";
import { Writer } from "../../src/wire/writer.ts";
import { type End, Pair, type PairOptions } from "./pair.ts";

/** A datagram that the victim sent, and where to. */
export interface Sent {
  readonly to: Address;
  readonly bytes: Uint8Array;
  /** Size of the packets that it left with. */
  readonly segmentSize: number;
}

/** A packet of the victim, opened. */
export interface Seen {
  readonly space: PacketSpace;
  readonly packetNumber: number;
  readonly size: number;
  readonly to: Address;
  readonly frames: readonly Frame[];
}

/** How a packet differs from an ordinary one. */
export interface PacketOptions {
  /** Pads to this many bytes. */
  readonly size?: number;
  readonly packetNumber?: number;
  /** Bytes behind the frames, as they are. */
  readonly raw?: Uint8Array;
  /** Another sealer than that of {@link Adversary.keys}. */
  readonly sealer?: PacketSealer;
}

/** What an adversary can be made with. */
export interface AdversaryOptions extends PairOptions {
  readonly parameters?: Partial<Parameters>;
}

/** Told of each first message and the size of its answer. */
export type OnAnswer = (from: Address, brought: number, sent: number) => void;

/** The peer; see the module. */
export class Adversary {
  readonly pair: Pair;
  readonly victim: End;
  readonly role: "initiator" | "responder";
  /** Where the peer is, unless it pretends to be elsewhere. */
  readonly address: Address;
  readonly keys: Keys;
  readonly #secrets: DirectionSecrets;
  /** What the victim told in the handshake. */
  readonly peer: Parameters;
  /** First token of the victim: of the answer, or of the first message. */
  readonly token: Uint8Array;
  readonly #connection: ConnectionMachine | undefined;
  readonly #next = { data: 0, probe: 0 };
  readonly #held: Sent[] = [];
  /** Numbers of the data packets that were opened. */
  readonly #received = new RangeSet();
  #id = 0;

  private constructor(options: {
    pair: Pair;
    role: "initiator" | "responder";
    session: SessionSecrets;
    aead: AeadId;
    peer: Parameters;
    token: Uint8Array;
    connection: ConnectionMachine | undefined;
  }) {
    const { pair, role } = options;
    this.pair = pair;
    this.role = role;
    this.victim = role === "initiator" ? pair.listener : pair.dialer;
    this.address = role === "initiator" ? pair.dialer.address : pair.listener.address;
    this.#secrets = deriveDirection(options.session, role, options.aead);
    this.keys = keysFor(role, options.session, options.aead);
    this.peer = options.peer;
    this.token = options.token;
    this.#connection = options.connection;
  }

  /** A caller whose first message was answered; the listener has not had a packet yet. */
  static dial(options: AdversaryOptions = {}): Adversary {
    const pair = new Pair(options);
    return Adversary.#dial(pair, options.parameters, [pair.dialer.address]);
  }

  /** Like {@link dial}, but a copy of the first message also came from each further address. */
  static dialFrom(addresses: readonly Address[], onAnswer?: OnAnswer): Adversary {
    const pair = new Pair();
    return Adversary.#dial(pair, undefined, [pair.dialer.address, ...addresses], onAnswer);
  }

  static #dial(
    pair: Pair,
    parameters: Partial<Parameters> | undefined,
    from: readonly Address[],
    onAnswer?: OnAnswer,
  ): Adversary {
    const { ticket, rng } = pair;
    const handshake = new InitiatorHandshake({
      keys: ticketKeysOf(pair),
      listenerKey: ticket.key,
      identity: keyPairFromSeed(rng.random(32)),
      ephemeral: keyPairFromSeed(rng.random(32)),
      payload: encodeParameters({ ...ownParameters(pair), attempt: rng.random(8), ...parameters }, 0),
    });
    const inits = from.map(() => encodeInit({ core: handshake.core1, token: rng.random(8), mac2: new Uint8Array(16) }));
    const answers = inits.map((init, i) => pair.inject(pair.listener, init, from[i])[0]!);
    for (const [i, answer] of answers.entries()) onAnswer?.(from[i]!, inits[i]!.length, answer.length);
    const response = decodeResp(answers[0]!)!;
    const { payload, session } = handshake.readCore2(response.core)!;
    const peer = decodeParameters(payload)!;
    const aead = peer.aeads[0] as AeadId;
    return new Adversary({
      pair,
      role: "initiator",
      session,
      aead,
      peer,
      token: response.token,
      connection: undefined,
    });
  }

  /** A listener that has answered a call; the caller's first flight is still to be taken. */
  static listen(options: AdversaryOptions = {}): Adversary {
    const pair = new Pair(options);
    const connection = pair.dial();
    const init = decodeInit(takeAll(pair, pair.dialer)[0]!.bytes)!;
    const ticketKeys = ticketKeysOf(pair);
    const received = ResponderHandshake.read(
      ResponderHandshake.openSeal(init.core, ticketKeys)!,
      ticketKeys,
      pair.identity,
    )!;
    const peer = decodeParameters(received.payload)!;
    const own = encodeParameters({ ...ownParameters(pair), aeads: [1], ...options.parameters }, 0);
    const { core2, session } = received.respond(own, keyPairFromSeed(pair.rng.random(32)));
    const token = pair.rng.random(8);
    const answer = encodeResp({ connectionId: peer.connectionIds[0]!, echo: init.token, token, core: core2 });
    const payload = answer.slice();
    pair.dialer.endpoint.receive(
      { via: 0, from: pair.listener.address, payload, segmentSize: payload.length },
      pair.now,
    );
    return new Adversary({ pair, role: "responder", session, aead: 1, peer, token, connection });
  }

  /** A peer on a proven path of an open connection, with no packet under way. */
  static open(role: "initiator" | "responder", options: AdversaryOptions = {}): Adversary {
    const adversary = role === "initiator" ? Adversary.dial(options) : Adversary.listen(options);
    adversary.deliver("probe", [{ type: "path-response", token: adversary.token }]);
    adversary.deliver("data", [{ type: "ping" }]);
    adversary.settle();
    return adversary;
  }

  /** The victim's side of the connection. */
  get connection(): ConnectionMachine {
    if (this.#connection !== undefined) return this.#connection;
    for (const event of this.victim.events) if (event.type === "incoming") return event.connection;
    throw new Error("the connection has not opened");
  }

  /** A sealer that knows nothing of the numbers and phases used so far. */
  newSealer(): PacketSealer {
    return new PacketSealer({ secrets: this.#secrets });
  }

  /** A sealed packet. */
  seal(space: PacketSpace, frames: readonly Frame[], options: PacketOptions = {}): Uint8Array {
    const sealer = options.sealer ?? this.keys.sealer;
    const packetNumber = options.packetNumber ?? this.#next[space];
    this.#next[space] = Math.max(this.#next[space], packetNumber + 1);
    const body = bodyOf(frames, options);
    const packet = new Uint8Array(HEADER_SIZE + body.length + TAG_SIZE);
    const keyPhase = space === "data" ? sealer.keyPhase : 0;
    const connectionId = this.peer.connectionIds[this.#id]!;
    writePacketHeader(packet, 0, { space, keyPhase, length: packet.length, connectionId, packetNumber });
    packet.set(body, HEADER_SIZE);
    const total = packet.length;
    sealer.sealBatch(packet, { space, start: 0, segmentSize: total, total, firstPacketNumber: packetNumber });
    return packet;
  }

  /** Delivers a packet to the victim and nothing more. */
  deliver(space: PacketSpace, frames: readonly Frame[], options: PacketOptions & { from?: Address } = {}): void {
    this.deliverBytes(this.seal(space, frames, options), options.from);
  }

  /** Delivers bytes to the victim. */
  deliverBytes(bytes: Uint8Array, from = this.address): void {
    const payload = bytes.slice();
    this.victim.endpoint.receive({ via: 0, from, payload, segmentSize: payload.length }, this.pair.now);
  }

  /** Takes what the victim sends. */
  takeRaw(): Sent[] {
    return takeAll(this.pair, this.victim);
  }

  /** Takes what the victim sends, and opens it. */
  take(): Seen[] {
    return this.#openAll(this.takeRaw());
  }

  /** Takes what the victim sends as it would leave: several packets in one buffer. */
  takeBatches(): { readonly payload: Uint8Array; readonly segmentSize: number }[] {
    const batches: { payload: Uint8Array; segmentSize: number }[] = [];
    const { endpoint } = this.victim;
    for (let out = endpoint.pollTransmit(this.pair.now); out !== undefined; out = endpoint.pollTransmit(this.pair.now))
      batches.push({ payload: out.payload.slice(), segmentSize: out.segmentSize });
    return batches;
  }

  /** Delivers a packet and returns what the victim says to it at once. */
  say(space: PacketSpace, frames: readonly Frame[], options: PacketOptions & { from?: Address } = {}): Seen[] {
    this.deliver(space, frames, options);
    return this.take();
  }

  /** Takes and acknowledges whatever the victim sends until it falls silent, withheld acknowledgements included. */
  settle(): Seen[] {
    const all: Seen[] = [];
    for (let round = 0; round < 100; round++) {
      const seen = [...this.takeHeld(), ...this.take()];
      all.push(...seen);
      const eliciting = seen.filter(({ space }) => space === "data");
      if (eliciting.length > 0) this.acknowledge(eliciting.at(-1)!.packetNumber);
      this.wait(30);
      if (seen.length === 0 && this.#held.length === 0) return all;
    }
    throw new Error("the victim never falls silent");
  }

  /** Acknowledges what was opened up to `largest`, but not the numbers that the victim has given up. */
  acknowledge(largest: number): void {
    this.deliver("data", [this.acknowledgement(largest)]);
  }

  /** The frame that {@link acknowledge} delivers. */
  acknowledgement(largest: number): Frame {
    const ranges: number[] = [];
    for (let i = this.#received.rangeCount - 1; i >= 0; i--) {
      const start = this.#received.start(i);
      if (start <= largest) ranges.push(start, Math.min(this.#received.end(i), largest + 1));
    }
    return { type: "ack", largest: ranges[1]! - 1, delayUs: 0, ranges, ecn: undefined };
  }

  /** Counts a data packet that the test has opened itself. */
  noteOpened(packetNumber: number): void {
    this.#received.add(packetNumber, packetNumber + 1);
  }

  /** Lets time pass without anything arriving. What the victim sends is left to be taken, or lost with the next call. */
  wait(duration: number): void {
    const { endpoint } = this.victim;
    const end = this.pair.now + duration;
    for (let next = endpoint.nextTimeout(); next !== undefined && next <= end; next = endpoint.nextTimeout()) {
      if (next > this.pair.now) this.pair.now = next;
      endpoint.handleTimeout(this.pair.now);
      this.#held.push(...takeAll(this.pair, this.victim));
    }
    this.pair.now = end as typeof this.pair.now;
  }

  /** What the victim sent during {@link wait}, opened. */
  takeHeld(): Seen[] {
    return this.#openAll(this.#held.splice(0));
  }

  /** Addresses the victim by another of the connection ids that it gave in the handshake. */
  useId(index: number): void {
    this.#id = index;
  }

  /** Highest number of a data packet that {@link take} has seen. */
  get highest(): number {
    return this.#received.last ?? -1;
  }

  /** Events of the victim's connection so far. */
  events(): ConnectionEvent[] {
    return this.pair.eventsOf(this.victim, this.connection);
  }

  #openAll(datagrams: readonly Sent[]): Seen[] {
    const seen: Seen[] = [];
    for (const { to, bytes } of datagrams) {
      const opened = this.keys.opener.open(bytes);
      if (opened === undefined) continue;
      const { space, packetNumber, payload } = opened;
      if (space === "data") this.noteOpened(packetNumber);
      seen.push({ space, packetNumber, size: bytes.length, to, frames: framesOf(payload) });
    }
    return seen;
  }
}

/** One range: every number from `first` to `largest`. */
export function ackOf(first: number, largest: number): Frame {
  return { type: "ack", largest, delayUs: 0, ranges: [first, largest + 1], ecn: undefined };
}

/** The CLOSE in what was seen, if there is one. */
export function closeIn(seen: readonly Seen[]): Extract<Frame, { type: "close" }> | undefined {
  for (const { frames } of seen) for (const frame of frames) if (frame.type === "close") return frame;
  return undefined;
}

/** All frames of what was seen but padding. */
export function framesIn(seen: readonly Seen[]): Frame[] {
  return seen.flatMap(({ frames }) => frames).filter(({ type }) => type !== "padding");
}

/** Takes all datagrams and events of an end. */
export function takeAll(pair: Pair, end: End): Sent[] {
  const sent: Sent[] = [];
  const { endpoint } = end;
  for (let out = endpoint.pollTransmit(pair.now); out !== undefined; out = endpoint.pollTransmit(pair.now)) {
    const { to, payload, segmentSize } = out;
    for (let at = 0; at < payload.length; at += segmentSize) {
      sent.push({ to, bytes: payload.slice(at, at + segmentSize), segmentSize });
    }
  }
  for (let event = endpoint.pollEvent(); event !== undefined; event = endpoint.pollEvent()) end.events.push(event);
  return sent;
}

function bodyOf(frames: readonly Frame[], { raw, size }: PacketOptions): Uint8Array {
  const writer = new Writer(new Uint8Array(70_000));
  for (const frame of frames) encodeFrame(writer, frame);
  if (raw !== undefined) writer.bytes(raw);
  const least = Math.max(size ?? 0, MIN_PACKET_SIZE) - HEADER_SIZE - TAG_SIZE;
  if (writer.offset < least) writer.fill(0, least - writer.offset);
  return writer.buffer.subarray(0, writer.offset);
}

function framesOf(payload: Uint8Array): Frame[] {
  // The payload is a view of a datagram that is ours, so its frames may be kept.
  const reader = new Reader(payload);
  const frames: Frame[] = [];
  while (reader.remaining > 0) {
    const frame = decodeFrame(reader);
    if (frame === undefined) throw new Error("the victim sent a frame that cannot be read");
    frames.push(frame);
  }
  return frames;
}

function ticketKeysOf({ ticket }: Pair) {
  return deriveTicketKeys({ key: ticket.key, secret: ticket.secret, core: ticketCore(ticket) });
}

function ownParameters({ rng }: Pair): Parameters {
  return localParameters(DEFAULT_CONFIG, [rng.random(8), rng.random(8), rng.random(8)]);
}
