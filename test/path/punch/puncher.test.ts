/**
 * One round as a whole: who is probed, what it costs, and how it ends.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { MAX_INVITATION_BYTES, MAX_SPRAY_BYTES, PunchBudget } from "../../../src/path/punch/budget.ts";
import {
  ANSWER_WAIT,
  MAX_ROUND_BYTES,
  type PunchAction,
  Puncher,
  type PuncherOptions,
} from "../../../src/path/punch/puncher.ts";
import { type Address, address, Rng } from "../../../src/testing/index.ts";
import type { Instant } from "../../../src/util/time.ts";
import { CANDIDATE_KINDS, type Candidate, type CandidateKind } from "../../../src/wire/candidate.ts";
import { NAT_PROFILE_SIZE, readNatProfile } from "../../../src/wire/nat-profile.ts";
import { Reader } from "../../../src/wire/reader.ts";
import { profile } from "./profiles.ts";

const START = 1000 as Instant;
const US = "203.0.113.1";
const PEER = "203.0.113.2";

function candidate(host: string, port: number, kind: CandidateKind = "reflexive", group = 0): Candidate {
  return { kind, address: address(host, port), group };
}

/** A round between two home routers, unless something else is said. */
function options(more: Partial<PuncherOptions> = {}): PuncherOptions {
  return {
    role: "initiator",
    local: [candidate(US, 4000)],
    remote: [candidate(PEER, 4000)],
    localProfile: profile("ei apd random"),
    remoteProfile: profile("ei apd random"),
    startAt: START,
    round: 1,
    sockets: [
      { via: 0, group: 0, family: 4 },
      { via: 1, group: 0, family: 6 },
    ],
    attestedRemoteHosts: [PEER],
    isConfirmed: true,
    random: new Rng(1).random,
    budget: new PunchBudget().invite()!,
    ...more,
  };
}

/** A ladder and all that it has asked for, with the time of each. */
class Run {
  readonly puncher: Puncher;
  readonly actions: (PunchAction & { readonly at: number })[] = [];
  #now = START;
  #lastSocket = 100;

  constructor(more: Partial<PuncherOptions> = {}) {
    this.puncher = new Puncher(options(more), START);
  }

