import { describe, expect, test } from "vitest";
import type { PacketRecords } from "../../src/congestion/controller.ts";
import { initialWindow, NewReno } from "../../src/congestion/new-reno.ts";
import type { Instant } from "../../src/util/time.ts";

const MTU = 1200;
const INITIAL = 10 * MTU;

/** A sender of full packets, one number after the other, that tells a controller what the test says became of them. */
class Sender {
  readonly controller = new NewReno(MTU);
  readonly #sentAt: number[] = [];
  readonly #lostAt: number[] = [];
  readonly #ledger: PacketRecords = {
    size: () => MTU,
    sentAt: (packetNumber) => this.#sentAt[packetNumber] as Instant,
    lostAt: (packetNumber) => this.#lostAt[packetNumber] as Instant,
    isInFlightKind: () => true,
    delivered: () => 0,
    lostWhenSent: () => 0,
    inFlightWhenSent: () => 0,
    isAppLimited: () => false,
  };

  /** Sends `count` packets at `now`; returns their numbers. */
  send(now: number, count: number): number[] {
    const first = this.#sentAt.length;
    for (let i = 0; i < count; i++) this.#sentAt.push(now);
    return Array.from({ length: count }, (_, i) => first + i);
  }

  ack(now: number, packets: readonly number[], { isAppLimited = false } = {}): void {
    this.controller.onAck({
      now: now as Instant,
      packets,
      ledger: this.#ledger,
      bytes: packets.length * MTU,
      bytesInFlight: 0,
      isAppLimited,
      rtt: { hasSample: true, latest: 100, min: 100, smoothed: 100, variance: 10 },
      rate: {
        hasData: false,
        deliveryRate: 0,
        isAppLimited: false,
        interval: 0,
        delivered: 0,
        priorDelivered: 0,
        priorDeliveredAt: 0 as Instant,
        sendElapsed: 0,
        ackElapsed: 0,
        newlyAcked: 0,
        newlyLost: 0,
        inFlightWhenSent: 0,
        lost: 0,
        lastAcked: 0,
        rtt: undefined,
      },
    });
  }

  lose(now: number, packets: readonly number[], { isPersistent = false } = {}): void {
    for (const packetNumber of packets) this.#lostAt[packetNumber] = now;
    this.controller.onLoss({
      now: now as Instant,
      packets,
      ledger: this.#ledger,
      lost: 0,
      delivered: 0,
      bytes: packets.length * MTU,
      newestSentAt: Math.max(...packets.map((each) => this.#sentAt[each]!)) as Instant,
      bytesInFlight: 0,
      isPersistent,
    });
  }

  arriveLate(now: number, packets: readonly number[]): void {
    this.controller.onSpuriousLoss({ now: now as Instant, packets, ledger: this.#ledger });
  }

  mark(now: number, sentAt: number): void {
    this.controller.onCongestionMark({ now: now as Instant, sentAt: sentAt as Instant });
  }

  get window(): number {
    return this.controller.congestionWindow;
  }

  get state(): string {
    return this.controller.snapshot().state;
  }
}

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
    const sender = new Sender();
    sender.ack(100, sender.send(0, 10));
    expect([sender.window, sender.state]).toEqual([2 * INITIAL, "slow-start"]);
  });

  test("a loss halves the window; the other losses of that round trip do not (REC-22, RFC 9002 §7.3.2)", () => {
    const sender = new Sender();
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
    const sender = new Sender();
    sender.lose(100, sender.send(0, 1));
    const later = sender.send(101, 2);
    sender.ack(200, later.slice(0, 1));
    expect(sender.state).toBe("congestion-avoidance");
    sender.lose(210, later.slice(1));
    expect([sender.window, sender.state]).toEqual([INITIAL / 4, "recovery"]);
  });

  test("congestion avoidance adds one packet per window (REC-21, RFC 9002 §7.3.3)", () => {
    const sender = new Sender();
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
    const sender = new Sender();
    sender.ack(100, sender.send(0, 10), { isAppLimited: true });
    expect(sender.window).toBe(INITIAL);
    sender.lose(200, sender.send(150, 1));
    const window = sender.window;
    sender.ack(400, sender.send(300, 50), { isAppLimited: true });
    expect(sender.window).toBe(window);
  });

  test("the window is two packets at least (REC-22, RFC 9002 §7.2)", () => {
    const sender = new Sender();
    for (let i = 0; i < 10; i++) sender.lose(100 * i + 50, sender.send(100 * i, 1));
    expect(sender.window).toBe(2 * MTU);
  });

  test("persistent congestion leaves two packets and begins slow start (REC-24, RFC 9002 §7.6.2)", () => {
    const sender = new Sender();
    sender.ack(100, sender.send(0, 30));
    sender.lose(5000, sender.send(200, 5), { isPersistent: true });
    expect([sender.window, sender.state]).toEqual([2 * MTU, "slow-start"]);
    sender.ack(5100, sender.send(4000, 2));
    expect(sender.window).toBe(4 * MTU);
    expect(sender.controller.snapshot().slowStartThreshold).toBe(20 * MTU);
  });

  test("a mark of congestion halves the window once per round trip (REC-22, RFC 9002 §7.1)", () => {
    const sender = new Sender();
    sender.mark(100, 0);
    sender.mark(110, 50);
    expect(sender.window).toBe(INITIAL / 2);
    sender.mark(210, 150);
    expect(sender.window).toBe(INITIAL / 4);
  });

  test("the initial window follows the packet size, a grown one does not shrink (RFC 9002 §7.2)", () => {
    const sender = new Sender();
    sender.controller.onMtuChange(1452);
    expect(sender.window).toBe(14_520);
    sender.ack(100, sender.send(0, 1));
    sender.controller.onMtuChange(1200);
    expect(sender.window).toBe(15_720);
  });
});

