/**
 * A server and its clients in the simulator: sessions are real connections, and strangers ask for their address.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { DEFAULT_CONFIG } from "../../src/connection/config.ts";
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import { EndpointMachine } from "../../src/connection/endpoint.ts";
import type { EndpointEvent } from "../../src/connection/endpoint-events.ts";
import { localParameters } from "../../src/connection/negotiation.ts";
import { type KeyPair, keyPairFromSeed } from "../../src/crypto/primitives.ts";
import { ClientHandshake } from "../../src/crypto/server-handshake.ts";
import { deriveServerKeys, serverPin } from "../../src/crypto/server-keys.ts";
import type { AdmissionLimits } from "../../src/server/admission.ts";
import { ServerMachine } from "../../src/server/server-machine.ts";
import { RendezvousClient, type RendezvousEvent } from "../../src/signal/rendezvous-client.ts";
import { StunClient, type StunClientEvent } from "../../src/stun/client.ts";
import { address, type Host, World } from "../../src/testing/index.ts";
import type { Datagram } from "../../src/util/machine.ts";
import { encodeInit } from "../../src/wire/handshake-datagram.ts";
import { encodeParameters } from "../../src/wire/parameters.ts";

/** One way between any two hosts, in ms. */
const DELAY = 20;

const PLACES = [
  address("192.0.2.1", 3_478),
  address("192.0.2.1", 3_479),
  address("192.0.2.2", 3_478),
  address("192.0.2.2", 3_479),
];

class Lab {
  readonly world = new World({ seed: 1 });
  readonly identity: KeyPair;
  readonly server: Host<ServerMachine>;
  readonly #keys = this.world.rng.fork("keys");

