/**
 * Two peers behind NATs whom a carrier introduces: handshake by the carrier, holes by the peers.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { DEFAULT_CONFIG } from "../../src/connection/config.ts";
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import { EndpointMachine } from "../../src/connection/endpoint.ts";
import type { EndpointEvent } from "../../src/connection/endpoint-events.ts";
import type { Situation } from "../../src/connection/situation.ts";
import { keyPairFromSeed } from "../../src/crypto/primitives.ts";
import { PunchBudget } from "../../src/path/punch/budget.ts";
import { address, type Behavior, type Host, type Nat, type PortAllocation, World } from "../../src/testing/index.ts";
import type { TicketFields } from "../../src/ticket/ticket.ts";
import { UNKNOWN_NAT } from "../../src/wire/nat-profile.ts";

/** One way, in ms, from each NAT to the middle. */
const DELAY = 10;

/** A round trip between the two. */
const RTT = 4 * DELAY;

interface Kind {
  readonly mapping: Behavior;
  readonly filtering: Behavior;
  readonly ports?: PortAllocation;
}

const OPEN: Kind = { mapping: "endpoint-independent", filtering: "endpoint-independent" };
const CONE: Kind = { mapping: "endpoint-independent", filtering: "address-and-port-dependent" };

/** Two peers, and a carrier between them that takes as long as the network. */
class Introduced {
  readonly world: World;
  readonly dialer: Host<EndpointMachine>;
  readonly listener: Host<EndpointMachine>;
  readonly events: { readonly dialer: EndpointEvent[]; readonly listener: EndpointEvent[] } = {
    dialer: [],
    listener: [],
  };
  readonly connection: ConnectionMachine;
  readonly #ticket: TicketFields;

  constructor(kinds: { readonly dialer: Kind; readonly listener: Kind }, seed = 1) {
    this.world = new World({ seed });
    const keys = this.world.rng.fork("keys");
    const identity = keyPairFromSeed(keys.random(32));
    this.dialer = this.#host("dialer", "198.51.100.7", "10.0.0.2", kinds.dialer, identity);
    this.listener = this.#host("listener", "203.0.113.9", "192.168.1.2", kinds.listener, identity);
    this.#ticket = {
      ...{ key: identity.publicKey, secret: keys.random(16), expiresAt: 0, singleUse: false, directOnly: false },
      ...{ relayOnly: false, paste: false, servers: [], addresses: [] },
    };
    this.listener.machine.addTicket(this.#ticket, 1);
    const call = { ticket: this.#ticket, identity: keyPairFromSeed(keys.random(32)), timeout: 10_000 };
    this.connection = this.dialer.machine.connect(call, this.world.now);
    this.world.wake(this.dialer);
  }

  /** Brings the handshake across; both then punch at the same moment. */
  introduce(): void {
    const situations = {
      dialer: situationOf("198.51.100.7"),
      listener: situationOf("203.0.113.9"),
    };
    const core1 = this.connection.invite(situations.dialer)!;
    this.world.run({ for: RTT / 2 });
    expect(this.listener.machine.onInvitation(core1, 7, this.world.now)).toBeUndefined();
    this.world.wake(this.listener);
    this.world.run({ for: RTT / 2 });
    const answer = this.events.listener.find((event) => event.type === "answer");
    if (answer?.type !== "answer" || answer.connection === undefined) throw new Error("no answer");
    expect(this.connection.onAnswer(answer.core, this.world.now)).toBeUndefined();
    const startAt = this.world.now;
    for (const [host, connection, local, peer] of [
      [this.dialer, this.connection, situations.dialer, "203.0.113.9"],
      [this.listener, answer.connection, situations.listener, "198.51.100.7"],
    ] as const) {
      const sockets = [{ via: 0, group: 0, family: 4 } as const];
      const round = { round: 1, startAt, local, sockets, attestedHosts: [peer] };
      connection.punch(round, new PunchBudget().invite()!, this.world.now);
      this.world.wake(host);
    }
  }

  #host(
    name: "dialer" | "listener",
    outer: string,
    inner: string,
    kind: Kind,
    identity: ReturnType<typeof keyPairFromSeed>,
  ) {
    const nat: Nat = this.world.addNat({ name: `${name}'s NAT`, address: outer, link: { delay: DELAY }, ...kind });
    return this.world.addHost({
      name,
      behind: nat,
      addresses: [address(inner, 4_433)],
      machine: new EndpointMachine({
        random: this.world.rng.fork(name).random,
        unixTime: this.world.unixTime,
        pool: this.world.pool,
        sockets: [{ id: 0, family: 4 }],
        identity,
        config: DEFAULT_CONFIG,
        acceptHook: false,
        situationFor: () => situationOf(outer),
      }),
      onEvent: (event) => this.events[name].push(event),
    });
  }
}

