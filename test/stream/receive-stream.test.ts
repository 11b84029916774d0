import { describe, expect, test } from "vitest";
import { ReceiveWindow } from "../../src/stream/flow-control.ts";
import { MAX_GAPS } from "../../src/stream/reassembler.ts";
import { ReceiveStream } from "../../src/stream/receive-stream.ts";
import type { Instant } from "../../src/util/time.ts";
import { CLOSE_CODE } from "../../src/wire/codes.ts";

class Fixture {
  readonly connection: ReceiveWindow;
  readonly stream: ReceiveStream;

  constructor({ limit = 1_000, connection = 10_000 } = {}) {
    this.connection = new ReceiveWindow({ initial: connection, maximum: connection });
    this.stream = new ReceiveStream({ initial: limit, maximum: limit }, this.connection);
  }

  data(offset: number, length: number, { fin = false, now = 0 } = {}): number {
    const data = Uint8Array.from({ length }, (_, i) => offset + i);
    return this.stream.onStream({ type: "stream", streamId: 0, offset, data, fin }, now as Instant, 50);
  }

  reset(finalSize: number, code = 5): number {
    return this.stream.onReset({ type: "reset-stream", streamId: 0, code, finalSize });
  }

  /** Bytes read until there are none. */
  read(): number {
    let bytes = 0;
    for (let piece = this.stream.read(); piece !== undefined; piece = this.stream.read()) bytes += piece.length;
    return bytes;
  }
}

describe("states (RFC 9000 §3.2)", () => {
  test("recv, size-known, data-recvd, data-read", () => {
    const { stream, ...rest } = new Fixture();
    expect(rest.connection.received).toBe(0);
    const fixture = new Fixture();
    expect([fixture.data(50, 50, { fin: true }), fixture.stream.state]).toEqual([0, "size-known"]);
    expect([fixture.data(0, 50), fixture.stream.state]).toEqual([0, "data-recvd"]);
    fixture.stream.read();
    fixture.stream.read();
    expect([fixture.stream.takeEnd(), fixture.stream.state, fixture.stream.isOver]).toEqual([true, "data-read", true]);
    expect(stream.state).toBe("recv");
  });

  test("an end behind all that was read completes the half when it is seen", () => {
    const fixture = new Fixture();
    fixture.data(0, 10);
    expect([fixture.stream.takeReadable(), fixture.read(), fixture.stream.takeReadable()]).toEqual([true, 10, false]);
    fixture.data(10, 0, { fin: true });
    expect([fixture.stream.takeReadable(), fixture.stream.isOver]).toEqual([true, false]);
    expect([fixture.read(), fixture.stream.state]).toEqual([0, "data-read"]);
  });

  test("the reader is told once, then not before it has read all there is", () => {
    const fixture = new Fixture();
    fixture.data(0, 10);
    expect([fixture.stream.takeReadable(), fixture.stream.takeReadable()]).toEqual([true, false]);
    fixture.stream.read();
    fixture.data(10, 10);
    expect(fixture.stream.takeReadable()).toBe(false);
    fixture.read();
    fixture.data(30, 10);
    expect(fixture.stream.takeReadable()).toBe(false);
    fixture.data(20, 10);
    expect(fixture.stream.takeReadable()).toBe(true);
  });
});

