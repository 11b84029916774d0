/**
 * Calls by a channel of the application: slow, lossy, repeating, reordering, shared with others, and full of garbage.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { kind } from "../sim/punch-pair.ts";
import { ChannelLab, type ChannelLabOptions } from "./channel-lab.ts";

const CONE = kind("endpoint-independent", "address-and-port-dependent");
const SYMMETRIC = kind("address-and-port-dependent", "address-and-port-dependent");
const CONES: ChannelLabOptions = { nats: [CONE, CONE] };

/** Time from the call to the first byte at the listener, in ms. */
function firstByte(lab: ChannelLab, options?: { readonly timeout?: number }): number | undefined {
  const calledAt = lab.world.now;
  lab.call(lab.callers[0], options);
  lab.run(25_000, () => lab.arrivals.length > 0);
  const [at] = lab.arrivals;
  return at === undefined ? undefined : at - calledAt;
}

/** A laboratory whose listener has had time to find out where it is. */
function warm(options: ChannelLabOptions): ChannelLab {
  const lab = new ChannelLab(options);
  lab.run(2_000);
  return lab;
}

describe("two cones by a channel (RDV-34)", () => {
  test.each([0, 100, 2_000])("of %i ms each way", (latency) => {
    const lab = warm({ ...CONES, latency });
    // STUN and the way of the message, of its answer, and openers, probe, answer and byte; each is polled by the millisecond.
    expect(firstByte(lab)).toBeLessThanOrEqual(40 + 2 * latency + 15 + 40 + 40 + 20 + 10);
  });

  test("nobody's probes reach a NAT that is not open yet, however slow the channel is", () => {
    const nat = { ...CONE, blacklisting: true };
    for (const latency of [0, 20, 100, 500]) {
      const lab = warm({ nats: [nat, nat], latency });
      expect(firstByte(lab), `${latency} ms`).toBeLessThan(2 * latency + 250);
    }
  });

  test("a listener that hears nothing more begins 1.5 s after its answer", () => {
    const lab = warm({ ...CONES, latency: 10 });
    lab.call();
    lab.run(1_000, () => lab.sent(lab.listener, 2).length > 0);
    const { at } = lab.sent(lab.listener, 2)[0]!;
    // Neither the answer nor anything after it arrives.
    lab.cut();
    lab.run(1_499);
    expect(lab.listener.probes).toEqual([]);
    lab.run(100);
    expect(lab.listener.probes[0]?.at).toBeCloseTo(at + 1_515, -1);
  });
});

describe("a bad channel", () => {
  test("loses, repeats and reorders: they find each other all the same (RDV-32)", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const lab = warm({ ...CONES, seed, latency: 50, jitter: 300, loss: 0.2, repeats: 0.3 });
      expect(firstByte(lab), `seed ${seed}`).toBeDefined();
    }
  });

  test("a first message that nobody answers is repeated after 1, 3, 7 and 15 s, with the same bytes (RDV-32)", () => {
    const lab = warm({ ...CONES, loss: 1 });
    const connection = lab.call();
    const calledAt = lab.world.now;
    lab.run(25_000);
    const sent = lab.sent(lab.callers[0]!, 1);
    const [first] = sent;
    expect(first!.at - calledAt).toBeLessThanOrEqual(50);
    expect(sent.map(({ at }) => Math.round((at - first!.at) / 10) * 10)).toEqual([0, 1_000, 3_000, 7_000, 15_000]);
    expect(new Set(sent.map(({ bytes }) => bytes.join())).size).toBe(1);
    expect(lab.reasonOf(lab.callers[0]!, connection)).toMatchObject({ kind: "unreachable" });
  });

  test("a message that no listener knows any more is replaced by another one (RDV-32)", () => {
    const lab = warm(CONES);
    lab.call(lab.callers[0], { timeout: 60_000 });
    lab.run(1_000, () => lab.sent(lab.listener, 2).length > 0);
    lab.cut();
    lab.run(25_000);
    lab.mend();
    lab.run(10_000, () => lab.arrivals.length > 0);
    expect(lab.arrivals).toHaveLength(1);
    expect(new Set(lab.sent(lab.callers[0]!, 1).map(({ bytes }) => bytes.join())).size).toBe(2);
  });

  test("each repetition is answered with the same bytes, but no more than twice a second (RDV-33)", () => {
    const lab = warm(CONES);
    lab.call();
    lab.run(1_000, () => lab.sent(lab.callers[0]!, 1).length > 0);
    lab.cut();
    const { bytes } = lab.sent(lab.callers[0]!, 1)[0]!;
    for (let delay = 0; delay < 3_000; delay += 50) lab.inject(bytes, delay);
    lab.run(3_100);
    const answers = lab.sent(lab.listener, 2);
    expect(answers).toHaveLength(6);
    expect(new Set(answers.map((each) => each.bytes.join())).size).toBe(1);
  });
});

