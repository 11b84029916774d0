/**
 * When rounds of hole punching begin, with which sockets, and when a caller gives up.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { kind } from "../sim/punch-pair.ts";
import { Lab, type LabOptions, type Side } from "./lab.ts";

const CONE: Side = { nat: kind("endpoint-independent", "address-and-port-dependent") };
const SYMMETRIC: Side = { nat: kind("address-and-port-dependent", "address-and-port-dependent") };
const CONES: LabOptions = { dialer: CONE, listener: CONE };

/** The first round's start: a session, the invitation and its answer. */
const FIRST = 3 * 40;

/** Peers never hear each other; servers hear both. */
function separate(lab: Lab, until = Number.POSITIVE_INFINITY): void {
  for (const [index, nat] of lab.nats.entries()) {
    const other = lab.nats[1 - index]!.address;
    nat.link.down.filter = ({ from }) =>
      from.host === other && lab.world.now - lab.calledAt < until ? "drop" : "pass";
  }
}

/** When the caller began its rounds, in ms from the call. */
function begins(lab: Lab): readonly number[] {
  const entries = lab.dialer.machine.journal(lab.connection!);
  return entries.flatMap((entry) => (entry.type === "round" ? [entry.at] : []));
}

describe("three rounds (PATH-74, PATH-75)", () => {
  test("begin 0, 1.5 and 6 s after the first; then the caller gives up", () => {
    const lab = new Lab(CONES);
    separate(lab);
    const { reason } = lab.tryPair();
    expect(reason).toMatchObject({ kind: "unreachable", cause: "silent" });
    const [first, second, third, ...more] = begins(lab);
    expect(first).toBe(FIRST);
    // GO comes a round trip after the wish, or a little later: the server measures other round trips than the client.
    expect(Math.abs(second! - FIRST - 1_500)).toBeLessThan(15);
    expect(Math.abs(third! - FIRST - 6_000)).toBeLessThan(15);
    expect(more).toEqual([]);
    expect(lab.world.now - lab.calledAt).toBeLessThan(FIRST + 6_000 + 15 + 1_000 + 1_000 + 50);
    lab.world.run({ for: 30_000 });
    expect([lab.extraSockets.dialer.size, lab.extraSockets.listener.size]).toEqual([0, 0]);
  });

  test.each([
    [2, 1_000, 1_500],
    [3, 3_000, 6_000],
  ])(
    "the way is free in time for round %i alone: it connects, by a fresh socket of each side",
    (_round, until, start) => {
      const lab = new Lab(CONES);
      separate(lab, until);
      // Until then the NATs have seen so many strange packets that the old sockets are of no use.
      const old = lab.nats.map((nat) => nat.mappings().map(({ external }) => external.port));
      for (const [index, nat] of lab.nats.entries()) {
        const { filter } = nat.link.down;
        nat.link.down.filter = (packet) =>
          packet.from.host === lab.nats[1 - index]!.address && old[index]!.includes(packet.to.port)
            ? "drop"
            : filter!(packet);
      }
      const { ms } = lab.tryPair();
      expect(Math.abs(ms! - (FIRST + start + 15 + 1.5 * 40))).toBeLessThan(15);
      expect(lab.connection!.paths()[0]!.local).not.toBe(0);
      lab.world.run({ for: 3_000 });
      expect([lab.extraSockets.dialer.size, lab.extraSockets.listener.size]).toEqual([1, 1]);
    },
  );

  test("each later one takes one fresh socket of each side, asked about at two places", () => {
    const lab = new Lab(CONES);
    separate(lab);
    lab.call();
    lab.world.run({ for: FIRST + 1_000 });
    const before = lab.costs.listener.stun;
    // 200 ms and two round trips to the server before the second round.
    lab.world.run({ until: () => lab.extraSockets.listener.size === 1, for: 500 });
    expect(lab.world.now - lab.calledAt).toBeCloseTo(FIRST + 1_500 - 200 - 2 * 40, 0);
    lab.world.run({ for: 300 });
    expect(lab.costs.listener.stun - before).toBe(2);
    lab.world.run({ for: 5_000 });
    expect(lab.costs.listener.stun - before).toBe(4);
    expect(lab.extraSockets.listener.size).toBe(2);
  });

  test("both sides begin at about the same moment, before the first volley of either, whatever their ways to the server (RDV-16)", () => {
    const lab = new Lab({ ...CONES, warmUp: 0 });
    separate(lab);
    for (const way of ["up", "down"] as const) lab.listener.link[way].update({ delay: 60 });
    lab.listen();
    lab.world.run({ for: 3_000 });
    const openers: { who: string; at: number }[] = [];
    for (const peer of [lab.dialer, lab.listener]) {
      peer.link.up.filter = ({ ttl }) => {
        if (ttl <= 4) openers.push({ who: peer.name, at: lab.world.now - lab.calledAt });
        return "pass";
      };
    }
    lab.tryPair();
    const of = (name: string): readonly number[] => openers.filter(({ who }) => who === name).map(({ at }) => at);
    const [dialer, listener] = [of("dialer"), of("listener")];
    expect([dialer.length, listener.length]).toEqual([3, 3]);
    for (const [round, at] of dialer.entries()) expect(Math.abs(at - listener[round]!)).toBeLessThan(15);
  });

  test("without a word from the server after the answer, later rounds begin 300 ms late, by the main sockets", () => {
    const lab = new Lab(CONES);
    separate(lab, 1_000);
    lab.call();
    lab.world.run({ for: FIRST + 50 });
    lab.stopServer();
    lab.world.run({ until: () => lab.firstByteAt !== undefined || lab.reason !== undefined, for: 20_000 });
    expect(lab.firstByteAt! - lab.calledAt).toBeLessThan(FIRST + 1_500 + 300 + 15 + 1.5 * 40 + 50);
    expect(lab.connection!.paths()[0]!.local).toBe(0);
  });

  test("one answer of STUN in two is lost: samples still come, and in time", () => {
    for (const seed of [1, 2, 3]) {
      const lab = new Lab({ ...CONES, seed });
      separate(lab, 1_000);
      for (const peer of [lab.dialer, lab.listener]) {
        let count = 0;
        peer.link.down.filter = ({ payload }) => (payload[0] === 1 && ++count % 2 === 0 ? "drop" : "pass");
      }
      expect(lab.tryPair().ms).toBeLessThan(FIRST + 1_500 + 300 + 200);
    }
  });
});

