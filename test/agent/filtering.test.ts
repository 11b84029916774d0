/**
 * How NATs filter, learned from a server that answers from elsewhere.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { BEHAVIORS } from "../../src/testing/index.ts";
import { kind } from "../sim/punch-pair.ts";
import { Lab, type LabOptions } from "./lab.ts";

const KINDS = BEHAVIORS.flatMap((mapping) => BEHAVIORS.map((filtering) => ({ mapping, filtering })));

/** When the listener knew how it is filtered, in ms from the beginning, and what it then knew. */
function learn(lab: Lab): { readonly ms: number; readonly filtering: string | undefined } {
  const { machine } = lab.listener;
  lab.world.run({ until: () => machine.situation.profile?.filtering !== undefined, for: 10_000 });
  return { ms: lab.world.now, filtering: machine.situation.profile?.filtering };
}

describe("filtering by a WITNESS (STUN-16, STUN-17)", () => {
  test.each(KINDS)("mapping $mapping, filtering $filtering is learned within 1.5 s", ({ mapping, filtering }) => {
    const lab = new Lab({ listener: { nat: kind(mapping, filtering) }, warmUp: 1 });
    const learned = learn(lab);
    expect(learned.filtering).toBe(filtering);
    expect(learned.ms).toBeLessThanOrEqual(1_500);
    // What lets datagrams in is told by their arrival, not by the last silence.
    if (filtering !== "address-and-port-dependent") expect(learned.ms).toBeLessThanOrEqual(500);
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

  test("the first server does not answer: the second one is asked", () => {
    const lab = new Lab({
      listener: { nat: kind("endpoint-independent", "address-dependent") },
      servers: 2,
      warmUp: 0,
    });
    lab.stopServer(0);
    lab.listen();
    lab.world.run({ for: 1_500 });
    expect(lab.listener.machine.situation.profile?.filtering).toBe("address-dependent");
  });

  test("a NAT that cuts the session off once a stranger has knocked leaves the question open", () => {
    const nat = kind("endpoint-independent", "address-and-port-dependent", { blacklisting: true });
    const lab = new Lab({ listener: { nat }, warmUp: 20_000 });
    expect(lab.listener.machine.situation.profile?.filtering).toBeUndefined();
    expect(lab.extraSockets.listener.size).toBe(0);
  });

  test("a caller asks only if a port may have to be guessed", () => {
    const home = { nat: kind("endpoint-independent", "address-and-port-dependent") };
    const symmetric = { nat: kind("address-and-port-dependent", "address-and-port-dependent") };
    const questions = (options: LabOptions): number => {
      const lab = new Lab(options);
      const { counters } = lab.servers[0]!.machine.health;
      const before = counters.witnesses;
      lab.tryPair();
      return lab.servers[0]!.machine.health.counters.witnesses - before;
    };
    expect(questions({ dialer: home, listener: home })).toBe(0);
    expect(questions({ dialer: symmetric, listener: home })).toBeGreaterThan(0);
  });

  test.each(BEHAVIORS)("where a fifth of all answers is lost, %s is taken for nothing else", (filtering) => {
    for (let seed = 0; seed < 40; seed++) {
      const nat = kind("endpoint-independent", filtering);
      const lab = new Lab({ seed, listener: { nat }, link: { delay: 10, loss: 0.1 }, warmUp: 1 });
      expect([filtering, undefined], `seed ${seed}`).toContain(learn(lab).filtering);
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