describe("final size (STR-11, RFC 9000 §4.5)", () => {
  const cases: readonly (readonly [string, (fixture: Fixture) => number])[] = [
    ["a byte beyond the end", (fixture) => fixture.data(100, 1)],
    ["a smaller end", (fixture) => fixture.data(0, 99, { fin: true })],
    ["a greater end", (fixture) => fixture.data(100, 1, { fin: true })],
    ["a reset at another size", (fixture) => fixture.reset(99)],
    ["a reset beyond the end", (fixture) => fixture.reset(101)],
  ];

  test.each(cases)("%s after the end is a violation, in every later state", (_, violate) => {
    const sizeKnown = new Fixture();
    sizeKnown.data(90, 10, { fin: true });
    const dataReceived = new Fixture();
    dataReceived.data(0, 100, { fin: true });
    const dataRead = new Fixture();
    dataRead.data(0, 100, { fin: true });
    dataRead.read();
    const reset = new Fixture();
    reset.reset(100);
    const stopped = new Fixture();
    stopped.stream.stop(1);
    stopped.data(90, 10, { fin: true });
    for (const fixture of [sizeKnown, dataReceived, dataRead, reset, stopped]) {
      expect(violate(fixture)).toBe(CLOSE_CODE.FINAL_SIZE);
    }
  });

  test("an end below what has arrived is a violation", () => {
    const ended = new Fixture();
    ended.data(50, 50);
    expect(ended.data(0, 99, { fin: true })).toBe(CLOSE_CODE.FINAL_SIZE);
    const reset = new Fixture();
    reset.data(50, 50);
    expect(reset.reset(99)).toBe(CLOSE_CODE.FINAL_SIZE);
  });

  test("the same end again is none", () => {
    const fixture = new Fixture();
    fixture.data(0, 100, { fin: true });
    expect([fixture.data(100, 0, { fin: true }), fixture.data(20, 80, { fin: true }), fixture.reset(100)]).toEqual([
      0, 0, 0,
    ]);
    expect(fixture.stream.state).toBe("data-recvd");
  });
});

describe("credit (STR-16, RFC 9000 §4.1)", () => {
  test("the highest offset counts, once, for the stream and the connection", () => {
    const fixture = new Fixture();
    fixture.data(100, 10);
    fixture.data(0, 50);
    fixture.data(100, 10);
    expect(fixture.connection.received).toBe(110);
    expect([fixture.data(990, 11), new Fixture().data(990, 10)]).toEqual([CLOSE_CODE.FLOW_CONTROL, 0]);
  });

  test("the limit of the connection holds below that of the stream", () => {
    const fixture = new Fixture({ connection: 500 });
    expect([fixture.data(0, 500), fixture.data(500, 1)]).toEqual([0, CLOSE_CODE.FLOW_CONTROL]);
  });

  test("a reset counts up to its final size, and all of it as read (RFC 9000 §4.5)", () => {
    const fixture = new Fixture();
    fixture.data(0, 100);
    fixture.stream.read();
    fixture.data(200, 100);
    expect([fixture.reset(900), fixture.connection.received, fixture.connection.consumed]).toEqual([0, 900, 900]);
    expect([fixture.stream.buffered, fixture.stream.read()]).toEqual([0, undefined]);
    expect(new Fixture().reset(1_001)).toBe(CLOSE_CODE.FLOW_CONTROL);
    expect(new Fixture({ connection: 500 }).reset(501)).toBe(CLOSE_CODE.FLOW_CONTROL);
  });

  test("data after a reset is accounted for already, and dropped (STR-13)", () => {
    const fixture = new Fixture();
    fixture.reset(500);
    expect([fixture.data(100, 100), fixture.connection.received, fixture.stream.buffered]).toEqual([0, 500, 0]);
    expect(fixture.stream.takeReadable()).toBe(false);
  });

  test("new credit is due while the end is unknown, never later (STR-17)", () => {
    const fixture = new Fixture();
    fixture.data(0, 400);
    fixture.read();
    expect([fixture.stream.hasNewCredit, fixture.stream.grant(), fixture.stream.hasNewCredit]).toEqual([
      true,
      1_400,
      false,
    ]);
    fixture.data(400, 900);
    fixture.read();
    expect(fixture.stream.hasNewCredit).toBe(true);
    fixture.data(1_300, 0, { fin: true });
    expect(fixture.stream.hasNewCredit).toBe(false);
  });

  test("a stream that grows takes the connection with it, to one and a half times its window (STR-19)", () => {
    const connection = new ReceiveWindow({ initial: 4_000, maximum: 8_000 });
    const stream = new ReceiveStream({ initial: 1_000, maximum: 4_000 }, connection);
    // Slow for the window of the connection, fast for that of the stream.
    for (let now = 0, offset = 0; now < 20; now++, offset += 500) {
      const data = new Uint8Array(500);
      stream.onStream({ type: "stream", streamId: 0, offset, data, fin: false }, now as Instant, 1.5);
      stream.read();
      stream.grant();
      connection.grant();
    }
    expect(connection.size).toBe(6_000);
  });
});

