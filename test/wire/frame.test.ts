/**
 * Where frames belong, and which numbers they have.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { allowedIn, type Frame, type FrameKind, frameType, isAckEliciting } from "../../src/wire/frame.ts";

const BYTES = new Uint8Array(8);
const ADDRESS = { host: "192.0.2.1", port: 1, family: 4 } as const;

/** The table of spec/wire.md#frames, cell by cell. */
const TABLE: readonly { frame: Frame; type: number; spaces: string; ackEliciting: boolean }[] = [
  { frame: { type: "padding", count: 1 }, type: 0x00, spaces: "D P", ackEliciting: false },
  { frame: { type: "ping" }, type: 0x01, spaces: "D", ackEliciting: true },
  {
    frame: { type: "ack", largest: 0, delayUs: 0, ranges: [0, 1], ecn: undefined },
    type: 0x02,
    spaces: "D",
    ackEliciting: false,
  },
  {
    frame: { type: "ack", largest: 0, delayUs: 0, ranges: [0, 1], ecn: { ect0: 0, ect1: 0, ce: 0 } },
    type: 0x03,
    spaces: "D",
    ackEliciting: false,
  },
  { frame: { type: "reset-stream", streamId: 0, code: 0, finalSize: 0 }, type: 0x04, spaces: "D", ackEliciting: true },
  { frame: { type: "stop-sending", streamId: 0, code: 0 }, type: 0x05, spaces: "D", ackEliciting: true },
  {
    frame: { type: "stream", streamId: 0, offset: 0, fin: false, data: BYTES },
    type: 0x08,
    spaces: "D",
    ackEliciting: true,
  },
  { frame: { type: "max-data", limit: 0 }, type: 0x10, spaces: "D", ackEliciting: true },
  { frame: { type: "max-stream-data", streamId: 0, limit: 0 }, type: 0x11, spaces: "D", ackEliciting: true },
  { frame: { type: "max-streams", direction: "bidi", limit: 0 }, type: 0x12, spaces: "D", ackEliciting: true },
  { frame: { type: "max-streams", direction: "uni", limit: 0 }, type: 0x13, spaces: "D", ackEliciting: true },
  { frame: { type: "data-blocked", limit: 0 }, type: 0x14, spaces: "D", ackEliciting: true },
  { frame: { type: "stream-data-blocked", streamId: 0, limit: 0 }, type: 0x15, spaces: "D", ackEliciting: true },
  { frame: { type: "streams-blocked", direction: "bidi", limit: 0 }, type: 0x16, spaces: "D", ackEliciting: true },
  { frame: { type: "streams-blocked", direction: "uni", limit: 0 }, type: 0x17, spaces: "D", ackEliciting: true },
  {
    frame: { type: "new-connection-id", sequence: 0, retirePriorTo: 0, connectionId: BYTES },
    type: 0x18,
    spaces: "D",
    ackEliciting: true,
  },
  { frame: { type: "retire-connection-id", sequence: 0 }, type: 0x19, spaces: "D", ackEliciting: true },
  { frame: { type: "path-challenge", token: BYTES }, type: 0x1a, spaces: "P", ackEliciting: false },
  { frame: { type: "path-response", token: BYTES }, type: 0x1b, spaces: "D P", ackEliciting: true },
  {
    frame: { type: "close", application: false, code: 0, cause: 0, reason: "" },
    type: 0x1c,
    spaces: "D P",
    ackEliciting: false,
  },
  {
    frame: { type: "close", application: true, code: 0, cause: 0, reason: "" },
    type: 0x1d,
    spaces: "D P",
    ackEliciting: false,
  },
  { frame: { type: "immediate-ack" }, type: 0x1f, spaces: "D", ackEliciting: true },
  { frame: { type: "observed-address", address: ADDRESS }, type: 0x20, spaces: "P", ackEliciting: false },
  {
    frame: { type: "candidates", generation: 1, seenGeneration: 0, candidates: [], profile: undefined },
    type: 0x21,
    spaces: "P",
    ackEliciting: false,
  },
  {
    frame: { type: "ack-frequency", sequence: 0, threshold: 0, maxAckDelayUs: 0, reorderingThreshold: 0 },
    type: 0x23,
    spaces: "D",
    ackEliciting: true,
  },
  { frame: { type: "datagram", data: BYTES }, type: 0x31, spaces: "D", ackEliciting: true },
  { frame: { type: "extension", id: 0x42, body: BYTES }, type: 0x42, spaces: "D P", ackEliciting: true },
];

describe.each(TABLE)("$frame.type, type $type", ({ frame, type, spaces, ackEliciting }) => {
  test(`has that type and belongs into ${spaces} (WIRE-16)`, () => {
    expect(frameType(frame)).toBe(type);
    expect(allowedIn(frame.type, "data")).toBe(spaces.includes("D"));
    expect(allowedIn(frame.type, "probe")).toBe(spaces.includes("P"));
  });

  test(`${ackEliciting ? "asks" : "does not ask"} for an acknowledgement (RFC 9002 §2)`, () => {
    expect(isAckEliciting(frame.type)).toBe(ackEliciting);
  });
});

test("the table is complete", () => {
  const kinds: Record<FrameKind, true> = {
    padding: true,
    ping: true,
    ack: true,
    "reset-stream": true,
    "stop-sending": true,
    stream: true,
    "max-data": true,
    "max-stream-data": true,
    "max-streams": true,
    "data-blocked": true,
    "stream-data-blocked": true,
    "streams-blocked": true,
    "new-connection-id": true,
    "retire-connection-id": true,
    "path-challenge": true,
    "path-response": true,
    close: true,
    "immediate-ack": true,
    "observed-address": true,
    candidates: true,
    "ack-frequency": true,
    datagram: true,
    extension: true,
  };
  expect(new Set(TABLE.map(({ frame }) => frame.type))).toEqual(new Set(Object.keys(kinds)));
});
