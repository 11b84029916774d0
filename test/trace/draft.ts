/**
 * Names that the drafts define, for the events and frames that we use: draft-ietf-quic-qlog-quic-events-13 and
 * draft-ietf-quic-qlog-main-schema-14, by their CDDL.
 *
 * @module
 */

const HEADER = ["packet_type", "packet_type_bytes", "spin_bit", "key_phase", "key_phase_bit", "packet_number_length"]
  .concat(["packet_number", "token", "length", "version", "scil", "dcil", "scid", "dcid"])
  .map((field) => `header.${field}`);
const RAW = ["raw.length", "raw.payload_length", "raw.data"];
const tuple = (name: string): string[] =>
  ["ip_v4", "port_v4", "ip_v6", "port_v6", "connection_ids"].map((field) => `${name}.${field}`);
const PACKET = [...HEADER, ...RAW, "frames", "stateless_reset_token", "supported_versions", "trigger"];

/** Events and the fields of their data. */
export const DRAFT_EVENTS: Readonly<Record<string, readonly string[]>> = {
  "quic:connection_started": [...tuple("local"), ...tuple("remote")],
  "quic:connection_closed": [
    ...["initiator", "connection_error", "application_error", "error_code", "internal_code", "reason", "trigger"],
  ],
  "quic:connection_state_updated": ["old", "new"],
  "quic:tuple_assigned": ["tuple_id", ...tuple("tuple_remote"), ...tuple("tuple_local")],
  "quic:mtu_updated": ["old", "new", "done"],
  "quic:parameters_set": [
    ...["initiator", "resumption_allowed", "early_data_enabled", "tls_cipher", "original_destination_connection_id"],
    ...["initial_source_connection_id", "retry_source_connection_id", "stateless_reset_token"],
    ...["disable_active_migration", "max_idle_timeout", "max_udp_payload_size", "ack_delay_exponent", "max_ack_delay"],
    ...["active_connection_id_limit", "initial_max_data", "initial_max_stream_data_bidi_local"],
    ...["initial_max_stream_data_bidi_remote", "initial_max_stream_data_uni", "initial_max_streams_bidi"],
    ...["initial_max_streams_uni", "preferred_address", "unknown_parameters", "max_datagram_frame_size"],
    ...["grease_quic_bit", "reset_stream_at"],
  ],
  "quic:packet_sent": [...PACKET, "is_mtu_probe_packet"],
  "quic:packet_received": PACKET,
  "quic:packet_dropped": [...HEADER, ...RAW, "details", "trigger"],
  "quic:packet_lost": [...HEADER, "frames", "is_mtu_probe_packet", "trigger"],
  "quic:key_updated": ["key_type", "old", "new", "key_phase", "trigger"],
  "quic:recovery_parameters_set": [
    ...["reordering_threshold", "time_threshold", "timer_granularity", "initial_rtt", "max_datagram_size"],
    ...["initial_congestion_window", "minimum_congestion_window", "loss_reduction_factor"],
    ...["persistent_congestion_threshold"],
  ],
  "quic:recovery_metrics_updated": [
    ...["min_rtt", "smoothed_rtt", "latest_rtt", "rtt_variance", "pto_count", "congestion_window", "bytes_in_flight"],
    ...["ssthresh", "packets_in_flight", "pacing_rate"],
  ],
  "quic:congestion_state_updated": ["old", "new", "trigger"],
  "loglevel:warning": ["code", "message"],
};

/** Frames and their fields beside `frame_type`. */
export const DRAFT_FRAMES: Readonly<Record<string, readonly string[]>> = {
  padding: RAW,
  ping: RAW,
  ack: ["ack_delay", "acked_ranges", "ect1", "ect0", "ce", ...RAW],
  reset_stream: ["stream_id", "error", "error_code", "final_size", ...RAW],
  stop_sending: ["stream_id", "error", "error_code", ...RAW],
  stream: ["stream_id", "offset", "fin", ...RAW],
  max_data: ["maximum", ...RAW],
  max_stream_data: ["stream_id", "maximum", ...RAW],
  max_streams: ["stream_type", "maximum", ...RAW],
  data_blocked: ["limit", ...RAW],
  stream_data_blocked: ["stream_id", "limit", ...RAW],
  streams_blocked: ["stream_type", "limit", ...RAW],
  new_connection_id: [
    ...["sequence_number", "retire_prior_to", "connection_id_length", "connection_id", "stateless_reset_token", ...RAW],
  ],
  retire_connection_id: ["sequence_number", ...RAW],
  path_challenge: ["data", ...RAW],
  path_response: ["data", ...RAW],
  connection_close: ["error_space", "error", "error_code", "reason", "reason_bytes", "trigger_frame_type", ...RAW],
  datagram: RAW,
  unknown: ["frame_type_bytes", ...RAW],
};
