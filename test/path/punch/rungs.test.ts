/**
 * The rungs one by one: what each sends, and when.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { PASS_INTERVAL, PortWalk, WALK_INTERVAL } from "../../../src/path/punch/port-walk.ts";
import type { DueShot, Rung } from "../../../src/path/punch/rung.ts";
import { SocketFan } from "../../../src/path/punch/socket-fan.ts";
import {
  BIRTHDAY_STAGES,
  MAX_BIRTHDAY_PROBES,
  MAX_SWEEP_PROBES,
  Spray,
  SWEEP_STAGES,
  sprayDuration,
} from "../../../src/path/punch/spray.ts";
import { MAX_CONTACTS, MAX_TARGETS, type Target, VOLLEY_TIMES, Volleys } from "../../../src/path/punch/volleys.ts";
import { address, Rng } from "../../../src/testing/index.ts";
import type { Instant } from "../../../src/util/time.ts";

const START = 1000 as Instant;
const PEER = address("203.0.113.2", 4000);

/** All that the rung sends, if it is served in time. */
function drain(rung: Rung): DueShot[] {
  const shots: DueShot[] = [];
  for (let due = rung.next(); due !== undefined; due = rung.next()) {
    shots.push(due);
    rung.advance(due.at);
  }
  return shots;
}

function times(shots: readonly DueShot[]): number[] {
  return shots.map(({ at }) => at - START);
}

function target(index: number, more: Partial<Target> = {}): Target {
  const to = address("203.0.113.2", 4000 + index);
  return { via: 0, to, kind: "reflexive", isOpened: true, isQuiet: false, ...more };
}

function volleys(...targets: readonly Target[]): Volleys {
  const rung = new Volleys({ startAt: START, openerTtl: 2 });
  rung.add(targets, START);
  return rung;
}

describe("volleys (PATH-10)", () => {
  test("an opener of low hop limit, then nine probes at the times of the schedule", () => {
    const shots = drain(volleys(target(0)));
    const [opener, ...probes] = shots.map(({ shot }) => shot);
    expect(opener).toEqual({ type: "opener", via: 0, to: PEER, kind: "reflexive", ttl: 2, size: 16 });
    expect(times(shots)).toEqual([0, ...VOLLEY_TIMES.map((time) => 15 + time)]);
    expect(new Set(probes.map(({ type, ttl, size }) => `${type} ${ttl} ${size}`))).toEqual(
      new Set(["probe undefined 64"]),
    );
  });

  test("an early opener goes at once and again at the start, and probes only then (RDV-34)", () => {
    const rung = new Volleys({ startAt: START, openAt: (START - 500) as Instant, openerTtl: 2 });
    rung.add([target(0)], (START - 500) as Instant);
    expect(times(drain(rung))).toEqual([-500, 0, ...VOLLEY_TIMES.map((time) => 15 + time)]);
  });

  test("whoever waits for the start begins when the peer has (RDV-34)", () => {
    const rung = new Volleys({ startAt: START, openAt: (START - 500) as Instant, openerTtl: 2 });
    rung.add([target(0)], (START - 500) as Instant);
    rung.advance();
    rung.startNow((START - 200) as Instant);
    expect(times(drain(rung))).toEqual([-200, ...VOLLEY_TIMES.map((time) => -185 + time)]);
  });

  test("eight targets at 5 ms from each other, and no more", () => {
    const shots = drain(volleys(...Array.from({ length: 9 }, (_, index) => target(index))));
    expect(shots).toHaveLength(MAX_TARGETS * 10);
    const first = shots.filter(({ shot, at }) => shot.type === "probe" && at - START < 40);
    const ports = first.map(({ shot, at }) => [shot.to.port - 4000, at - START]);
    expect(ports.slice(0, 3)).toEqual([
      [0, 15],
      [1, 20],
      [2, 25],
    ]);
    expect(times(shots)).toEqual(times(shots).sort((a, b) => a - b));
  });

  test("a neighbour gets no opener, and a side that keeps quiet sends nothing else", () => {
    expect(drain(volleys(target(0, { isOpened: false }))).map(({ shot }) => shot.type)).not.toContain("opener");
    expect(drain(volleys(target(0, { isQuiet: true }))).map(({ shot }) => shot.type)).not.toContain("probe");
  });

  test("a target that is added twice is one; one that is added late begins then", () => {
    const rung = volleys(target(0));
    rung.add([target(0), target(1)], (START + 500) as Instant);
    const late = drain(rung).filter(({ shot }) => shot.to.port === 4001);
    expect(times(late).slice(0, 2)).toEqual([500, 520]);
    expect(late).toHaveLength(10);
  });
});

