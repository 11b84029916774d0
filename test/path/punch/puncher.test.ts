/**
 * One round as a whole: who is probed, when guessing begins, and how it ends.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { PunchBudget } from "../../../src/path/punch/budget.ts";
import { ANSWER_WAIT, Puncher, type PuncherOptions } from "../../../src/path/punch/puncher.ts";
import { address } from "../../../src/testing/index.ts";
import type { Instant } from "../../../src/util/time.ts";
import { profile } from "./profiles.ts";
import { candidate, HARD, options, PEER, Run, START, US } from "./run.ts";

describe("targets (PATH-14)", () => {
  test("neighbours, IPv6, mapped, reflexive, carrier; each once, of its own family", () => {
    const remote = [
      candidate("100.64.0.9", 5, "carrier"),
      candidate(US, 4001),
      candidate(US, 4002),
      candidate(US, 4100, "mapped"),
      candidate("2001:db8::2", 4001, "host"),
      candidate("192.168.0.3", 4001, "host"),
      candidate(US, 4003, "predicted"),
    ].map((each) => (each.address.port < 1024 ? candidate("100.64.0.9", 5000, "carrier") : each));
    const { shots } = new Run({ remote }).until(5000);
    const volley = shots.filter(({ type }) => type === "probe").slice(0, 5);
    expect(volley.map(({ via, kind, to }) => `${via} ${kind} ${to.port}`)).toEqual([
      "0 host 4001",
      "1 host 4001",
      "0 mapped 4100",
      "0 reflexive 4001",
      "0 carrier 5000",
    ]);
    expect(shots.filter(({ type }) => type === "opener")).toHaveLength(4);
  });

  test("what is refused is not sent to, and told (PATH-15)", () => {
    const remote = [candidate("127.0.0.1", 4000), candidate("10.0.0.1", 4000, "host"), candidate(PEER, 80)];
    const run = new Run({ remote }).until(20_000);
    expect(run.shots).toEqual([]);
    expect(run.others).toEqual(["no-targets"]);
    expect(run.puncher.attempts(run.now).map(({ outcome }) => outcome)).toEqual(["refused", "refused", "refused"]);
  });

  test("those that are announced later are tried then", () => {
    const run = new Run().until(500);
    const mapped = candidate(PEER, 7000, "mapped");
    run.puncher.onRemoteCandidates([candidate(PEER, 4000), mapped], profile("ei apd random"), run.now);
    run.until(5000);
    const late = run.shots.filter(({ to }) => to.port === 7000);
    expect([late.length, late[0]!.at, late[1]!.at]).toEqual([10, 500, 520]);
  });
});

test("neighbours behind one NAT guess nothing unless it hairpins", () => {
  const both = { localProfile: profile("apd ad random"), remoteProfile: profile("apd ad random") };
  const near = { ...both, remote: [candidate(US, 4001)], attestedRemoteHosts: [US] };
  expect(new Run(near).until(20_000).others).toEqual(["silent"]);
  const localProfile = profile("apd ad random", { hairpin: true });
  expect(new Run({ ...near, localProfile }).until(20_000).shots.length).toBeGreaterThan(1000);
});

describe("guessing begins (PATH-18)", () => {
  const sprayStart = (more: Partial<PuncherOptions>): number | undefined =>
    new Run({ ...HARD, ...more }).until(20_000).shots.find(({ kind }) => kind === "spray")?.at;

  test("after 150 ms, or a round trip and 50 ms, or 1 s if there is an easier way", () => {
    expect(sprayStart({})).toBe(150);
    expect(sprayStart({ roundTrip: 280 })).toBe(330);
    expect(sprayStart({ remote: [candidate(PEER, 4000), candidate(PEER, 7000, "mapped")] })).toBe(1000);
    const ipv6 = candidate("2001:db8::1", 4000, "host");
    expect(sprayStart({ local: [candidate(US, 4000), ipv6], remote: [candidate(PEER, 4000), ipv6] })).toBe(1000);
  });

  test("in one round only, if it takes hundreds of flows; in every one, if it is a prediction", () => {
    const starts = (more: Partial<PuncherOptions>): readonly (number | undefined)[] => {
      const endpoint = new PunchBudget();
      const budget = endpoint.invite()!;
      return [1, 2, 3].map((round) => sprayStart({ ...more, round, budget }));
    };
    expect(starts({})).toEqual([150, undefined, undefined]);
    const unknown = { localProfile: profile("? ? ?"), remoteProfile: profile("? ? ?") };
    expect(starts(unknown)).toEqual([undefined, 150, undefined]);
    const walks = [1, 2, 3].map((round) => {
      const { shots } = new Run({ remoteProfile: profile("apd apd sequential"), round }).until(20_000);
      return shots.filter(({ kind }) => kind === "predicted").length;
    });
    expect(walks).toEqual([32, 32, 32]);
  });
});

test("what is known only in the second round is guessed then (PATH-18)", () => {
  const run = new Run({ ...HARD, localProfile: profile("apd apd random"), round: 2 }).until(400);
  expect(run.shots.some(({ kind }) => kind === "spray")).toBe(false);
  run.puncher.onLocalCandidates([candidate(US, 4000)], HARD.localProfile!, run.now);
  run.until(20_000);
  expect(run.shots.find(({ kind }) => kind === "spray")?.at).toBe(400);
});

test("a target keeps quiet in the first round, until it hears something (PATH-19)", () => {
  const waiting = { localProfile: HARD.remoteProfile, remoteProfile: HARD.localProfile };
  const types = (run: Run): Set<string> =>
    new Set(run.shots.filter(({ via }) => via === 0).map(({ type, ttl }) => `${type} ${ttl}`));
  expect(types(new Run(waiting).until(20_000))).toEqual(new Set(["opener 2"]));
  expect(types(new Run({ ...waiting, round: 2 }).until(20_000))).toEqual(new Set(["opener 4", "probe undefined"]));
  const run = new Run(waiting).until(100);
  run.puncher.onContact(0, address(PEER, 4000), run.now);
  run.until(110);
  expect(run.shots.at(-1)).toMatchObject({ type: "probe", at: 100 });
});

describe("the end (PATH-12, PATH-13)", () => {
  test("silence: one second after the last probe", () => {
    const run = new Run().until(20_000);
    expect(run.actions.at(-1)).toEqual({ type: "exhausted", reason: "silent", at: 15 + 1000 + ANSWER_WAIT });
    expect([run.puncher.isOver, run.puncher.nextTimeout()]).toEqual([true, undefined]);
  });

  test("on long paths, two round trips after it", () => {
    const run = new Run({ roundTrip: 800 }).until(20_000);
    expect(run.actions.at(-1)!.at).toBe(15 + 1000 + 1600);
  });

  test("hopeless pairs are told apart, unless there is another way", () => {
    const profiles = { localProfile: profile("apd apd random"), remoteProfile: profile("ad apd random") };
    expect(new Run(profiles).until(20_000).others).toEqual(["hopeless"]);
    const remote = [candidate(PEER, 4000), candidate(PEER, 7000, "mapped")];
    expect(new Run({ ...profiles, remote }).until(20_000).others).toEqual(["silent"]);
  });

  test("packets of the peer, but no answer", () => {
    const run = new Run().until(100);
    run.puncher.onContact(0, address(PEER, 4000), run.now);
    expect(run.until(20_000).others).toEqual(["one-way"]);
  });

  test("an answer ends everything; sockets are closed a second later, but for one", () => {
    const run = new Run({ localProfile: HARD.remoteProfile, remoteProfile: HARD.localProfile }).until(700);
    const before = run.shots.length;
    run.puncher.onSuccess({ via: 150, remote: address(PEER, 4000) }, run.now);
    run.until(20_000);
    expect(run.shots).toHaveLength(before);
    const close = run.actions.at(-1)!;
    expect(close).toMatchObject({ type: "close-sockets", at: 1700 });
    const vias = close.type === "close-sockets" ? close.vias : [];
    expect([vias.length, vias.includes(150)]).toEqual([255, false]);
    expect(run.puncher.isOver).toBe(true);
  });

  test("who gives up closes what was opened, and another spray may begin", () => {
    const endpoint = new PunchBudget();
    const profiles = { localProfile: profile("apd apd block"), remoteProfile: profile("apd apd block") };
    const run = new Run({ ...profiles, budget: endpoint.invite()! }).until(500);
    expect(endpoint.reserveSockets(272)).toBe(false);
    run.puncher.close();
    run.puncher.close();
    run.until(20_000);
    expect(run.others).toEqual(["open-sockets", "close-sockets"]);
    expect(endpoint.reserveSockets(272)).toBe(true);
    expect(endpoint.startSpray((START + 30_000) as Instant)).toBe(true);
  });

  test("sockets that come too late are closed", () => {
    const puncher = new Puncher(options({ localProfile: HARD.remoteProfile, remoteProfile: HARD.localProfile }), START);
    const later = (START + 200) as Instant;
    let action = puncher.pollAction(later);
    while (action?.type !== "open-sockets") action = puncher.pollAction(later);
    puncher.onSuccess({ via: 0, remote: address(PEER, 4000) }, later);
    expect(puncher.pollAction(later)).toBeUndefined();
    puncher.onSockets(action.requestId, [8, 9], later);
    expect(puncher.pollAction(later)).toEqual({ type: "close-sockets", vias: [8, 9] });
    puncher.onSockets(77, [], later);
    expect(puncher.pollAction(later)).toBeUndefined();
  });

  test("an ended round takes what comes without harm", () => {
    const run = new Run().until(20_000);
    run.puncher.onContact(0, address(PEER, 4000), run.now);
    run.puncher.onRemoteCandidates([], profile("? ? ?"), run.now);
    run.puncher.onConfirmed();
    run.puncher.handleTimeout(run.now);
    expect([run.puncher.pollAction(run.now), run.puncher.nextTimeout()]).toEqual([undefined, undefined]);
  });
});

test("an early packet of the peer starts the round (PATH-11)", () => {
  const puncher = new Puncher(options({ startAt: (START + 500) as Instant }), START);
  expect(puncher.pollAction(START)).toBeUndefined();
  expect(puncher.nextTimeout()).toBe(START + 500);
  puncher.onContact(0, address(PEER, 4000), START);
  expect(puncher.pollAction(START)).toMatchObject({ type: "probe" });
});

test("attempts tell what was sent, what came, and how long it took", () => {
  const run = new Run({ ...HARD }).until(600);
  run.puncher.onContact(0, address(PEER, 9999), run.now);
  run.puncher.onSuccess({ via: 0, remote: address(PEER, 9999) }, (run.now + 40) as Instant);
  expect(run.puncher.attempts((run.now + 100) as Instant)).toEqual([
    { address: address(PEER, 4000), kind: "reflexive", sent: 8, received: 0, ms: 700, outcome: "silent" },
    expect.objectContaining({ address: address(PEER, 0), kind: "spray", received: 0, outcome: "silent" }),
    { address: address(PEER, 9999), kind: "peer-reflexive", sent: 0, received: 2, ms: 40, outcome: "answered" },
  ]);
});
