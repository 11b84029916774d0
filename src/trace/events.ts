/**
 * What a trace tells, in the names of the IETF: the events and fields of draft-ietf-quic-qlog-quic-events-13 that we use,
 * which spec/qlog.md lists. Fields that are `undefined` are not written.
 *
 * @module
 */

/** Which side something is about. */
export type Initiator = "local" | "remote";

/** One half of a network tuple, as far as it is known. */
export interface TupleEndpoint {
  readonly ip_v4?: string;
  readonly port_v4?: number;
  readonly ip_v6?: string;
  readonly port_v6?: number;
  readonly connection_ids?: readonly string[];
}

/** Lengths in bytes: of the whole, and without headers and trailers. */
export interface RawInfo {
  readonly length?: number;
  readonly payload_length?: number;
}

/** `unknown` stands for packets of the probe space, which QUIC does not have. */
export type PacketType = "1RTT" | "unknown";

/** What the header of a packet says. */
export interface TracePacketHeader {
  readonly packet_type: PacketType;
  /** First byte without what is masked on the wire, if the type is `unknown`. */
  readonly packet_type_bytes?: number | undefined;
  readonly packet_number: number;
}

/** A frame; which fields it has depends on its type. */
export interface TraceFrame {
  readonly frame_type: string;
  readonly [field: string]: unknown;
}

/** A data or probe packet that was sent. */
export interface PacketSent {
  readonly header: TracePacketHeader;
  readonly raw: RawInfo;
  readonly frames: readonly TraceFrame[];
  readonly is_mtu_probe_packet?: true | undefined;
  readonly trigger?: "pto_probe" | undefined;
}

/** A packet that was received and opened. */
export interface PacketReceived {
  readonly header: TracePacketHeader;
  readonly raw: RawInfo;
  readonly frames: readonly TraceFrame[];
}

/** A packet that counts as lost. */
export interface PacketLost {
  readonly header: TracePacketHeader;
  readonly is_mtu_probe_packet?: true | undefined;
  readonly trigger?: "reordering_threshold" | "time_threshold" | undefined;
}

/** What one side announced in the handshake. */
export interface ParametersSet {
  readonly initiator: Initiator;
  /** The same, as draft 0.3 called it. */
  readonly owner: Initiator;
  /** In ms. */
  readonly max_idle_timeout: number;
  readonly max_udp_payload_size: number;
  /** In ms. */
  readonly max_ack_delay: number;
  readonly active_connection_id_limit: number;
  readonly initial_max_data: number;
  readonly initial_max_stream_data_bidi_local: number;
  readonly initial_max_stream_data_bidi_remote: number;
  readonly initial_max_stream_data_uni: number;
  readonly initial_max_streams_bidi: number;
  readonly initial_max_streams_uni: number;
  readonly max_datagram_frame_size: number;
}

/** What loss detection and congestion control begin with. */
export interface RecoveryParameters {
  readonly reordering_threshold: number;
  /** In ms. */
  readonly timer_granularity: number;
  /** In ms. */
  readonly initial_rtt: number;
  readonly max_datagram_size: number;
  readonly initial_congestion_window: number;
  /** Our own: the name of the congestion controller. */
  readonly congestion_controller: string;
}

/** What has changed of the figures of recovery. Times in ms, sizes in bytes. */
export interface RecoveryMetrics {
  min_rtt?: number;
  smoothed_rtt?: number;
  latest_rtt?: number;
  rtt_variance?: number;
  pto_count?: number;
  congestion_window?: number;
  bytes_in_flight?: number;
  ssthresh?: number;
  packets_in_flight?: number;
  /** In bits per second. */
  pacing_rate?: number;
}

/** How a connection ended. */
export interface ConnectionClosed {
  readonly initiator?: Initiator;
  readonly connection_error?: string;
  readonly application_error?: "unknown";
  /** Only with an error that is `unknown`. */
  readonly error_code?: number;
  readonly reason?: string;
  readonly trigger: "idle_timeout" | "application" | "error" | "aborted" | "unspecified";
}

/** Where a connection is in its life. */
export type TracedState = "attempted" | "handshake_complete" | "closing" | "draining" | "closed";

/** Something that happened on one connection. */
export type TraceEvent =
  | {
      readonly name: "quic:connection_started";
      readonly data: { readonly local: TupleEndpoint; readonly remote: TupleEndpoint };
    }
  | { readonly name: "quic:connection_state_updated"; readonly data: { readonly new: TracedState } }
  | { readonly name: "quic:connection_closed"; readonly data: ConnectionClosed }
  | {
      readonly name: "quic:tuple_assigned";
      readonly data: { readonly tuple_id: string; readonly tuple_remote: TupleEndpoint };
    }
  | { readonly name: "quic:mtu_updated"; readonly data: { readonly old: number; readonly new: number } }
  | { readonly name: "quic:parameters_set"; readonly data: ParametersSet }
  | { readonly name: "quic:packet_sent"; readonly data: PacketSent }
  | { readonly name: "quic:packet_received"; readonly data: PacketReceived }
  | {
      readonly name: "quic:packet_dropped";
      readonly data: { readonly raw: RawInfo; readonly trigger: "decryption_failure" | "duplicate" | "invalid" };
    }
  | {
      readonly name: "quic:key_updated";
      readonly data: {
        readonly key_type: "client_1rtt_secret" | "server_1rtt_secret";
        /** Key phases since the beginning. */
        readonly key_phase: number;
        readonly trigger: "remote_update" | "local_update";
      };
    }
  | { readonly name: "quic:recovery_parameters_set"; readonly data: RecoveryParameters }
  | { readonly name: "quic:recovery_metrics_updated"; readonly data: RecoveryMetrics }
  | {
      readonly name: "quic:congestion_state_updated";
      readonly data: { readonly old?: string; readonly new: string };
    }
  | { readonly name: "quic:packet_lost"; readonly data: PacketLost }
  /** Part of the trace is missing. */
  | { readonly name: "loglevel:warning"; readonly data: { readonly message: string } };
