import { describe, expect, test } from "vitest";
import { Streams } from "../../src/stream/streams.ts";
import type { Frame } from "../../src/wire/frame.ts";
import { AMPLE, carry, connectedPair, type Packet, type Side, settle } from "./channel.ts";

const KIB = 1024;

/** `length` bytes that can be told from others by their place. */
function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * 17) & 255);
}

/** What a packet holds, shortly: `[kind, stream, …]`. */
function contents(packet: Packet): unknown[] {
  return packet.frames().map((frame: Frame) => {
    if (frame.type === "stream") return ["stream", frame.streamId, frame.offset, frame.data.length, frame.fin];
    const { type, ...fields } = frame;
    return [type, ...Object.values(fields)];
  });
}

/** What the next packets of a side hold, none of which arrives. */
function sends(side: Side, size = 1_200): unknown[] {
  return side.buildAll(size).flatMap(contents);
}

function types(side: Side): string[] {
  return side.events().map((event) => ("id" in event ? `${event.type} ${event.id}` : event.type));
}

describe("opening", () => {
  test("numbers streams by role and direction, and announces them at once (STR-1, STR-2)", () => {
    const { initiator, responder } = connectedPair();
    expect([initiator.streams.open("bidi"), initiator.streams.open("bidi"), initiator.streams.open("uni")]).toEqual([
      0, 4, 2,
    ]);
    expect([responder.streams.open("bidi"), responder.streams.open("uni")]).toEqual([1, 3]);
    carry(initiator, responder);
    carry(responder, initiator);
    expect(types(responder)).toEqual(["opened 0", "opened 4", "opened 2"]);
    expect(types(initiator)).toEqual(["opened 1", "opened 3"]);
    expect([initiator.streams.hasPending(), responder.streams.hasPending()]).toEqual([false, false]);
  });

  test("an announcement is repeated until a frame of the stream has arrived (STR-2)", () => {
    const { initiator, responder } = connectedPair();
    initiator.streams.open("bidi");
    const lost = initiator.build()!;
    initiator.onLost(lost);
    expect(sends(initiator)).toEqual([["stream", 0, 0, 0, false]]);
    initiator.onLost(lost);
    carry(initiator, responder);
    initiator.onLost(lost);
    expect(initiator.streams.hasPending()).toBe(false);
  });

  test("a stream of the peer opens all lower ones of its kind (STR-1, RFC 9000 §2.1)", () => {
    const { initiator, responder } = connectedPair();
    for (let i = 0; i < 3; i++) initiator.streams.open("uni");
    const [packet] = initiator.buildAll();
    const last = packet!.frames().at(-1)!;
    expect(responder.apply(last)).toBe(0);
    expect(types(responder)).toEqual(["opened 2", "opened 6", "opened 10"]);
    expect(responder.receive(packet!)).toBe(0);
    expect(types(responder)).toEqual([]);
  });

  test("beyond the peer's limit waits for a higher one, of which the peer is reminded once (STR-20, RFC 9000 §4.6)", () => {
    const { initiator, responder } = connectedPair({ responder: { ...AMPLE, maxStreamsBidi: 1 } });
    expect([initiator.streams.open("bidi"), initiator.streams.open("bidi")]).toEqual([0, undefined]);
    initiator.streams.open("bidi");
    expect(sends(initiator)).toEqual([
      ["streams-blocked", "bidi", 1],
      ["stream", 0, 0, 0, false],
    ]);
    initiator.streams.open("bidi");
    expect(initiator.streams.hasPending()).toBe(false);
    expect(responder.apply({ type: "max-streams", direction: "bidi", limit: 2 })).toBe(0);
    initiator.apply({ type: "max-streams", direction: "bidi", limit: 2 });
    expect(initiator.events()).toEqual([{ type: "streams-available", direction: "bidi" }]);
    expect(initiator.streams.open("bidi")).toBe(4);
  });

  test("before the handshake is impossible, and possible after it", () => {
    const streams = new Streams({ role: "initiator", receive: AMPLE, sendBuffer: 1_000 });
    expect(streams.open("bidi")).toBe(undefined);
    streams.setPeerLimits(AMPLE);
    expect(streams.hasPending()).toBe(false);
    expect(streams.pollEvent()).toEqual({ type: "streams-available", direction: "bidi" });
    expect(streams.open("bidi")).toBe(0);
  });
});

