import { describe, expect, test } from "vitest";
import { SendCredit } from "../../src/stream/flow-control.ts";
import { SendStream } from "../../src/stream/send-stream.ts";
import type { StreamFrame } from "../../src/wire/frame.ts";
import { decodeFrame } from "../../src/wire/frame-codec.ts";
import { Reader } from "../../src/wire/reader.ts";
import { Writer } from "../../src/wire/writer.ts";
import { Packet } from "./channel.ts";

const AMPLE = 1_000_000;

class Fixture {
  readonly stream: SendStream;
  readonly connection: SendCredit;
  #isRepair = false;

  constructor({ limit = AMPLE, connection = AMPLE, isOpener = false, highWaterMark = 1_000 } = {}) {
    this.stream = new SendStream({ id: 0, limit, highWaterMark, isOpener });
    this.connection = new SendCredit(connection);
  }

  /** The frames of one packet with room for `size` bytes, and the bytes left. */
  fill(size = 1_000): { frames: StreamFrame[]; packet: Packet; rest: number } {
    const packet = new Packet();
    const writer = new Writer(new Uint8Array(size));
    this.#isRepair = this.stream.hasRepair;
    if (this.#isRepair) this.stream.fillRepair(writer, packet, this.connection);
    else this.stream.fillFresh(writer, packet, this.connection);
    const reader = new Reader(writer.buffer.subarray(0, writer.offset));
    const frames: StreamFrame[] = [];
    while (reader.remaining > 0) frames.push(decodeFrame(reader) as StreamFrame);
    return { frames, packet, rest: writer.remaining };
  }

  /** What the next packet carries, as `[start, length, fin]`. */
  next(size = 1_000): (readonly [number, number, boolean])[] {
    const { frames, packet } = this.fill(size);
    expect(packet.streams.map(({ start, length, fin }) => [start, length, fin === 1])).toEqual(
      frames.map(({ offset, data, fin }) => [offset, data.length, fin]),
    );
    return frames.map(({ offset, data, fin }) => [offset, data.length, fin] as const);
  }

  write(length: number): boolean {
    return this.stream.write(new Uint8Array(length).fill(7));
  }
}

describe("frames", () => {
  test("one that fills the packet has no length, a shorter one has (STR-24, RFC 9000 §19.8)", () => {
    const fixture = new Fixture();
    fixture.write(150);
    const full = fixture.fill(100);
    expect([full.frames[0]!.data.length, full.rest]).toEqual([98, 0]);
    const short = fixture.fill(100);
    expect([short.frames[0]!.data.length, short.rest]).toEqual([52, 100 - 52 - 5]);
  });

  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8])(
    "data of almost the room's size goes whole or leaves a rest: %i bytes spare",
    (spare) => {
      const fixture = new Fixture();
      fixture.write(200 - 2 - spare);
      const packets = [fixture.fill(200), fixture.fill(200)];
      const data = packets.flatMap(({ frames }) => frames.map((frame) => frame.data.length));
      expect(data.reduce((sum, length) => sum + length, 0)).toBe(198 - spare);
      expect(packets[0]!.frames.length).toBe(1);
    },
  );

  test("data is not cut to fit into little room", () => {
    const fixture = new Fixture();
    fixture.write(100);
    expect([fixture.next(33), fixture.next(0), fixture.next(34)]).toEqual([[], [], [[0, 32, false]]]);
  });
});

describe("the opener's first frame (STR-2)", () => {
  test("goes at once and empty if there is no data, and again when lost", () => {
    const { stream } = new Fixture({ isOpener: true });
    const fixture = new Fixture({ isOpener: true });
    expect(stream.hasRepair).toBe(true);
    expect(fixture.next()).toEqual([[0, 0, false]]);
    expect([fixture.stream.hasRepair, fixture.stream.state]).toEqual([false, "send"]);
    fixture.stream.onLost(0, 0, 0);
    expect(fixture.next()).toEqual([[0, 0, false]]);
    fixture.stream.onAcked(0, 0, 0);
    fixture.stream.onLost(0, 0, 0);
    expect(fixture.stream.hasRepair).toBe(false);
  });

  test("carries data if there is any and credit for it", () => {
    const fixture = new Fixture({ isOpener: true });
    fixture.write(10);
    expect(fixture.next()).toEqual([[0, 10, false]]);
    const poor = new Fixture({ isOpener: true, limit: 0 });
    poor.write(10);
    expect(poor.next()).toEqual([[0, 0, false]]);
  });

  test("is not due from who did not open the stream", () => {
    expect(new Fixture().stream.hasRepair).toBe(false);
  });
});

