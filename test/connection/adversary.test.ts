/**
 * What a peer with valid keys can say, and what becomes of the connection: every frame in every state, and frames that
 * break a rule.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { DEFAULT_CONFIG } from "../../src/connection/config.ts";
import { CLOSE_CODE } from "../../src/wire/codes.ts";
import { allowedIn, type Frame, type FrameKind } from "../../src/wire/frame.ts";
import type { PacketSpace } from "../../src/wire/packet-header.ts";
import { Adversary, ackOf, closeIn, framesIn } from "./adversary.ts";

type Role = "initiator" | "responder";
const ROLES = ["initiator", "responder"] as const;
const SPACES = ["data", "probe"] as const;

const close: Frame = { type: "close", application: true, code: 9, cause: 0, reason: "bye" };
/** CLOSE as it answers a CLOSE. */
const closeAnswer: Frame = { type: "close", application: false, code: 0, cause: 0, reason: "" };
const token = new Uint8Array(8).fill(7);

/** Index `n` of the streams that `role` opens. */
const bidi = (role: Role, n = 0) => 4 * n + (role === "initiator" ? 0 : 1);
const uni = (role: Role, n = 0) => bidi(role, n) + 2;
const other = (role: Role): Role => (role === "initiator" ? "responder" : "initiator");

/** A harmless frame of each kind, for an open connection. */
function samples(role: Role): Record<FrameKind, Frame> {
  const streamId = bidi(role);
  return {
    padding: { type: "padding", count: 3 },
    ping: { type: "ping" },
    ack: ackOf(0, 0),
    "reset-stream": { type: "reset-stream", streamId, code: 1, finalSize: 0 },
    "stop-sending": { type: "stop-sending", streamId, code: 1 },
    stream: { type: "stream", streamId, offset: 0, fin: false, data: new Uint8Array(3) },
    "max-data": { type: "max-data", limit: 1 },
    "max-stream-data": { type: "max-stream-data", streamId, limit: 1 },
    "max-streams": { type: "max-streams", direction: "uni", limit: 1 },
    "data-blocked": { type: "data-blocked", limit: 1 },
    "stream-data-blocked": { type: "stream-data-blocked", streamId, limit: 1 },
    "streams-blocked": { type: "streams-blocked", direction: "bidi", limit: 1 },
    "new-connection-id": { type: "new-connection-id", sequence: 3, retirePriorTo: 0, connectionId: token },
    "retire-connection-id": { type: "retire-connection-id", sequence: 1 },
    "path-challenge": { type: "path-challenge", token },
    "path-response": { type: "path-response", token },
    close,
    "immediate-ack": { type: "immediate-ack" },
    "observed-address": { type: "observed-address", address: { host: "192.0.2.9", port: 9, family: 4 } },
    candidates: { type: "candidates", generation: 1, seenGeneration: 0, candidates: [], profile: undefined },
    "ack-frequency": {
      type: "ack-frequency",
      sequence: 0,
      threshold: 1,
      maxAckDelayUs: 25_000,
      reorderingThreshold: 1,
    },
    datagram: { type: "datagram", data: token },
    extension: { type: "extension", id: 0x40, body: token },
  };
}

const KINDS = Object.keys(samples("initiator")) as FrameKind[];

/** What an open connection makes of a frame: the state after it, and the code that it closes with. */
function verdict(kind: FrameKind, space: PacketSpace): { readonly state: string; readonly code: number | undefined } {
  if (kind === "close") return { state: "draining", code: CLOSE_CODE.NO_ERROR };
  if (!allowedIn(kind, space)) return { state: "closing", code: CLOSE_CODE.PROTOCOL_VIOLATION };
  return { state: "open", code: undefined };
}

