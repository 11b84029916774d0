/**
 * Tells a trace what happens on one connection (spec/qlog.md).
 *
 * The connection and its parts call this where something happens, if there is a tracer. It keeps no more than what is
 * needed to tell a change from what was told before. All of it is about what is inside: nothing here may change the
 * course of a connection.
 *
 * The trace begins with the first call of the initiator, but on the other side only with the first packet that opens:
 * nobody without the keys of a connection can make a responder write a file.
 *
 * @module
 */
import type { CongestionController, CongestionSnapshot } from "../congestion/controller.ts";
import type { OpenedPacket, OpenFailures } from "../crypto/packet-protection.ts";
import type { LossDetector } from "../recovery/loss-detector.ts";
import type { Pacer } from "../recovery/pacer.ts";
import { GRANULARITY } from "../recovery/rtt.ts";
import type {
  ConnectionClosed,
  Initiator,
  ParametersSet,
  RecoveryMetrics,
  TracedState,
  TraceEvent,
  TracePacketHeader,
} from "../trace/events.ts";
import { toMicroseconds } from "../trace/json-seq.ts";
import type { OpenTrace, TraceSink } from "../trace/sink.ts";
import { toHex } from "../util/bytes.ts";
import type { Address } from "../util/machine.ts";
import type { Instant } from "../util/time.ts";
import { HEADER_SIZE, type PacketSpace, TAG_SIZE } from "../wire/packet-header.ts";
import type { Parameters } from "../wire/parameters.ts";
import { MAX_ACTIVE_IDS } from "./connection-ids.ts";
import type { CloseReason } from "./events.ts";
import { traceFrames, transportError, tupleEndpoint } from "./trace-frames.ts";

// Specification

/** First byte of a probe packet, but for what is masked (spec/wire.md#packets). */
const PROBE_PACKET_BYTE = 0xc0;

/** Bytes per ms in bits per second. */
const BITS_PER_SECOND = 8_000;

/** What a tracer looks at. */
export interface Traced {
  readonly role: "initiator" | "responder";
  readonly recovery: LossDetector<unknown>;
  readonly congestion: CongestionController;
  readonly pacer: Pacer;
  readonly datagramSize: number;
}

/** What both sides announced in the handshake. */
interface BothParameters {
  readonly local: Parameters;
  readonly remote: Parameters;
}

/** See the module. */
export class Tracer {
  readonly #openTrace: OpenTrace;
  readonly #traced: Traced;
  #sink: TraceSink | undefined;
  #isBegun = false;
  #isClosed = false;
  #now: Instant;
  /** Of a responder whose peer has not been heard yet. */
  #held: BothParameters | undefined;
  readonly #told: RecoveryMetrics = {};
  #congestionState: string | undefined;
  /** Packets that had not opened when we looked last. */
  #failures = { malformed: 0, replayed: 0 };
  /** Probes that were still to be sent when we looked last. */
  #probesPending = 0;
  /** Key phases that we have sent and seen packets of, since the beginning. */
  readonly #keyPhases = { sent: 0, received: 0 };

  constructor(openTrace: OpenTrace, traced: Traced, now: Instant) {
    this.#openTrace = openTrace;
    this.#traced = traced;
    this.#now = now;
  }

  // Inputs

  /** Input: the time of what is told next. */
  advance(now: Instant): void {
    this.#now = now;
  }

  /** Input: an initiator that can be reached by these ids begins to call. */
  onCall(connectionIds: readonly Uint8Array[]): void {
    this.#begin(toHex(connectionIds[0]!), connectionIds);
    this.onState("attempted");
  }