describe("contacts (PATH-11, RFC 8445 §7.3.1.3)", () => {
  test("an unexpected source is probed at once and by the schedule, from the socket that it came to", () => {
    const rung = volleys(target(0));
    rung.onContact(7, address("203.0.113.2", 9), (START + 40) as Instant);
    const shots = drain(rung).filter(({ shot }) => shot.via === 7);
    expect(times(shots)).toEqual(VOLLEY_TIMES.map((time) => 40 + time));
    expect(shots[0]).toMatchObject({ account: "contact", shot: { type: "probe", kind: "peer-reflexive", size: 64 } });
  });

  test("a known source is probed at once and by the schedule anew, the first time only", () => {
    const rung = volleys(target(0));
    for (let i = 0; i < 10; i++) rung.advance();
    expect(rung.next()).toBeUndefined();
    rung.onContact(0, PEER, (START + 2000) as Instant);
    rung.advance();
    rung.onContact(0, PEER, (START + 2001) as Instant);
    const shots = drain(rung);
    expect(times(shots)).toEqual(VOLLEY_TIMES.slice(1).map((time) => 2000 + time));
    expect(new Set(shots.map(({ account }) => account))).toEqual(new Set(["contact"]));
  });

  test("ends the quiet", () => {
    const rung = volleys(target(0, { isQuiet: true }));
    rung.onContact(0, PEER, START);
    expect(new Set(drain(rung).map(({ shot }) => shot.type))).toEqual(new Set(["probe"]));
  });

  test("there are eight at most", () => {
    const rung = volleys();
    for (let port = 1; port <= 100; port++) rung.onContact(0, address("203.0.113.2", port), START);
    expect(rung.targetCount).toBe(MAX_CONTACTS);
    expect(drain(rung)).toHaveLength(MAX_CONTACTS * VOLLEY_TIMES.length);
  });

  test("before the start they bring it forward", () => {
    const rung = volleys(target(0));
    rung.startNow((START - 300) as Instant);
    expect(times(drain(rung)).slice(0, 3)).toEqual([-300, -285, -260]);
  });
});

test("a walk tries its ports one after the other, twice (PATH-20)", () => {
  const walk = { via: 3, host: "203.0.113.2", ports: [5000, 5001, 5002], passes: 2, startAt: START };
  const shots = drain(new PortWalk(walk));
  expect(times(shots)).toEqual([0, 1, 2, 80, 81, 82].map((step) => step * WALK_INTERVAL));
  expect(PASS_INTERVAL).toBe(80 * WALK_INTERVAL);
  expect(shots.map(({ shot }) => shot.to.port)).toEqual([5000, 5001, 5002, 5000, 5001, 5002]);
  expect(shots[0]).toMatchObject({ account: "candidate", shot: { type: "probe", via: 3, size: 40, ttl: undefined } });
  expect(drain(new PortWalk({ ...walk, ports: [] }))).toEqual([]);
});

describe("a spray", () => {
  const birthday = { vias: [4], host: "203.0.113.2", stages: BIRTHDAY_STAGES, startAt: START };
  const pool = { first: 1024, size: 64_512 };

  test("sends to 2,048 different ports, ever faster (PATH-22)", () => {
    const spray = new Spray({ ...birthday, pool, probes: MAX_BIRTHDAY_PROBES, random: new Rng(1).random });
    const shots = drain(spray);
    expect(shots).toHaveLength(2048);
    expect(new Set(shots.map(({ shot }) => shot.to.port)).size).toBe(2048);
    const within = (from: number, to: number): number =>
      times(shots).filter((time) => time >= from && time < to).length;
    expect([within(0, 150), within(150, 400), within(1000, 2000)]).toEqual([15, 50, 400]);
    expect(shots[0]).toMatchObject({ account: "spray", shot: { via: 4, size: 40, kind: "spray" } });
    const duration = sprayDuration(MAX_BIRTHDAY_PROBES, BIRTHDAY_STAGES);
    expect(Math.abs(times(shots).at(-1)! - duration)).toBeLessThan(3);
  });

  test("begins anew when the pool is used up", () => {
    const small = { first: 2000, size: 64 };
    const shots = drain(new Spray({ ...birthday, pool: small, probes: 128, random: new Rng(1).random }));
    for (const pass of [shots.slice(0, 64), shots.slice(64)]) {
      expect(new Set(pass.map(({ shot }) => shot.to.port)).size).toBe(64);
    }
  });

  test("does not make up for what a busy process missed (PATH-22)", () => {
    const spray = new Spray({ ...birthday, pool, probes: 2048, random: new Rng(1).random });
    let sent = 0;
    for (const now of [START, START + 5000] as Instant[]) {
      for (let due = spray.next(); due !== undefined && due.at <= now; due = spray.next(), sent++) spray.advance(now);
    }
    expect(sent).toBeLessThan(15);
  });

  test("a sweep takes the whole block from each socket in turn, 500 a second (PATH-23)", () => {
    const block = { first: 20_480, size: 1024 };
    const sweep = { vias: [5, 6, 7], host: "203.0.113.2", pool: block, stages: SWEEP_STAGES, startAt: START };
    const shots = drain(new Spray({ ...sweep, probes: 3072, random: new Rng(1).random }));
    expect(new Set(shots.map(({ shot }) => `${shot.via} ${shot.to.port}`)).size).toBe(3072);
    expect(shots.map(({ shot }) => shot.via)).toEqual([...Array(3072).keys()].map((k) => 5 + Math.floor(k / 1024)));
    expect(times(shots).at(-1)).toBe(2 * 3071);
    expect(MAX_SWEEP_PROBES).toBeGreaterThan(3072);
  });
});

test("a fan opens each of its sockets twice, and reaches out from each late (PATH-22)", () => {
  const vias = Array.from({ length: 256 }, (_, index) => 100 + index);
  const shots = drain(new SocketFan({ vias, to: PEER, account: "spray", startAt: START }));
  const passes = [shots.slice(0, 256), shots.slice(256, 512), shots.slice(512)];
  for (const pass of passes) expect(pass.map(({ shot }) => shot.via)).toEqual(vias);
  expect(passes.map((pass) => [times(pass)[0], pass[0]!.shot.type, pass[0]!.shot.ttl])).toEqual([
    [0, "opener", 4],
    [300, "opener", 4],
    [2500, "probe", undefined],
  ]);
  expect(times(passes[0]!).at(-1)).toBeLessThan(250);
});