for (const role of ROLES) {
  describe(`frames of the ${role}`, () => {
    test.each(SPACES)(
      "in an open connection, each frame in the %s space has the verdict that is due to it",
      (space) => {
        for (const kind of KINDS) {
          const adversary = Adversary.open(role);
          const seen = adversary.say(space, [samples(role)[kind]]);
          const outcome = { state: adversary.connection.state as string, code: closeIn(seen)?.code };
          expect({ kind, ...outcome }).toEqual({ kind, ...verdict(kind, space) });
        }
      },
    );

    test.each(SPACES)("CONN-19: while closing, no frame in the %s space counts but CLOSE", (space) => {
      for (const kind of KINDS) {
        const adversary = Adversary.open(role);
        const { connection } = adversary;
        connection.close(1, "", adversary.pair.now);
        expect(closeIn(adversary.take())).toMatchObject({ code: 1, application: true });
        const seen = adversary.say(space, [samples(role)[kind]]);
        if (kind === "close") {
          expect(connection.state).toBe("draining");
          expect(framesIn(seen)).toMatchObject([{ type: "close", application: false, code: CLOSE_CODE.NO_ERROR }]);
        } else {
          expect([kind, connection.state, seen]).toEqual([kind, "closing", []]);
        }
        expect(adversary.say(space, [closeAnswer])).toEqual([]);
        expect(connection.state).toBe(kind === "close" ? "draining" : "closed");
        expect(adversary.events().filter(({ type }) => type === "closed").length).toBe(1);
      }
    });

    test.each(SPACES)("CONN-19: while draining, no frame in the %s space is answered but CLOSE", (space) => {
      for (const kind of KINDS) {
        const adversary = Adversary.open(role);
        const { connection } = adversary;
        adversary.say("data", [close]);
        expect(connection.state).toBe("draining");
        for (let i = 0; i < 10; i++) {
          const seen = adversary.say(space, [samples(role)[kind]]);
          // The first answer and four more.
          expect([kind, seen.length]).toEqual([kind, kind === "close" && i < 4 ? 1 : 0]);
        }
        expect(connection.state).toBe("draining");
      }
    });

    test("CONN-21: after the end all keys are gone, and no frame is answered", () => {
      for (const space of SPACES) {
        for (const kind of KINDS) {
          const adversary = Adversary.open(role);
          const { connection, victim } = adversary;
          adversary.say("data", [close]);
          adversary.wait(10_000);
          expect(connection.state).toBe("closed");
          expect(connection.exporter("x", token)).toBeUndefined();
          const before = victim.endpoint.stats.dropped["unknown-id"] ?? 0;
          expect(adversary.say(space, [samples(role)[kind]])).toEqual([]);
          expect(victim.endpoint.stats.dropped["unknown-id"]).toBe(before + 1);
          expect(victim.endpoint.connectionCount).toBe(0);
          expect(victim.endpoint.nextTimeout()).toBeUndefined();
        }
      }
    });
  });
}

test("CONN-2: in a half-open connection, a data packet opens it whatever it carries, a probe packet does not", () => {
  for (const space of SPACES) {
    for (const kind of KINDS) {
      const adversary = Adversary.dial();
      // The first data packet of the listener is not sent yet, so nothing can be acknowledged.
      const isUnsent = space === "data" && kind === "ack";
      adversary.say(space, [samples("initiator")[kind]]);
      const isTold = adversary.victim.events.some(({ type }) => type === "incoming");
      expect([space, kind, isTold]).toEqual([space, kind, space === "data"]);
      if (space === "probe") continue;
      const expected = isUnsent ? "closing" : verdict(kind, space).state;
      expect([kind, adversary.connection.state]).toEqual([kind, expected]);
    }
  }
});

/** Packets that break a rule, what they are closed with, and which rule it is. */
interface Breach {
  readonly rule: string;
  readonly code: number;
  /** The last one breaks the rule. */
  readonly packets: readonly (readonly Frame[])[];
  readonly raw?: readonly number[];
}

const data = (length: number) => new Uint8Array(length);
const stream = (streamId: number, offset: number, length: number, fin = false): Frame => ({
  type: "stream",
  streamId,
  offset,
  fin,
  data: data(length),
});