  /** Lets time pass, and opens the sockets that are asked for. */
  until(end: number): this {
    for (;;) {
      for (let action = this.puncher.pollAction(this.#now); action !== undefined; ) {
        this.actions.push({ ...action, at: this.#now - START });
        if (action.type === "open-sockets") {
          const vias = Array.from({ length: action.count }, () => ++this.#lastSocket);
          this.puncher.onSockets(action.requestId, vias, this.#now);
        }
        action = this.puncher.pollAction(this.#now);
      }
      const next = this.puncher.nextTimeout();
      if (next !== undefined) expect(next).toBeGreaterThan(this.#now);
      if (next === undefined || next > START + end) break;
      this.#now = next;
    }
    this.#now = Math.max(this.#now, START + end) as Instant;
    return this;
  }

  get now(): Instant {
    return this.#now;
  }

  get shots(): (PunchAction & { type: "opener" | "probe"; at: number })[] {
    return this.actions.flatMap((action) => (action.type === "opener" || action.type === "probe" ? [action] : []));
  }

  get bytes(): number {
    return this.shots.reduce((sum, { size }) => sum + size, 0);
  }

  /** Actions that are no datagrams, by name. */
  get others(): string[] {
    return this.actions
      .filter(({ type }) => type !== "opener" && type !== "probe")
      .map((action) => (action.type === "exhausted" ? action.reason : action.type));
  }
}

const HARD = { localProfile: profile("ei apd random"), remoteProfile: profile("apd apd random") };

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

describe("budgets (PATH-24)", () => {
  const many = Array.from({ length: 16 }, (_, index) => candidate(`198.51.100.${index + 1}`, 4000));

  test("a round with candidates at 16 strangers takes no more than 4,736 bytes", () => {
    expect(MAX_ROUND_BYTES).toBe(4736);
    expect(new Run({ remote: many }).until(20_000).bytes).toBe(MAX_ROUND_BYTES);
  });

  test("three rounds take no more than 10 KiB", () => {
    const budget = new PunchBudget().invite()!;
    const rounds = [1, 2, 3].map((round) => new Run({ remote: many, budget, round }).until(20_000));
    const bytes = rounds.reduce((sum, run) => sum + run.bytes, 0);
    expect(bytes).toBeLessThanOrEqual(MAX_INVITATION_BYTES);
    expect(bytes).toBeGreaterThan(MAX_INVITATION_BYTES - 64);
  });

  test("a walk counts among them", () => {
    const remoteProfile = profile("apd apd sequential", { foreignFlows: 255 });
    const run = new Run({ remote: many, remoteProfile, sampleAge: 10_000 }).until(20_000);
    expect(run.bytes).toBeLessThanOrEqual(MAX_ROUND_BYTES);
  });

  test("what exceeds the rate of the endpoint waits", () => {
    const endpoint = new PunchBudget();
    endpoint.take(64 * 1024, START);
    const { shots } = new Run({ remote: many, budget: endpoint.invite()! }).until(20_000);
    expect(shots).toHaveLength(80);
    let bytes = 0;
    for (const { at, size } of shots) {
      bytes += size;
      expect(bytes).toBeLessThanOrEqual(20 * at);
    }
  });

  test("a spray and its sockets take no more than 128 KiB, and go to one host", () => {
    for (const role of ["initiator", "responder"] as const) {
      const [localProfile, remoteProfile] = ["apd ad random", "apd ad random"].map((words) => profile(words));
      const run = new Run({ role, localProfile: localProfile!, remoteProfile: remoteProfile! }).until(20_000);
      expect(new Set(run.shots.map(({ to }) => to.host))).toEqual(new Set([PEER]));
      expect(run.bytes).toBeLessThan(MAX_SPRAY_BYTES);
    }
    const block = profile("apd apd block", { poolSize: 4096 });
    const sweep = new Run({ localProfile: block, remoteProfile: block }).until(20_000);
    const sprayed = sweep.shots.filter(({ kind }) => kind === "spray");
    expect(sprayed.length * 40).toBeGreaterThan(MAX_SPRAY_BYTES - 40);
    expect(sprayed.length * 40).toBeLessThanOrEqual(MAX_SPRAY_BYTES);
  });
});

describe("probes to where packets came from (PATH-24)", () => {
  /** Bytes to sources of which each of three rounds hears twenty. */
  function bytesToSources(host: string): number {
    const budget = new PunchBudget().invite()!;
    const rounds = [1, 2, 3].map((round) => {
      const run = new Run({ budget, round });
      for (let port = 5000; port < 5020; port++) run.puncher.onContact(0, address(host, port), run.now);
      return run.until(20_000).bytes;
    });
    return rounds.reduce((sum, bytes) => sum + bytes, 0);
  }

  test("have a limit of their own for each round, and share that of the invitation with strangers", () => {
    expect(bytesToSources("198.51.100.1")).toBeLessThanOrEqual(MAX_INVITATION_BYTES);
    expect(bytesToSources(PEER)).toBe(3 * (8 * 9 * 64 + 16 + 9 * 64));
  });

  test("other rounds see to the packets at their sockets", () => {
    const run = new Run({}).until(20);
    run.puncher.onContact(99, address(PEER, 9000), run.now);
    run.until(20_000);
    expect(run.shots.filter(({ to }) => to.port === 9000)).toEqual([]);
    expect(run.others).toEqual(["silent"]);
  });
});

describe("who may be sprayed (PATH-26)", () => {
  const ways = [
    { name: "birthday, spraying", ...HARD },
    { name: "birthday, as target", localProfile: HARD.remoteProfile, remoteProfile: HARD.localProfile },
    { name: "sweep", localProfile: profile("apd apd block"), remoteProfile: profile("apd apd block") },
  ];

  test.each(ways)("nobody whom the server has not seen there: $name", ({ localProfile, remoteProfile }) => {
    const seen = new Run({ localProfile, remoteProfile }).until(20_000);
    const unseen = new Run({ localProfile, remoteProfile, attestedRemoteHosts: ["198.51.100.1"] }).until(20_000);
    expect(seen.shots.length).toBeGreaterThan(100);
    expect(unseen.shots).toHaveLength(10);
    expect(unseen.others).toEqual(["silent"]);
  });

  test.each(ways)("nobody whose key is not confirmed: $name (PATH-18)", ({ localProfile, remoteProfile }) => {
    const run = new Run({ localProfile, remoteProfile, isConfirmed: false }).until(2000);
    expect(run.shots).toHaveLength(10);
    run.puncher.onConfirmed();
    run.until(20_000);
    expect(run.shots.length).toBeGreaterThan(100);
  });

  test("without confirmation a round does not wait for ever", () => {
    const run = new Run({ ...HARD, isConfirmed: false }).until(20_000);
    expect(run.actions.at(-1)).toEqual({ type: "exhausted", reason: "silent", at: 3000 });
  });

  test("not two at once: the second peer is told that we are busy (PATH-25)", () => {
    const endpoint = new PunchBudget();
    const first = new Run({ ...HARD, budget: endpoint.invite()! }).until(300);
    const second = new Run({ ...HARD, budget: endpoint.invite()! }).until(20_000);
    expect(second.others).toEqual(["busy"]);
    expect(first.until(400).shots.some(({ kind }) => kind === "spray")).toBe(true);
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
    expect([1, 2, 3].map((round) => sprayStart({ round }))).toEqual([150, undefined, undefined]);
    const unknown = { localProfile: profile("? ? ?"), remoteProfile: profile("? ? ?") };
    expect([1, 2, 3].map((round) => sprayStart({ ...unknown, round }))).toEqual([undefined, 150, undefined]);
    const walks = [1, 2, 3].map((round) => {
      const { shots } = new Run({ remoteProfile: profile("apd apd sequential"), round }).until(20_000);
      return shots.filter(({ kind }) => kind === "predicted").length;
    });
    expect(walks).toEqual([32, 32, 32]);
  });
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

test("whatever a peer announces: limits hold, the round ends within 12 s, and no time is waited for twice (PATH-15, PATH-24)", () => {
  for (let seed = 0; seed < 60; seed++) {
    const rng = new Rng(seed);
    const anyone = (): Candidate[] =>
      Array.from({ length: rng.integer(0, 17) }, () => {
        const host = rng.pick([
          PEER,
          US,
          "10.0.0.1",
          "127.0.0.1",
          "255.255.255.255",
          "192.0.2.7",
          "2001:db8::1",
          "::1",
        ]);
        const at: Address = address(host, rng.pick([0, 53, 4000, 65_535]));
        return { kind: rng.pick(CANDIDATE_KINDS), address: at, group: rng.integer(0, 16) };
      });
    const anything = () => readNatProfile(new Reader(rng.random(NAT_PROFILE_SIZE)));
    const run = new Run({
      role: rng.pick(["initiator", "responder"]),
      round: rng.integer(1, 4),
      remote: anyone(),
      localProfile: anything(),
      remoteProfile: anything(),
      random: rng.random,
    }).until(40_000);
    const to = (kind: string) => run.shots.filter((shot) => shot.kind === kind);
    expect(run.actions.at(-1)).toMatchObject({ type: "exhausted" });
    expect(run.actions.at(-1)!.at).toBeLessThan(12_000);
    expect(run.bytes).toBeLessThanOrEqual(MAX_ROUND_BYTES + MAX_SPRAY_BYTES);
    expect(new Set(to("spray").map((shot) => shot.to.host)).size).toBeLessThanOrEqual(1);
    for (const shot of run.shots) expect([PEER, US, "10.0.0.1", "192.0.2.7", "2001:db8::1"]).toContain(shot.to.host);
    for (const shot of run.shots) expect(shot.to.port).toBeGreaterThanOrEqual(1024);
  }
});
