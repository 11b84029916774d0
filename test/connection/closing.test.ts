import { describe, expect, test } from "vitest";
import { Closing } from "../../src/connection/closing.ts";
import { DEFAULT_CONFIG } from "../../src/connection/config.ts";
import { type ConnectionHost, ConnectionMachine } from "../../src/connection/connection.ts";
import type { Keys } from "../../src/connection/keys.ts";
import type { OpenedPacket } from "../../src/crypto/packet-protection.ts";
import { BufferPool } from "../../src/util/buffer-pool.ts";
import type { Instant } from "../../src/util/time.ts";
import type { Frame } from "../../src/wire/frame.ts";
import { encodeFrame, frameLength } from "../../src/wire/frame-codec.ts";
import { DEFAULT_PARAMETERS } from "../../src/wire/parameters.ts";
import { Writer } from "../../src/wire/writer.ts";

const at = (ms: number) => ms as Instant;
const intent = { application: true, code: 0, cause: 0, message: "" };

test("CONN-19: the side that closes repeats at doubling probe timeouts, five times at most", () => {
  const closing = new Closing(intent, { isInitiating: true, probeTimeout: 50 }, at(0));
  const sentAt: number[] = [];
  for (let now = 0; !closing.isOver(at(now)); now++) if (closing.takeDue(at(now))) sentAt.push(now);
  expect(sentAt).toEqual([0, 50, 150, 350, 750]);
  expect(closing.isOver(at(31 * 50))).toBe(true);
});

test("CONN-19: however slow the path, the side that closes waits no longer than 3 s", () => {
  const closing = new Closing(intent, { isInitiating: true, probeTimeout: 2_000 }, at(0));
  expect(closing.isOver(at(2_999))).toBe(false);
  expect(closing.isOver(at(3_000))).toBe(true);
});

test("CONN-19: the other side answers each CLOSE, five times at most, for three probe timeouts", () => {
  const closing = new Closing(intent, { isInitiating: false, probeTimeout: 100 }, at(0));
  expect(closing.takeDue(at(0))).toBe(true);
  expect(closing.takeDue(at(1))).toBe(false);
  let answers = 1;
  for (let i = 0; i < 10; i++) {
    closing.onPeerClose(at(10 + i));
    if (closing.takeDue(at(10 + i))) answers += 1;
  }
  expect(answers).toBe(5);
  expect(closing.isOver(at(299))).toBe(false);
  expect(closing.isOver(at(300))).toBe(true);
  expect(closing.nextTimeout()).toBe(300);
});

describe("RFC 9001 §6.6: keys at their integrity limit", () => {
  const from = { host: "192.0.2.1", port: 1, family: 4 } as const;
  const close: Frame = { type: "close", application: true, code: 7, cause: 0, reason: "enough" };

  /** A responder's connection whose keys open what the test says, until they are exhausted. */
  function connection() {
    const opener = { isExhausted: false, frames: [] as Frame[], packetNumber: 0 };
    const open = (): OpenedPacket | undefined => {
      if (opener.isExhausted) return undefined;
      const payload = encode(opener.frames);
      const packetNumber = opener.packetNumber++;
      return { space: "data", packetNumber, keyPhase: 0, isNewest: true, isNewPhase: false, payload };
    };
    const keys = {
      sealer: { wipe: () => {}, keyPhase: 0 },
      opener: { open, wipe: () => {}, violation: undefined, isExhausted: false },
      exporter: () => new Uint8Array(0),
      wipe: () => {},
    };
    Object.defineProperty(keys.opener, "isExhausted", { get: () => opener.isExhausted });
    let ids = 0;
    const host: ConnectionHost = {
      touch: () => {},
      assignId: () => new Uint8Array(8).fill(++ids),
      releaseId: () => {},
      opened: () => {},
      finished: () => {},
    };
    const options = {
      config: DEFAULT_CONFIG,
      random: (size: number) => new Uint8Array(size),
      pool: new BufferPool(),
      interfaceMtu: () => undefined,
    };
    const machine = ConnectionMachine.responder(host, options, at(0));
    const parameters = { ...DEFAULT_PARAMETERS, connectionIds: [new Uint8Array(8)], aeads: [1] };
    machine.establish({ keys: keys as unknown as Keys, parameters, peerKey: new Uint8Array(32) }, at(0));
    machine.expectSource({ via: 0, from, ownToken: new Uint8Array(8), credit: 1_000 });
    const receive = (...frames: Frame[]): void => {
      opener.frames = frames;
      machine.receive(new Uint8Array(100), 0, from, at(1));
    };
    const exhaust = (): void => {
      opener.isExhausted = true;
      receive();
    };
    const ends = (): unknown[] => {
      const reasons: unknown[] = [];
      for (let event = machine.pollEvent(); event !== undefined; event = machine.pollEvent())
        if (event.type === "closed") reasons.push(event.reason);
      return reasons;
    };
    return { machine, receive, exhaust, ends };
  }

  test("end an open connection as lost", () => {
    const { machine, receive, exhaust, ends } = connection();
    receive({ type: "ping" });
    exhaust();
    expect(machine.state).toBe("closed");
    expect(ends()).toMatchObject([{ kind: "lost" }]);
  });

  test("end one that the peer has closed without a second word about it", () => {
    const { machine, receive, exhaust, ends } = connection();
    receive({ type: "ping" });
    receive(close);
    expect(machine.state).toBe("draining");
    exhaust();
    expect(machine.state).toBe("closed");
    expect(ends()).toMatchObject([{ kind: "closed", origin: "peer", code: 7 }]);
  });

  test("end one that we close for our own reason", () => {
    const { machine, receive, exhaust, ends } = connection();
    receive({ type: "ping" });
    machine.close(9, "", at(1));
    exhaust();
    expect(ends()).toMatchObject([{ kind: "closed", origin: "local", code: 9 }]);
  });

  function encode(frames: readonly Frame[]): Uint8Array {
    const bytes = new Uint8Array(frames.reduce((sum, frame) => sum + frameLength(frame), 0));
    const writer = new Writer();
    writer.reset(bytes, 0, bytes.length);
    for (const frame of frames) encodeFrame(writer, frame);
    return bytes;
  }
});
