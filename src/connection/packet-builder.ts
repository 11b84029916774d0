/**
 * Makes packets of what a connection has to say.
 *
 * Theory of operation. Data leaves in batches: packets of one size with consecutive numbers, laid out one behind the
 * other in one buffer and sealed in one call; only the last may be shorter. Each packet carries, in this order, the
 * acknowledgement if one is due or rides along, datagrams, and what the streams have to say. How much may go is one
 * question with one answer, {@link sendBudget}. Probe packets and CLOSE are single packets outside of it.
 *
 * @module
 */
import { ACK_ELICITING, IN_FLIGHT, MTU_PROBE } from "../recovery/sent-packets.ts";
import type { Address, SocketId, Transmit } from "../util/machine.ts";
import type { Instant } from "../util/time.ts";
import { ackFrameLength, encodeAckFrame } from "../wire/ack-frame.ts";
import { BASE_DATAGRAM_SIZE, MAX_SEGMENTS } from "../wire/datagram.ts";
import type { Frame } from "../wire/frame.ts";
import { encodeFrame, frameLength } from "../wire/frame-codec.ts";
import { FRAME_TYPE } from "../wire/frame-type.ts";
import {
  HEADER_SIZE,
  MIN_PACKET_SIZE,
  PACKET_OVERHEAD,
  type PacketSpace,
  TAG_SIZE,
  writePacketHeader,
} from "../wire/packet-header.ts";
import { Writer } from "../wire/writer.ts";
import type { CloseIntent } from "./closing.ts";
import type { ControlToken, Core, Token } from "./core.ts";
import type { Keys } from "./keys.ts";
import { mtuProbeSize, onMtuProbeSent } from "./path-mtu.ts";
import type { Path } from "./paths.ts";

// Specification

/** Datagram size of a challenge: room for the answer, which reports an IPv6 address (spec/wire.md#probes). */
const CHALLENGE_SIZE = 64;

// Implementation

/** Bytes of one batch: what one offloaded send of the kernel may carry. */
const MAX_BATCH_BYTES = 65_000;

/** What an unproven path must have left for a data packet: an acknowledgement of one range fits into it in any case. */
const MIN_ALLOWANCE = 64;

/** Less room than this is not worth a stream frame: its header takes up to 20 bytes. */
const MIN_USEFUL_ROOM = 24;

const writer = new Writer();

/** What one packet turned out to be. */
interface Built {
  /** Bytes of the whole packet, 0 if there was nothing to say. */
  size: number;
  isEliciting: boolean;
}

const built: Built = { size: 0, isEliciting: false };

/** The next batch of data packets on the active path, `undefined` if nothing may or need be sent now. */
export function buildBatch(core: Core, keys: Keys, now: Instant): Transmit | undefined {
  const path = core.paths.active;
  core.pacedUntil = undefined;
  if (path === undefined || !mayCarryPackets(path)) return undefined;
  const hasData = hasSomethingToSay(core);
  const budget = hasData ? sendBudget(core, now) : 0;
  if (budget === 0 && !(path.isProven && core.acks.shouldAckNow(now))) return undefined;

  const segmentSize = path.blackHole.isSuspected ? BASE_DATAGRAM_SIZE : core.datagramSize;
  const { sent: ledger } = core.recovery;
  // Between batches only: the numbers of a batch are consecutive.
  if (core.skippedNumbers.takeDue(ledger.nextPacketNumber)) ledger.skip(ledger.nextPacketNumber);
  const first = ledger.nextPacketNumber;
  const room = Math.min(Math.max(MAX_BATCH_BYTES, segmentSize), path.allowance);
  const buffer = core.pool.take();
  let total = 0;
  for (let count = 0; count < MAX_SEGMENTS && total + MIN_ALLOWANCE <= room; count++) {
    const mayCarryData = total < budget;
    if (count > 0 && !mayCarryData) break;
    // The last packet of a probe timeout is one that every path carries, should this one have ceased to carry others.
    const limit = core.recovery.probesPending === 1 ? BASE_DATAGRAM_SIZE : segmentSize;
    buildDataPacket(core, buffer, total, { size: Math.min(limit, room - total), mayCarryData }, now);
    if (built.size === 0) break;
    commit(core, built, now);
    writeHeader(core, keys, buffer, total, "data");
    total += built.size;
    if (built.size < segmentSize) break;
  }
  const { congestionWindow } = core.congestion;
  // RFC 9002 §7.8: a window that could not be filled must not grow. Being held by the pacer is something else.
  const hasRoom = core.recovery.sent.bytesInFlight + segmentSize <= congestionWindow;
  if (hasRoom && !hasSomethingToSay(core)) core.recovery.markAppLimited();
  if (total === 0) {
    core.pool.give(buffer);
    return undefined;
  }
  keys.sealer.sealBatch(buffer, { start: 0, segmentSize, total, space: "data", firstPacketNumber: first });
  return sent(core, path, buffer, { total, segmentSize: Math.min(segmentSize, total) }, now);
}

