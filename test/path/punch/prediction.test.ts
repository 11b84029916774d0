/**
 * @module
 */
import { describe, expect, test } from "vitest";
import { MAX_WALK_PORTS, stridePorts, walkPorts } from "../../../src/path/punch/prediction.ts";
import type { Candidate, CandidateKind } from "../../../src/wire/candidate.ts";
import type { NatProfile } from "../../../src/wire/nat-profile.ts";
import { profile } from "./profiles.ts";

const HOST = "203.0.113.1";

function target(ports: readonly number[], more: Partial<NatProfile> = {}, kind: CandidateKind = "reflexive") {
  const candidates = ports.map((port): Candidate => ({ kind, address: { host: HOST, port, family: 4 }, group: 0 }));
  return { candidates, profile: profile("apd apd sequential", more), host: HOST };
}

describe("a walk (PATH-20)", () => {
  test("begins one step beyond the furthest port that was seen", () => {
    expect(walkPorts(target([5000, 5001])).slice(0, 3)).toEqual([5002, 5003, 5004]);
    expect(walkPorts(target([5000, 4998], { step: -2 })).slice(0, 3)).toEqual([4996, 4994, 4992]);
    expect(walkPorts(target([5000, 5001]))).toHaveLength(16);
  });

  test("begins with the port that the peer expects, if it says so", () => {
    const { candidates, ...rest } = target([5000]);
    const expected = target([6000], {}, "predicted").candidates;
    expect(walkPorts({ ...rest, candidates: [...candidates, ...expected] })[0]).toBe(6000);
  });

  test("leaves out what others have taken for certain, and goes on for what they may have", () => {
    // μ = 10/s · 1.6 s = 16: 16 − 2·4 = 8 ports are left out, 16 + 4·4 = 32 tried.
    const ports = walkPorts(target([5000], { foreignFlows: 10 }), 1600);
    expect([ports[0], ports.length]).toEqual([5009, 32]);
    expect(walkPorts(target([5000], { foreignFlows: 255 }), 10_000)).toHaveLength(MAX_WALK_PORTS);
  });

  test("of a sample whose age nobody knows begins early, and goes on for long", () => {
    // 25 flows a second, as ten look like in a short row: three or four in 150 ms, of which none is certain; 12 in 500 ms.
    const ports = walkPorts(target([5000], { foreignFlows: 25 }));
    expect([ports[0], ports.length]).toEqual([5001, 16 + 15]);
    expect(stridePorts(target([5000], { foreignFlows: 25 }), { stride: 2 })[0]).toBe(5001);
    // 60 a second: 9 in 150 ms, of which 3 are.
    expect(walkPorts(target([5000], { foreignFlows: 60 }))[0]).toBe(5004);
  });

  test("wraps around within the pool", () => {
    const pool = { poolFirst: 4000, poolSize: 100 };
    expect(walkPorts(target([4098], pool)).slice(0, 3)).toEqual([4099, 4000, 4001]);
    expect(walkPorts(target([4001], { ...pool, step: -1 })).slice(0, 2)).toEqual([4000, 4099]);
    expect(walkPorts(target([65_535])).slice(0, 2)).toEqual([1024, 1025]);
  });

  test("knows nothing of other hosts", () => {
    expect(walkPorts({ ...target([5000]), host: "203.0.113.2" })).toEqual([]);
  });
});

describe("strides (PATH-21)", () => {
  test("begin at the same lower bound", () => {
    const counting = target([5000], { foreignFlows: 10 });
    expect(stridePorts(counting, { stride: 1, age: 1600 }).slice(0, 3)).toEqual([5009, 5010, 5011]);
    expect(stridePorts(counting, { stride: 2, age: 1600 }).slice(0, 3)).toEqual([5009, 5011, 5013]);
    expect(stridePorts(counting, { stride: 2, age: 1600 })).toHaveLength(MAX_WALK_PORTS);
  });

  test("1 and 2 meet once, after as many steps as others have taken ports, however they share these", () => {
    for (let mine = 0; mine < 12; mine++) {
      for (let theirs = 0; theirs < 12; theirs++) {
        // Each flow: own port and where it goes, seen from the initiator's side.
        const toResponder = stridePorts(target([20_000]), { stride: 1 }).map((to, k) => `${10_001 + mine + k} ${to}`);
        const toInitiator = stridePorts(target([10_000]), { stride: 2 }).map((to, k) => `${to} ${20_001 + theirs + k}`);
        const meetings = toInitiator.flatMap((flow, k) => (toResponder.includes(flow) ? [k] : []));
        expect(meetings).toEqual([mine + theirs]);
      }
    }
  });
});