describe("a stream from end to end", () => {
  test("carries bytes both ways and ends on both sides (RFC 9000 §3)", () => {
    const { initiator, responder } = connectedPair();
    const id = initiator.streams.open("bidi")!;
    const request = pattern(10_000);
    initiator.streams.write(id, request);
    initiator.streams.finish(id);
    settle(initiator, responder);
    expect(types(responder)).toEqual(["opened 0", "readable 0"]);
    expect(responder.readAll(id)).toEqual(request);
    expect(responder.streams.isFinished(id)).toBe(true);
    expect(types(initiator)).toEqual(["finished 0"]);
    responder.streams.write(id, request.subarray(0, 100));
    settle(initiator, responder);
    responder.streams.finish(id);
    settle(initiator, responder);
    expect(types(initiator)).toEqual(["readable 0"]);
    expect(initiator.readAll(id)).toEqual(request.subarray(0, 100));
    expect(initiator.streams.isFinished(id)).toBe(true);
    expect(types(initiator)).toEqual(["done 0"]);
    expect(types(responder)).toEqual(["finished 0", "done 0"]);
    expect([initiator.streams.activeCount, responder.streams.activeCount]).toEqual([0, 0]);
    expect(initiator.streams.stats).toEqual({ active: 0, receiveBuffered: 0, sendBuffered: 0 });
  });

  test("arrives though every second packet is lost and the rest is turned around (STR-6, STR-10)", () => {
    const { initiator, responder } = connectedPair();
    const id = initiator.streams.open("uni")!;
    const data = pattern(50_000);
    initiator.streams.write(id, data);
    initiator.streams.finish(id);
    let packets = 0;
    while (initiator.streams.hasPending()) {
      const flight = initiator.buildAll();
      packets += flight.length;
      const arriving = flight.filter((_, i) => i % 2 === 0).reverse();
      for (const packet of arriving) expect(responder.receive(packet)).toBe(0);
      for (const packet of flight) if (arriving.includes(packet)) initiator.onAcked(packet);
      for (const packet of flight) if (!arriving.includes(packet)) initiator.onLost(packet);
    }
    expect(responder.readAll(id)).toEqual(data);
    expect(responder.streams.isFinished(id)).toBe(true);
    // 42 packets, half of them again, and so on: only what was lost is repeated.
    expect(packets).toBe(42 + 21 + 10 + 5 + 2 + 1);
  });

  test("is told as readable once until it was read to the end of what is there", () => {
    const { initiator, responder } = connectedPair();
    const id = initiator.streams.open("uni")!;
    for (let i = 0; i < 3; i++) {
      initiator.streams.write(id, pattern(10));
      carry(initiator, responder);
    }
    expect(types(responder)).toEqual(["opened 2", "readable 2"]);
    responder.streams.read(id);
    initiator.streams.write(id, pattern(10));
    carry(initiator, responder);
    expect(types(responder)).toEqual([]);
    expect(responder.readAll(id).length).toBe(30);
    initiator.streams.finish(id);
    carry(initiator, responder);
    expect(types(responder)).toEqual(["readable 2"]);
    expect([responder.streams.isFinished(id), responder.streams.isFinished(id)]).toEqual([true, true]);
    expect([types(responder), responder.streams.isFinished(id)]).toEqual([["done 2"], false]);
  });

  test("a reader that comes before it is told is not told afterwards", () => {
    const { initiator, responder } = connectedPair();
    const id = initiator.streams.open("uni")!;
    initiator.streams.write(id, pattern(10));
    carry(initiator, responder);
    responder.readAll(id);
    expect(types(responder)).toEqual(["opened 2"]);
  });

  test("a writer that was asked to wait is told when there is room", () => {
    const { initiator, responder } = connectedPair({ sendBuffer: 10_000 });
    const id = initiator.streams.open("uni")!;
    expect([initiator.streams.write(id, pattern(9_000)), initiator.streams.write(id, pattern(9_000))]).toEqual([
      true,
      false,
    ]);
    initiator.build(13_000);
    expect(types(initiator)).toEqual([]);
    carry(initiator, responder);
    expect(types(initiator)).toEqual(["writable 2"]);
  });

  test("a writer is not told any more when the half has ended", () => {
    const { initiator, responder } = connectedPair({ sendBuffer: 500 });
    const id = initiator.streams.open("uni")!;
    initiator.streams.write(id, pattern(600));
    initiator.streams.finish(id);
    carry(initiator, responder);
    expect(types(initiator)).toEqual(["finished 2", "done 2"]);
  });

  test("a writer is told even if the announcement took its data along", () => {
    const { initiator } = connectedPair({ sendBuffer: 500 });
    const id = initiator.streams.open("uni")!;
    expect(initiator.streams.write(id, pattern(600))).toBe(false);
    initiator.build();
    expect(types(initiator)).toEqual(["writable 2"]);
  });
});

