/**
 * Two clients and a server: who learns what, and when to the millisecond; and servers that lie.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { ticketSlot } from "../../src/crypto/slots.ts";
import { encodeMessage } from "../../src/signal/message-codec.ts";
import { type Message, NO_RELAY } from "../../src/signal/messages.ts";
import { RendezvousClient, type RendezvousEvent } from "../../src/signal/rendezvous-client.ts";
import type { Instant } from "../../src/util/time.ts";
import { BLIND, counting, LISTENER, SERVER, SLOT } from "../server/raw.ts";
import { type LabClient, SignalLab } from "./lab.ts";

const CORE1 = { kind: "core1" as const, content: counting(1, 20) };
const CORE2 = { kind: "core2" as const, content: counting(2, 20) };
const PROBE = { kind: "probe" as const, content: counting(3, 20) };

const types = (client: LabClient) => client.events.map(({ at, event }) => `${at} ${event.type}`);

function eventOf<Type extends RendezvousEvent["type"]>(client: LabClient, type: Type) {
  const found = client.events.findLast(({ event }) => event.type === type);
  if (found === undefined) throw new Error(`${client.name} has no ${type}: ${types(client)}`);
  return { at: found.at, ...(found.event as Extract<RendezvousEvent, { type: Type }>) };
}

/** A listener 20 ms from the server with a ticket's slot, and a caller 50 ms from it. */
function lab(limits = {}) {
  const world = new SignalLab(limits);
  const listener = world.add({ name: "listener", delay: 20, host: "198.51.100.1", identity: LISTENER });
  const caller = world.add({ name: "caller", delay: 50, host: "203.0.113.2" });
  const [slot] = listener.machine.register([{ kind: "ticket", blind: BLIND }]);
  expect(slot).toEqual(SLOT);
  world.connect(listener);
  return { world, listener, caller };
}

describe("two clients", () => {
  test("learn of each other within one round trip between them, and begin in the same instant (RDV-14 to RDV-16)", () => {
    const { world, listener, caller } = lab();
    world.run(1_000);
    expect(types(listener)).toEqual(["40 welcome", "40 registered"]);
    world.connect(caller);
    const call = caller.machine.invite({ slot: SLOT, envelope: CORE1 }, world.now);
    world.run(70);
    const invited = eventOf(listener, "invited");
    expect(invited).toEqual({
      at: 1_070,
      type: "invited",
      call: expect.any(Number),
      slot: SLOT,
      envelope: CORE1,
      rtt: 100,
      seen: "203.0.113.2",
    });
    listener.machine.answer(invited.call, CORE2, world.now);
    world.run(200);
    const answered = eventOf(caller, "answered");
    const go = eventOf(listener, "go");
    // HELLO and INVITE travel together, so nothing is spent on the welcome.
    expect(answered).toEqual({
      at: 1_140,
      type: "answered",
      call,
      envelope: CORE2,
      wait: 0,
      rtt: 40,
      seen: "198.51.100.1",
    });
    expect(go).toEqual({ at: 1_110, type: "go", call: invited.call, wait: 30 });
    expect(answered.at + answered.wait).toBe(go.at + go.wait);
  });

  test.each([
    [5, 140],
    [140, 5],
    [33, 33],
    [0, 300],
  ])("at %i and %i ms from the server begin in the same instant (RDV-16)", (near, far) => {
    const world = new SignalLab();
    const listener = world.add({ name: "listener", delay: near, host: "198.51.100.1", identity: LISTENER });
    const caller = world.add({ name: "caller", delay: far, host: "203.0.113.2" });
    listener.machine.register([{ kind: "ticket", blind: BLIND }]);
    world.connect(listener);
    world.connect(caller);
    world.run(2 * near + 1);
    caller.machine.invite({ slot: SLOT, envelope: CORE1 }, world.now);
    world.run(near + far);
    listener.machine.answer(eventOf(listener, "invited").call, CORE2, world.now);
    world.run(1_000);
    const [answered, go] = [eventOf(caller, "answered"), eventOf(listener, "go")];
    expect(answered.at + answered.wait).toBe(go.at + go.wait);
  });

  test("go on talking, and are told together to begin again (RDV-17)", () => {
    const { world, listener, caller } = lab();
    world.connect(caller);
    world.run(100);
    const call = caller.machine.invite({ slot: SLOT, envelope: CORE1 }, world.now);
    world.run(70);
    const { call: heard } = eventOf(listener, "invited");
    listener.machine.answer(heard, CORE2, world.now);
    world.run(100);
    caller.machine.signal(call, PROBE, { wantsGo: false }, world.now);
    world.run(70);
    expect(eventOf(listener, "signal")).toMatchObject({ at: world.now, call: heard, envelope: PROBE });
    listener.machine.signal(heard, PROBE, { wantsGo: true }, world.now);
    world.run(200);
    expect(eventOf(caller, "signal")).toMatchObject({ call, envelope: PROBE });
    const [near, far] = [eventOf(listener, "go"), eventOf(caller, "go")];
    expect(near.at + near.wait).toBe(far.at + far.wait);
    caller.machine.cancel(call);
    world.run(100);
    expect(eventOf(listener, "failed")).toMatchObject({ id: heard, failure: "gone" });
    // Commands about a call that is over do nothing.
    listener.machine.signal(heard, PROBE, { wantsGo: true }, world.now);
    expect(listener.machine.pollWrite()).toBeUndefined();
  });

  test("do not learn each other's addresses if they conceal them (RDV-15)", () => {
    const world = new SignalLab();
    const common = { delay: 10, concealsAddress: true };
    const listener = world.add({ name: "listener", host: "198.51.100.1", identity: LISTENER, ...common });
    const caller = world.add({ name: "caller", host: "203.0.113.2", ...common });
    listener.machine.register([{ kind: "ticket", blind: BLIND }]);
    world.connect(listener);
    world.connect(caller);
    world.run(50);
    caller.machine.invite({ slot: SLOT, envelope: CORE1 }, world.now);
    world.run(20);
    expect(eventOf(listener, "invited").seen).toBeUndefined();
    listener.machine.answer(eventOf(listener, "invited").call, CORE2, world.now);
    world.run(20);
    expect(eventOf(caller, "answered").seen).toBeUndefined();
  });
});