/** A packet that only asks whether the active path carries its size, if it is time to ask (spec/mtu.md). */
export function buildMtuProbe(core: Core, keys: Keys, now: Instant): Transmit | undefined {
  const path = core.paths.active;
  const total = hasSomethingToSay(core) ? mtuProbeSize(core, now) : undefined;
  if (path === undefined || total === undefined) return undefined;
  const buffer = core.pool.take();
  const { sent: ledger } = core.recovery;
  const first = ledger.nextPacketNumber;
  ledger.begin(first);
  // RFC 9000 §14.4: PING and PADDING, so that nothing has to be repeated if it is lost.
  writer.reset(buffer, HEADER_SIZE, total - TAG_SIZE);
  writer.u8(FRAME_TYPE.PING);
  finishPacket(0, total);
  built.isEliciting = true;
  commit(core, built, now, MTU_PROBE);
  onMtuProbeSent(core, first);
  writeHeader(core, keys, buffer, 0, "data");
  keys.sealer.sealBatch(buffer, { start: 0, segmentSize: total, total, space: "data", firstPacketNumber: first });
  return sent(core, path, buffer, { total, segmentSize: total, isMtuProbe: true }, now);
}

/** The next probe packet: an answer to a challenge, or a challenge of our own. */
export function buildProbe(core: Core, keys: Keys, now: Instant): Transmit | undefined {
  for (const path of core.paths.all) {
    const challenge = path.validator.pollChallenge(now);
    if (challenge !== undefined && path.mayChallenge) {
      // Before the path is proven the smallest challenge has to do: what has arrived must pay for it.
      const size = path.isProven ? CHALLENGE_SIZE : MIN_PACKET_SIZE;
      core.liveness.onAnswerOwed(now, core.recovery.probeTimeout);
      return buildProbePacket(core, keys, path, { frames: [{ type: "path-challenge", token: challenge }], size }, now);
    }
    const response = path.responses.shift();
    if (response !== undefined && path.allowance >= response.size) {
      return buildProbePacket(core, keys, path, { frames: responseFrames(path, response), size: 0 }, now);
    }
  }
  return undefined;
}

/** A challenge of hole punching, to an address that need not be a path. */
export function buildPunchProbe(
  core: Core,
  keys: Keys,
  probe: { readonly via: SocketId; readonly to: Address; readonly size: number; readonly token: Uint8Array },
  now: Instant,
): Transmit {
  const { via, to, size, token } = probe;
  const packet = sealProbe(core, keys, { frames: [{ type: "path-challenge", token }], size });
  count(core, { total: packet.length, segmentSize: packet.length }, now);
  return { via, to, payload: packet, segmentSize: packet.length, ttl: undefined };
}

/** A packet of the probe space that travels by a carrier. */
export function buildEnvelopePacket(core: Core, keys: Keys, frames: readonly Frame[]): Uint8Array {
  const packet = sealProbe(core, keys, { frames, size: 0 });
  const copy = packet.slice();
  core.pool.give(packet);
  return copy;
}

/** The answer to a challenge, with the address that we see if it makes the answer no longer than the challenge. */
function responseFrames(path: Path, { token, size }: { readonly token: Uint8Array; readonly size: number }): Frame[] {
  const response: Frame = { type: "path-response", token };
  const observed: Frame = { type: "observed-address", address: path.remote };
  const fits = PACKET_OVERHEAD + frameLength(response) + frameLength(observed) <= size;
  return fits ? [response, observed] : [response];
}