describe("giving up", () => {
  test("the sending half reaches the reader as a reset, once, without the rest (STR-8, STR-13)", () => {
    const { initiator, responder } = connectedPair();
    const id = initiator.streams.open("uni")!;
    initiator.streams.write(id, pattern(5_000));
    const [first] = initiator.buildAll();
    responder.receive(first!);
    initiator.streams.reset(id, 77);
    initiator.streams.reset(id, 78);
    const [reset] = initiator.buildAll();
    expect(contents(reset!)).toEqual([["reset-stream", 2, 77, 5_000]]);
    initiator.onLost(reset!);
    initiator.onLost(first!);
    carry(initiator, responder);
    expect(types(responder)).toEqual(["opened 2", "reset 2", "done 2"]);
    expect([responder.streams.read(id), responder.streams.isFinished(id)]).toEqual([undefined, false]);
    expect(types(initiator)).toEqual(["reset-acked 2", "done 2"]);
  });

  test("the sending half means that a waiting writer is not told", () => {
    const { initiator } = connectedPair({ sendBuffer: 500 });
    const id = initiator.streams.open("uni")!;
    initiator.streams.write(id, pattern(600));
    initiator.build();
    initiator.streams.reset(id, 1);
    expect(types(initiator)).toEqual([]);
  });

  test("a sending half of which everything has arrived does nothing (STR-8, RFC 9000 §3.1)", () => {
    const { initiator, responder } = connectedPair();
    const id = initiator.streams.open("uni")!;
    initiator.streams.finish(id);
    carry(initiator, responder);
    initiator.streams.reset(id, 77);
    expect([initiator.streams.hasPending(), types(initiator)]).toEqual([false, ["finished 2", "done 2"]]);
    initiator.streams.reset(id, 77);
    expect(initiator.streams.hasPending()).toBe(false);
  });

  test("the receiving half is answered with a reset of the same code (STR-9, STR-14, RFC 9000 §3.5)", () => {
    const { initiator, responder } = connectedPair();
    const id = initiator.streams.open("uni")!;
    initiator.streams.write(id, pattern(5_000));
    carry(initiator, responder);
    responder.streams.stopSending(id, 55);
    expect(types(responder)).toEqual(["opened 2"]);
    const [stop] = responder.buildAll();
    expect(contents(stop!)).toEqual([["stop-sending", 2, 55]]);
    responder.onLost(stop!);
    initiator.streams.write(id, pattern(5_000));
    settle(responder, initiator);
    expect(initiator.events()).toEqual([
      { type: "stopped", id, code: 55 },
      { type: "reset-acked", id },
      { type: "done", id },
    ]);
    expect(types(responder)).toEqual(["done 2"]);
    expect([responder.streams.activeCount, initiator.streams.stats.sendBuffered]).toEqual([0, 0]);
  });

  test("a receiving half that has arrived as a whole sends nothing (STR-14)", () => {
    const { initiator, responder } = connectedPair();
    const id = initiator.streams.open("uni")!;
    initiator.streams.write(id, pattern(5_000));
    initiator.streams.finish(id);
    carry(initiator, responder);
    responder.streams.stopSending(id, 55);
    expect(responder.streams.hasPending()).toBe(false);
    expect(types(responder)).toEqual(["opened 2", "done 2"]);
    expect(types(initiator)).toEqual(["finished 2", "done 2"]);
  });

  test("what is written to a half that the peer stopped is dropped, not an error", () => {
    const { initiator, responder } = connectedPair();
    const id = initiator.streams.open("bidi")!;
    carry(initiator, responder);
    responder.streams.stopSending(id, 1);
    carry(responder, initiator);
    expect(initiator.streams.write(id, pattern(100))).toBe(true);
    initiator.streams.finish(id);
    expect(contents(initiator.build()!)).toEqual([["reset-stream", 0, 1, 0]]);
    expect(types(initiator)).toEqual(["stopped 0"]);
  });

  test("an end that meets a stop on the way counts as an end for neither: the half is reset (STR-9)", () => {
    const { initiator, responder } = connectedPair();
    const id = initiator.streams.open("uni")!;
    initiator.streams.write(id, pattern(3_000));
    initiator.streams.finish(id);
    const data = initiator.buildAll();
    responder.receive(data[0]!);
    responder.streams.stopSending(id, 5);
    carry(responder, initiator);
    settle(initiator, responder);
    expect(types(initiator)).toEqual(["stopped 2", "reset-acked 2", "done 2"]);
    expect(types(responder)).toEqual(["opened 2", "done 2"]);
    for (const packet of data) expect(responder.receive(packet)).toBe(0);
    expect(types(responder)).toEqual([]);
  });
});

