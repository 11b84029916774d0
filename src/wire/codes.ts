/**
 * Numbers with a meaning on the wire: why a connection was closed, why a handshake was refused (spec/errors.md).
 *
 * @module
 */

// Specification

/** Codes of CLOSE by the transport. */
export const CLOSE_CODE = {
  /** Nothing is wrong. */
  NO_ERROR: 0x0,
  /** The sender has a fault of its own. */
  INTERNAL: 0x1,
  /** More bytes than the receiver gave credit for. */
  FLOW_CONTROL: 0x2,
  /** More streams than the receiver allows. */
  STREAM_LIMIT: 0x3,
  /** A frame for a stream that cannot take it. */
  STREAM_STATE: 0x4,
  /** The length of a stream changed, or bytes lie beyond it. */
  FINAL_SIZE: 0x5,
  /** A frame that cannot be read, or of a type that must not be sent. */
  FRAME_ENCODING: 0x6,
  /** Any other breach of the protocol. */
  PROTOCOL_VIOLATION: 0x7,
  /** More connection ids than the receiver allows. */
  CONNECTION_ID_LIMIT: 0x8,
  /** Keys were changed against the rules. */
  KEY_UPDATE: 0x9,
  /** The keys may protect no more packets; never sent. */
  AEAD_LIMIT: 0xa,
  /** A frame of an extension that must be understood and is not. */
  UNSUPPORTED_FRAME: 0xb,
  /** A limit on the receiver's resources was passed. */
  LIMIT_EXCEEDED: 0xc,
  /** Another connection took the last use of the ticket. */
  TICKET_SPENT: 0xd,
  /** The application of the peer turned the connection away. */
  REFUSED_BY_PEER: 0xe,
  /** The peer's process is ending. */
  SHUTTING_DOWN: 0xf,
} as const;

/** A code of CLOSE by the transport that this version defines. */
export type CloseCode = (typeof CLOSE_CODE)[keyof typeof CLOSE_CODE];

/** Codes of the `refused` parameter, by the name of the refusal. */
export const REFUSED_CODE = {
  /** The ticket's time is over. */
  expired: 1,
  /** The ticket was taken back. */
  revoked: 2,
  /** As many connections as the ticket allows were opened. */
  "used-up": 3,
  /** The application said no to this peer. */
  "not-allowed": 4,
  /** The listener has no room now. */
  busy: 5,
  /** No protocol version in common. */
  version: 6,
} as const;

/** A code of the `refused` parameter that this version defines. */
export type RefusedCode = (typeof REFUSED_CODE)[keyof typeof REFUSED_CODE];