/** A packet that closes the connection; it acknowledges what is unacknowledged, so that streams end cleanly. */
export function buildClose(core: Core, keys: Keys, intent: CloseIntent, now: Instant): Transmit | undefined {
  const path = core.paths.active;
  const { application, code, cause, message } = intent;
  const close: Frame = { type: "close", application, code, cause, reason: message };
  const closeLength = frameLength(close);
  const size = Math.min(core.datagramSize, path?.allowance ?? 0);
  if (path === undefined || size < Math.max(PACKET_OVERHEAD + closeLength, MIN_PACKET_SIZE)) return undefined;
  const buffer = core.pool.take();
  const { sent: ledger } = core.recovery;
  const first = ledger.nextPacketNumber;
  ledger.begin(first);
  // The acknowledgement takes what CLOSE leaves.
  writer.reset(buffer, HEADER_SIZE, size - TAG_SIZE - closeLength);
  if (writeAck(core, now)) core.acks.onAckSent(0);
  writer.limit = size - TAG_SIZE;
  encodeFrame(writer, close);
  finishPacket(0);
  built.isEliciting = false;
  commit(core, built, now);
  writeHeader(core, keys, buffer, 0, "data");
  const { size: total } = built;
  keys.sealer.sealBatch(buffer, { start: 0, segmentSize: total, total, space: "data", firstPacketNumber: first });
  return sent(core, path, buffer, { total, segmentSize: total }, now);
}

/** Whether data packets may go on a path at all: always once it is proven, before that while it has credit. */
function mayCarryPackets(path: Path): boolean {
  return path.allowance >= MIN_ALLOWANCE;
}

/** Bytes of data packets that may leave now, and the note of when to ask again if it is the pacer that says no. */
function sendBudget(core: Core, now: Instant): number {
  const { recovery, congestion, pacer } = core;
  const size = core.datagramSize;
  // RFC 9002 §6.2.4: probes after a timeout are not held back by the congestion window.
  if (recovery.probesPending > 0) return recovery.probesPending * size;
  const window = congestion.congestionWindow - recovery.sent.bytesInFlight;
  if (window < size) return 0;
  pacer.update(congestion, recovery.rtt, now);
  const paced = pacer.budget(now);
  if (paced < size) {
    core.pacedUntil = pacer.nextTimeout(now, size);
    return 0;
  }
  // Whole packets only: a remainder of the window is no reason for a small packet.
  return Math.floor(Math.min(window, paced) / size) * size;
}

function hasSomethingToSay(core: Core): boolean {
  return (
    core.streams.hasPending() ||
    core.recovery.probesPending > 0 ||
    core.datagrams.length > 0 ||
    core.control.length > 0 ||
    core.isAsking
  );
}

/** Lays out one data packet at `start`; `built` tells what came of it. */
function buildDataPacket(
  core: Core,
  buffer: Uint8Array,
  start: number,
  limits: { readonly size: number; readonly mayCarryData: boolean },
  now: Instant,
): void {
  const { sent: ledger } = core.recovery;
  ledger.begin(ledger.nextPacketNumber);
  writer.reset(buffer, start + HEADER_SIZE, start + limits.size - TAG_SIZE);
  // Deviates from RFC 9000 §13.2.1: what is not acknowledged is repeated, and pays for the challenges that prove the path.
  const hasAck = core.paths.active?.isProven === true && writeAck(core, now);
  const afterAck = writer.offset;
  if (limits.mayCarryData) {
    // A probe is answered at once, whatever the peer was asked to do otherwise (draft-ietf-quic-ack-frequency §7).
    const isProbe = core.recovery.probesPending > 0;
    if ((isProbe || core.isAsking) && writer.remaining > 0) writer.u8(FRAME_TYPE.IMMEDIATE_ACK);
    core.isAsking = false;
    const beforeContent = writer.offset;
    writeControl(core);
    writeDatagrams(core);
    if (writer.remaining >= MIN_USEFUL_ROOM) core.streams.fill(writer, ledger);
    if (writer.offset === beforeContent && isProbe) repeatOldest(core);
  } else if (hasAck && (core.acks.shouldElicitAck || core.silence.shouldElicit(core.recovery.rtt.smoothed, now))) {
    writer.u8(FRAME_TYPE.PING);
  }
  built.isEliciting = writer.offset > afterAck;
  if (hasAck) core.acks.onAckSent(built.isEliciting ? ACK_ELICITING : 0);
  if (writer.offset === start + HEADER_SIZE) {
    built.size = 0;
    return;
  }
  // More to say, but not here: the packet is padded so that the batch stays one of equal sizes.
  const isFull =
    limits.mayCarryData && built.isEliciting && hasSomethingToSay(core) && core.recovery.probesPending === 0;
  finishPacket(start, isFull ? limits.size : 0);
}