describe("flow control", () => {
  const SMALL = { ...AMPLE, maxData: 3_000, maxStreamData: 2_000, memoryBudget: 3_000 };

  test("stops a stream at its limit and says so once (STR-15, STR-20, RFC 9000 §4.1)", () => {
    const { initiator, responder } = connectedPair({ responder: SMALL });
    const id = initiator.streams.open("uni")!;
    initiator.streams.write(id, pattern(5_000));
    expect(sends(initiator, 4_000)).toEqual([
      ["stream", 2, 0, 2_000, false],
      ["stream-data-blocked", 2, 2_000],
    ]);
    initiator.streams.write(id, pattern(10));
    expect([initiator.streams.hasPending(), initiator.streams.sendWindowBlocked]).toEqual([false, true]);
    expect(initiator.streams.sendableBytes).toBe(0);
    initiator.apply({ type: "max-stream-data", streamId: id, limit: 1_000 });
    expect(initiator.streams.hasPending()).toBe(false);
    initiator.apply({ type: "max-stream-data", streamId: id, limit: 2_500 });
    expect([initiator.streams.sendableBytes, initiator.streams.sendWindowBlocked]).toEqual([500, false]);
    expect(sends(initiator)).toEqual([
      ["stream", 2, 2_000, 500, false],
      ["stream-data-blocked", 2, 2_500],
    ]);
    expect(responder.streams.hasPending()).toBe(false);
  });

  test("stops all streams at the limit of the connection and says so once (STR-15, STR-20)", () => {
    const { initiator } = connectedPair({ responder: SMALL });
    const ids = [initiator.streams.open("uni")!, initiator.streams.open("uni")!];
    for (const id of ids) initiator.streams.write(id, pattern(1_800));
    const frames = sends(initiator, 4_000);
    expect(frames).toEqual([
      ["stream", 2, 0, 1_800, false],
      ["stream", 6, 0, 1_200, false],
      ["data-blocked", 3_000],
    ]);
    initiator.streams.write(ids[0]!, pattern(100));
    expect([initiator.streams.hasPending(), initiator.streams.sendWindowBlocked]).toEqual([false, true]);
    initiator.apply({ type: "max-data", limit: 2_000 });
    expect(initiator.streams.hasPending()).toBe(false);
    initiator.apply({ type: "max-data", limit: 3_650 });
    expect(sends(initiator)).toEqual([
      ["stream", 6, 1_200, 600, false],
      ["stream", 2, 1_800, 50, false],
      ["data-blocked", 3_650],
    ]);
  });

  test("lets streams be announced and ended without any credit", () => {
    const { initiator } = connectedPair({ responder: { ...SMALL, maxData: 0, maxStreamData: 0 } });
    const ids = [initiator.streams.open("uni")!, initiator.streams.open("uni")!];
    initiator.streams.write(ids[0]!, pattern(10));
    initiator.streams.finish(ids[1]!);
    expect(sends(initiator)).toEqual([
      ["stream-data-blocked", 2, 0],
      ["stream", 2, 0, 0, false],
      ["stream", 6, 0, 0, true],
    ]);
  });

  test("gives credit back as data is read, without being asked (STR-17, RFC 9000 §4.2)", () => {
    const { initiator, responder } = connectedPair({ responder: { ...SMALL, memoryBudget: 3_000 } });
    const id = initiator.streams.open("uni")!;
    initiator.streams.write(id, pattern(2_000));
    carry(initiator, responder);
    expect(responder.streams.hasPending()).toBe(false);
    responder.streams.read(id);
    expect(responder.streams.hasPending()).toBe(true);
    responder.readAll(id);
    expect(sends(responder)).toEqual([
      ["max-data", 5_000],
      ["max-stream-data", 2, 4_000],
    ]);
  });

  test("a lost limit is repaired with the present one, and not if a later one is under way (STR-23, RFC 9000 §13.3)", () => {
    const { initiator, responder } = connectedPair({ responder: SMALL });
    const id = initiator.streams.open("uni")!;
    initiator.streams.write(id, pattern(2_000));
    carry(initiator, responder);
    responder.readAll(id);
    const [first] = responder.buildAll();
    initiator.receive(first!);
    initiator.streams.write(id, pattern(1_000));
    carry(initiator, responder);
    responder.readAll(id);
    // A loss of the first one brings the credit of this moment, in both.
    responder.onLost(first!);
    const [second] = responder.buildAll();
    expect(contents(second!)).toEqual([
      ["max-data", 6_000],
      ["max-stream-data", 2, 5_000],
    ]);
    responder.onLost(first!);
    expect(responder.streams.hasPending()).toBe(false);
    responder.onLost(second!);
    expect(sends(responder)).toEqual([
      ["max-data", 6_000],
      ["max-stream-data", 2, 5_000],
    ]);
  });

  test("a limit of a stream that has ended is not repaired", () => {
    const { initiator, responder } = connectedPair({ responder: SMALL });
    const id = initiator.streams.open("uni")!;
    initiator.streams.write(id, pattern(1_000));
    carry(initiator, responder);
    responder.readAll(id);
    const [limit] = responder.buildAll();
    initiator.streams.finish(id);
    carry(initiator, responder);
    responder.onLost(limit!);
    expect(sends(responder)).toEqual([["max-data", 4_000]]);
  });

  test("a BLOCKED frame is repaired while the limit holds (STR-23)", () => {
    const { initiator } = connectedPair({ responder: { ...SMALL, maxData: 1_000 } });
    const ids = [initiator.streams.open("uni")!, initiator.streams.open("uni")!];
    initiator.streams.write(ids[0]!, pattern(2_500));
    initiator.build(2_000);
    const blocked = initiator.build()!;
    expect(contents(blocked)).toContainEqual(["data-blocked", 1_000]);
    initiator.onLost(blocked);
    expect(sends(initiator)).toContainEqual(["data-blocked", 1_000]);
    initiator.apply({ type: "max-data", limit: 4_000 });
    initiator.onLost(blocked);
    expect(sends(initiator).map((frame) => (frame as string[])[0])).toEqual(["stream", "stream-data-blocked"]);
  });

  test("one stream that nobody reads leaves room for the others (STR-19)", () => {
    const limits = { ...AMPLE, maxData: 3_000, maxStreamData: 2_000, memoryBudget: 3_000 };
    const { initiator, responder } = connectedPair({ responder: limits });
    const [idle, busy] = [initiator.streams.open("uni")!, initiator.streams.open("uni")!];
    initiator.streams.write(idle, pattern(50_000));
    initiator.streams.write(busy, pattern(50_000));
    let read = 0;
    for (let i = 0; i < 200; i++) {
      carry(initiator, responder);
      read += responder.readAll(busy).length;
      carry(responder, initiator);
    }
    expect(read).toBe(50_000);
  });

  test("windows follow a fast reader, up to the memory of the connection (STR-18, STR-19)", () => {
    const { initiator, responder } = connectedPair({ sendBuffer: KIB * KIB });
    const id = initiator.streams.open("uni")!;
    const chunk = new Uint8Array(64 * KIB);
    for (let i = 0; i < 300; i++) {
      while (initiator.streams.write(id, chunk));
      carry(initiator, responder, 32 * KIB);
      responder.readAll(id);
      responder.now += 1;
      carry(responder, initiator);
    }
    initiator.streams.write(id, new Uint8Array(20 * KIB * KIB));
    for (let i = 0; i < 20; i++) {
      carry(initiator, responder, 32 * KIB);
      carry(responder, initiator);
    }
    const { receiveBuffered } = responder.streams.stats;
    expect(receiveBuffered).toBeGreaterThan(8 * KIB * KIB);
    expect(receiveBuffered).toBeLessThanOrEqual((AMPLE.memoryBudget * 2) / 3);
  });
});