describe("a listener", () => {
  test("is back one round trip after it has reconnected to a server that was restarted (RDV-24)", () => {
    const { world, listener, caller } = lab();
    world.connect(caller);
    world.run(100);
    const call = caller.machine.invite({ slot: SLOT, envelope: CORE1 }, world.now);
    world.run(70);
    world.restartServer();
    world.run(500);
    expect(eventOf(caller, "failed")).toMatchObject({ id: call, failure: "gone" });
    expect(eventOf(listener, "failed")).toMatchObject({ failure: "gone" });
    world.connect(listener);
    world.run(40);
    expect(eventOf(listener, "registered")).toMatchObject({ at: world.now, slots: [SLOT] });
    // An invitation that was made without a session goes out with the next.
    const again = caller.machine.invite({ slot: SLOT, envelope: CORE1 }, world.now);
    world.run(1_000);
    expect(caller.machine.pollWrite()).toBeUndefined();
    world.connect(caller);
    world.run(70);
    expect(eventOf(listener, "invited").at).toBe(world.now);
    expect(again).not.toBe(call);
  });

  test("that reconnects beside its dead session takes its slots over (RDV-8, RDV-24)", () => {
    const { world, listener, caller } = lab();
    world.run(100);
    // The server still believes in the first session.
    world.connect(listener);
    world.run(100);
    expect(world.server.health).toMatchObject({ sessions: 2, slots: 1, counters: { displaced: 1 } });
    world.connect(caller);
    caller.machine.invite({ slot: SLOT, envelope: CORE1 }, world.now);
    world.run(100);
    expect(eventOf(listener, "invited").at).toBe(world.now - 30);
    expect(listener.events.filter(({ event }) => event.type === "displaced")).toEqual([]);
  });

  test("whose slots another process with its key has taken learns it, and does not take them back (RDV-8)", () => {
    const { world, listener } = lab();
    const second = world.add({ name: "second", delay: 10, host: "198.51.100.2", identity: LISTENER });
    second.machine.register([{ kind: "ticket", blind: BLIND }]);
    world.run(100);
    world.connect(second);
    world.run(10_000);
    expect(eventOf(listener, "displaced")).toMatchObject({ at: 130, slots: [SLOT] });
    expect(world.server.health.counters.displaced).toBe(1);
    world.connect(listener);
    world.run(1_000);
    expect(world.server.health.counters.displaced).toBe(1);
  });

  test("registers hundreds of tickets and gives them back (RDV-12)", () => {
    const { world, listener } = lab({ maxSlotsPerSession: 1_000 });
    const blinds = Array.from({ length: 300 }, (_, i) => Uint8Array.of(i >> 8, i, ...new Uint8Array(14)));
    world.run(100);
    const names = listener.machine.register(blinds.map((blind) => ({ kind: "ticket", blind })));
    expect(names[7]).toEqual(ticketSlot(LISTENER.publicKey, blinds[7]!));
    // The same wish again is none.
    listener.machine.register([{ kind: "ticket", blind: blinds[0]! }]);
    listener.machine.register([{ kind: "connection", preimage: counting(1, 32) }]);
    world.run(100);
    expect(world.server.health.slots).toBe(302);
    const registered = listener.events.flatMap(({ event }) => (event.type === "registered" ? event.slots : []));
    expect(registered).toHaveLength(302);
    listener.machine.unregister([...names, counting(9, 16)]);
    world.run(100);
    expect(world.server.health.slots).toBe(2);
    expect(() =>
      listener.machine.register(
        Array.from({ length: 1_024 }, (_, i) => ({ kind: "connection", preimage: counting(i, 32).fill(i >> 8, 0, 1) })),
      ),
    ).toThrow(RangeError);
  });

  test("tries again what was too fast after 2 s, what found no room after 10 s (RDV-12)", () => {
    const { world, listener } = lab({ registerRate: { perSecond: 1, burst: 2 }, maxSlotsPerSession: 3 });
    world.run(100);
    const slots = [1, 2].map((i) => listener.machine.register([{ kind: "ticket", blind: counting(i, 16) }])[0]!);
    world.run(100);
    expect(eventOf(listener, "registration-failed")).toMatchObject({ at: 140, slots: [slots[1]], result: "too-fast" });
    world.run(2_000);
    expect(eventOf(listener, "registered")).toMatchObject({ at: 2_180, slots: [slots[1]] });
    const [third] = listener.machine.register([{ kind: "ticket", blind: counting(3, 16) }]);
    world.run(100);
    expect(eventOf(listener, "registration-failed")).toMatchObject({ slots: [third], result: "full" });
    listener.machine.unregister([slots[0]!]);
    world.run(10_100);
    expect(eventOf(listener, "registered")).toMatchObject({ slots: [third] });
  });

  test("needs its key for tickets", () => {
    const { caller } = lab();
    expect(() => caller.machine.register([{ kind: "ticket", blind: BLIND }])).toThrow(RangeError);
  });
});