describe("a channel that several share (RDV-31)", () => {
  test("two callers reach the same listener at the same time, each on its own", () => {
    const lab = warm({ nats: [CONE, CONE, CONE], latency: 50 });
    const connections = lab.callers.map((peer) => lab.call(peer));
    lab.run(3_000, () => lab.arrivals.length === 2);
    expect(lab.arrivals).toHaveLength(2);
    expect(connections.map(({ state }) => state)).toEqual(["open", "open"]);
  });

  test("whatever else is said there is passed over, and changes nothing", () => {
    const lab = warm({ ...CONES, latency: 50 });
    const rng = lab.world.rng.fork("garbage");
    // One in ten is of a kind that we know; 40 a second, so that the rate leaves room for the others.
    for (let at = 0; at < 3_000; at += 25) {
      const garbage = rng.random(rng.integer(0, 1_400));
      if (garbage.length > 0) garbage[0] = rng.integer(0, 12);
      lab.inject(garbage, at);
    }
    expect(firstByte(lab)).toBeLessThan(1_000);
  });

  test("messages that were changed on the way are lost, and no more", () => {
    const lab = warm({ ...CONES, latency: 50 });
    lab.call();
    lab.run(30);
    for (let at = 0; at < 1_000; at += 100) {
      lab.run(100);
      for (const { bytes } of lab.messages.slice(-3)) {
        const changed = Uint8Array.from(bytes);
        changed[changed.length - 1]! ^= 1;
        lab.inject(changed);
      }
    }
    expect(lab.arrivals).toHaveLength(1);
  });

  test("all messages of a call, said again later, have no effect", () => {
    const lab = warm(CONES);
    expect(firstByte(lab)).toBeDefined();
    const before = lab.messages.length;
    for (const { bytes } of [...lab.messages]) lab.inject(bytes);
    lab.run(5_000);
    expect(lab.messages).toHaveLength(before);
    expect(lab.arrivals).toHaveLength(1);
  });

  test("of a flood no more than 100 messages a second are looked at, so that it can do no harm but to the channel", () => {
    const lab = warm(CONES);
    lab.call();
    lab.run(1_000, () => lab.sent(lab.callers[0]!, 1).length > 0);
    const { bytes } = lab.sent(lab.callers[0]!, 1)[0]!;
    lab.cut();
    const before = lab.listener.host.machine.endpoint.stats.dropped["no-ticket"] ?? 0;
    for (let count = 0; count < 1_000; count++)
      lab.inject(Uint8Array.from(bytes, (byte, i) => (i === 9 ? count : byte)));
    lab.run(10);
    const dropped = lab.listener.host.machine.endpoint.stats.dropped;
    expect(Object.values(dropped).reduce((sum, each) => sum + each, 0) - before).toBeLessThanOrEqual(101);
  });
});

describe("where we are", () => {
  test("a listener asks anew after a pause, for its NAT may have forgotten it (RDV-33)", () => {
    const lab = warm({ nats: [{ ...CONE, lifetime: 30_000 }, CONE], latency: 10 });
    lab.run(600_000);
    expect(firstByte(lab)).toBeLessThan(250);
  });

  test("without an answer of a STUN server the message goes after 500 ms, and a public listener is found (RDV-32)", () => {
    const lab = warm({ nats: [CONE, CONE], hasStun: false });
    lab.call();
    const calledAt = lab.world.now;
    lab.run(1_000);
    expect(lab.sent(lab.callers[0]!, 1)[0]!.at - calledAt).toBeCloseTo(500, -1);
  });

  test("neighbours behind a NAT that does not turn around find each other inside", () => {
    const lab = warm({ nats: [undefined, undefined], sharedNat: { ...CONE, hairpin: false }, latency: 20 });
    expect(firstByte(lab)).toBeLessThan(1_000);
  });

  test("a cone and a symmetric NAT that shows its port in time need no guesses", () => {
    const lab = warm({ nats: [SYMMETRIC, kind("endpoint-independent", "address-dependent")], latency: 20 });
    expect(firstByte(lab)).toBeLessThan(1_000);
  });

  test("two symmetric NATs fail with a reason, in less than 12 s, without a spray (PATH-26)", () => {
    const lab = warm({ nats: [SYMMETRIC, SYMMETRIC], latency: 20 });
    const connection = lab.call();
    const [caller] = lab.callers;
    lab.run(12_000, () => lab.reasonOf(caller!, connection) !== undefined);
    expect(lab.reasonOf(caller!, connection)).toMatchObject({ kind: "unreachable", cause: "silent" });
    expect(caller!.probes.length + lab.listener.probes.length).toBeLessThan(120);
  });
});

describe("refusals", () => {
  test("come by the channel as well", () => {
    const lab = warm({ ...CONES, latency: 50, acceptHook: true });
    const connection = lab.call();
    const request = () => lab.listener.events.find(({ event }) => event.type === "request")?.event;
    lab.run(2_000, () => request() !== undefined);
    const event = request();
    if (event?.type !== "request") throw new Error("nobody asks");
    lab.run(2_000);
    lab.listener.host.machine.endpoint.answer(event.request.id, { accept: false, message: "no" }, lab.world.now);
    lab.world.wake(lab.listener.host);
    lab.run(500);
    expect(lab.reasonOf(lab.callers[0]!, connection)).toMatchObject({ kind: "refused", message: "no" });
  });

  test("a listener that was closed says nothing", () => {
    const lab = warm(CONES);
    lab.listener.host.machine.stopAccepting(lab.world.now);
    lab.call();
    lab.run(5_000);
    expect(lab.sent(lab.listener, 2)).toEqual([]);
  });
});
