/**
 * What a hostile or only busy peer can make the streams cost. Sizes are measured after a collection of garbage; the
 * bounds leave room for what else the process does.
 */
import { describe, expect, test } from "vitest";
import { MAX_GAPS } from "../../src/stream/reassembler.ts";
import { CLOSE_CODE } from "../../src/wire/codes.ts";
import type { Frame } from "../../src/wire/frame.ts";
import { AMPLE, carry, connectedPair, type Packet, Side, settle } from "./channel.ts";
import { usedMemory } from "./garbage.ts";

const MIB = 1024 * 1024;

/** Applies frames as if they came in a packet of their own each, and checks that each is answered with `code`. */
function applyAll(side: Side, frames: Iterable<Frame>, code = 0): void {
  const others: number[] = [];
  for (const frame of frames) {
    const answer = side.apply(frame);
    if (answer !== code) others.push(answer);
  }
  expect(others).toEqual([]);
}

describe("many streams (STR-5, STR-21, RFC 9000 §21.8)", () => {
  test("a million streams, opened and reset one after another, leave nothing behind", async () => {
    const { initiator, responder } = connectedPair();
    let opened = 0;
    async function run(count: number): Promise<void> {
      for (const end = opened + count; opened < end; ) {
        for (let id = initiator.streams.open("uni"); id !== undefined && opened < end; opened++) {
          initiator.streams.reset(id, 1);
          id = initiator.streams.open("uni");
        }
        settle(initiator, responder);
        initiator.events();
        responder.events();
      }
    }
    await run(20_000);
    const before = await usedMemory();
    await run(980_000);
    expect(opened).toBe(1_000_000);
    settle(initiator, responder);
    initiator.events();
    expect([initiator.streams.activeCount, responder.streams.activeCount]).toEqual([0, 0]);
    expect((await usedMemory()) - before).toBeLessThan(MIB / 2);
  }, 120_000);

  test("a peer that resets its streams and is not acknowledged opens no more than it may", () => {
    const { responder } = connectedPair();
    for (let i = 0; i < AMPLE.maxStreamsUni; i++) {
      expect(responder.apply({ type: "reset-stream", streamId: 4 * i + 2, code: 0, finalSize: 0 })).toBe(0);
    }
    const next: Frame = { type: "reset-stream", streamId: 4 * AMPLE.maxStreamsUni + 2, code: 0, finalSize: 0 };
    expect(responder.apply(next)).toBe(CLOSE_CODE.STREAM_LIMIT);
    expect(responder.streams.activeCount).toBe(AMPLE.maxStreamsUni);
  });

  test("the limit rises with the streams that are done, an eighth at a time, at once for who waits (RFC 9000 §4.6)", () => {
    const { initiator, responder } = connectedPair({ responder: { ...AMPLE, maxStreamsUni: 16 } });
    const ids = Array.from({ length: 16 }, () => initiator.streams.open("uni")!);
    carry(initiator, responder);
    function end(id: number): unknown[] {
      initiator.streams.reset(id, 0);
      carry(initiator, responder);
      initiator.events();
      responder.events();
      return responder.buildAll().flatMap((packet) => packet.frames());
    }
    expect(end(ids[0]!)).toEqual([]);
    expect(end(ids[1]!)).toEqual([{ type: "max-streams", direction: "uni", limit: 18 }]);
    expect(end(ids[2]!)).toEqual([]);
    expect(responder.apply({ type: "streams-blocked", direction: "uni", limit: 16 })).toBe(0);
    expect(responder.streams.hasPending()).toBe(false);
    responder.apply({ type: "streams-blocked", direction: "uni", limit: 18 });
    expect(responder.build()!.frames()).toEqual([{ type: "max-streams", direction: "uni", limit: 19 }]);
  });

  test("a lost MAX_STREAMS is repaired with the present limit (STR-23)", () => {
    const { initiator, responder } = connectedPair({ responder: { ...AMPLE, maxStreamsUni: 1 } });
    function pass(): Packet {
      initiator.streams.reset(initiator.streams.open("uni")!, 0);
      settle(initiator, responder);
      responder.events();
      const packet = responder.build()!;
      initiator.receive(packet);
      return packet;
    }
    const first = pass();
    const second = pass();
    expect(second.frames()).toEqual([{ type: "max-streams", direction: "uni", limit: 3 }]);
    responder.onLost(first);
    expect(responder.streams.hasPending()).toBe(false);
    responder.onLost(second);
    expect(responder.build()!.frames()).toEqual([{ type: "max-streams", direction: "uni", limit: 3 }]);
  });

  test("an idle pair of streams costs a few KiB", async () => {
    const sides: Side[] = [];
    const before = await usedMemory();
    for (let i = 0; i < 500; i++) {
      const side = new Side("initiator");
      side.streams.setPeerLimits(AMPLE);
      side.streams.open("bidi");
      side.buildAll();
      sides.push(side);
    }
    expect(((await usedMemory()) - before) / sides.length).toBeLessThan(6 * 1024);
  });
});