describe("control frames that have lost their sense are not sent (STR-23, RFC 9000 §13.3)", () => {
  test("a reset that was acknowledged", () => {
    const { initiator, responder } = connectedPair();
    const id = initiator.streams.open("bidi")!;
    initiator.streams.reset(id, 1);
    const first = initiator.build()!;
    initiator.onLost(first);
    carry(initiator, responder);
    initiator.onLost(first);
    expect([initiator.streams.hasPending(), initiator.build()]).toEqual([false, undefined]);
  });

  test("a stop that was acknowledged or answered", () => {
    const { initiator, responder } = connectedPair();
    const ids = [initiator.streams.open("bidi")!, initiator.streams.open("bidi")!];
    carry(initiator, responder);
    for (const id of ids) responder.streams.stopSending(id, 1);
    const first = responder.build()!;
    responder.onLost(first);
    initiator.streams.reset(ids[0]!, 1);
    carry(initiator, responder);
    expect(contents(responder.build()!)).toEqual([["stop-sending", ids[1], 1]]);
    responder.onAcked(first);
    responder.onLost(first);
    expect([responder.streams.hasPending(), responder.build()]).toEqual([false, undefined]);
  });

  test("a BLOCKED when the credit has come", () => {
    const { initiator } = connectedPair({ responder: { ...AMPLE, maxStreamData: 100 } });
    const id = initiator.streams.open("uni")!;
    initiator.streams.write(id, pattern(200));
    initiator.build();
    initiator.apply({ type: "max-stream-data", streamId: id, limit: 1_000 });
    expect(sends(initiator)).toEqual([["stream", id, 100, 100, false]]);
  });

  test("a limit when the end has come", () => {
    const { initiator, responder } = connectedPair({ responder: { ...AMPLE, maxStreamData: 1_000 } });
    const id = initiator.streams.open("uni")!;
    initiator.streams.write(id, pattern(1_000));
    carry(initiator, responder);
    responder.readAll(id);
    expect(responder.streams.hasPending()).toBe(true);
    initiator.streams.finish(id);
    carry(initiator, responder);
    expect([responder.streams.hasPending(), responder.build()]).toEqual([false, undefined]);
  });
});

