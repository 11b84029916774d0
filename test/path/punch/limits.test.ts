/**
 * What one round may cost others: bytes, sprays, and whom.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { MAX_INVITATION_BYTES, MAX_SPRAY_BYTES, PunchBudget } from "../../../src/path/punch/budget.ts";
import { MAX_ROUND_BYTES } from "../../../src/path/punch/puncher.ts";
import { type Address, address, Rng } from "../../../src/testing/index.ts";
import { CANDIDATE_KINDS, type Candidate } from "../../../src/wire/candidate.ts";
import { NAT_PROFILE_SIZE, readNatProfile } from "../../../src/wire/nat-profile.ts";
import { Reader } from "../../../src/wire/reader.ts";
import { profile } from "./profiles.ts";
import { candidate, HARD, PEER, Run, START, US } from "./run.ts";

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
