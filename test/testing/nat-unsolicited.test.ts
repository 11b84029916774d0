/**
 * What NATs do with packets that nobody had asked for, and with the ports that others use up.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { address, type NatOptions, World } from "../../src/testing/index.ts";
import { Prober, texts } from "./machines.ts";

const NAT = "203.0.113.1";

/** A host behind a NAT that keeps ports, and one outside that knows where it will appear. */
function home(options: Partial<NatOptions>) {
  const world = new World({ seed: 1 });
  const nat = world.addNat({ name: "nat", address: NAT, ...options });
  const inside = { machine: new Prober(world.pool), addresses: [address("192.168.0.2", 5000)], behind: nat };
  const alice = world.addHost({ name: "alice", ...inside });
  const outside = { machine: new Prober(world.pool), addresses: [address("192.0.2.1", 1), address("192.0.2.1", 2)] };
  const bob = world.addHost({ name: "bob", ...outside });
  const send = (from: typeof alice, to: ReturnType<typeof address>, text: string, via = 0): void => {
    from.machine.send(to, text, { via });
    world.run();
  };
  return { world, nat, alice, bob, send, mapped: address(NAT, 5000) };
}

describe("a router that takes unsolicited packets itself", () => {
  test("lets its host appear at another port to that remote alone", () => {
    const { nat, alice, bob, send, mapped } = home({ tracksUnsolicited: true });
    send(bob, mapped, "early");
    send(alice, bob.address(0), "hello");
    send(alice, bob.address(1), "hello");
    const [displaced, usual] = bob.events.map((event) => event.from.port);
    expect(displaced).not.toBe(5000);
    expect(usual).toBe(5000);
    expect(nat.counters.displaced).toBe(1);
    send(bob, mapped, "to the usual port");
    send(bob, address(NAT, displaced!), "to the other");
    expect(texts(alice.events)).toEqual(["to the other"]);
  });

  test("forgets them after 30 s, and keeps the flow that was displaced where it is", () => {
    const { world, nat, alice, bob, send, mapped } = home({ tracksUnsolicited: true });
    send(bob, mapped, "early");
    send(alice, bob.address(0), "hello");
    const displaced = bob.events[0]!.from;
    world.run({ for: 30_000 });
    send(alice, bob.address(0), "hello");
    expect(bob.events[1]!.from).toEqual(displaced);
    send(bob, mapped, "early", 1);
    world.run({ for: 30_000 });
    send(alice, bob.address(1), "hello");
    expect(bob.events[2]!.from).toEqual(mapped);
    expect(nat.counters.displaced).toBe(1);
  });

  test("does no harm to a flow that was there before", () => {
    const { nat, alice, bob, send, mapped } = home({ tracksUnsolicited: true });
    send(alice, bob.address(0), "hello");
    send(bob, mapped, "answer");
    send(alice, bob.address(0), "again");
    expect(bob.events.map((event) => event.from)).toEqual([mapped, mapped]);
    expect([nat.counters.displaced, texts(alice.events)]).toEqual([0, ["answer"]]);
  });

  test("a reboot forgets them", () => {
    const { nat, alice, bob, send, mapped } = home({ tracksUnsolicited: true });
    send(bob, mapped, "early");
    nat.reboot();
    send(alice, bob.address(0), "hello");
    expect(bob.events[0]!.from).toEqual(mapped);
  });
});

test("a blacklisting NAT keeps a source from that port for 30 s, even if it is permitted meanwhile", () => {
  const { world, nat, alice, bob, send, mapped } = home({ blacklisting: true });
  send(bob, mapped, "early");
  send(alice, bob.address(0), "hello");
  send(bob, mapped, "too late");
  expect(texts(alice.events)).toEqual([]);
  expect(nat.counters.blacklisted).toBe(1);
  world.run({ for: 30_000 });
  send(bob, mapped, "forgiven");
  expect(texts(alice.events)).toEqual(["forgiven"]);
});

test("a rejecting NAT does no more harm than a silent one", () => {
  const { nat, alice, bob, send, mapped } = home({ rejecting: true });
  send(bob, mapped, "early");
  send(alice, bob.address(0), "hello");
  send(bob, mapped, "answer");
  expect(texts(alice.events)).toEqual(["answer"]);
  expect([nat.counters.rejected, nat.counters.unmapped]).toEqual([1, 1]);
});

test("foreign flows use up sequential ports, about as many as they should", () => {
  const { world, alice, bob, send } = home({
    mapping: "address-and-port-dependent",
    ports: { kind: "sequential", first: 10_000 },
    foreignFlows: 10,
  });
  send(alice, bob.address(0), "first");
  world.run({ for: 60_000 });
  send(alice, bob.address(1), "second");
  const [first, second] = bob.events.map((event) => event.from.port);
  // 600 are expected; the standard deviation is 24.
  expect(Math.abs(second! - first! - 1 - 600)).toBeLessThan(100);
});