describe("the end (STR-7, RFC 9000 §3.1)", () => {
  test("travels with the last byte, or alone behind it", () => {
    const together = new Fixture();
    together.write(10);
    together.stream.finish();
    expect([together.next(), together.stream.state]).toEqual([[[0, 10, true]], "data-sent"]);
    const apart = new Fixture();
    apart.write(10);
    expect(apart.next()).toEqual([[0, 10, false]]);
    apart.stream.finish();
    expect([apart.next(), apart.next()]).toEqual([[[10, 0, true]], []]);
  });

  test("of an empty stream is its only frame", () => {
    const fixture = new Fixture({ isOpener: true, limit: 0, connection: 0 });
    fixture.stream.finish();
    expect([fixture.next(), fixture.stream.hasRepair]).toEqual([[[0, 0, true]], false]);
  });

  test("waits for the data before it", () => {
    const fixture = new Fixture({ limit: 60 });
    fixture.write(100);
    fixture.stream.finish();
    expect([fixture.next(), fixture.next()]).toEqual([[[0, 60, false]], []]);
    fixture.stream.onMaxStreamData(100);
    expect(fixture.next()).toEqual([[60, 40, true]]);
  });

  test("completes the half once it and every byte are acknowledged", () => {
    const fixture = new Fixture();
    fixture.write(100);
    fixture.stream.finish();
    fixture.next(60);
    fixture.next(60);
    expect([fixture.stream.onAcked(58, 42, 1), fixture.stream.state]).toEqual([false, "data-sent"]);
    expect([fixture.stream.onAcked(0, 58, 0), fixture.stream.state]).toEqual([true, "data-recvd"]);
    expect([fixture.stream.onAcked(0, 58, 0), fixture.stream.reset(1)]).toEqual([false, false]);
  });

  test("is repeated when lost, with or without the data", () => {
    const fixture = new Fixture();
    fixture.write(100);
    fixture.stream.finish();
    fixture.next();
    fixture.stream.onLost(0, 100, 1);
    expect(fixture.next()).toEqual([[0, 100, true]]);
    fixture.stream.onAcked(0, 100, 0);
    fixture.stream.onLost(0, 100, 1);
    expect(fixture.next()).toEqual([[100, 0, true]]);
    expect(fixture.stream.onAcked(100, 0, 1)).toBe(true);
  });
});

describe("repairs (STR-6, RFC 9000 §13.3)", () => {
  test("cost no credit", () => {
    const fixture = new Fixture({ limit: 100, connection: 100 });
    fixture.write(200);
    fixture.next();
    fixture.stream.onLost(0, 100, 0);
    expect([fixture.connection.available, fixture.next(), fixture.connection.used]).toEqual([
      0,
      [[0, 100, false]],
      100,
    ]);
    expect(fixture.stream.isBlocked).toBe(true);
  });

  test("may be cut otherwise than the first time", () => {
    const fixture = new Fixture();
    fixture.write(300);
    fixture.next();
    fixture.stream.onLost(50, 200, 0);
    expect([fixture.next(103), fixture.next(103), fixture.next(103)]).toEqual([
      [[50, 100, false]],
      [[150, 99, false]],
      [[249, 1, false]],
    ]);
  });
});

describe("giving up (STR-8, RFC 9000 §3.1)", () => {
  test("drops everything; the final size is what was sent", () => {
    const fixture = new Fixture();
    fixture.write(100);
    fixture.next(60);
    fixture.stream.onLost(0, 20, 0);
    expect([fixture.stream.reset(9), fixture.stream.reset(10)]).toEqual([true, false]);
    const { stream } = fixture;
    expect([stream.state, stream.finalSize, stream.resetCode]).toEqual(["reset-sent", 58, 9]);
    expect([stream.hasRepair, stream.hasFresh, stream.buffered, fixture.next()]).toEqual([false, false, 0, []]);
    stream.onLost(20, 20, 0);
    expect([stream.hasRepair, stream.onAcked(0, 58, 0)]).toEqual([false, false]);
    expect([stream.onResetAcked(), stream.state, stream.onResetAcked()]).toEqual([true, "reset-recvd", false]);
  });

  test("drops an end and an announcement that were not sent", () => {
    const fixture = new Fixture({ isOpener: true });
    fixture.stream.finish();
    fixture.stream.reset(1);
    expect([fixture.stream.hasRepair, fixture.stream.finalSize]).toEqual([false, 0]);
  });

  test("is possible while the end is under way", () => {
    const fixture = new Fixture();
    fixture.write(10);
    fixture.stream.finish();
    fixture.next();
    expect([fixture.stream.reset(1), fixture.stream.finalSize, fixture.stream.hasRepair]).toEqual([true, 10, false]);
  });
});

describe("the writer", () => {
  test("is asked to wait at the mark and may go on at half of it, once", () => {
    const fixture = new Fixture({ highWaterMark: 1_000 });
    expect([fixture.write(999), fixture.write(1), fixture.stream.takeWritable()]).toEqual([true, false, false]);
    fixture.next(400);
    expect([fixture.stream.unsent, fixture.stream.takeWritable()]).toEqual([602, false]);
    fixture.next(400);
    expect([fixture.stream.takeWritable(), fixture.stream.takeWritable()]).toEqual([true, false]);
  });

  test("does not wait for bytes in flight: those are the path's business", () => {
    const fixture = new Fixture({ highWaterMark: 1_000 });
    fixture.write(10_000);
    fixture.next(20_000);
    expect([fixture.stream.buffered, fixture.stream.takeWritable(), fixture.write(999)]).toEqual([10_000, true, true]);
  });
});

describe("what the peer has not acknowledged", () => {
  test("is remembered when the half is given up", () => {
    const fixture = new Fixture();
    fixture.write(30);
    fixture.next();
    fixture.stream.onAcked(0, 10, 0);
    expect(fixture.stream.unacknowledged).toBe(20);
    fixture.stream.reset(1);
    expect([fixture.stream.unacknowledged, fixture.stream.buffered]).toEqual([20, 0]);
    fixture.stream.onAcked(10, 20, 0);
    expect(fixture.stream.unacknowledged).toBe(20);
  });

  test("is nothing once all bytes have arrived, with or without the end", () => {
    const fixture = new Fixture();
    fixture.write(30);
    fixture.next();
    fixture.stream.onAcked(0, 30, 0);
    fixture.stream.reset(1);
    expect(fixture.stream.unacknowledged).toBe(0);
  });
});