/** Pads to the smallest packet, or to `size`, and notes the size of the packet. */
function finishPacket(start: number, size = 0): void {
  const length = Math.max(writer.offset - start + TAG_SIZE, MIN_PACKET_SIZE, size);
  const padding = start + length - TAG_SIZE - writer.offset;
  if (padding > 0) writer.fill(FRAME_TYPE.PADDING, padding);
  built.size = length;
}

/** Acknowledges whatever is unacknowledged, if it fits. */
function writeAck(core: Core, now: Instant): boolean {
  let ack = core.acks.takeAck(now);
  if (ack === undefined) return false;
  // RFC 9000 §13.2.3: what does not fit is left out, the oldest ranges first.
  while (ackFrameLength(ack) > writer.remaining && ack.ranges.length > 2)
    ack = { ...ack, ranges: ack.ranges.slice(0, -2) };
  if (ackFrameLength(ack) > writer.remaining) return false;
  encodeAckFrame(writer, ack);
  core.recovery.sent.addAck(ack.largest);
  return true;
}

/** Frames of the connection itself. */
function writeControl(core: Core): void {
  while (core.control.length > 0) {
    const token = core.control.first!;
    const frame = controlFrame(core, token);
    if (frame !== undefined) {
      if (frameLength(frame) > writer.remaining) return;
      encodeFrame(writer, frame);
      core.recovery.sent.addToken(token);
      if (token.kind === "new-connection-id") core.localIds.markTold(token.sequence);
    }
    core.control.shift();
  }
}

function controlFrame(core: Core, token: ControlToken): Frame | undefined {
  switch (token.kind) {
    case "new-connection-id": {
      const connectionId = core.localIds.get(token.sequence);
      if (connectionId === undefined) return undefined;
      return { type: "new-connection-id", sequence: token.sequence, retirePriorTo: 0, connectionId };
    }
    case "retire-connection-id":
      // A copy that was thought lost may have arrived meanwhile.
      return core.remoteIds.isRetiring(token.sequence)
        ? { type: "retire-connection-id", sequence: token.sequence }
        : undefined;
    case "path-response":
      return { type: "path-response", token: token.token };
    case "ack-frequency": {
      const wish = core.ackFrequency.wish(token.sequence);
      return wish === undefined ? undefined : { type: "ack-frequency", ...wish };
    }
  }
}

function writeDatagrams(core: Core): void {
  for (let data = core.datagrams.peek(); data !== undefined; data = core.datagrams.peek()) {
    const frame: Frame = { type: "datagram", data };
    if (frameLength(frame) > writer.remaining) return;
    encodeFrame(writer, frame);
    core.datagrams.shift();
  }
}

/** A probe without new data repeats the oldest packet in flight that carries anything to repeat (RFC 9002 §6.2.4). */
function repeatOldest(core: Core): void {
  const { sent: ledger } = core.recovery;
  let repeated = ledger.nextInFlight(core.probedBelow) ?? core.recovery.oldestInFlight;
  while (repeated !== undefined && !carriesContent(core, repeated)) repeated = ledger.nextInFlight(repeated + 1);
  if (repeated === undefined) return;
  core.probedBelow = repeated + 1;
  requeue(core, repeated);
  // All of it: what stays behind would be new to the next probe, and take the place of the next packet.
  writeControl(core);
  core.streams.fill(writer, ledger);
}

function carriesContent({ recovery: { sent: ledger } }: Core, packetNumber: number): boolean {
  return ledger.streamRangeCount(packetNumber) > 0 || ledger.tokens(packetNumber).length > 0;
}