  /** Input: the parameters of both sides are known. */
  onParameters(both: BothParameters): void {
    if (this.#isBegun) this.#tellParameters(both);
    else this.#held = both;
  }

  /** Input: a packet was opened; `size` is that of the whole. */
  onPacketReceived(opened: OpenedPacket, size: number, now: Instant): void {
    this.#now = now;
    if (this.#held !== undefined) this.#beginLate(this.#held);
    const { space, packetNumber, payload } = opened;
    if (this.#sink === undefined) return;
    if (opened.isNewPhase) this.#onPeerKeys();
    const frames = traceFrames(payload, 0, payload.length);
    this.#record({
      name: "quic:packet_received",
      data: { header: header(space, packetNumber), raw: { length: size, payload_length: payload.length }, frames },
    });
  }

  /** Input: a packet for this connection did not open; `failures` counts why. */
  onPacketDropped(size: number, failures: Readonly<OpenFailures>, now: Instant): void {
    this.#now = now;
    const { malformed, replayed } = failures;
    const isInvalid = malformed > this.#failures.malformed;
    const isDuplicate = replayed > this.#failures.replayed;
    this.#failures = { malformed, replayed };
    const trigger = isInvalid ? "invalid" : isDuplicate ? "duplicate" : "decryption_failure";
    this.#record({ name: "quic:packet_dropped", data: { raw: { length: size }, trigger } });
  }

  /** Input: the packet in `buffer` from `start` on is complete, but not sealed. */
  onPacketSent(
    packet: { readonly space: PacketSpace; readonly packetNumber: number; readonly keyPhase: 0 | 1 },
    buffer: Uint8Array,
    start: number,
    size: number,
  ): void {
    if (this.#sink === undefined) return;
    const { space, packetNumber, keyPhase } = packet;
    const { recovery } = this.#traced;
    if (space === "data" && keyPhase !== (this.#keyPhases.sent & 1)) this.#onOwnKeys();
    const isProbe = space === "data" && recovery.probesPending < this.#probesPending;
    this.#probesPending = recovery.probesPending;
    const frames = traceFrames(buffer, start + HEADER_SIZE, start + size - TAG_SIZE);
    this.#record({
      name: "quic:packet_sent",
      data: {
        header: header(space, packetNumber),
        raw: { length: size, payload_length: size - HEADER_SIZE - TAG_SIZE },
        frames,
        is_mtu_probe_packet: (space === "data" && recovery.sent.isMtuProbe(packetNumber)) || undefined,
        trigger: isProbe ? "pto_probe" : undefined,
      },
    });
  }

  /** Input: recovery has found packets acknowledged or lost, and its lists still say which. */
  onRecovered(): void {
    const { recovery } = this.#traced;
    for (const packetNumber of recovery.lost) {
      const trigger = this.#isLateByNumber(packetNumber) ? "reordering_threshold" : "time_threshold";
      this.#record({ name: "quic:packet_lost", data: { header: header("data", packetNumber), trigger } });
    }
    this.onMetrics();
  }

  /** Input: a probe of the path's MTU counts as lost. */
  onMtuProbeLost(packetNumber: number): void {
    this.#record({
      name: "quic:packet_lost",
      data: { header: header("data", packetNumber), is_mtu_probe_packet: true },
    });
  }

  /** Input: the figures of recovery may have changed. */
  onMetrics(): void {
    if (this.#sink === undefined) return;
    this.#probesPending = this.#traced.recovery.probesPending;
    const snapshot = this.#traced.congestion.snapshot();
    const changed = this.#changedMetrics(snapshot);
    if (changed !== undefined) this.#record({ name: "quic:recovery_metrics_updated", data: changed });
    const { state } = snapshot;
    if (state === this.#congestionState) return;
    const old = this.#congestionState;
    this.#congestionState = state;
    const data = old === undefined ? { new: state } : { old, new: state };
    this.#record({ name: "quic:congestion_state_updated", data });
  }

  /** Input: datagrams of data have another size from now on. */
  onMtu(old: number, size: number): void {
    this.#record({ name: "quic:mtu_updated", data: { old, new: size } });
  }

  /** Input: the connection is open; data goes to this address, if it is known. */
  onOpened(remote: Address | undefined): void {
    if (remote !== undefined) this.onPath(remote);
    this.onState("handshake_complete");
  }

  /** Input: data goes to this address from now on. */
  onPath(remote: Address): void {
    // The tuple that events belong to unless they say otherwise has an empty id.
    this.#record({ name: "quic:tuple_assigned", data: { tuple_id: "", tuple_remote: tupleEndpoint(remote) } });
  }

  /** Input: the connection has entered this state. */
  onState(state: TracedState): void {
    this.#record({ name: "quic:connection_state_updated", data: { new: state } });
  }

  /** Input: the connection is over, or has begun to close. The first reason counts. */
  onClosed(reason: CloseReason): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#record({ name: "quic:connection_closed", data: closed(reason) });
  }

  /** Input: nothing more will happen. */
  end(): void {
    this.onState("closed");
    this.#sink?.end();
    this.#sink = undefined;
  }

  // Private

  #beginLate(both: BothParameters): void {
    const { local, remote } = both;
    this.#held = undefined;
    this.#begin(toHex(remote.connectionIds[0]!), local.connectionIds, remote.connectionIds);
    this.#tellParameters(both);
  }

