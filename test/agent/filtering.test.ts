/**
 * How NATs filter, learned from a server that answers from elsewhere.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { BEHAVIORS } from "../../src/testing/index.ts";
import { kind } from "../sim/punch-pair.ts";
import { Lab } from "./lab.ts";

const KINDS = BEHAVIORS.flatMap((mapping) => BEHAVIORS.map((filtering) => ({ mapping, filtering })));

/** When the listener knew how it is filtered, in ms from the beginning, and what it then knew. */
function learn(lab: Lab): { readonly ms: number; readonly filtering: string | undefined } {
  const { machine } = lab.listener;
  lab.world.run({ until: () => machine.situation.profile?.filtering !== undefined, for: 10_000 });
  return { ms: lab.world.now, filtering: machine.situation.profile?.filtering };
}

describe("filtering by a WITNESS (STUN-16)", () => {
  test.each(KINDS)("mapping $mapping, filtering $filtering is learned within 1.5 s", ({ mapping, filtering }) => {
    const lab = new Lab({ listener: { nat: kind(mapping, filtering) }, warmUp: 1 });
    const learned = learn(lab);
    expect(learned.filtering).toBe(filtering);
    expect(learned.ms).toBeLessThanOrEqual(1_500);
    // What lets datagrams in is told by their arrival, not by waiting.
    if (filtering !== "address-and-port-dependent") expect(learned.ms).toBeLessThanOrEqual(400);
  });

  test("nothing is left of it: no session, no socket", () => {
    const lab = new Lab({ listener: { nat: kind("endpoint-independent", "address-dependent") }, warmUp: 5_000 });
    expect(lab.extraSockets.listener.size).toBe(0);
    expect(lab.servers[0]!.machine.health.sessions).toBe(1);
  });

  test("a server with one address cannot tell, and is not asked", () => {
    const lab = new Lab({ listener: { nat: kind("endpoint-independent", "address-dependent") }, places: 1 });
    expect(lab.listener.machine.situation.profile?.filtering).toBeUndefined();
    expect(lab.servers[0]!.machine.health.counters.witnesses).toBe(0);
  });

  test("where a tenth of all datagrams is lost, nobody takes a loose filter for a strict one", () => {
    for (let seed = 0; seed < 20; seed++) {
      const lab = new Lab({
        seed,
        listener: { nat: kind("endpoint-independent", "address-dependent") },
        link: { delay: 10, loss: 0.1 },
        warmUp: 1,
      });
      expect(["address-dependent", undefined]).toContain(learn(lab).filtering);
    }
  });
});

test("a pair whose NATs choose and check ports at random is hopeless, and says so in four seconds", () => {
  const symmetric = kind("address-and-port-dependent", "address-and-port-dependent");
  const lab = new Lab({ dialer: { nat: symmetric }, listener: { nat: symmetric } });
  const { reason } = lab.tryPair();
  expect(reason).toMatchObject({ kind: "unreachable", cause: "hopeless" });
  expect(lab.world.now - lab.calledAt).toBeLessThanOrEqual(4_000);
});
