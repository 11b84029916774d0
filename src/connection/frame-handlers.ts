/**
 * What each received frame does to a connection: one function for each kind of packet, one `switch` over the frames.
 *
 * All frames come from authenticated packets. A frame that breaks the protocol sets `closeIntent` and ends the packet.
 *
 * @module
 */

import type { Instant } from "../util/time.ts";
import { CLOSE_CODE } from "../wire/codes.ts";
import {
  type AckFrame,
  allowedIn,
  type CandidatesFrame,
  type CloseFrame,
  type Frame,
  isAckEliciting,
} from "../wire/frame.ts";
import { decodeErrorCode, decodeFrame } from "../wire/frame-codec.ts";
import { Reader } from "../wire/reader.ts";
import type { Core } from "./core.ts";
import { requeue } from "./packet-builder.ts";
import { onRecovered } from "./path-mtu.ts";
import type { Path } from "./paths.ts";

// Implementation

/** Received datagrams that wait for the application; what comes beyond is dropped, as by a full socket buffer. */
const MAX_RECEIVED_DATAGRAMS = 1_024;

const reader = new Reader();

/** Applies the frames of a packet of the data space. Returns whether the packet asks for an acknowledgement. */
export function handleDataPacket(core: Core, payload: Uint8Array, now: Instant): boolean {
  reader.reset(payload);
  let isEliciting = false;
  while (reader.remaining > 0) {
    const type = payload[reader.offset]!;
    const frame = decodeFrame(reader);
    if (frame === undefined) {
      core.failWith(decodeErrorCode(reader), type, "a frame could not be read");
      return isEliciting;
    }
    if (!allowedIn(frame.type, "data")) {
      core.failWith(CLOSE_CODE.PROTOCOL_VIOLATION, type, `${frame.type} does not belong into a data packet`);
      return isEliciting;
    }
    if (isAckEliciting(frame.type)) isEliciting = true;
    const code = handleFrame(core, frame, now);
    if (code !== 0) {
      core.failWith(code, type, `${frame.type} frame broke a rule`);
      return isEliciting;
    }
    if (core.closeIntent !== undefined) return isEliciting;
  }
  return isEliciting;
}

/** Applies the frames of a packet of the probe space, which came on `path` in a datagram of `size` bytes. */
export function handleProbePacket(
  core: Core,
  path: Path | undefined,
  payload: Uint8Array,
  arrival: { readonly size: number; readonly now: Instant },
): void {
  reader.reset(payload);
  while (reader.remaining > 0) {
    const type = payload[reader.offset]!;
    const frame = decodeFrame(reader);
    if (frame === undefined) {
      core.failWith(decodeErrorCode(reader), type, "a frame could not be read");
      return;
    }
    if (!allowedIn(frame.type, "probe")) {
      core.failWith(CLOSE_CODE.PROTOCOL_VIOLATION, type, `${frame.type} does not belong into a probe packet`);
      return;
    }
    switch (frame.type) {
      case "path-challenge":
        path?.respond(frame.token, arrival.size);
        break;
      case "path-response":
        onPathResponse(core, path, frame.token, arrival.now);
        break;
      case "candidates":
        onCandidates(core, frame);
        break;
      case "close":
        onClose(core, frame);
        break;
      default:
        // PADDING, OBSERVED_ADDRESS and extensions ask for nothing.
        break;
    }
  }
}

function handleFrame(core: Core, frame: Frame, now: Instant): number {
  switch (frame.type) {
    case "stream":
      return core.streams.onStream(frame, now, core.recovery.rtt.smoothed);
    case "ack":
      return onAck(core, frame, now);
    case "reset-stream":
      return core.streams.onResetStream(frame);
    case "stop-sending":
      return core.streams.onStopSending(frame);
    case "max-data":
      return core.streams.onMaxData(frame);
    case "max-stream-data":
      return core.streams.onMaxStreamData(frame);
    case "max-streams":
      return core.streams.onMaxStreams(frame);
    case "data-blocked":
    case "stream-data-blocked":
    case "streams-blocked":
      return core.streams.onBlocked(frame);
    case "datagram":
      onDatagram(core, frame.data);
      return 0;
    case "new-connection-id": {
      const outcome = core.remoteIds.onNew(frame);
      if (typeof outcome === "number") return outcome;
      for (const sequence of outcome) core.control.push({ kind: "retire-connection-id", sequence });
      return 0;
    }
    case "retire-connection-id":
      return onRetire(core, frame.sequence);
    case "ack-frequency":
      return core.acks.onAckFrequency(frame) === "ok" ? 0 : CLOSE_CODE.PROTOCOL_VIOLATION;
    case "immediate-ack":
      core.acks.onImmediateAck();
      return 0;
    case "close":
      onClose(core, frame);
      return 0;
    case "padding":
    case "ping":
    case "extension":
      return 0;
    case "path-response":
      onPathResponse(core, core.arrivingPath, frame.token, now);
      return 0;
    case "path-challenge":
    case "observed-address":
    case "candidates":
      // Refused before: these belong into probe packets.
      return CLOSE_CODE.PROTOCOL_VIOLATION;
  }
}