  #begin(groupId: string, local: readonly Uint8Array[], remote: readonly Uint8Array[] = []): void {
    this.#isBegun = true;
    const vantagePoint = this.#traced.role === "initiator" ? "client" : "server";
    this.#sink = this.#openTrace({ groupId, vantagePoint });
    this.#record({
      name: "quic:connection_started",
      data: {
        local: { connection_ids: local.map(toHex) },
        remote: remote.length === 0 ? {} : { connection_ids: remote.map(toHex) },
      },
    });
    this.#tellRecovery();
  }

  #tellParameters({ local, remote }: BothParameters): void {
    this.#record({ name: "quic:parameters_set", data: parameters("local", local) });
    this.#record({ name: "quic:parameters_set", data: parameters("remote", remote) });
  }

  #tellRecovery(): void {
    const { recovery, congestion, datagramSize } = this.#traced;
    this.#record({
      name: "quic:recovery_parameters_set",
      data: {
        reordering_threshold: recovery.packetThreshold,
        timer_granularity: GRANULARITY,
        initial_rtt: recovery.rtt.smoothed,
        max_datagram_size: datagramSize,
        initial_congestion_window: Math.floor(congestion.congestionWindow),
        congestion_controller: congestion.name,
      },
    });
    this.onMetrics();
  }

  /** The figures that are not what they were; `undefined` if all are. */
  #changedMetrics(snapshot: CongestionSnapshot): RecoveryMetrics | undefined {
    const { recovery, pacer } = this.#traced;
    const { rtt, sent } = recovery;
    const { congestionWindow, slowStartThreshold } = snapshot;
    const changed: RecoveryMetrics = {};
    if (rtt.hasSample) {
      this.#note(changed, "min_rtt", toMicroseconds(rtt.min));
      this.#note(changed, "smoothed_rtt", toMicroseconds(rtt.smoothed));
      this.#note(changed, "latest_rtt", toMicroseconds(rtt.latest));
      this.#note(changed, "rtt_variance", toMicroseconds(rtt.variance));
    }
    this.#note(changed, "pto_count", recovery.probeCount);
    this.#note(changed, "congestion_window", Math.floor(congestionWindow));
    this.#note(changed, "bytes_in_flight", sent.bytesInFlight);
    this.#note(changed, "packets_in_flight", sent.ackElicitingInFlight);
    if (Number.isFinite(slowStartThreshold)) this.#note(changed, "ssthresh", Math.floor(slowStartThreshold));
    if (Number.isFinite(pacer.rate)) this.#note(changed, "pacing_rate", Math.round(pacer.rate * BITS_PER_SECOND));
    for (const _ in changed) return changed;
    return undefined;
  }

  #note(changed: RecoveryMetrics, name: keyof RecoveryMetrics, value: number): void {
    if (this.#told[name] === value) return;
    this.#told[name] = value;
    changed[name] = value;
  }

  /** RFC 9002 §6.1.1: whether enough later packets were acknowledged; numbers that were never sent do not count. */
  #isLateByNumber(packetNumber: number): boolean {
    const { largestAcked, packetThreshold, sent } = this.#traced.recovery;
    let distance = largestAcked - packetNumber;
    for (const skipped of sent.skipped) if (skipped > packetNumber && skipped < largestAcked) distance -= 1;
    return distance >= packetThreshold;
  }

  #onOwnKeys(): void {
    this.#keyPhases.sent += 1;
    const { sent, received } = this.#keyPhases;
    this.#tellKeys(this.#traced.role === "initiator", sent, received >= sent ? "remote_update" : "local_update");
  }

  #onPeerKeys(): void {
    this.#keyPhases.received += 1;
    const { sent, received } = this.#keyPhases;
    this.#tellKeys(this.#traced.role !== "initiator", received, received > sent ? "remote_update" : "local_update");
  }

  #tellKeys(isClient: boolean, phase: number, trigger: "remote_update" | "local_update"): void {
    const key_type = isClient ? "client_1rtt_secret" : "server_1rtt_secret";
    this.#record({ name: "quic:key_updated", data: { key_type, key_phase: phase, trigger } });
  }

  #record(event: TraceEvent): void {
    this.#sink?.record(event, this.#now);
  }
}

function header(space: PacketSpace, packetNumber: number): TracePacketHeader {
  if (space === "data") return { packet_type: "1RTT", packet_number: packetNumber };
  return { packet_type: "unknown", packet_type_bytes: PROBE_PACKET_BYTE, packet_number: packetNumber };
}

function parameters(side: Initiator, from: Parameters): ParametersSet {
  return {
    initiator: side,
    owner: side,
    max_idle_timeout: from.lingerMs,
    max_udp_payload_size: from.maxDatagramSize,
    max_ack_delay: from.maxAckDelayMs,
    active_connection_id_limit: MAX_ACTIVE_IDS,
    initial_max_data: from.maxData,
    initial_max_stream_data_bidi_local: from.maxStreamData,
    initial_max_stream_data_bidi_remote: from.maxStreamData,
    initial_max_stream_data_uni: from.maxStreamData,
    initial_max_streams_bidi: from.maxStreamsBidi,
    initial_max_streams_uni: from.maxStreamsUni,
    max_datagram_frame_size: from.maxDatagramFrame,
  };
}

function closed(reason: CloseReason): ConnectionClosed {
  switch (reason.kind) {
    case "closed": {
      const initiator = reason.origin === "local" ? "local" : "remote";
      const text = reason.message === "" ? {} : { reason: reason.message };
      if (reason.application) {
        return {
          initiator,
          application_error: "unknown",
          error_code: reason.code,
          ...text,
          trigger: "application",
        };
      }
      const { name, code } = transportError(reason.code);
      const error = code === undefined ? { connection_error: name } : { connection_error: name, error_code: code };
      return { initiator, ...error, ...text, trigger: reason.code === 0 ? "unspecified" : "error" };
    }
    case "refused":
      return { initiator: "remote", reason: `refused: ${reason.refusal}`, trigger: "error" };
    case "unreachable":
      return { initiator: "local", reason: "nobody answered", trigger: "aborted" };
    case "lost":
      return { initiator: "local", trigger: "idle_timeout" };
    case "aborted":
      return { initiator: "local", trigger: "aborted" };
  }
}
