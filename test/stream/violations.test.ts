import { describe, expect, test } from "vitest";
import { streamIdOf } from "../../src/stream/stream-id.ts";
import { CLOSE_CODE } from "../../src/wire/codes.ts";
import type { Frame, StreamDirection } from "../../src/wire/frame.ts";
import { AMPLE, connectedPair, type Side, settle } from "./channel.ts";

const OK = CLOSE_CODE.NO_ERROR;
const { STREAM_STATE, STREAM_LIMIT, FLOW_CONTROL, FINAL_SIZE } = CLOSE_CODE;

const LIMITS = { ...AMPLE, maxStreamsBidi: 4, maxStreamsUni: 3 };

/** One frame of each kind that names a stream. */
const FRAMES: Readonly<Record<string, (streamId: number) => Frame>> = {
  stream: (streamId) => ({ type: "stream", streamId, offset: 0, fin: false, data: Uint8Array.of(1) }),
  "reset-stream": (streamId) => ({ type: "reset-stream", streamId, code: 1, finalSize: 1 }),
  "stream-data-blocked": (streamId) => ({ type: "stream-data-blocked", streamId, limit: 1 }),
  "stop-sending": (streamId) => ({ type: "stop-sending", streamId, code: 1 }),
  "max-stream-data": (streamId) => ({ type: "max-stream-data", streamId, limit: 1 }),
};

const RECEIVING = ["stream", "reset-stream", "stream-data-blocked"];

/** Kinds of streams from the view of who receives the frame: opener, direction, number; the third ones do not exist. */
const STREAMS = [
  ["ours", "bidi", 0],
  ["ours", "bidi", 2],
  ["ours", "uni", 0],
  ["ours", "uni", 2],
  ["theirs", "bidi", 0],
  ["theirs", "bidi", 3],
  ["theirs", "bidi", 4],
  ["theirs", "bidi", 2 ** 51 - 1],
  ["theirs", "uni", 0],
  ["theirs", "uni", 2],
  ["theirs", "uni", 3],
] as const;

function expectedCode(kind: string, opener: string, direction: StreamDirection, number: number): number {
  const isAboutReceiving = RECEIVING.includes(kind);
  if (opener === "ours") {
    if (direction === "uni" && isAboutReceiving) return STREAM_STATE;
    return number < 2 ? OK : STREAM_STATE;
  }
  if (direction === "uni" && !isAboutReceiving) return STREAM_STATE;
  return number < (direction === "bidi" ? LIMITS.maxStreamsBidi : LIMITS.maxStreamsUni) ? OK : STREAM_LIMIT;
}

describe.each(["initiator", "responder"] as const)("frames for the wrong stream, received by the %s", (role) => {
  const peer = role === "initiator" ? "responder" : "initiator";

  function receiver(): Side {
    const side = connectedPair({ initiator: LIMITS, responder: LIMITS })[role];
    for (const direction of ["bidi", "uni"] as const) {
      side.streams.open(direction);
      side.streams.open(direction);
    }
    return side;
  }

  for (const [kind, frame] of Object.entries(FRAMES)) {
    test.each(STREAMS)(`${kind} on %s, %s, number %i (STR-3, STR-4, RFC 9000 §19.8)`, (opener, direction, number) => {
      const id = streamIdOf(opener === "ours" ? role : peer, direction, number);
      const side = receiver();
      expect(side.apply(frame(id))).toBe(expectedCode(kind, opener, direction, number));
    });
  }
});

test("frames for a stream that is done are late, not wrong (STR-5)", () => {
  const { initiator, responder } = connectedPair();
  const id = initiator.streams.open("bidi")!;
  for (const side of [initiator, responder]) {
    settle(initiator, responder);
    side.streams.finish(id);
    settle(initiator, responder);
  }
  for (const side of [initiator, responder]) {
    side.readAll(id);
    side.events();
    expect(side.streams.activeCount).toBe(0);
    for (const frame of Object.values(FRAMES)) expect(side.apply(frame(id))).toBe(OK);
    expect([side.streams.hasPending(), side.events()]).toEqual([false, []]);
  }
});

describe("limits of bytes (STR-16, RFC 9000 §4.1)", () => {
  function stream(streamId: number, offset: number, length: number, fin = false): Frame {
    return { type: "stream", streamId, offset, fin, data: new Uint8Array(length) };
  }

  const limits = { ...AMPLE, maxData: 1_500, maxStreamData: 1_000, memoryBudget: 1_500 };

  test("of a stream and of all streams, to the byte", () => {
    expect(connectedPair({ responder: limits }).responder.apply(stream(0, 0, 1_001))).toBe(FLOW_CONTROL);
    const { responder } = connectedPair({ responder: limits });
    expect(responder.apply(stream(0, 999, 1))).toBe(OK);
    expect(responder.apply(stream(4, 499, 1))).toBe(OK);
    expect(responder.apply(stream(4, 500, 1))).toBe(FLOW_CONTROL);
  });

  test("are not moved by bytes that come twice", () => {
    const { responder } = connectedPair({ responder: limits });
    for (let i = 0; i < 10; i++) expect(responder.apply(stream(0, 0, 1_000))).toBe(OK);
    expect(responder.apply(stream(4, 0, 500))).toBe(OK);
  });

  test("count a reset's final size, though nothing of it came", () => {
    const { responder } = connectedPair({ responder: limits });
    expect(responder.apply({ type: "reset-stream", streamId: 0, code: 0, finalSize: 1_000 })).toBe(OK);
    expect(responder.apply({ type: "reset-stream", streamId: 4, code: 0, finalSize: 501 })).toBe(FLOW_CONTROL);
  });

  test("hold at the greatest offset, too", () => {
    const { responder } = connectedPair({ responder: limits });
    expect(responder.apply(stream(0, 2 ** 53 - 2, 1))).toBe(FLOW_CONTROL);
    const reset: Frame = { type: "reset-stream", streamId: 0, code: 0, finalSize: 2 ** 53 - 1 };
    expect(responder.apply(reset)).toBe(FLOW_CONTROL);
  });

  test("are checked for a stream that was given up or reset, and so is its size (STR-11, STR-14)", () => {
    const { responder } = connectedPair({ responder: limits });
    responder.apply(stream(0, 0, 10));
    responder.streams.stopSending(0, 1);
    expect(responder.apply(stream(0, 10, 991))).toBe(FLOW_CONTROL);
    responder.apply({ type: "reset-stream", streamId: 4, code: 0, finalSize: 20 });
    expect(responder.apply(stream(4, 20, 1))).toBe(FINAL_SIZE);
    expect(responder.apply(stream(4, 10, 10, true))).toBe(OK);
  });
});