describe("when a caller gives up (PATH-72)", () => {
  test("a pair that is known to be hopeless: after the second round", () => {
    const lab = new Lab({ dialer: SYMMETRIC, listener: SYMMETRIC, diagnostics: true });
    const { reason } = lab.tryPair();
    expect(reason).toMatchObject({ kind: "unreachable", cause: "hopeless" });
    expect(begins(lab)).toHaveLength(2);
    expect(lab.world.now - lab.calledAt).toBeLessThan(FIRST + 1_500 + 3_000);
  });

  test("says what was tried, and what came of it", () => {
    const lab = new Lab(CONES);
    separate(lab);
    const { reason } = lab.tryPair();
    if (reason?.kind !== "unreachable") throw new Error("it has found a way");
    // One address of the peer for each round.
    expect(reason.attempts.map(({ kind, received, outcome }) => [kind, received, outcome])).toEqual(
      Array(3).fill(["reflexive", 0, "no-answer"]),
    );
  });

  test("the time to connect is over before: it says what is known then", () => {
    const lab = new Lab(CONES);
    separate(lab);
    const { reason } = lab.tryPair({ timeout: 1_000 });
    expect(reason).toMatchObject({ kind: "unreachable", cause: "silent" });
    expect(lab.world.now - lab.calledAt).toBe(1_000);
  });
});

describe("what is told meanwhile (PATH-71)", () => {
  test("the initiator's situation at once, with its key; the listener guesses no port before", () => {
    const lab = new Lab({ dialer: CONE, listener: SYMMETRIC });
    const server = lab.servers[0]!;
    lab.call();
    lab.world.run({ for: FIRST + 20 });
    expect(server.machine.health.counters.signals).toBe(1);
  });

  test("news come together, and 16 times at most from each side", () => {
    const lab = new Lab(CONES);
    separate(lab);
    lab.call();
    lab.world.run({ for: FIRST + 100 });
    const before = lab.servers[0]!.machine.health.counters.signals;
    for (let i = 0; i < 500; i++) {
      lab.world.at(lab.world.now + i, () => {
        for (const { machine } of [lab.dialer, lab.listener]) {
          machine.onRouterAddress(`203.0.113.${100 + (i % 50)}`, lab.world.now);
          machine.onInterfaces([], lab.world.now);
        }
      });
    }
    lab.world.run({ for: 1_000 });
    expect(lab.servers[0]!.machine.health.counters.signals - before).toBeLessThanOrEqual(2 * 16);
    expect(lab.servers[0]!.machine.health.counters.signals - before).toBeGreaterThan(2 * 8);
  });
});