describe("a caller", () => {
  test("of nobody is told so in one round trip (RDV-14)", () => {
    const { world, caller } = lab();
    const call = caller.machine.invite({ slot: counting(5, 16), envelope: CORE1 }, world.now);
    world.connect(caller);
    world.run(100);
    expect(eventOf(caller, "failed")).toEqual({ at: 100, type: "failed", id: call, failure: "not-here", retry: 1_000 });
  });

  test("without a session keeps 64 invitations, cancels them, and refuses more", () => {
    const { world, caller } = lab();
    const calls = Array.from({ length: 65 }, () => caller.machine.invite({ slot: SLOT, envelope: CORE1 }, world.now));
    world.pump();
    expect(eventOf(caller, "failed")).toMatchObject({ id: calls[64], failure: "limit" });
    for (const call of calls.slice(0, 62)) caller.machine.cancel(call);
    world.run(100);
    world.connect(caller);
    world.run(1_000);
    expect(world.server.health.counters.invites).toBe(2);
  });

  test("asks for probes from elsewhere, and learns where there is none (RDV-20)", () => {
    const { world, caller } = lab();
    expect(caller.machine.probe("both", counting(1, 8), world.now)).toBeUndefined();
    world.connect(caller);
    const [possible, not] = (["other-port", "both"] as const).map((which) =>
      caller.machine.probe(which, counting(1, 8), world.now),
    );
    world.run(100);
    expect(eventOf(caller, "welcome")).toMatchObject({
      hasOtherPort: true,
      hasOtherAddress: false,
      aliveInterval: 5_000,
    });
    expect(caller.events.filter(({ event }) => event.type === "failed").map(({ event }) => event)).toEqual([
      { type: "failed", id: not, failure: "unsupported", retry: 0 },
    ]);
    expect(possible).not.toBe(not);
    expect(world.server.health.counters.witnesses).toBe(1);
  });

  test("hears that the server leaves (RDV-23)", () => {
    const { world, caller } = lab();
    world.connect(caller);
    world.run(200);
    world.server.drain(3_000, world.now);
    world.run(100);
    expect(eventOf(caller, "goaway")).toMatchObject({ at: 250, drain: 3_000 });
    world.run(3_100);
    expect(caller.session).toBeUndefined();
  });
});

