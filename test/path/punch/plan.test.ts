/**
 * @module
 */
import { describe, expect, test } from "vitest";
import { FULL_POOL, type Plan, type PlannedRung, planOf, poolOf } from "../../../src/path/punch/plan.ts";
import { ALL_PROFILES, profile } from "./profiles.ts";

/** A plan in one line: techniques with target or stride, pool and round. */
function inWords(plan: Plan): string {
  if (plan.isHopeless) return "hopeless";
  const rungs = plan.rungs.map(rungInWords);
  return [...rungs, ...(plan.quiet === undefined ? [] : [`quiet ${plan.quiet}`])].join(", ") || "simple";
}

function rungInWords(rung: PlannedRung): string {
  switch (rung.technique) {
    case "prediction":
      return `predict ${rung.target}`;
    case "strides":
      return `strides 1/${rung.responderStride}`;
    case "birthday":
      return `birthday ${rung.target} ${rung.sockets}/${rung.pool.size} round ${rung.round}`;
    case "sweep":
      return `sweep ${rung.pools.initiator.size}/${rung.pools.responder.size}`;
  }
}

function plan(initiator: string, responder: string): string {
  return inWords(planOf(profile(initiator), profile(responder), "initiator"));
}

test("both sides compute the same plan from their own view, for every combination of profiles (PATH-16)", () => {
  const profiles = ALL_PROFILES.map((words) => profile(words));
  let different = 0;
  for (const a of profiles) {
    for (const b of profiles) {
      const [own, other] = [planOf(a, b, "initiator"), planOf(b, a, "responder")];
      if (JSON.stringify(own) !== JSON.stringify(other)) different += 1;
    }
  }
  expect([profiles.length, different]).toEqual([80, 0]);
});

test("roles change which side does what, never whether anything is done (PATH-16)", () => {
  for (const a of ALL_PROFILES) {
    for (const b of ALL_PROFILES) {
      const [one, two] = [planOf(profile(a), profile(b), "initiator"), planOf(profile(b), profile(a), "initiator")];
      const techniques = (each: Plan): string[] => each.rungs.map((rung) => rung.technique).sort();
      expect([techniques(one), one.isHopeless]).toEqual([techniques(two), two.isHopeless]);
    }
  }
});

describe("volleys suffice (PATH-16)", () => {
  test.each([
    ["ei apd random", "ei apd random"],
    ["ei ei random", "apd apd random"],
    ["apd ei random", "apd apd random"],
    ["ei ad random", "apd apd random"],
    ["? apd preserving", "ei apd random"],
    ["? apd preserving", "? apd preserving"],
    ["? ei ?", "? ? ?"],
  ])("between %s and %s", (a, b) => {
    expect([plan(a, b), plan(b, a)]).toEqual(["simple", "simple"]);
  });
});

describe("one side's port is guessed (PATH-17, PATH-18)", () => {
  test.each([
    ["ei apd random", "apd apd random", "birthday responder 256/64512 round 1, quiet responder"],
    ["apd apd random", "ei apd random", "birthday initiator 256/64512 round 1, quiet initiator"],
    ["ei apd random", "apd apd block", "birthday responder 64/1024 round 1, quiet responder"],
    ["ei apd random", "ad apd sequential", "predict responder, quiet responder"],
    ["ei apd preserving", "apd ad ?", "birthday responder 256/64512 round 1, quiet responder"],
    ["ei ? random", "apd apd random", "birthday responder 256/64512 round 1"],
    // The kept port was perhaps for the server only.
    ["apd apd preserving", "ei apd random", "birthday initiator 256/64512 round 2"],
    // The side that filters by address is the target, even of one that depends on the port.
    ["apd ad random", "apd apd random", "birthday initiator 256/64512 round 1"],
    ["apd apd random", "ad ad random", "birthday responder 256/64512 round 1"],
    ["apd ad sequential", "apd apd random", "predict initiator"],
    // Both could be: the cheaper one is, then the responder.
    ["apd ad random", "apd ad sequential", "predict responder"],
    ["apd ad block", "apd ad random", "birthday initiator 64/1024 round 1"],
    ["apd ad random", "ad ad random", "birthday responder 256/64512 round 1"],
    ["apd ad sequential", "apd ad sequential", "predict responder"],
  ])("between %s and %s: %s", (a, b, expected) => {
    expect(plan(a, b)).toBe(expected);
  });
});

describe("both ports are guessed (PATH-17)", () => {
  test.each([
    ["apd apd sequential", "apd apd sequential", "strides 1/2"],
    ["ad apd sequential", "apd apd sequential", "strides 1/1"],
    ["ad ? sequential", "ad apd sequential", "strides 1/1"],
    ["apd apd block", "apd apd block", "sweep 1024/1024"],
    ["apd apd block", "ad ? block", "sweep 1024/1024"],
  ])("between %s and %s: %s", (a, b, expected) => {
    expect(plan(a, b)).toBe(expected);
  });

  test("but no block that was not proven, or is too large", () => {
    const block = profile("apd apd block");
    const large = profile("apd apd block", { poolSize: 8192 });
    const unknown = profile("apd apd block", { poolFirst: 0, poolSize: 0 });
    expect([large, unknown].map((other) => inWords(planOf(block, other, "initiator")))).toEqual([
      "hopeless",
      "hopeless",
    ]);
  });
});

describe("what is unknown is tried after the first round (PATH-17, PATH-18)", () => {
  test.each([
    ["? ? ?", "? ? ?", "birthday responder 256/64512 round 2, birthday initiator 256/64512 round 2"],
    ["? ? ?", "ei apd random", "birthday initiator 256/64512 round 2"],
    ["? ? ?", "ei ad random", "simple"],
    ["? ? ?", "apd apd random", "birthday responder 256/64512 round 2, birthday initiator 256/64512 round 2"],
    ["? apd ?", "apd apd random", "birthday responder 256/64512 round 2"],
    ["? apd ?", "apd ad random", "birthday responder 256/64512 round 1"],
    ["? ad ?", "apd apd random", "birthday initiator 256/64512 round 2"],
    ["apd ? random", "apd apd random", "birthday initiator 256/64512 round 2"],
    ["? apd sequential", "ei apd random", "predict initiator"],
  ])("between %s and %s: %s", (a, b, expected) => {
    expect(plan(a, b)).toBe(expected);
  });
});

test("hopeless are pairs that both depend on the destination and filter by port, one with random ports (PATH-17)", () => {
  const hopeless = ALL_PROFILES.filter((words) => plan(words, "apd apd random") === "hopeless");
  const others = ["sequential", "random", "block", "?"];
  expect([...hopeless].sort()).toEqual(
    ["ad", "apd"].flatMap((mapping) => others.map((allocator) => `${mapping} apd ${allocator}`)).sort(),
  );
});

test("a pool is cut to the ports that NATs use, and without one it is all of them", () => {
  expect(poolOf(profile("apd apd random"))).toEqual(FULL_POOL);
  expect(poolOf(profile("apd apd block", { poolFirst: 512, poolSize: 1024 }))).toEqual({ first: 1024, size: 512 });
  expect(poolOf(profile("apd apd block", { poolFirst: 65_000, poolSize: 4096 }))).toEqual({ first: 65_000, size: 536 });
  expect(poolOf(profile("apd apd block", { poolFirst: 0, poolSize: 5 }))).toEqual(FULL_POOL);
});