/** Lets the content of a packet be sent again, without calling the packet lost. */
export function requeue(core: Core, packetNumber: number): void {
  const { sent: ledger } = core.recovery;
  const ranges = ledger.streamRangeCount(packetNumber);
  for (let i = 0; i < ranges; i++) {
    const length = ledger.streamLength(packetNumber, i);
    core.counters.retransmittedBytes += length;
    core.streams.onStreamLost(
      ledger.streamId(packetNumber, i),
      ledger.streamStart(packetNumber, i),
      length,
      ledger.streamFin(packetNumber, i),
    );
  }
  for (const token of ledger.tokens(packetNumber)) {
    if (isControlToken(token)) core.control.push(token);
    else core.streams.onTokenLost(token);
  }
}

function isControlToken(token: Token): token is ControlToken {
  switch (token.kind) {
    case "new-connection-id":
    case "retire-connection-id":
    case "ack-frequency":
    case "path-response":
      return true;
    default:
      return false;
  }
}

/** Notes a finished packet. `flags` are added to those that follow from its content. */
function commit(core: Core, packet: Built, now: Instant, flags = 0): void {
  const { recovery } = core;
  recovery.sent.commit(packet.size, now, packet.isEliciting ? ACK_ELICITING | IN_FLIGHT | flags : 0);
  recovery.onPacketSent(now);
  if (!packet.isEliciting) {
    core.silence.onAckSent();
    return;
  }
  core.silence.onElicitingSent(now);
  const event = core.sentEvent;
  event.now = now;
  event.packetNumber = recovery.sent.nextPacketNumber - 1;
  event.size = packet.size;
  event.bytesInFlight = recovery.sent.bytesInFlight;
  event.isAppLimited = recovery.delivery.isAppLimited;
  core.congestion.onPacketSent(event);
  core.pacer.onSent(packet.size, now);
  core.liveness.onAnswerOwed(now, core.recovery.probeTimeout);
}

function writeHeader(core: Core, keys: Keys, buffer: Uint8Array, offset: number, space: PacketSpace): void {
  const packetNumber = space === "data" ? core.recovery.sent.nextPacketNumber - 1 : core.nextProbeNumber;
  const keyPhase = space === "data" ? keys.sealer.keyPhase : 0;
  const connectionId = core.remoteIds.current;
  writePacketHeader(buffer, offset, { space, keyPhase, length: built.size, connectionId, packetNumber });
  core.trace?.onPacketSent({ space, packetNumber, keyPhase }, buffer, offset, built.size);
}

/** One packet of the probe space, of at least `size` bytes. */
function buildProbePacket(
  core: Core,
  keys: Keys,
  path: Path,
  content: { readonly frames: readonly Frame[]; readonly size: number },
  now: Instant,
): Transmit {
  const packet = sealProbe(core, keys, content);
  return sent(core, path, packet, { total: packet.length, segmentSize: packet.length }, now);
}

/** The bytes of a packet of the probe space, in a buffer of the pool. */
function sealProbe(
  core: Core,
  keys: Keys,
  content: { readonly frames: readonly Frame[]; readonly size: number },
): Uint8Array {
  const buffer = core.pool.take();
  writer.reset(buffer, HEADER_SIZE, core.datagramSize - TAG_SIZE);
  for (const frame of content.frames) encodeFrame(writer, frame);
  finishPacket(0, content.size);
  const total = built.size;
  writeHeader(core, keys, buffer, 0, "probe");
  const firstPacketNumber = core.nextProbeNumber++;
  keys.sealer.sealBatch(buffer, { start: 0, segmentSize: total, total, space: "probe", firstPacketNumber });
  return buffer.subarray(0, total);
}

/** Counts packets that leave. */
function count(
  core: Core,
  { total, segmentSize }: { readonly total: number; readonly segmentSize: number },
  now: Instant,
): void {
  core.counters.packetsSent += Math.ceil(total / segmentSize);
  core.counters.bytesSent += total;
  core.liveness.onSent(now);
}

/** Counts a finished batch and wraps it up. */
function sent(
  core: Core,
  path: Path,
  buffer: Uint8Array,
  batch: { readonly total: number; readonly segmentSize: number; readonly isMtuProbe?: boolean },
  now: Instant,
): Transmit {
  const { total, segmentSize, isMtuProbe = false } = batch;
  count(core, batch, now);
  if (!path.isProven) path.credit -= total;
  core.trace?.onMetrics();
  return {
    via: path.via,
    to: path.remote,
    payload: buffer.subarray(0, total),
    segmentSize,
    ttl: undefined,
    isMtuProbe,
  };
}