describe("packets (STR-22)", () => {
  test("hold control frames before lost bytes before new ones", () => {
    const { initiator } = connectedPair();
    const [a, b, c] = [1, 2, 3].map(() => initiator.streams.open("bidi")!) as [number, number, number];
    initiator.streams.write(a, pattern(300));
    const lost = initiator.build(200)!;
    initiator.buildAll();
    initiator.streams.write(b, pattern(100));
    initiator.streams.reset(c, 9);
    initiator.onLost(lost);
    expect(contents(initiator.build()!)).toEqual([
      ["reset-stream", c, 9, 0],
      ["stream", a, 0, 198, false],
      ["stream", b, 0, 100, false],
    ]);
  });

  test("are filled from one stream each, in turns (RFC 9000 §2.3)", () => {
    const { initiator } = connectedPair();
    const ids = [1, 2, 3].map(() => initiator.streams.open("uni")!);
    initiator.buildAll();
    for (const id of ids) initiator.streams.write(id, pattern(2_000));
    const order = initiator.buildAll(1_000).map((packet) => packet.streams.map(({ id }) => id));
    expect(order).toEqual([[2], [6], [10], [2], [6], [10], [2, 6, 10]]);
  });

  test("with lost bytes are in turns too", () => {
    const { initiator } = connectedPair();
    const ids = [1, 2].map(() => initiator.streams.open("uni")!);
    for (const id of ids) initiator.streams.write(id, pattern(1_400));
    for (const packet of initiator.buildAll(1_000)) initiator.onLost(packet);
    const order = initiator.buildAll(1_000).map((packet) => packet.streams.map(({ id }) => id));
    expect(order).toEqual([[2], [6], [2, 6]]);
  });

  test("leave out the length of the last frame only if it reaches the end (STR-24)", () => {
    const { initiator } = connectedPair();
    const id = initiator.streams.open("uni")!;
    initiator.streams.write(id, pattern(1_500));
    const [full, rest] = initiator.buildAll(1_000);
    expect([full!.bytes.length, full!.bytes[0]! & 2]).toEqual([1_000, 0]);
    expect([rest!.bytes.length < 1_000, rest!.bytes[0]! & 2]).toEqual([true, 2]);
  });
});

