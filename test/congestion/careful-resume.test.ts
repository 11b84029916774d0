import { describe, expect, test } from "vitest";
import { Bbr } from "../../src/congestion/bbr/bbr.ts";
import { CapacityObserver } from "../../src/congestion/capacity-observer.ts";
import { CarefulResume } from "../../src/congestion/careful-resume.ts";
import type { ResumableController } from "../../src/congestion/controller.ts";
import { createController } from "../../src/congestion/create.ts";
import { Cubic } from "../../src/congestion/cubic.ts";
import { NewReno } from "../../src/congestion/new-reno.ts";
import { PathMemory } from "../../src/congestion/path-memory.ts";
import type { Instant } from "../../src/util/time.ts";
import { type AckFacts, MTU, Sender } from "./sender.ts";

const KEY = "peer 192.0.2.1";
/** Packets that the path delivered per round trip the last time. */
const SAVED = 300;
const HOUR = 3_600_000;

const at = (now: number) => now as Instant;

/** A connection to a path that is known: 300 packets per 100 ms, seen at the instant 0. */
class Resumed extends Sender<CarefulResume> {
  readonly memory: PathMemory;
  now: number;
  #unacked: number[] = [];

  constructor(inner: ResumableController = new Cubic(MTU), { now = 1_000, memory = known() } = {}) {
    super(new CarefulResume(inner, { mtu: MTU, memory }));
    this.memory = memory;
    this.now = now;
    this.controller.onPath(KEY, at(now));
  }

  /** Packets leave, one by one. */
  leave(count: number): void {
    for (let i = 0; i < count; i++) {
      this.#unacked.push(...this.send(this.now, 1, this.#unacked.length * MTU));
    }
  }

