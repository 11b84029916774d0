/**
 * What an examination finds out by our own servers, in the simulator.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { Examiner, type ExaminerEvent } from "../../src/agent/examiner.ts";
import { DEFAULT_CONFIG } from "../../src/connection/config.ts";
import { keyPairFromSeed } from "../../src/crypto/primitives.ts";
import { serverPin } from "../../src/crypto/server-keys.ts";
import { ServerMachine } from "../../src/server/server-machine.ts";
import {
  type Address,
  address,
  BEHAVIORS,
  type DuplexLinkOptions,
  type NatOptions,
  World,
} from "../../src/testing/index.ts";
import { kind } from "../sim/punch-pair.ts";

const KINDS = BEHAVIORS.flatMap((mapping) => BEHAVIORS.map((filtering) => ({ mapping, filtering })));

/** What is examined, and who answers. */
interface Setup {
  readonly seed?: number;
  readonly nat?: Partial<NatOptions>;
  readonly link?: DuplexLinkOptions;
  /** Addresses of each server; one without any is down. */
  readonly servers?: readonly (0 | 1 | 2)[];
}

/** A server at one or two addresses, with two ports each if there are two; `undefined` is where one should be. */
function addServer(world: World, index: number, places: 0 | 1 | 2, link: DuplexLinkOptions) {
  const identity = keyPairFromSeed(world.rng.fork(`identity ${index}`).random(32));
  const hosts = [`192.0.2.${2 * index + 1}`, `192.0.2.${2 * index + 2}`].slice(0, Math.max(places, 1));
  const addresses: Address[] = hosts.map((host) => address(host, 3_478));
  const known = { pin: serverPin(identity.publicKey), addresses };
  if (places === 0) return { known, machine: undefined };
  const sockets = hosts.flatMap((host) => [3_478, 3_479].slice(0, places).map((port) => address(host, port)));
  const { machine } = world.addHost({
    name: `server ${index}`,
    addresses: sockets,
    link,
    machine: new ServerMachine(
      {
        identity,
        random: world.rng.fork(`server ${index}`).random,
        unixMillis: () => 1_800_000_000_000 + world.now,
        pool: world.pool,
        sockets: sockets.map((_, id) => ({ id, family: 4 })),
        config: DEFAULT_CONFIG,
      },
      world.now,
    ),
  });
  return { known, machine };
}

/** Examines, and tells what was found when nothing more was to be found. */
function examine({ seed = 1, nat, link = { delay: 10 }, servers = [2] }: Setup) {
  const world = new World({ seed });
  const all = servers.map((places, index) => addServer(world, index, places, link));
  const sockets = new Set<number>();
  let finishedAt: number | undefined;
  let lastPort = 5_000;
  const host = nat === undefined ? "198.51.100.1" : "10.0.0.2";
  const gateway = nat && world.addNat({ name: "nat", address: "203.0.113.1", ...nat });
  const machine = new Examiner(
    {
      ...{ family: 4, via: 0, localPort: 4_433, random: world.rng.fork("examiner").random, pool: world.pool },
      ...{ stun: [], servers: all.map(({ known }) => known) },
    },
    world.now,
  );
  world.addHost({
    name: "examiner",
    machine,
    addresses: [address(host, 4_433)],
    ...(gateway && { behind: gateway }),
    link,
    onEvent: (event: ExaminerEvent, peer) => {
      if (event.type === "finished") finishedAt = world.now;
      if (event.type === "sockets-unwanted") {
        for (const via of event.sockets) {
          sockets.delete(via);
          peer.unbind(via);
        }
      }
      if (event.type !== "sockets-wanted") return;
      const fresh = Array.from({ length: event.count }, () => {
        lastPort += 1;
        const via = peer.bind(address(host, lastPort));
        sockets.add(via);
        return { via, localPort: lastPort };
      });
      peer.machine.onSockets(event.request, fresh, world.now);
    },
  });
  world.run({ until: () => finishedAt !== undefined, for: 10_000 });
  world.run({ for: 1_000 });
  return { machine, finishedAt: finishedAt!, sockets, servers: all.map((each) => each.machine) };
}

describe("an examination by a server of ours (DOC-19)", () => {
  test.each(KINDS)("tells mapping $mapping, filtering $filtering within 2 s", ({ mapping, filtering }) => {
    const { machine, finishedAt, sockets, servers } = examine({ nat: kind(mapping, filtering) });
    expect(machine.profile).toMatchObject({ mapping, filtering });
    expect(machine.hasSession(0)).toBe(true);
    expect(finishedAt).toBeLessThanOrEqual(2_000);
    expect(sockets.size).toBe(0);
    expect(servers[0]?.health.sessions).toBe(0);
  });

  test("sees a public machine for what it is", () => {
    const { machine } = examine({});
    expect(machine.profile).toMatchObject({ mapping: "endpoint-independent", filtering: "endpoint-independent" });
  });

  test("of two, one of which is down, tells which, and all else by the other one", () => {
    const { machine, finishedAt } = examine({
      nat: kind("endpoint-independent", "address-dependent"),
      servers: [0, 2],
    });
    expect([0, 1].map((server) => machine.hasSession(server))).toEqual([false, true]);
    expect(machine.profile).toMatchObject({ mapping: "endpoint-independent", filtering: "address-dependent" });
    expect(machine.answered).toBe(true);
    expect(finishedAt).toBeLessThanOrEqual(3_000);
  });

  test("with one address shows that it is there, and leaves the filter open", () => {
    const { machine } = examine({ nat: kind("endpoint-independent", "address-dependent"), servers: [1] });
    expect(machine.hasSession(0)).toBe(true);
    expect(machine.profile.filtering).toBeUndefined();
  });

  test("that is down: nothing is known, after 3 s", () => {
    const { machine, finishedAt, sockets } = examine({ servers: [0] });
    expect([machine.hasSession(0), machine.answered]).toEqual([false, false]);
    expect(finishedAt).toBeLessThanOrEqual(3_000);
    expect(sockets.size).toBe(0);
  });

  test("where one datagram in ten is lost each way, takes no filter for a stricter one", () => {
    for (let seed = 0; seed < 20; seed++) {
      const nat = kind("address-and-port-dependent", "endpoint-independent");
      const { machine } = examine({ seed, nat, link: { delay: 10, loss: 0.05 } });
      expect(machine.profile.filtering, `seed ${seed}`).toBe("endpoint-independent");
    }
  });
});