describe("misuse throws", () => {
  const { initiator, responder } = connectedPair();
  const uni = initiator.streams.open("uni")!;
  const bidi = initiator.streams.open("bidi")!;
  settle(initiator, responder);

  test.each([4, 1, 3, -4, 0.5, Number.NaN])("on a stream that does not exist: %d", (id) => {
    expect(() => initiator.streams.write(id, pattern(1))).toThrow(TypeError);
    expect(() => initiator.streams.finish(id)).toThrow(TypeError);
    expect(() => initiator.streams.reset(id, 0)).toThrow(TypeError);
    expect(() => initiator.streams.stopSending(id, 0)).toThrow(TypeError);
    expect(() => initiator.streams.read(id)).toThrow(TypeError);
    expect(initiator.streams.isFinished(id)).toBe(false);
  });

  test("on the half that the other side has", () => {
    expect(() => initiator.streams.read(uni)).toThrow(/no half to receive/);
    expect(() => initiator.streams.stopSending(uni, 0)).toThrow(TypeError);
    expect(() => responder.streams.write(uni, pattern(1))).toThrow(/no half to send/);
    expect(() => responder.streams.finish(uni)).toThrow(TypeError);
    expect(() => responder.streams.reset(uni, 0)).toThrow(TypeError);
  });

  test("with what is no code or no bytes, and after the end", () => {
    for (const code of [-1, 0.5, 2 ** 53, Number.NaN]) {
      expect(() => initiator.streams.reset(bidi, code)).toThrow(RangeError);
      expect(() => initiator.streams.stopSending(bidi, code)).toThrow(RangeError);
    }
    expect(() => initiator.streams.write(bidi, "text" as unknown as Uint8Array)).toThrow(TypeError);
    initiator.streams.finish(bidi);
    initiator.streams.finish(bidi);
    expect(() => initiator.streams.write(bidi, pattern(1))).toThrow(/after finish/);
  });

  test("a memory budget below the credit that is given away", () => {
    const receive = { ...AMPLE, memoryBudget: AMPLE.maxData - 1 };
    expect(() => new Streams({ role: "initiator", receive, sendBuffer: 1 })).toThrow(RangeError);
  });
});

test("commands for a stream that is done are ignored (STR-5)", () => {
  const { initiator, responder } = connectedPair();
  const id = initiator.streams.open("bidi")!;
  initiator.streams.reset(id, 1);
  initiator.streams.stopSending(id, 1);
  settle(initiator, responder);
  responder.streams.reset(id, 2);
  settle(initiator, responder);
  expect(types(initiator)).toEqual(["reset-acked 0", "done 0"]);
  expect(initiator.streams.write(id, pattern(10))).toBe(true);
  initiator.streams.finish(id);
  initiator.streams.reset(id, 1);
  initiator.streams.stopSending(id, 1);
  expect([initiator.streams.read(id), initiator.streams.isFinished(id)]).toEqual([undefined, false]);
  expect([initiator.streams.hasPending(), initiator.events()]).toEqual([false, []]);
});