/** The NATs keep ports, so this is what a STUN server would see. */
function situationOf(host: string): Situation {
  return {
    generation: 1,
    candidates: [{ kind: "reflexive", address: address(host, 4_433), group: 0 }],
    profile: { ...UNKNOWN_NAT, mapping: "endpoint-independent", filtering: "address-and-port-dependent" },
  };
}

describe("after an introduction", () => {
  test("two port-restricted cones have a path a round trip after the start, and the first stream half a one later (PATH-63)", () => {
    const pair = new Introduced({ dialer: CONE, listener: CONE });
    pair.introduce();
    const startAt = pair.world.now;
    pair.world.run({ until: () => pair.connection.state === "open", for: 5_000 });
    expect(pair.connection.state).toBe("open");
    // Openers first, then the first volley of both meets in the middle.
    expect(pair.world.now - startAt).toBeLessThanOrEqual(RTT + 20);
    pair.world.run({ until: () => pair.events.listener.some((event) => event.type === "incoming"), for: 1_000 });
    expect(pair.world.now - startAt).toBeLessThanOrEqual(1.5 * RTT + 25);
    const [path] = pair.connection.paths();
    expect(path?.remote).toEqual(address("203.0.113.9", 4_433));
    expect(pair.connection.attempts(pair.world.now)).toMatchObject([{ kind: "reflexive", outcome: "connected" }]);
  });

  test("the stream carries data", () => {
    const pair = new Introduced({ dialer: CONE, listener: CONE });
    pair.introduce();
    pair.world.run({ until: () => pair.connection.state === "open", for: 5_000 });
    pair.connection.write(0, new Uint8Array(100_000));
    pair.connection.finish(0);
    pair.world.wake(pair.dialer);
    let received = 0;
    pair.world.run({
      until: () => {
        const incoming = pair.events.listener.find((event) => event.type === "incoming");
        if (incoming?.type !== "incoming") return false;
        for (let data = incoming.connection.read(0); data !== undefined; data = incoming.connection.read(0)) {
          received += data.length;
        }
        pair.world.wake(pair.listener);
        return received === 100_000;
      },
      for: 10_000,
    });
    expect(received).toBe(100_000);
  });

  test("a peer whose port nobody could know is answered where it comes from (PATH-62)", () => {
    const symmetric: Kind = { mapping: "address-and-port-dependent", filtering: "endpoint-independent" };
    const pair = new Introduced({ dialer: { ...symmetric, ports: { kind: "random" } }, listener: OPEN });
    pair.introduce();
    pair.world.run({ until: () => pair.events.listener.some((event) => event.type === "incoming"), for: 5_000 });
    const incoming = pair.events.listener.find((event) => event.type === "incoming");
    if (incoming?.type !== "incoming") throw new Error("nobody came");
    const [path] = incoming.connection.paths();
    expect(path?.remote.host).toBe("198.51.100.7");
    expect(path?.remote.port).not.toBe(4_433);
    // The first data may come just before the answer to the probe.
    pair.world.run({ for: 10 });
    expect(incoming.connection.attempts(pair.world.now)).toMatchObject([
      { kind: "reflexive", outcome: "no-answer" },
      { kind: "peer-reflexive", outcome: "connected" },
    ]);
  });
});
