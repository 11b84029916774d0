import { describe, expect, test } from "vitest";
import { ReceiveWindow, SendCredit } from "../../src/stream/flow-control.ts";
import type { Instant } from "../../src/util/time.ts";
import { MAX_VARINT } from "../../src/wire/varint.ts";

function at(ms: number): Instant {
  return ms as Instant;
}

/** `bytes` arrive at `now` and are read at once. */
function pass(window: ReceiveWindow, bytes: number, now: number, rtt: number): void {
  expect(window.charge(bytes)).toBe(true);
  window.onArrival(at(now), rtt);
  window.consume(bytes);
  if (window.hasNewCredit) window.grant();
}

describe("credit to send (STR-15, RFC 9000 §4.1)", () => {
  test("is what the highest limit leaves; a lower one is old news", () => {
    const credit = new SendCredit(100);
    credit.use(60);
    expect([credit.available, credit.used]).toEqual([40, 60]);
    expect([credit.raise(90), credit.raise(100), credit.available]).toEqual([false, false, 40]);
    expect([credit.raise(150), credit.available, credit.limit]).toEqual([true, 90, 150]);
  });

  test("lacking is reported once for each limit (STR-20)", () => {
    const credit = new SendCredit(0);
    expect([credit.isBlocked, credit.block(), credit.isBlocked, credit.block()]).toEqual([false, true, true, false]);
    credit.raise(10);
    expect([credit.isBlocked, credit.block(), credit.block()]).toEqual([false, true, false]);
  });
});

describe("a receive window", () => {
  test("refuses what passes the limit, to the byte (STR-16, RFC 9000 §4.1)", () => {
    const window = new ReceiveWindow({ initial: 100, maximum: 1_000 });
    expect([window.charge(60), window.charge(41), window.received, window.charge(40)]).toEqual([true, false, 60, true]);
    expect(window.charge(1)).toBe(false);
  });

  test("is announced again at a quarter (STR-17, RFC 9000 §4.2)", () => {
    const window = new ReceiveWindow({ initial: 100, maximum: 100 });
    window.charge(100);
    window.consume(24);
    expect(window.hasNewCredit).toBe(false);
    window.consume(1);
    expect([window.hasNewCredit, window.grant(), window.hasNewCredit]).toEqual([true, 125, false]);
  });

  test("holds eight round trips of what is read, up to its maximum (STR-18)", () => {
    const window = new ReceiveWindow({ initial: 1_000, maximum: 30_000 });
    for (let now = 0; now <= 600; now += 10) pass(window, 400, now, 50);
    expect(window.size).toBe(8 * 5 * 400);
    for (let now = 610; now <= 900; now += 10) pass(window, 800, now, 50);
    expect(window.size).toBe(30_000);
    expect(window.limit - window.consumed).toBeLessThanOrEqual(30_000);
  });

  test("grows as soon as a sender that was held back by it uses it up (STR-18)", () => {
    const window = new ReceiveWindow({ initial: 1_000, maximum: 100_000 });
    // The sender spends all its credit at once and then waits for more, one round trip.
    let trips = 0;
    for (; window.size < 64_000; trips++) {
      for (let i = 0; i < 10; i++) pass(window, Math.floor((window.limit - window.received) / 10), trips * 50 + i, 50);
      window.grant();
    }
    expect(trips).toBeLessThanOrEqual(4);
  });

  test("stays when it is read slowly, though it is read as a whole at once (STR-18)", () => {
    const window = new ReceiveWindow({ initial: 1_000, maximum: 100_000 });
    for (let now = 0; now < 10_000; now += 450) {
      for (let i = 0; i < 4; i++) {
        window.charge(250);
        window.onArrival(at(now + i), 50);
      }
      window.consume(1_000);
      window.grant();
    }
    expect(window.size).toBe(1_000);
  });

  test("is small again after a pause, but keeps its promise (STR-17, STR-18)", () => {
    const window = new ReceiveWindow({ initial: 1_000, maximum: 64_000 });
    for (let now = 0; now <= 400; now += 1) pass(window, 900, now, 50);
    expect(window.size).toBe(64_000);
    const { limit } = window;
    window.onArrival(at(400 + 2_001), 50);
    expect([window.size, window.limit, window.grant()]).toEqual([1_000, limit, limit]);
    // No new credit before the promise is used up but for one small window.
    pass(window, limit - window.received - 700, 2_402, 1);
    expect([window.limit, window.hasNewCredit]).toEqual([limit + 300, false]);
  });

  test("does not take eight round trips of a long path for a pause (STR-18)", () => {
    const window = new ReceiveWindow({ initial: 1_000, maximum: 64_000 });
    window.onArrival(at(0), 600);
    window.growTo(2_000);
    window.onArrival(at(4_000), 600);
    expect(window.size).toBe(2_000);
    window.onArrival(at(9_000), 600);
    expect(window.size).toBe(1_000);
  });

  test("is never below its start, nor its limit above the greatest offset", () => {
    const window = new ReceiveWindow({ initial: MAX_VARINT, maximum: 10 });
    expect([window.size, window.growTo(5)]).toEqual([MAX_VARINT, false]);
    window.charge(1_000);
    window.consume(1_000);
    expect([window.hasNewCredit, window.grant()]).toEqual([false, MAX_VARINT]);
  });
});
