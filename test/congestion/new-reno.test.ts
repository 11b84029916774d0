import { describe, expect, test } from "vitest";
import { initialWindow, NewReno } from "../../src/congestion/new-reno.ts";
import { MTU, Sender } from "./sender.ts";

const INITIAL = 10 * MTU;

const start = () => new Sender(new NewReno(MTU));

describe("NewReno (RFC 9002 §7)", () => {
  test.each([
    { mtu: 1200, window: 12_000 },
    { mtu: 1452, window: 14_520 },
    { mtu: 1472, window: 14_720 },
    { mtu: 1500, window: 14_720 },
    { mtu: 9000, window: 18_000 },
    { mtu: 65_507, window: 131_014 },
  ])("the initial window for packets of $mtu bytes is $window (REC-21, RFC 9002 §7.2)", ({ mtu, window }) => {
    expect(initialWindow(mtu)).toBe(window);
    expect(new NewReno(mtu).congestionWindow).toBe(window);
  });

  test("slow start grows by what is acknowledged (REC-21, RFC 9002 §7.3.1)", () => {
    const sender = start();
    sender.ack(100, sender.send(0, 10));
    expect([sender.window, sender.state]).toEqual([2 * INITIAL, "slow-start"]);
  });

  test("a loss halves the window; the other losses of that round trip do not (REC-22, RFC 9002 §7.3.2)", () => {
    const sender = start();
    const [lost, alsoLost, ...rest] = sender.send(0, 10);
    sender.lose(100, [lost!]);
    expect([sender.window, sender.state]).toEqual([INITIAL / 2, "recovery"]);
    sender.lose(110, [alsoLost!]);
    sender.ack(120, rest);
    expect([sender.window, sender.state]).toEqual([INITIAL / 2, "recovery"]);
    sender.lose(130, sender.send(100, 1)); // sent at the instant of the reduction
    expect(sender.window).toBe(INITIAL / 2);
  });

  test("the acknowledgement of a packet sent in recovery ends it (RFC 9002 §7.3.2)", () => {
    const sender = start();
    sender.lose(100, sender.send(0, 1));
    const later = sender.send(101, 2);
    sender.ack(200, later.slice(0, 1));
    expect(sender.state).toBe("congestion-avoidance");
    sender.lose(210, later.slice(1));
    expect([sender.window, sender.state]).toEqual([INITIAL / 4, "recovery"]);
  });

  test("congestion avoidance adds one packet per window (REC-21, RFC 9002 §7.3.3)", () => {
    const sender = start();
    sender.lose(100, sender.send(0, 1)); // 6000 = 5 packets
    for (let round = 0; round < 10; round++) {
      const before = sender.window;
      const packets = sender.send(200 + round, before / MTU);
      sender.ack(300, packets.slice(0, -1));
      expect(sender.window).toBe(before);
      sender.ack(300, packets.slice(-1));
      expect(sender.window).toBe(before + MTU);
    }
  });

  test("no growth while the sender has too little to send (REC-21, RFC 9002 §7.8)", () => {
    const sender = start();
    sender.ack(100, sender.send(0, 10), { isAppLimited: true });
    expect(sender.window).toBe(INITIAL);
    sender.lose(200, sender.send(150, 1));
    const window = sender.window;
    sender.ack(400, sender.send(300, 50), { isAppLimited: true });
    expect(sender.window).toBe(window);
  });

  test("the window is two packets at least (REC-22, RFC 9002 §7.2)", () => {
    const sender = start();
    for (let i = 0; i < 10; i++) sender.lose(100 * i + 50, sender.send(100 * i, 1));
    expect(sender.window).toBe(2 * MTU);
  });

  test("persistent congestion leaves two packets and begins slow start (REC-24, RFC 9002 §7.6.2)", () => {
    const sender = start();
    sender.ack(100, sender.send(0, 30));
    sender.lose(5000, sender.send(200, 5), { isPersistent: true });
    expect([sender.window, sender.state]).toEqual([2 * MTU, "slow-start"]);
    sender.ack(5100, sender.send(4000, 2));
    expect(sender.window).toBe(4 * MTU);
    expect(sender.threshold).toBe(20 * MTU);
  });

  test("a mark of congestion halves the window once per round trip (REC-22, RFC 9002 §7.1)", () => {
    const sender = start();
    sender.mark(100, 0);
    sender.mark(110, 50);
    expect(sender.window).toBe(INITIAL / 2);
    sender.mark(210, 150);
    expect(sender.window).toBe(INITIAL / 4);
  });

  test("the initial window follows the packet size, a grown one does not shrink (RFC 9002 §7.2)", () => {
    const sender = start();
    sender.controller.onMtuChange(1452);
    expect(sender.window).toBe(14_520);
    sender.ack(100, sender.send(0, 1));
    sender.controller.onMtuChange(1200);
    expect(sender.window).toBe(15_720);
  });
});

describe("undo of a reduction (REC-23)", () => {
  test("when all packets lost in the period have arrived, window and threshold are what they were", () => {
    const sender = start();
    const packets = sender.send(0, 10);
    sender.lose(100, packets.slice(0, 2));
    sender.lose(105, packets.slice(2, 3));
    sender.arriveLate(110, packets.slice(0, 2));
    expect([sender.window, sender.state]).toEqual([INITIAL / 2, "recovery"]);
    sender.arriveLate(111, packets.slice(2, 3));
    expect([sender.window, sender.state]).toEqual([INITIAL, "slow-start"]);
    expect(sender.threshold).toBe(Number.POSITIVE_INFINITY);
  });

  test("not when one of them is really lost", () => {
    const sender = start();
    const packets = sender.send(0, 10);
    sender.lose(100, packets.slice(0, 3));
    sender.arriveLate(110, packets.slice(0, 2));
    expect(sender.window).toBe(INITIAL / 2);
  });

  test("late packets of an earlier period do not undo a later one", () => {
    const sender = start();
    const first = sender.send(0, 2);
    sender.lose(100, first);
    const second = sender.send(150, 2);
    sender.lose(250, second);
    sender.arriveLate(260, first);
    expect(sender.window).toBe(INITIAL / 4);
    sender.arriveLate(270, second);
    expect(sender.window).toBe(INITIAL / 2);
  });

  test("growth since the reduction is kept if it went further", () => {
    const sender = start();
    const lost = sender.send(0, 1);
    sender.lose(100, lost);
    for (let i = 0; i < 100; i++) sender.ack(300 + i, sender.send(200 + i, sender.window / MTU));
    const grown = sender.window;
    expect(grown).toBeGreaterThan(INITIAL);
    sender.arriveLate(500, lost);
    expect(sender.window).toBe(grown);
  });

  test("a reduction for a mark stays", () => {
    const sender = start();
    const lost = sender.send(0, 1);
    sender.lose(100, lost);
    sender.mark(110, 0);
    sender.arriveLate(120, lost);
    expect(sender.window).toBe(INITIAL / 2);
  });

  test("persistent congestion is not undone", () => {
    const sender = start();
    const lost = sender.send(0, 1);
    sender.lose(100, lost, { isPersistent: true });
    sender.arriveLate(120, lost);
    expect(sender.window).toBe(2 * MTU);
  });
});