describe("undo of a reduction (REC-23)", () => {
  test("when all packets lost in the period have arrived, window and threshold are what they were", () => {
    const sender = new Sender();
    const packets = sender.send(0, 10);
    sender.lose(100, packets.slice(0, 2));
    sender.lose(105, packets.slice(2, 3));
    sender.arriveLate(110, packets.slice(0, 2));
    expect([sender.window, sender.state]).toEqual([INITIAL / 2, "recovery"]);
    sender.arriveLate(111, packets.slice(2, 3));
    expect([sender.window, sender.state]).toEqual([INITIAL, "slow-start"]);
    expect(sender.controller.snapshot().slowStartThreshold).toBe(Number.POSITIVE_INFINITY);
  });

  test("not when one of them is really lost", () => {
    const sender = new Sender();
    const packets = sender.send(0, 10);
    sender.lose(100, packets.slice(0, 3));
    sender.arriveLate(110, packets.slice(0, 2));
    expect(sender.window).toBe(INITIAL / 2);
  });

  test("late packets of an earlier period do not undo a later one", () => {
    const sender = new Sender();
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
    const sender = new Sender();
    const lost = sender.send(0, 1);
    sender.lose(100, lost);
    for (let i = 0; i < 100; i++) sender.ack(300 + i, sender.send(200 + i, sender.window / MTU));
    const grown = sender.window;
    expect(grown).toBeGreaterThan(INITIAL);
    sender.arriveLate(500, lost);
    expect(sender.window).toBe(grown);
  });

  test("a reduction for a mark stays", () => {
    const sender = new Sender();
    const lost = sender.send(0, 1);
    sender.lose(100, lost);
    sender.mark(110, 0);
    sender.arriveLate(120, lost);
    expect(sender.window).toBe(INITIAL / 2);
  });

  test("persistent congestion is not undone", () => {
    const sender = new Sender();
    const lost = sender.send(0, 1);
    sender.lose(100, lost, { isPersistent: true });
    sender.arriveLate(120, lost);
    expect(sender.window).toBe(2 * MTU);
  });
});