function breaches(role: Role): Breach[] {
  const mine = bidi(role);
  const credit = DEFAULT_CONFIG.maxStreamData;
  const { FLOW_CONTROL, STREAM_LIMIT, STREAM_STATE, FINAL_SIZE, FRAME_ENCODING, UNSUPPORTED_FRAME } = CLOSE_CODE;
  const { PROTOCOL_VIOLATION, CONNECTION_ID_LIMIT } = CLOSE_CODE;
  const beyond = [bidi(role, 100), uni(role, 100)].flatMap((id): Breach[] => [
    { rule: `stream ${id} above the limit`, code: STREAM_LIMIT, packets: [[stream(id, 0, 1)]] },
    {
      rule: `reset of stream ${id}`,
      code: STREAM_LIMIT,
      packets: [[{ type: "reset-stream", streamId: id, code: 0, finalSize: 0 }]],
    },
    {
      rule: `blocked stream ${id}`,
      code: STREAM_LIMIT,
      packets: [[{ type: "stream-data-blocked", streamId: id, limit: 0 }]],
    },
  ]);
  return [
    ...beyond,
    { rule: "ACK of a number that was never sent", code: PROTOCOL_VIOLATION, packets: [[ackOf(0, 1_000)]] },
    { rule: "ACK of the very last number", code: PROTOCOL_VIOLATION, packets: [[ackOf(2 ** 53 - 2, 2 ** 53 - 2)]] },
    {
      // ACK, largest and first range 2^53 − 1, no further range: every number there is.
      rule: "ACK of all numbers",
      code: PROTOCOL_VIOLATION,
      packets: [[]],
      raw: [0x02, 0xc0, 0x1f, ...Array(6).fill(0xff), 0, 0, 0xc0, 0x1f, ...Array(6).fill(0xff)],
    },
    { rule: "credit of a stream", code: FLOW_CONTROL, packets: [[stream(mine, credit, 1)]] },
    {
      rule: "credit of the connection",
      code: FLOW_CONTROL,
      packets: [0, 1, 2, 3].map((n) => [stream(bidi(role, n), credit - 1, 1)]),
    },
    {
      rule: "credit by a reset",
      code: FLOW_CONTROL,
      packets: [[{ type: "reset-stream", streamId: mine, code: 0, finalSize: credit + 1 }]],
    },
    { rule: "bytes beyond the end", code: FINAL_SIZE, packets: [[stream(mine, 0, 10, true)], [stream(mine, 10, 1)]] },
    {
      rule: "an end before bytes that arrived",
      code: FINAL_SIZE,
      packets: [[stream(mine, 0, 10)], [stream(mine, 0, 9, true)]],
    },
    {
      rule: "a reset that moves the end",
      code: FINAL_SIZE,
      packets: [[stream(mine, 0, 10, true)], [{ type: "reset-stream", streamId: mine, code: 0, finalSize: 11 }]],
    },
    { rule: "a stream that the victim only sends on", code: STREAM_STATE, packets: [[stream(uni(other(role)), 0, 1)]] },
    {
      rule: "a stream that the victim has not opened",
      code: STREAM_STATE,
      packets: [[stream(bidi(other(role), 9), 0, 1)]],
    },
    {
      rule: "STOP_SENDING of a stream that only the peer sends on",
      code: STREAM_STATE,
      packets: [[{ type: "stop-sending", streamId: uni(role), code: 0 }]],
    },
    {
      rule: "credit for a stream that only the peer sends on",
      code: STREAM_STATE,
      packets: [[{ type: "max-stream-data", streamId: uni(role), limit: 1 }]],
    },
    {
      rule: "CONN-22: a fifth connection id",
      code: CONNECTION_ID_LIMIT,
      packets: [3, 4].map((n) => [
        { type: "new-connection-id", sequence: n, retirePriorTo: 0, connectionId: data(8).fill(n) },
      ]),
    },
    {
      rule: "a connection id under two numbers",
      code: PROTOCOL_VIOLATION,
      packets: [[{ type: "new-connection-id", sequence: 1, retirePriorTo: 0, connectionId: token }]],
    },
    {
      rule: "retirement of an id that was never given",
      code: PROTOCOL_VIOLATION,
      packets: [[{ type: "retire-connection-id", sequence: 3 }]],
    },
    { rule: "a frame type below 0x40 that is none", code: FRAME_ENCODING, packets: [[]], raw: [0x3f] },
    { rule: "an extension that must be understood", code: UNSUPPORTED_FRAME, packets: [[]], raw: [0x40, 0x41, 0] },
    { rule: "a frame that is cut off", code: FRAME_ENCODING, packets: [[]], raw: [...Array(20).fill(1), 0x10, 0xc0] },
    {
      rule: "an offset beyond 2^53 − 1",
      code: FRAME_ENCODING,
      packets: [[]],
      raw: [...Array(20).fill(1), 0x0c, mine, 0xc0, 0x1f, ...Array(6).fill(0xff), 1],
    },
  ];
}

for (const role of ROLES) {
  describe(`a ${role} that breaks a rule`, () => {
    for (const { rule, code, packets, raw } of breaches(role)) {
      test(`is closed with ${code}: ${rule}`, () => {
        const adversary = Adversary.open(role);
        const { connection } = adversary;
        connection.write(connection.openStream("uni")!, data(50_000));
        adversary.take();
        const { congestionWindow, bytesInFlight } = connection.stats();
        for (const [i, frames] of packets.entries()) {
          expect(connection.state).toBe("open");
          const isLast = i === packets.length - 1;
          adversary.deliver("data", frames, isLast && raw !== undefined ? { raw: Uint8Array.from(raw) } : {});
        }
        expect(closeIn(adversary.take())).toMatchObject({ application: false, code });
        // Nothing was taken for acknowledged.
        expect(connection.stats()).toMatchObject({ congestionWindow, bytesInFlight });
        adversary.say("data", [closeAnswer]);
        expect(connection.state).toBe("closed");
        expect(adversary.events().at(-1)).toMatchObject({
          type: "closed",
          reason: { kind: "closed", origin: "local", application: false, code },
        });
      });
    }
  });
}