describe("a server that lies", () => {
  const now = 0 as Instant;

  function connected() {
    const machine = new RendezvousClient({ random: (size) => new Uint8Array(size).fill(1), identity: LISTENER });
    machine.register([{ kind: "ticket", blind: BLIND }]);
    machine.onConnected({ serverKey: SERVER.publicKey, handshakeHash: counting(1, 32) }, now);
    return machine;
  }

  function events(machine: RendezvousClient): RendezvousEvent[] {
    const all: RendezvousEvent[] = [];
    for (let each = machine.pollEvent(); each !== undefined; each = machine.pollEvent()) all.push(each);
    return all;
  }

  const say = (machine: RendezvousClient, message: Message) => machine.onBytes(encodeMessage(message), now);
  const invited = (call: number, envelope = Uint8Array.of(1, 5)): Message => ({
    type: "invited",
    call,
    slot: SLOT,
    flags: 0,
    rtt: 1_000,
    seen: undefined,
    envelope,
  });

  test.each<[string, Message]>([
    ["what clients say", { type: "cancel", call: 1 }],
    ["an answer to no REGISTER", { type: "registered", request: 8, results: ["registered"] }],
    [
      "results for more slots than were named",
      { type: "registered", request: 0, results: ["registered", "full", "full"] },
    ],
    ["no result", { type: "registered", request: 0, results: [] }],
  ])("by saying %s loses the session (RDV-11, RDV-12)", (_, message) => {
    const machine = connected();
    say(machine, message);
    expect(events(machine)).toEqual([{ type: "violation" }]);
    say(machine, invited(1));
    expect(events(machine)).toEqual([]);
  });

  test("by sending garbage loses the session (RDV-9)", () => {
    const machine = connected();
    machine.onBytes(Uint8Array.of(0x07, 0xbf, 0xff, 0xff, 0xff), now);
    expect(events(machine)).toEqual([{ type: "violation" }]);
  });

  test("about calls that nobody made is not heard", () => {
    const machine = connected();
    say(machine, { type: "go", call: 0, wait: 5, relay: NO_RELAY });
    say(machine, { type: "signal", call: 7, flags: 0, envelope: Uint8Array.of(3, 1) });
    say(machine, { type: "failed", id: 40, failure: "gone", retry: 0 });
    say(machine, invited(2));
    expect(events(machine)).toEqual([]);
  });

  test("by repeating a call's number, or with kinds of envelopes that nobody knows, is not heard (RDV-10, RDV-13)", () => {
    const machine = connected();
    say(machine, invited(1));
    say(machine, invited(1));
    say(machine, invited(3, Uint8Array.of(9, 9)));
    say(machine, invited(5, new Uint8Array(0)));
    expect(events(machine).map((event) => event.type)).toEqual(["invited"]);
  });

  test("can't make a client wait longer than 2 s (RDV-19)", () => {
    const machine = connected();
    const call = machine.invite({ slot: SLOT, envelope: CORE1 }, now);
    say(machine, { type: "go", call: 2, wait: Number.MAX_SAFE_INTEGER, relay: NO_RELAY });
    expect(events(machine)).toEqual([{ type: "go", call, wait: 2_000 }]);
  });

  test("by inviting without end fills no memory, and is heard again a minute later", () => {
    const machine = connected();
    for (let i = 0; i < 5_000; i++) say(machine, invited(2 * i + 1));
    expect(events(machine)).toHaveLength(2_048);
    expect(machine.nextTimeout()).toBe(60_000);
    machine.handleTimeout(60_000 as Instant);
    machine.onBytes(encodeMessage(invited(20_001)), 60_000 as Instant);
    expect(events(machine)).toHaveLength(1);
  });
});