  constructor(admission?: Partial<AdmissionLimits>) {
    this.identity = keyPairFromSeed(this.#keys.random(32));
    this.server = this.world.addHost({
      name: "server",
      addresses: PLACES,
      link: { delay: DELAY / 2 },
      machine: new ServerMachine(
        {
          identity: this.identity,
          random: this.world.rng.fork("server").random,
          unixMillis: () => 1_800_000_000_000 + this.world.now,
          pool: this.world.pool,
          sockets: PLACES.map((_, id) => ({ id, family: 4 })),
          config: DEFAULT_CONFIG,
          admission,
        },
        this.world.now,
      ),
    });
  }

  /** A client with a session, or on its way to one. */
  client(name: string, host: string, identity?: KeyPair): Client {
    return new Client(this, name, host, identity);
  }

  newKey(): KeyPair {
    return keyPairFromSeed(this.#keys.random(32));
  }

  /** Input of the server: a right first message, of which nobody will read the answer. */
  forge(host: string): void {
    const { random } = this.#keys;
    const keys = deriveServerKeys(serverPin(this.identity.publicKey));
    const payload = encodeParameters(localParameters(DEFAULT_CONFIG, [random(8)]), 0);
    const { core1 } = new ClientHandshake({ keys, ephemeral: this.newKey(), payload });
    const init = encodeInit({ core: core1, token: random(8), mac2: new Uint8Array(16) });
    this.server.machine.receive(
      { via: 0, from: address(host, 4_433), payload: init, segmentSize: init.length },
      this.world.now,
    );
  }
}

/** An endpoint, its session with the server, and what speaks over it. */
class Client {
  readonly rendezvous: RendezvousClient;
  readonly events: { readonly at: number; readonly event: RendezvousEvent }[] = [];
  readonly host: Host<EndpointMachine>;
  readonly session: ConnectionMachine;
  readonly #lab: Lab;

  constructor(lab: Lab, name: string, host: string, identity: KeyPair | undefined) {
    this.#lab = lab;
    const { world } = lab;
    const random = world.rng.fork(name).random;
    this.rendezvous = new RendezvousClient({ random, identity });
    this.host = world.addHost({
      name,
      addresses: [address(host, 4_433)],
      link: { delay: DELAY / 2 },
      machine: new EndpointMachine({
        ...{ random, unixTime: world.unixTime, pool: world.pool, sockets: [{ id: 0, family: 4 }] },
        ...{ identity: lab.newKey(), config: DEFAULT_CONFIG, acceptHook: false },
      }),
      onEvent: (event) => this.#onEvent(event),
    });
    const keys = deriveServerKeys(serverPin(lab.identity.publicKey));
    this.session = this.host.machine.connectServer({ keys, addresses: [PLACES[0]!], timeout: 5_000 }, world.now);
    world.wake(this.host);
  }

  /** Lets what was asked for leave, and takes what there is to be told. */
  proceed(): void {
    for (let bytes = this.rendezvous.pollWrite(); bytes !== undefined; bytes = this.rendezvous.pollWrite()) {
      this.session.write(0, bytes);
    }
    for (let event = this.rendezvous.pollEvent(); event !== undefined; event = this.rendezvous.pollEvent()) {
      this.events.push({ at: this.#lab.world.now, event });
    }
    this.#lab.world.wake(this.host);
  }

  of<Type extends RendezvousEvent["type"]>(type: Type) {
    type Found = { readonly at: number; readonly event: Extract<RendezvousEvent, { readonly type: Type }> };
    return this.events.filter(({ event }) => event.type === type) as Found[];
  }

  #onEvent(event: EndpointEvent): void {
    if (event.type !== "connection") return;
    const { world } = this.#lab;
    const { session } = this;
    if (event.event.type === "connected") {
      const { handshakeHash, peerKey } = session;
      this.rendezvous.onConnected({ handshakeHash: handshakeHash!, serverKey: peerKey! }, world.now);
    }
    for (let bytes = session.read(0); bytes !== undefined; bytes = session.read(0)) {
      this.rendezvous.onBytes(bytes, world.now);
    }
    this.proceed();
  }
}

/** RFC 8489 §5: a request without attributes, as it arrives. */
function bindingRequest(host: string): Datagram {
  const payload = new Uint8Array(20);
  payload.set([0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]);
  return { via: 0, from: address(host, 9), payload, segmentSize: payload.length };
}

const core = (kind: "core1" | "core2") => ({ kind, content: new Uint8Array(200).fill(7) });

describe("an introduction over real sessions (RDV-19)", () => {
  test("the invitation is there two and a half round trips after the first packet, and both begin at once", () => {
    const lab = new Lab();
    const listener = lab.client("listener", "203.0.113.9", lab.newKey());
    const [slot] = listener.rendezvous.register([{ kind: "ticket", blind: new Uint8Array(16).fill(1) }]);
    lab.world.run({ until: () => listener.of("registered").length > 0, for: 2_000 });
    const caller = lab.client("caller", "198.51.100.7");
    const startedAt = lab.world.now;
    caller.rendezvous.invite({ slot: slot!, envelope: core("core1") }, lab.world.now);
    lab.world.run({ until: () => listener.of("invited").length > 0, for: 2_000 });
    const [invited] = listener.of("invited");
    // A round trip for the session, half a one to the server, half a one to the listener.
    expect(invited!.at - startedAt).toBeLessThanOrEqual(4 * DELAY + 5);
    expect(invited!.event.seen).toBe("198.51.100.7");
    listener.rendezvous.answer(invited!.event.call, core("core2"), lab.world.now);
    listener.proceed();
    lab.world.run({ until: () => caller.of("answered").length > 0 && listener.of("go").length > 0, for: 2_000 });
    const [answered] = caller.of("answered");
    const [go] = listener.of("go");
    expect(answered!.event.seen).toBe("203.0.113.9");
    expect(Math.abs(answered!.at + answered!.event.wait - (go!.at + go!.event.wait))).toBeLessThanOrEqual(2);
    expect(lab.server.machine.health).toMatchObject({ sessions: 2, slots: 1, calls: 1 });
  });

  test("a client that leaves takes its slots along", () => {
    const lab = new Lab();
    const listener = lab.client("listener", "203.0.113.9", lab.newKey());
    listener.rendezvous.register([{ kind: "ticket", blind: new Uint8Array(16).fill(1) }]);
    lab.world.run({ until: () => listener.of("registered").length > 0, for: 2_000 });
    listener.session.close(0, "", lab.world.now);
    lab.world.wake(listener.host);
    lab.world.run({ for: 1_000 });
    expect(lab.server.machine.health).toMatchObject({ sessions: 0, slots: 0 });
  });

  test("a session that breaks the rules is closed", () => {
    const lab = new Lab();
    const client = lab.client("client", "203.0.113.9");
    lab.world.run({ until: () => client.session.state === "open", for: 2_000 });
    client.session.write(0, new Uint8Array(100).fill(0xff));
    lab.world.wake(client.host);
    lab.world.run({ for: 1_000 });
    expect(client.session.state).toBe("closed");
    expect(lab.server.machine.health.counters.sessionsBroken).toBe(1);
  });
});

describe("STUN on the same port", () => {
  function ask(lab: Lab, count: number): StunClientEvent[] {
    const told: StunClientEvent[] = [];
    const { world } = lab;
    const machine = new StunClient({ random: world.rng.fork("stun").random, pool: world.pool });
    const host = world.addHost({
      ...{ name: "stranger", addresses: [address("198.51.100.7", 9)], link: { delay: DELAY / 2 }, machine },
      onEvent: (event) => told.push(event),
    });
    for (let i = 0; i < count; i++) machine.request({ via: 0, server: PLACES[0]! }, world.now);
    world.wake(host);
    world.run({ for: 400 });
    return told;
  }

  test("strangers learn their address, and no other place of the server", () => {
    const [event] = ask(new Lab(), 1);
    expect(event).toMatchObject({ type: "answered", mapped: address("198.51.100.7", 9), other: undefined });
  });

  test("what is over a source's rate is not answered", () => {
    const lab = new Lab();
    for (let i = 0; i < 500; i++) lab.server.machine.receive(bindingRequest("198.51.100.7"), lab.world.now);
    expect(lab.server.machine.health.stun).toEqual({ answered: 400, limited: 100, ignored: 0 });
  });

  test("answers to a crowd of strangers do not keep back what sessions are told", () => {
    const lab = new Lab();
    const client = lab.client("client", "203.0.113.9");
    client.rendezvous.register([{ kind: "connection", preimage: new Uint8Array(32) }]);
    lab.world.run({ until: () => client.of("registered").length > 0, for: 2_000 });
    const { machine } = lab.server;
    for (let i = 0; i < 1_000; i++) machine.receive(bindingRequest(`10.0.${i >> 8}.${i & 255}`), lab.world.now);
    machine.drain(1_000, lab.world.now);
    const first = [1, 2, 3, 4].map(() => machine.pollTransmit(lab.world.now)?.to.host);
    expect(first).toContain("203.0.113.9");
    expect(first).toContain("10.0.0.0");
  });
});

describe("admission (RDV-21, RDV-22)", () => {
  test("a hundred clients of one address get in at once: the first fifty unasked, the others with a cookie", () => {
    const lab = new Lab();
    const { world } = lab;
    const keys = deriveServerKeys(serverPin(lab.identity.publicKey));
    const host = world.addHost({
      name: "office",
      addresses: [address("198.51.100.7", 4_433)],
      link: { delay: DELAY / 2 },
      machine: new EndpointMachine({
        ...{ random: world.rng.fork("office").random, unixTime: world.unixTime, pool: world.pool },
        ...{ sockets: [{ id: 0, family: 4 }], identity: lab.newKey(), config: DEFAULT_CONFIG, acceptHook: false },
      }),
    });
    const call = { keys, addresses: [PLACES[0]!], timeout: 5_000 };
    const sessions = Array.from({ length: 100 }, () => host.machine.connectServer(call, world.now));
    world.wake(host);
    world.run({ until: () => sessions.every(({ state }) => state === "open"), for: 2_000 });
    // A round trip, and another one for those who were asked to prove their address.
    expect(world.now).toBeLessThanOrEqual(4 * DELAY + 5);
    // Nobody has got more than he sent, sessions that are open included.
    expect(lab.server.link.up.counters.bytesSent).toBeLessThanOrEqual(lab.server.link.down.counters.bytesDelivered);
    world.run({ for: DELAY });
    expect(lab.server.machine.health.sessions).toBe(100);
  });

  test("forged sources fill half of what may be half open at once; who proves his address gets in (RDV-22)", () => {
    const lab = new Lab({ maxHalfOpen: 64, unprovenTotal: { perSecond: 20, burst: 100 } });
    for (let i = 0; i < 100; i++) lab.forge(`10.0.0.${i}`);
    const client = lab.client("client", "203.0.113.9");
    lab.world.run({ until: () => client.session.state === "open", for: 2_000 });
    expect(client.session.state).toBe("open");
    // Its cookie has cost it a round trip.
    expect(lab.world.now).toBeLessThanOrEqual(4 * DELAY + 5);
  });

  test("who writes a client's address on his messages keeps it out no more than others (RDV-22)", () => {
    const lab = new Lab({ perSource: { perSecond: 1, burst: 16 } });
    for (let i = 0; i < 40; i++) lab.forge("203.0.113.9");
    const client = lab.client("client", "203.0.113.9");
    lab.world.run({ until: () => client.session.state === "open", for: 2_000 });
    expect(client.session.state).toBe("open");
    expect(lab.world.now).toBeLessThanOrEqual(4 * DELAY + 5);
  });
});