  /** Packets leave until the window is full. */
  fill(): void {
    while ((this.#unacked.length + 1) * MTU <= this.window) this.leave(1);
  }

  /** The oldest packets arrive, in one acknowledgement. */
  arrive(count: number, facts: AckFacts = {}): void {
    this.now += 1;
    const packets = this.#unacked.splice(0, count);
    this.ack(this.now, packets, { bytesInFlight: this.#unacked.length * MTU, ...facts });
  }

  /** The oldest packet is lost. */
  drop({ isPersistent = false } = {}): void {
    this.now += 1;
    const lost = this.#unacked.splice(0, 1);
    this.lose(this.now, lost, { bytesInFlight: this.#unacked.length * MTU, isPersistent });
  }

  get inFlight(): number {
    return this.#unacked.length;
  }
}

function known(): PathMemory {
  const memory = new PathMemory();
  memory.save(KEY, { window: SAVED * MTU, rtt: 100, savedAt: at(0) });
  return memory;
}

/** The initial window has left, and all of it but `rest` packets has arrived. */
function reconnoitred(sender = new Resumed(), facts: AckFacts = {}): Resumed {
  sender.fill();
  sender.now += 100;
  for (let i = 0; i < 9; i++) sender.arrive(1, facts);
  sender.fill();
  sender.arrive(1, facts);
  return sender;
}

/** All of the jump is in flight. */
function jumped(sender = reconnoitred()): Resumed {
  sender.fill();
  return sender;
}

describe("memory of paths (CC-60, RFC 9959 §3.1)", () => {
  test("holds one set for each path, for an hour", () => {
    const memory = known();
    memory.save(KEY, { window: 9, rtt: 8, savedAt: at(7) });
    expect(memory.size).toBe(1);
    expect(memory.find(KEY, at(HOUR + 7))).toEqual({ window: 9, rtt: 8, savedAt: 7 });
    expect(memory.find(KEY, at(HOUR + 8))).toBeUndefined();
    expect(memory.size).toBe(0);
  });

  test("holds 256 paths; the one that was seen the longest time ago gives way", () => {
    const memory = known();
    for (let i = 0; i < 255; i++) memory.save(`${i}`, { window: i, rtt: 1, savedAt: at(i) });
    memory.save(KEY, { window: 1, rtt: 1, savedAt: at(999) });
    memory.save("another", { window: 1, rtt: 1, savedAt: at(999) });
    expect(memory.size).toBe(256);
    expect(memory.find("0", at(999))).toBeUndefined();
    expect(memory.find(KEY, at(999))).toBeDefined();
  });

  test("hands over what it knows only once", () => {
    const memory = known();
    expect(memory.take(KEY, at(1))).toMatchObject({ window: SAVED * MTU });
    expect(memory.take(KEY, at(1))).toBeUndefined();
  });
});

describe("observation (CC-61, RFC 9959 §4.1)", () => {
  /** Three hundred packets in each 120 ms of acknowledgements, over a path with round trips of 100 ms at best. */
  function observe(sender: Resumed, rounds: number, facts: AckFacts = {}, packets = 300): void {
    for (let i = 0; i < rounds * 10; i++) {
      sender.now += 12;
      const numbers = sender.send(sender.now - 1, packets / 10);
      sender.ack(sender.now, numbers, { smoothed: 110, min: 100, sample: 110, ...facts });
    }
  }
  const fresh = () => new Resumed(new Cubic(MTU), { memory: new PathMemory() });

  test("what is delivered per shortest round trip is remembered as it goes", () => {
    const sender = fresh();
    observe(sender, 5);
    const facts = sender.memory.find(KEY, at(sender.now))!;
    expect(facts.window / MTU).toBeGreaterThan(245);
    expect(facts.window / MTU).toBeLessThan(285);
    expect(facts.rtt).toBe(100);
    expect(sender.now - facts.savedAt).toBeLessThan(130);
  });

  test("times in which the sender has too little to send count for nothing", () => {
    const sender = fresh();
    observe(sender, 5, { isAppLimited: true });
    expect(sender.memory.size).toBe(0);
  });

  test("less than four initial windows are not worth it", () => {
    const sender = fresh();
    observe(sender, 5, {}, 40);
    expect(sender.memory.size).toBe(0);
  });

  test("slow start does not replace more by less; what comes after it does", () => {
    const sender = new Resumed(new Cubic(MTU), { memory: new PathMemory() });
    sender.memory.save(KEY, { window: 10_000 * MTU, rtt: 100, savedAt: at(900) });
    observe(sender, 5);
    expect(sender.memory.find(KEY, at(sender.now))?.window).toBe(10_000 * MTU);
    sender.lose(sender.now, sender.send(sender.now - 1, 1));
    sender.now += 200;
    observe(sender, 3);
    expect(sender.memory.find(KEY, at(sender.now))!.window).toBeLessThan(300 * MTU);
  });

  test("the best of ten spans counts", () => {
    const observer = new CapacityObserver();
    const rtt = { hasSample: true, latest: 100, adjusted: 100, min: 100, smoothed: 100, variance: 1 };
    const seen = (now: number, bytes: number) =>
      observer.onAck({ now: at(now), bytes, isAppLimited: false, rtt } as Parameters<typeof observer.onAck>[0]);
    seen(0, 0);
    expect(seen(100, 50_000)).toBe(50_000);
    for (let i = 2; i <= 10; i++) expect(seen(100 * i, 20_000)).toBe(50_000);
    let last = 50_000;
    for (let i = 11; i <= 20; i++) last = seen(100 * i, 20_000)!;
    expect(last).toBe(20_000);
  });
});

describe("reconnaissance (CC-62, RFC 9959 §3.2)", () => {
  test("nothing happens before the initial window has arrived; then the window is half of what it was", () => {
    const sender = new Resumed();
    sender.fill();
    expect(sender.inFlight).toBe(10);
    for (let i = 0; i < 9; i++) {
      sender.arrive(1);
      expect(sender.window).toBe((11 + i) * MTU);
    }
    sender.fill();
    sender.arrive(1);
    expect([sender.window / MTU, sender.state]).toEqual([SAVED / 2, "unvalidated"]);
    // RFC 9959 §4.3.2: paced over the round trip.
    expect(sender.controller.pacingRate).toBeCloseTo(((SAVED / 2) * MTU) / 100);
  });

  test.each([
    { name: "a path that is not known", memory: new PathMemory() },
    { name: "what is older than an hour", now: HOUR + 1 },
    { name: "a round trip of half or less", facts: { min: 50, sample: 50 } },
    { name: "a round trip of more than tenfold", facts: { min: 1_001, sample: 1_001 } },
    { name: "an application with little to send", facts: { isAppLimited: true } },
  ])("$name is no reason", ({ memory = known(), now = 1_000, facts = {} }) => {
    const sender = reconnoitred(new Resumed(new Cubic(MTU), { memory, now }), facts);
    expect(sender.state).toBe("slow-start");
    expect(sender.window / MTU).toBe("isAppLimited" in facts ? 10 : 20);
  });

  test.each([
    { rtt: 50.1, resumes: true },
    { rtt: 1_000, resumes: true },
  ])("a round trip of $rtt ms where 100 are known is", ({ rtt }) => {
    expect(reconnoitred(new Resumed(), { min: rtt, sample: rtt }).state).toBe("unvalidated");
  });

  test("it waits for more to send", () => {
    const sender = reconnoitred(new Resumed(), { isAppLimited: true });
    sender.fill();
    sender.arrive(1);
    expect(sender.state).toBe("unvalidated");
  });

  test("a loss or a mark ends it, and what is known stays for others", () => {
    for (const reason of ["loss", "mark"]) {
      const sender = new Resumed();
      sender.fill();
      if (reason === "loss") sender.drop();
      else sender.mark(sender.now + 1, sender.now);
      for (let i = 0; i < 9; i++) sender.arrive(1);
      expect(sender.window).toBeLessThan(11 * MTU);
      expect(sender.memory.size).toBe(1);
    }
  });

  test("of two connections to one path only one resumes", () => {
    const memory = known();
    const first = new Resumed(new Cubic(MTU), { memory });
    const second = new Resumed(new Cubic(MTU), { memory });
    expect(reconnoitred(first).state).toBe("unvalidated");
    expect(reconnoitred(second).state).toBe("slow-start");
  });

  test("a jump that the controller has made already is none", () => {
    const memory = new PathMemory();
    memory.save(KEY, { window: 40 * MTU, rtt: 100, savedAt: at(0) });
    expect(reconnoitred(new Resumed(new Cubic(MTU), { memory })).state).toBe("slow-start");
  });

  test("4 MiB are the most", () => {
    const memory = new PathMemory();
    memory.save(KEY, { window: 1e9, rtt: 100, savedAt: at(0) });
    expect(reconnoitred(new Resumed(new Cubic(MTU), { memory })).window).toBe(4 * 1024 * 1024);
  });

  test("another path is another path", () => {
    const sender = new Resumed();
    sender.fill();
    sender.controller.onPathChange(at(sender.now));
    for (let i = 0; i < 10; i++) sender.arrive(1);
    expect(sender.state).toBe("slow-start");
  });
});

describe("the jump and its validation (CC-63, RFC 9959 §3.3, §3.4)", () => {
  test("when all of it is in flight, that is the window, and slow start goes on from there", () => {
    const sender = jumped();
    expect([sender.inFlight, sender.state]).toEqual([SAVED / 2, "validating"]);
    expect(sender.window / MTU).toBe(SAVED / 2);
    expect(sender.controller.pacingRate).toBeUndefined();
    sender.arrive(10);
    expect(sender.window / MTU).toBe(SAVED / 2 + 10);
  });

  test("when the last packet of it has arrived, it was right", () => {
    const sender = jumped();
    sender.arrive(SAVED / 2 - 1);
    expect(sender.state).toBe("validating");
    sender.arrive(1);
    expect(sender.state).toBe("slow-start");
    expect(sender.window / MTU).toBe(SAVED);
    expect(sender.threshold).toBe(Number.POSITIVE_INFINITY);
  });

  test("it ends with the first of its packets that arrives", () => {
    const sender = reconnoitred();
    const before = sender.inFlight;
    sender.leave(50);
    sender.arrive(before);
    expect(sender.state).toBe("unvalidated");
    sender.arrive(1);
    expect(sender.state).toBe("validating");
    expect(sender.window / MTU).toBe(49);
  });

  test("it ends after a round trip", () => {
    const sender = reconnoitred();
    sender.leave(100);
    sender.now += 100;
    sender.leave(1);
    expect(sender.state).toBe("validating");
    expect(sender.window / MTU).toBe(sender.inFlight);
  });

  test("a sender with too little to send keeps what has arrived, and what is known stays for others", () => {
    const sender = reconnoitred();
    const before = sender.inFlight;
    sender.leave(5);
    sender.arrive(before);
    sender.now += 100;
    sender.arrive(1);
    expect(sender.state).toBe("slow-start");
    expect(sender.window / MTU).toBe(2 * before + 1);
    expect(sender.memory.take(KEY, at(sender.now))).toEqual({ window: SAVED * MTU, rtt: 100, savedAt: 0 });
  });

  test("while it leaves, acknowledgements do not widen the window", () => {
    const sender = reconnoitred();
    sender.leave(20);
    sender.arrive(5);
    expect(sender.window / MTU).toBe(SAVED / 2);
  });
});

describe("safe retreat (CC-64, RFC 9959 §3.5)", () => {
  test.each([
    { name: "cubic", inner: () => new Cubic(MTU), beta: 0.7 },
    { name: "new-reno", inner: () => new NewReno(MTU), beta: 0.5 },
  ])("a loss leaves half of what arrived until the jump has left the path, then a threshold ($name)", (options) => {
    const sender = reconnoitred(new Resumed(options.inner()));
    const before = sender.inFlight;
    sender.fill();
    sender.arrive(40);
    sender.drop();
    const pipe = before + 40;
    expect(sender.state).toBe("safe-retreat");
    expect(sender.window / MTU).toBeCloseTo(pipe / 2, 1);
    expect(sender.controller.pacingRate).toBeUndefined();
    expect(sender.memory.size).toBe(0);
    const rest = sender.inFlight;
    sender.arrive(rest - 1);
    expect(sender.state).toBe("safe-retreat");
    expect(sender.window / MTU).toBeCloseTo(pipe / 2, 1);
    sender.arrive(1);
    expect(sender.state).not.toBe("safe-retreat");
    expect(sender.window / MTU).toBeCloseTo(pipe / 2, 1);
    expect(sender.threshold / MTU).toBeCloseTo(options.beta * (pipe + rest), 1);
    sender.fill();
    sender.arrive(10);
    expect(sender.window / MTU).toBeCloseTo(pipe / 2 + 10, 1);
  });

  test("so it is while the jump still leaves; a mark and a changed path have the same effect", () => {
    for (const reason of ["loss", "mark", "path", "rtt"]) {
      const sender = reconnoitred();
      sender.leave(30);
      const before = sender.inFlight - 30;
      if (reason === "loss") sender.drop();
      if (reason === "mark") sender.mark(sender.now + 1, sender.now);
      if (reason === "path") sender.controller.onPathChange(at(sender.now));
      if (reason === "rtt") sender.arrive(1, { min: 49 });
      expect(sender.state, reason).toBe("safe-retreat");
      expect(sender.window / MTU, reason).toBeCloseTo((before + (reason === "rtt" ? 1 : 0)) / 2, 1);
      expect(sender.memory.size, reason).toBe(0);
    }
  });

  test("late packets do not bring the jump back", () => {
    const sender = jumped();
    const lost = sender.send(sender.now, 1);
    sender.lose(sender.now + 1, lost);
    const { window } = sender;
    sender.arriveLate(sender.now + 2, lost);
    expect([sender.window, sender.state]).toEqual([window, "safe-retreat"]);
  });

  test("persistent congestion is the controller's business (RFC 9959 §3.6)", () => {
    const sender = jumped();
    sender.drop({ isPersistent: true });
    expect([sender.window, sender.state]).toEqual([2 * MTU, "slow-start"]);
  });

  test("after it the path may be observed anew", () => {
    const sender = jumped();
    sender.drop();
    sender.arrive(sender.inFlight);
    for (let i = 0; i < 40; i++) {
      sender.now += 10;
      sender.ack(sender.now, sender.send(sender.now - 1, 10));
    }
    expect(sender.memory.find(KEY, at(sender.now))!.window / MTU).toBeCloseTo(100, -1);
  });
});

describe("BBR (CC-65, RFC 9959 §C)", () => {
  test("a loss that BBR does not take for congestion does not end the jump", () => {
    const sender = reconnoitred(new Resumed(new Bbr({ mtu: MTU, random: () => 0.5 })));
    expect(sender.state).toBe("unvalidated");
    sender.fill();
    sender.drop();
    expect(sender.state).toBe("validating");
    expect(sender.window / MTU).toBe(SAVED / 2);
  });

  test("the jump is paced by itself or by BBR, whichever is faster", () => {
    for (const { own, rate } of [
      { own: 100, rate: 1_800 },
      { own: 5_000, rate: 5_000 },
    ]) {
      // BBR's own rate depends on samples that this sender does not take.
      const bbr = new Bbr({ mtu: MTU, random: () => 0.5 });
      Object.defineProperty(bbr, "pacingRate", { value: own });
      expect(reconnoitred(new Resumed(bbr)).controller.pacingRate).toBe(rate);
    }
  });

  test("after a retreat it drains and goes on below what arrived", () => {
    const bbr = new Bbr({ mtu: MTU, random: () => 0.5 });
    bbr.retreat(at(0));
    expect(bbr.isStarting).toBe(false);
    bbr.settle(50 * MTU, 100 * MTU);
    expect(bbr.snapshot()).toMatchObject({
      state: "drain",
      congestionWindow: 50 * MTU,
      slowStartThreshold: 70 * MTU,
    });
  });
});

describe("the choice (CC-66)", () => {
  const options = { mtu: MTU, random: () => 0.5 };

  test("without a memory there is no resumption, and what gives way never resumes", () => {
    expect(createController("cubic", options)).toBeInstanceOf(Cubic);
    expect(createController("cubic", { ...options, memory: new PathMemory() })).toBeInstanceOf(CarefulResume);
    expect(createController("background", { ...options, memory: new PathMemory() })).not.toBeInstanceOf(CarefulResume);
  });
});
