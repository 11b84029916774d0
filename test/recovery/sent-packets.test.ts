import { describe, expect, test } from "vitest";
import { IN_FLIGHT, SentPackets } from "../../src/recovery/sent-packets.ts";
import { ACK_ONLY, at, DATA } from "./support.ts";

type Token = { readonly kind: "max-data"; readonly limit: number };

function sendTo(sent: SentPackets<Token>, now: number, { size = 1200, flags = DATA } = {}): number {
  const packetNumber = sent.nextPacketNumber;
  sent.begin(packetNumber);
  sent.commit(size, at(now), flags);
  return packetNumber;
}

describe("the ledger of sent packets", () => {
  test("gives back what a packet carried", () => {
    const sent = new SentPackets<Token>();
    const limit: Token = { kind: "max-data", limit: 9 };
    sent.begin(0);
    sent.addStream(4, 2 ** 40, 1100, 0);
    sent.addStream(8, 0, 17, 1);
    sent.addToken(limit);
    sent.addStream(12, 5, 0, 1);
    sent.addAck(77);
    sent.commit(1200, at(5), DATA);
    expect(sent.streamRangeCount(0)).toBe(3);
    const ranges = [0, 1, 2].map((i) => [
      sent.streamId(0, i),
      sent.streamStart(0, i),
      sent.streamLength(0, i),
      sent.streamFin(0, i),
    ]);
    expect(ranges).toEqual([
      [4, 2 ** 40, 1100, 0],
      [8, 0, 17, 1],
      [12, 5, 0, 1],
    ]);
    expect(sent.tokens(0)).toEqual([limit]);
    expect([sent.ackLargest(0), sent.size(0), sent.sentAt(0)]).toEqual([77, 1200, 5]);
    expect([sent.isAckEliciting(0), sent.isInFlightKind(0), sent.isOutstanding(0)]).toEqual([true, true, true]);
  });

  test("a packet without content has none", () => {
    const sent = new SentPackets<Token>();
    sendTo(sent, 0);
    expect([sent.streamRangeCount(0), sent.tokens(0).length, sent.ackLargest(0)]).toEqual([0, 0, -1]);
  });

  test("a token without a stream range, and a fin without bytes, are kept", () => {
    const sent = new SentPackets<Token>();
    sent.begin(0);
    sent.addToken({ kind: "max-data", limit: 1 });
    sent.commit(60, at(0), DATA);
    sent.begin(1);
    sent.addStream(0, 0, 0, 1);
    sent.commit(60, at(0), DATA);
    expect([sent.streamRangeCount(0), sent.tokens(0).length]).toEqual([0, 1]);
    expect([sent.streamRangeCount(1), sent.streamLength(1, 0), sent.streamFin(1, 0)]).toEqual([1, 0, 1]);
  });

  test("begin starts over when a packet was given up, and nothing of it remains", () => {
    const sent = new SentPackets<Token>();
    sent.begin(0);
    sent.addStream(4, 0, 100, 0);
    sent.addStream(8, 0, 100, 0);
    sent.addAck(3);
    sent.begin(0);
    sent.addStream(12, 7, 1, 0);
    sent.commit(100, at(0), DATA);
    expect([sent.streamRangeCount(0), sent.streamId(0, 0), sent.ackLargest(0)]).toEqual([1, 12, -1]);
    expect(() => sent.begin(0)).toThrow(RangeError);
    expect(() => sent.begin(2)).toThrow(RangeError);
  });

  test("rows are clean when they are used again", () => {
    const sent = new SentPackets<Token>();
    for (let i = 0; i < 100; i++) {
      sent.begin(i);
      expect(sent.tokens(i)).toEqual([]);
      if (i % 3 === 0) sent.addToken({ kind: "max-data", limit: i });
      if (i % 5 === 0) for (let r = 0; r < 3; r++) sent.addStream(r, i, 1, 1);
      sent.commit(100, at(i), DATA);
      expect(sent.streamRangeCount(i)).toBe(i % 5 === 0 ? 3 : 0);
      expect(sent.tokens(i)).toHaveLength(i % 3 === 0 ? 1 : 0);
      sent.markAcked(i);
      sent.advance(i + 1);
      sent.release();
    }
    expect(sent.capacity).toBe(4);
  });

  test("bytes in flight count packets that are in flight, and only those (RFC 9002 §B.2)", () => {
    const sent = new SentPackets<Token>();
    sendTo(sent, 0, { size: 1000 });
    sendTo(sent, 0, { size: 50, flags: ACK_ONLY });
    sendTo(sent, 0, { size: 300, flags: IN_FLIGHT });
    expect([sent.bytesInFlight, sent.ackElicitingInFlight]).toEqual([1300, 1]);
    sent.markAcked(1);
    expect([sent.bytesInFlight, sent.ackElicitingInFlight]).toEqual([1300, 1]);
    sent.markLost(0, at(9));
    expect([sent.bytesInFlight, sent.ackElicitingInFlight]).toEqual([300, 0]);
    sent.markAcked(2);
    expect([sent.bytesInFlight, sent.ackElicitingInFlight]).toEqual([0, 0]);
    expect([sent.isLost(0), sent.lostAt(0)]).toEqual([true, 9]);
  });

  test("survives growth: every row is where it was", () => {
    const sent = new SentPackets<Token>();
    for (let i = 0; i < 5; i++) sendTo(sent, 0);
    for (let i = 0; i < 5; i++) sent.markAcked(i);
    sent.advance(5);
    for (let i = 5; i < 3000; i++) {
      sent.begin(i);
      sent.addStream(i, i * 2, i % 7, i % 2 === 0 ? 1 : 0);
      if (i % 11 === 0) sent.addToken({ kind: "max-data", limit: i });
      sent.commit(i % 1200, at(i), DATA);
    }
    expect(sent.capacity).toBe(4096);
    for (let i = 5; i < 3000; i++) {
      expect(sent.streamId(i, 0)).toBe(i);
      expect(sent.streamStart(i, 0)).toBe(i * 2);
      expect(sent.size(i)).toBe(i % 1200);
      expect(sent.sentAt(i)).toBe(i);
      expect(sent.tokens(i)).toHaveLength(i % 11 === 0 ? 1 : 0);
    }
  });

  test.each([2 ** 16, 2 ** 31, 2 ** 32, 2 ** 52])("numbers around %d work", (middle) => {
    const first = middle - 500;
    const sent = new SentPackets<Token>(first);
    for (let i = 0; i < 1000; i++) {
      sent.begin(first + i);
      sent.addStream(i, i, i, 0);
      sent.commit(i, at(i), DATA);
    }
    for (let i = 0; i < 1000; i++) {
      expect([sent.streamId(first + i, 0), sent.size(first + i), sent.sentAt(first + i)]).toEqual([i, i, i]);
    }
    expect(sent.nextPacketNumber).toBe(middle + 500);
  });

  test("an endpoint that only acknowledges needs no more than the smallest ring", () => {
    const sent = new SentPackets<Token>();
    for (let i = 0; i < 10_000; i++) sendTo(sent, i, { size: 60, flags: ACK_ONLY });
    expect(sent.capacity).toBe(4);
  });

  test("a large ring halves when it is nearly empty, and shrinks whole when it is idle", () => {
    const sent = new SentPackets<Token>();
    for (let i = 0; i < 20_000; i++) sendTo(sent, 0);
    expect(sent.capacity).toBe(32_768);
    for (let i = 0; i < 20_000; i++) {
      sent.markAcked(i);
      sent.advance(i + 1);
      sent.release();
    }
    expect(sent.capacity).toBe(1024);
    expect(sent.isEnlarged).toBe(true);
    sent.shrink();
    expect([sent.capacity, sent.isEnlarged, sent.span]).toEqual([4, false, 0]);
    sendTo(sent, 1);
    expect(sent.sentAt(20_000)).toBe(1);
  });

  test("shrinking while something is in flight keeps it", () => {
    const sent = new SentPackets<Token>();
    for (let i = 0; i < 20; i++) sendTo(sent, i);
    for (let i = 0; i < 19; i++) sent.markAcked(i);
    sent.advance(19);
    sent.shrink();
    expect(sent.capacity).toBe(32);
    expect([sent.bytesInFlight, sent.sentAt(19)]).toEqual([1200, 19]);
  });

  test("late arrivals are taken out of the lost ones by range, and the forgotten do not come back (REC-16)", () => {
    const sent = new SentPackets<Token>();
    for (let i = 0; i < 10; i++) sendTo(sent, 0);
    for (let i = 0; i < 8; i++) sent.markLost(i, at(i < 4 ? 10 : 20));
    sent.advance(8);
    const arrived: number[] = [];
    sent.takeArrivedLate(5, 7, arrived);
    sent.takeArrivedLate(5, 7, arrived);
    expect(arrived).toEqual([5, 6]);
    expect([sent.isAcked(5), sent.isLost(5), sent.isLost(4)]).toEqual([true, false, true]);
    sent.forgetLost(at(10), 0);
    sent.takeArrivedLate(0, 5, arrived);
    expect(arrived).toEqual([5, 6, 4]);
    expect(sent.lostCount).toBe(1);
    sent.forgetLost(at(0), 8);
    expect(sent.lostCount).toBe(0);
    sent.release();
    expect(sent.span).toBe(2);
  });

  test("skipped numbers are remembered, the newest 16 of them", () => {
    const sent = new SentPackets<Token>();
    for (let i = 0; i < 40; i += 2) {
      sendTo(sent, 0);
      sent.skip(i + 1);
    }
    expect(sent.skipped).toHaveLength(16);
    expect(sent.skipped[15]).toBe(39);
    expect([sent.isOutstanding(39), sent.isAcked(39), sent.isLost(39), sent.isInFlight(39)]).toEqual(
      Array.from({ length: 4 }, () => false),
    );
    expect(() => sent.skip(3)).toThrow(RangeError);
  });

  test("an idle ledger holds less than 1 KiB", () => {
    // Four rows of 88 bytes and four references; the objects around them are some 200 bytes.
    const sent = new SentPackets<Token>();
    expect(sent.capacity * (88 + 8) + 200).toBeLessThan(1024);
  });
});