describe("reassembly (STR-12, STR-19, RFC 9000 §21.7)", () => {
  function* bytes(streamId: number, offsets: Iterable<number>, packet: Uint8Array): Generator<Frame> {
    for (const offset of offsets)
      yield { type: "stream", streamId, offset, fin: false, data: packet.slice(0).subarray(9, 10) };
  }

  function* count(from: number, to: number, step: number): Generator<number> {
    for (let i = from; step > 0 ? i < to : i > to; i += step) yield i;
  }

  const packet = new Uint8Array(1_200);

  test("every other byte closes the connection at the limit of gaps and costs little", async () => {
    const { responder } = connectedPair();
    const before = await usedMemory();
    applyAll(responder, bytes(0, count(1, 2 * MAX_GAPS, 2), packet));
    expect((await usedMemory()) - before).toBeLessThan(MIB / 2);
    applyAll(responder, bytes(0, [2 * MAX_GAPS + 1], packet), CLOSE_CODE.LIMIT_EXCEEDED);
  });

  test.each([
    ["forwards", () => count(0, AMPLE.maxStreamData, 1)],
    ["forwards behind a gap", () => count(1, AMPLE.maxStreamData, 1)],
    ["backwards", () => count(AMPLE.maxStreamData - 1, -1, -1)],
  ])(
    "a window of single bytes, %s, takes at most twice the window",
    async (_, offsets) => {
      const { responder } = connectedPair();
      const before = await usedMemory();
      applyAll(responder, bytes(0, offsets(), packet));
      expect(responder.streams.stats.receiveBuffered).toBeGreaterThan(AMPLE.maxStreamData - 2);
      expect((await usedMemory()) - before).toBeLessThan(2 * AMPLE.maxStreamData);
    },
    60_000,
  );

  test("a reader that is always one piece behind costs no more for it", async () => {
    const { responder } = connectedPair();
    const before = await usedMemory();
    for (let offset = 0; offset < 200_000; offset++) {
      applyAll(responder, bytes(0, [offset], packet));
      if (offset > 0) responder.streams.read(0);
      if (responder.streams.hasPending()) responder.buildAll();
    }
    expect(responder.streams.stats.receiveBuffered).toBe(1);
    expect((await usedMemory()) - before).toBeLessThan(MIB / 2);
  });

  test("what all streams hold stays within the memory of the connection, whoever writes how", () => {
    const limits = { ...AMPLE, maxData: 100_000, maxStreamData: 50_000, memoryBudget: 400_000 };
    const { initiator, responder } = connectedPair({ responder: limits, sendBuffer: MIB });
    const ids = Array.from({ length: 10 }, () => initiator.streams.open("uni")!);
    let most = 0;
    for (let round = 0; round < 400; round++) {
      for (const id of ids) initiator.streams.write(id, new Uint8Array(10_000));
      carry(initiator, responder, 8_000);
      most = Math.max(most, responder.streams.stats.receiveBuffered);
      // All are read for a while, so that the windows grow; then none is.
      if (round < 300) for (const id of ids) responder.readAll(id);
      responder.now += 1;
      carry(responder, initiator);
    }
    expect(most).toBeGreaterThan(limits.maxData);
    expect(most).toBeLessThanOrEqual(limits.memoryBudget);
  });
});

describe("floods of control frames (STR-23, RFC 9000 §21.9)", () => {
  const LOTS = 100_000;

  test("do not make answers pile up", () => {
    const { initiator, responder } = connectedPair();
    const ids = Array.from({ length: 100 }, () => initiator.streams.open("bidi")!);
    settle(initiator, responder);
    responder.events();
    for (let i = 0; i < LOTS; i++) {
      const streamId = ids[i % ids.length]!;
      applyAll(responder, [
        { type: "max-data", limit: i },
        { type: "max-stream-data", streamId, limit: i },
        { type: "max-streams", direction: "bidi", limit: i },
        { type: "data-blocked", limit: i },
        { type: "stream-data-blocked", streamId, limit: i },
        { type: "streams-blocked", direction: "bidi", limit: i },
      ]);
    }
    expect([responder.streams.hasPending(), responder.streams.pollEvent()]).toEqual([false, undefined]);
    // One RESET_STREAM and one event for each stream, however often the peer asks.
    for (let i = 0; i < LOTS; i++) {
      responder.apply({ type: "stop-sending", streamId: ids[i % ids.length]!, code: i });
    }
    expect(responder.events().length).toBe(ids.length);
    expect(responder.buildAll().flatMap((each) => each.frames()).length).toBe(ids.length);
  });

  test("that are lost over and over make one repair each", () => {
    const { initiator, responder } = connectedPair();
    const id = initiator.streams.open("uni")!;
    initiator.streams.write(id, new Uint8Array(200_000));
    carry(initiator, responder);
    responder.readAll(id);
    const packets = responder.buildAll();
    for (let i = 0; i < LOTS; i++) for (const each of packets) responder.onLost(each);
    expect(responder.buildAll().flatMap((each) => each.frames()).length).toBe(2);
  });
});
