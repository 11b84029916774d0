/**
 * The first byte of every frame. Where QUIC has the frame, the number is QUIC's (RFC 9000 §19, RFC 9221 §4).
 *
 * @module
 */

// Specification

/** Frame types; STREAM stands for eight, by the bits below. */
export const FRAME_TYPE = {
  PADDING: 0x00,
  PING: 0x01,
  ACK: 0x02,
  ACK_ECN: 0x03,
  RESET_STREAM: 0x04,
  STOP_SENDING: 0x05,
  STREAM: 0x08,
  MAX_DATA: 0x10,
  MAX_STREAM_DATA: 0x11,
  MAX_STREAMS_BIDI: 0x12,
  MAX_STREAMS_UNI: 0x13,
  DATA_BLOCKED: 0x14,
  STREAM_DATA_BLOCKED: 0x15,
  STREAMS_BLOCKED_BIDI: 0x16,
  STREAMS_BLOCKED_UNI: 0x17,
  NEW_CONNECTION_ID: 0x18,
  RETIRE_CONNECTION_ID: 0x19,
  PATH_CHALLENGE: 0x1a,
  PATH_RESPONSE: 0x1b,
  CLOSE_TRANSPORT: 0x1c,
  CLOSE_APPLICATION: 0x1d,
  IMMEDIATE_ACK: 0x1f,
  OBSERVED_ADDRESS: 0x20,
  CANDIDATES: 0x21,
  ACK_FREQUENCY: 0x23,
  DATAGRAM: 0x30,
  DATAGRAM_LENGTH: 0x31,
} as const;

/** Bits of a STREAM type, RFC 9000 §19.8. */
export const STREAM_FIN = 0x01;
export const STREAM_LENGTH = 0x02;
export const STREAM_OFFSET = 0x04;

/** Types from here on are extensions with a length, so that a receiver can pass over what it does not know. */
export const FIRST_EXTENSION_TYPE = 0x40;