describe("gaps", () => {
  test("one too many closes the connection (STR-12)", () => {
    const fixture = new Fixture({ limit: 10_000 });
    for (let i = 1; i <= MAX_GAPS; i++) expect(fixture.data(2 * i, 1)).toBe(0);
    expect(fixture.data(2 * MAX_GAPS + 2, 1)).toBe(CLOSE_CODE.LIMIT_EXCEEDED);
  });
});

describe("a reset (STR-13, RFC 9000 §3.2)", () => {
  test("ends the half in recv and size-known", () => {
    for (const fin of [false, true]) {
      const fixture = new Fixture();
      fixture.data(50, 50, { fin });
      expect([fixture.reset(100, 7), fixture.stream.state, fixture.stream.code]).toEqual([0, "reset-recvd", 7]);
      fixture.reset(100, 8);
      expect(fixture.stream.code).toBe(7);
    }
  });

  test("is ignored once everything has arrived", () => {
    const fixture = new Fixture();
    fixture.data(0, 100, { fin: true });
    expect([fixture.reset(100), fixture.stream.state, fixture.read()]).toEqual([0, "data-recvd", 100]);
    expect([fixture.reset(100), fixture.stream.state]).toEqual([0, "data-read"]);
  });
});

describe("giving up (STR-14, RFC 9000 §3.5)", () => {
  test("asks the peer to stop; what still comes is accounted for and dropped", () => {
    const fixture = new Fixture();
    fixture.data(0, 100);
    expect([fixture.stream.stop(3), fixture.stream.stop(4), fixture.stream.code]).toEqual([true, false, 3]);
    expect([fixture.connection.consumed, fixture.stream.buffered, fixture.stream.read()]).toEqual([100, 0, undefined]);
    expect([fixture.data(100, 200), fixture.connection.received, fixture.connection.consumed]).toEqual([0, 300, 300]);
    expect([fixture.stream.takeReadable(), fixture.stream.hasNewCredit, fixture.stream.awaitsStop]).toEqual([
      false,
      false,
      true,
    ]);
    expect(fixture.data(900, 101)).toBe(CLOSE_CODE.FLOW_CONTROL);
  });

  test("is over with the answer", () => {
    const fixture = new Fixture();
    fixture.stream.stop(3);
    expect([fixture.reset(700), fixture.stream.state, fixture.connection.consumed]).toEqual([0, "abandoned", 700]);
  });

  test("is over when the end came instead and the peer knows that it was given up", () => {
    const endFirst = new Fixture();
    endFirst.stream.stop(3);
    endFirst.data(100, 100, { fin: true });
    expect([endFirst.stream.state, endFirst.connection.consumed]).toEqual(["recv", 200]);
    endFirst.stream.onStopAcked();
    expect(endFirst.stream.state).toBe("abandoned");
    const ackFirst = new Fixture();
    ackFirst.stream.stop(3);
    ackFirst.stream.onStopAcked();
    expect([ackFirst.stream.state, ackFirst.stream.awaitsStop]).toEqual(["recv", false]);
    ackFirst.data(100, 100, { fin: true });
    expect(ackFirst.stream.state).toBe("abandoned");
  });

  test("asks for nothing once everything has arrived, but drops it", () => {
    const fixture = new Fixture();
    fixture.data(0, 100, { fin: true });
    expect([fixture.stream.stop(3), fixture.stream.state, fixture.connection.consumed]).toEqual([
      false,
      "abandoned",
      100,
    ]);
    expect(fixture.stream.takeEnd()).toBe(false);
  });

  test("after the end or a reset is nothing", () => {
    const ended = new Fixture();
    ended.data(0, 0, { fin: true });
    ended.read();
    expect([ended.stream.stop(3), ended.stream.state]).toEqual([false, "data-read"]);
    const reset = new Fixture();
    reset.reset(10);
    expect([reset.stream.stop(3), reset.stream.state, reset.stream.code]).toEqual([false, "reset-recvd", 5]);
  });
});