/** Applies an acknowledgement and what recovery makes of it. */
function onAck(core: Core, frame: AckFrame, now: Instant): number {
  const { recovery } = core;
  const arrival = core.acks.mayHaveOvertaken(core.arrivingNumber) ? "overtaking" : "in-order";
  const outcome = recovery.onAckReceived(frame, now, arrival);
  // RFC 9000 §13.1: acknowledging what was never sent is a violation.
  if (outcome === "acked-unsent") return CLOSE_CODE.PROTOCOL_VIOLATION;
  core.keyUpdate?.onAcked(recovery.largestAcked);
  applyRecovery(core, now);
  updateAckFrequency(core, now);
  return 0;
}

/** Asks the peer for more or fewer acknowledgements if need be, along with data that is sent anyway. */
function updateAckFrequency(core: Core, now: Instant): void {
  const { ackFrequency, recovery } = core;
  if (!core.streams.hasPending()) return;
  const windowPackets = core.congestion.congestionWindow / core.datagramSize;
  const { packetThreshold } = recovery;
  const sequence = ackFrequency.update({ windowPackets, smoothedRtt: recovery.rtt.smoothed, packetThreshold }, now);
  if (sequence === undefined) return;
  core.control.push({ kind: "ack-frequency", sequence });
  recovery.setMaxAckDelay(ackFrequency.maxAckDelay);
}

/** Passes what recovery has just found on to the streams, the congestion controller and the search for the path's MTU. */
export function applyRecovery(core: Core, now: Instant): void {
  const { recovery, congestion, counters } = core;
  if (recovery.spurious.length > 0) {
    counters.spuriousLosses += recovery.spurious.length;
    congestion.onSpuriousLoss(recovery.spuriousEvent);
    for (const packetNumber of recovery.spurious) settle(core, packetNumber);
  }
  if (recovery.lost.length > 0) {
    counters.packetsLost += recovery.lost.length;
    congestion.onLoss(recovery.lossEvent);
    for (const packetNumber of recovery.lost) requeue(core, packetNumber);
  }
  if (recovery.acked.length > 0) {
    congestion.onAck(recovery.ackEvent);
    for (const packetNumber of recovery.acked) settle(core, packetNumber);
  }
  onRecovered(core, now);
  core.trace?.onRecovered();
}

/** The content of a packet has arrived. */
function settle(core: Core, packetNumber: number): void {
  const { sent } = core.recovery;
  const ranges = sent.streamRangeCount(packetNumber);
  for (let i = 0; i < ranges; i++) {
    core.streams.onStreamAcked(
      sent.streamId(packetNumber, i),
      sent.streamStart(packetNumber, i),
      sent.streamLength(packetNumber, i),
      sent.streamFin(packetNumber, i),
    );
  }
  // RFC 9000 §13.2.4: what an acknowledged ACK reported need not be reported again.
  const reported = sent.ackLargest(packetNumber);
  if (reported >= 0) core.acks.onAckAcked(reported);
  for (const token of sent.tokens(packetNumber)) {
    switch (token.kind) {
      case "retire-connection-id":
        core.remoteIds.onRetirementAcked(token.sequence);
        break;
      case "new-connection-id":
      case "path-response":
        break;
      case "ack-frequency":
        core.ackFrequency.onAcked(token.sequence);
        core.recovery.setMaxAckDelay(core.ackFrequency.maxAckDelay);
        break;
      default:
        core.streams.onTokenAcked(token);
    }
  }
}

/** The peer gives up an id of ours: it gets a new one in its place (RFC 9000 §5.1.1). */
function onRetire(core: Core, sequence: number): number {
  const retired = core.localIds.retire(sequence);
  if (retired === undefined) return 0;
  if (typeof retired === "number") return retired;
  core.retireId(retired);
  core.control.push({ kind: "new-connection-id", sequence: core.localIds.add(core.newId()) });
  return 0;
}

/** The peer returns a token that was sent to `path`. */
function onPathResponse(core: Core, path: Path | undefined, token: Uint8Array, now: Instant): void {
  if (path === undefined) return;
  if (core.paths.onResponse(path, token, now) !== undefined) return;
  const rtt = core.probes?.onAnswer(token, path.via, path.remote, now);
  if (rtt === undefined) return;
  path.validator.markValid();
  path.rtt = rtt;
  core.punched = path;
}

/** The peer tells where it is now; what is older than what is known says nothing. */
function onCandidates(core: Core, { generation, candidates, profile }: CandidatesFrame): void {
  if (generation <= core.peerSituation.generation) return;
  core.peerSituation = { generation, candidates, profile };
  core.hasNewSituation = true;
}

function onDatagram(core: Core, data: Uint8Array): void {
  if (core.receivedDatagrams >= MAX_RECEIVED_DATAGRAMS) {
    core.counters.datagramsDropped += 1;
    return;
  }
  core.receivedDatagrams += 1;
  core.events.push({ type: "datagram", data: data.slice() });
}

function onClose(core: Core, frame: CloseFrame): void {
  core.peerClose ??= { application: frame.application, code: frame.code, cause: frame.cause, message: frame.reason };
}

/** The CLOSE in a packet that arrives while the connection is closing, if it carries one. */
export function findClose(payload: Uint8Array): CloseFrame | undefined {
  reader.reset(payload);
  while (reader.remaining > 0) {
    const frame = decodeFrame(reader);
    if (frame === undefined || frame.type === "close") return frame;
  }
  return undefined;
}
