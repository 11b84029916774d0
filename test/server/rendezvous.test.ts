/**
 * The rendezvous server: registration, calls, times, and who tries what he must not.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { connectionSlot, ticketSlot } from "../../src/crypto/slots.ts";
import { MAX_ENVELOPE_SIZE } from "../../src/signal/envelope.ts";
import { type Message, NO_RELAY } from "../../src/signal/messages.ts";
import { decodeWitness } from "../../src/wire/witness.ts";
import { BLIND, counting, invite, LISTENER, OTHER, RawLab, SLOT, UNIX } from "./raw.ts";

const ENVELOPE2 = Uint8Array.of(2, 8, 8);
const ENVELOPE3 = Uint8Array.of(3, 9);
const answer = (call: number): Message => ({ type: "answer", call, flags: 0, envelope: ENVELOPE2 });
const signal = (call: number, flags = 0): Message => ({ type: "signal", call, flags, envelope: ENVELOPE3 });
const failed = (id: number, failure: string, retry: number = expect.any(Number)) => ({
  type: "failed",
  id,
  failure,
  retry,
});

describe("a session", () => {
  test("is welcomed with the client's address and the clock, and a message that means nothing (RDV-11, RDV-9)", () => {
    const lab = new RawLab({ hasOtherPort: true, hasOtherAddress: true });
    const client = lab.open({ greets: false });
    expect(client.inbox).toEqual([]);
    lab.say(client, { type: "hello", flags: 0, token: counting(1, 5) });
    expect(lab.read(client)).toEqual([
      {
        type: "welcome",
        flags: 24,
        alive: 5,
        maxSlots: 64,
        address: { host: "192.0.2.1", port: 40_001, family: 4 },
        clock: UNIX,
      },
    ]);
  });

  test.each<[string, Message[]]>([
    ["that begins otherwise", [{ type: "cancel", call: 0 }]],
    [
      "with two HELLO",
      [
        { type: "hello", flags: 0, token: counting(1, 1) },
        { type: "hello", flags: 0, token: counting(1, 1) },
      ],
    ],
    [
      "that says what servers say",
      [
        { type: "hello", flags: 0, token: counting(1, 1) },
        { type: "goaway", drain: 1 },
      ],
    ],
  ])("%s is closed (RDV-11)", (_, messages) => {
    const lab = new RawLab();
    const client = lab.open({ greets: false });
    lab.say(client, ...messages);
    expect(client.closed).toBe("protocol");
    expect(lab.server.health).toMatchObject({ sessions: 0, sources: 0 });
    // What comes after it is not looked at.
    lab.say(client, invite(0));
    expect(lab.server.health.counters.invites).toBe(0);
  });

  test("that uses a number of the server, or one twice, is closed (RDV-10)", () => {
    for (const numbers of [[1], [0, 0], [4, 2]]) {
      const lab = new RawLab();
      const client = lab.open();
      for (const number of numbers) lab.say(client, invite(number));
      expect(client.closed, `${numbers}`).toBe("protocol");
    }
  });

  test("that sends a giant length is closed before anything is held for it (RDV-9)", () => {
    const lab = new RawLab();
    const client = lab.open();
    lab.bytes(client, Uint8Array.of(0x06, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff));
    expect(client.closed).toBe("protocol");
  });

  test("that sends more control bytes than it may is closed (RDV-21)", () => {
    const lab = new RawLab({ limits: { controlRate: { perSecond: 1_000, burst: 2_000 } } });
    const client = lab.open();
    const skipped = Uint8Array.of(0x3e, 0x43, 0xe5, ...new Uint8Array(997));
    lab.bytes(client, skipped);
    expect(client.closed).toBeUndefined();
    lab.advance(500);
    lab.bytes(client, skipped);
    expect(client.closed).toBeUndefined();
    lab.bytes(client, skipped);
    expect(client.closed).toBe("limit");
  });
});

describe("registration", () => {
  test("gives a slot to who proves its key, and to who shows a preimage (RDV-6, RDV-7, RDV-12)", () => {
    const lab = new RawLab();
    const client = lab.open();
    const preimage = counting(0x40, 32);
    const message = lab.registration(client, { blinds: [BLIND, counting(0x91, 16)] });
    lab.say(client, { ...(message as Extract<Message, { type: "register" }>), preimages: [preimage] });
    expect(lab.read(client)).toEqual([
      { type: "registered", request: 0, results: ["registered", "registered", "registered"] },
    ]);
    const caller = lab.open();
    for (const [i, slot] of [
      SLOT,
      ticketSlot(LISTENER.publicKey, counting(0x91, 16)),
      connectionSlot(preimage),
    ].entries()) {
      lab.say(caller, invite(2 * i, { slot }));
      expect(lab.read(client)).toMatchObject([{ type: "invited", call: 2 * i + 1, slot }]);
    }
  });

  test("under another's key is not possible: not with a proof of another session, or of another key (RDV-5, RDV-7)", () => {
    const lab = new RawLab();
    const honest = lab.listener();
    const thief = lab.open();
    // What the listener said in its own session, word for word.
    lab.say(thief, lab.registration(thief, { handshakeHash: honest.handshakeHash }));
    expect(lab.read(thief)).toEqual([{ type: "registered", request: 0, results: ["bad-proof"] }]);
    // The thief knows the ticket, and so the blind, but not the key.
    lab.say(thief, lab.registration(thief, { request: 2, identity: OTHER }));
    expect(lab.read(thief)).toEqual([{ type: "registered", request: 2, results: ["registered"] }]);
    lab.say(lab.open(), invite(0));
    expect(lab.read(thief)).toEqual([]);
    expect(lab.read(honest)).toMatchObject([{ type: "invited" }]);
    expect(lab.server.health.counters).toMatchObject({ badProofs: 1, displaced: 0 });
  });

  test("with a proof that holds something else than blinds is refused (RDV-7, RDV-12)", () => {
    const lab = new RawLab();
    const client = lab.open();
    for (const [i, payload] of [
      new Uint8Array(0),
      Uint8Array.of(2, ...BLIND),
      Uint8Array.of(1, ...BLIND, 0),
      Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
    ].entries()) {
      lab.say(client, lab.registration(client, { request: 2 * i, payload }));
      expect(lab.read(client)).toEqual([{ type: "registered", request: 2 * i, results: ["bad-proof"] }]);
    }
    const wrong = { type: "register" as const, request: 8, preimages: [], proof: counting(1, 96) };
    lab.say(client, wrong);
    expect(lab.read(client)).toEqual([{ type: "registered", request: 8, results: ["bad-proof"] }]);
    expect(lab.server.health.slots).toBe(0);
  });

  test("anew moves the slot to the newest session, and the old one is told (RDV-8)", () => {
    const lab = new RawLab();
    const old = lab.listener();
    const fresh = lab.open();
    lab.say(fresh, lab.registration(fresh));
    expect(lab.read(old)).toEqual([{ type: "unregister", slots: [SLOT] }]);
    expect(lab.read(fresh)).toEqual([{ type: "registered", request: 0, results: ["registered"] }]);
    // The old session's end takes nothing away from the new one.
    lab.close(old);
    lab.say(lab.open(), invite(0));
    expect(lab.read(fresh)).toMatchObject([{ type: "invited" }]);
    // Nothing is told to a session that registers its own slot again.
    lab.say(fresh, lab.registration(fresh, { request: 2 }));
    expect(lab.read(fresh)).toEqual([{ type: "registered", request: 2, results: ["registered"] }]);
  });

  test("ends with UNREGISTER and with the session (RDV-8)", () => {
    const lab = new RawLab();
    const caller = lab.open();
    const first = lab.listener();
    lab.say(first, { type: "unregister", slots: [SLOT, counting(1, 16)] });
    lab.say(caller, invite(0));
    expect(lab.read(caller)).toEqual([failed(0, "not-here")]);
    const second = lab.listener();
    // A session can't unregister what is not its own.
    lab.say(first, { type: "unregister", slots: [SLOT] });
    lab.say(caller, invite(2));
    expect(lab.read(second)).toMatchObject([{ type: "invited" }]);
    lab.close(second);
    lab.say(caller, invite(4));
    expect(lab.read(caller)).toEqual([failed(2, "gone"), failed(4, "not-here")]);
  });

  test("is limited for each session, key, and in all, and by a rate (RDV-21)", () => {
    const limits = {
      maxSlotsPerSession: 2,
      maxSlots: 3,
      maxSessionsPerKey: 2,
      registerRate: { perSecond: 1, burst: 2 },
    };
    const lab = new RawLab({ limits });
    const results = (blinds: readonly Uint8Array[], client = lab.open(), request = 0) => {
      lab.say(client, lab.registration(client, { blinds, request }));
      return (lab.read(client)[0] as Extract<Message, { type: "registered" }>).results;
    };
    const [a, b, c, d] = [0, 1, 2, 3].map((i) => counting(0x30 + i, 16)) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    const first = lab.open();
    expect(results([a, b, c], first)).toEqual(["registered", "registered", "full"]);
    expect(results([c])).toEqual(["registered"]);
    expect(results([c])).toEqual(["full"]);
    expect(results([d])).toEqual(["full"]);
    expect(results([a], first, 2)).toEqual(["registered"]);
    expect(results([a], first, 4)).toEqual(["too-fast"]);
    lab.advance(1_000);
    expect(results([a], first, 6)).toEqual(["registered"]);
    expect(lab.server.health).toMatchObject({ slots: 3 });
  });
});

describe("a call", () => {
  test("goes to the slot's session and back, with the other's address and round trip, and both begin together (RDV-14 to RDV-16)", () => {
    const lab = new RawLab();
    const listener = lab.listener({ rtt: 40 });
    const caller = lab.open({ host: "2001:db8::7", rtt: 100.5 });
    lab.say(caller, invite(0));
    expect(lab.read(listener)).toEqual([
      {
        type: "invited",
        call: 1,
        slot: SLOT,
        flags: 0,
        rtt: 100_500,
        seen: "2001:db8::7",
        envelope: Uint8Array.of(1, 7, 7, 7),
      },
    ]);
    expect(lab.read(caller)).toEqual([]);
    lab.say(listener, answer(1));
    // One-way delays are 50.25 and 20 ms: who is nearer waits for the difference.
    expect(lab.read(caller)).toEqual([
      {
        type: "answered",
        call: 0,
        flags: 0,
        wait: 0,
        rtt: 40_000,
        seen: "198.51.100.1",
        relay: NO_RELAY,
        envelope: ENVELOPE2,
      },
    ]);
    expect(lab.read(listener)).toEqual([{ type: "go", call: 1, wait: 30_250, relay: NO_RELAY }]);
  });

  test("has no waits while a round trip is not known (RDV-16)", () => {
    const lab = new RawLab();
    const listener = lab.listener({ rtt: 40 });
    const caller = lab.open();
    lab.say(caller, invite(0));
    expect(lab.read(listener)).toMatchObject([{ rtt: 0 }]);
    lab.say(listener, answer(1));
    expect(lab.read(caller)).toMatchObject([{ wait: 0 }]);
    expect(lab.read(listener)).toMatchObject([{ wait: 0 }]);
  });

  test("tells no address of a side that conceals it, and the newest one of a side that moved (RDV-15)", () => {
    const lab = new RawLab();
    const listener = lab.listener();
    const caller = lab.open();
    lab.say(caller, invite(0, { flags: 2 }));
    expect(lab.read(listener)).toMatchObject([{ type: "invited", flags: 2, seen: undefined }]);
    lab.say(listener, { type: "answer", call: 1, flags: 2, envelope: ENVELOPE2 });
    expect(lab.read(caller)).toMatchObject([{ type: "answered", flags: 2, seen: undefined }]);
    lab.server.onAddressChanged(caller.id, { host: "203.0.113.9", port: 1, family: 4 });
    lab.say(caller, invite(2));
    expect(lab.read(listener)).toMatchObject([{ type: "go" }, { type: "invited", seen: "203.0.113.9" }]);
  });

  test("to a slot that never was and to one whose session is gone fails with the same bytes (RDV-14)", () => {
    const lab = new RawLab();
    lab.close(lab.listener());
    const caller = lab.open();
    lab.say(caller, invite(0), invite(2, { slot: counting(1, 16) }));
    const [gone, unknown] = lab.read(caller);
    expect({ ...gone, id: 2 }).toEqual(unknown);
    expect(unknown).toEqual(failed(2, "not-here", 1_000));
  });

  test("carries signals after its answer, in both directions, and a new start for both on request (RDV-17)", () => {
    const lab = new RawLab();
    const listener = lab.listener({ rtt: 40 });
    const caller = lab.open({ rtt: 10 });
    lab.say(caller, invite(0), signal(0));
    expect(lab.read(caller)).toEqual([failed(0, "malformed", 0)]);
    lab.say(listener, signal(1), answer(1));
    expect(lab.read(listener)).toMatchObject([{ type: "invited" }, failed(1, "malformed", 0), { type: "go" }]);
    expect(lab.read(caller)).toMatchObject([{ type: "answered" }]);
    lab.say(caller, signal(0));
    expect(lab.read(listener)).toEqual([signal(1)]);
    expect(lab.read(caller)).toEqual([]);
    lab.say(listener, signal(1, 1));
    expect(lab.read(caller)).toEqual([signal(0, 1), { type: "go", call: 0, wait: 15_000, relay: NO_RELAY }]);
    expect(lab.read(listener)).toEqual([{ type: "go", call: 1, wait: 0, relay: NO_RELAY }]);
  });

  test("is answered once, by the side that was invited (RDV-17)", () => {
    const lab = new RawLab();
    const listener = lab.listener();
    const caller = lab.open();
    lab.say(caller, invite(0), answer(0));
    expect(lab.read(caller)).toEqual([failed(0, "malformed", 0)]);
    lab.say(listener, answer(1), answer(1));
    expect(lab.read(listener)).toMatchObject([{ type: "invited" }, { type: "go" }, failed(1, "malformed", 0)]);
    expect(lab.read(caller)).toMatchObject([{ type: "answered" }]);
  });

  test("of another session can't be answered, signalled in or cancelled (RDV-17)", () => {
    const lab = new RawLab();
    const listener = lab.listener();
    const caller = lab.open();
    const stranger = lab.open();
    lab.say(caller, invite(0));
    lab.say(stranger, answer(1), signal(1), signal(0), { type: "cancel", call: 1 }, { type: "cancel", call: 0 });
    expect(lab.read(stranger)).toEqual([failed(1, "gone", 0), failed(1, "gone", 0), failed(0, "gone", 0)]);
    expect(lab.read(caller)).toEqual([]);
    lab.say(listener, answer(1));
    expect(lab.read(caller)).toMatchObject([{ type: "answered" }]);
  });

  test("ends by CANCEL of either side, and the other side is told (RDV-18)", () => {
    for (const by of ["caller", "listener"] as const) {
      const lab = new RawLab();
      const listener = lab.listener();
      const caller = lab.open();
      lab.say(caller, invite(0));
      lab.read(listener);
      lab.say(by === "caller" ? caller : listener, { type: "cancel", call: by === "caller" ? 0 : 1 });
      expect(lab.read(caller)).toEqual(by === "caller" ? [] : [failed(0, "gone", 0)]);
      expect(lab.read(listener)).toEqual(by === "caller" ? [failed(1, "gone", 0)] : []);
      expect(lab.server.health.calls).toBe(0);
    }
  });

  test("ends with either session, and the other side is told (RDV-18)", () => {
    for (const by of ["caller", "listener"] as const) {
      const lab = new RawLab();
      const clients = { listener: lab.listener(), caller: lab.open() };
      lab.say(clients.caller, invite(0));
      lab.read(clients.listener);
      lab.close(clients[by]);
      expect(lab.read(clients[by === "caller" ? "listener" : "caller"])).toEqual([
        failed(by === "caller" ? 1 : 0, "gone", 0),
      ]);
      expect(lab.server.health.calls).toBe(0);
    }
  });

  test("ends 60 s after its last message, in silence, and the timer says when (RDV-18)", () => {
    const lab = new RawLab();
    const listener = lab.listener();
    const caller = lab.open();
    expect(lab.server.nextTimeout()).toBeUndefined();
    lab.say(caller, invite(0));
    expect(lab.server.nextTimeout()).toBe(60_000);
    lab.advance(30_000);
    lab.say(listener, answer(1));
    expect(lab.server.nextTimeout()).toBe(90_000);
    lab.advance(59_999);
    expect(lab.server.health.calls).toBe(1);
    lab.read(caller);
    lab.read(listener);
    lab.advance(1);
    expect(lab.server.health).toMatchObject({ calls: 0, counters: { callsExpired: 1 } });
    expect([lab.read(caller), lab.read(listener)]).toEqual([[], []]);
    lab.say(caller, signal(0));
    expect(lab.read(caller)).toEqual([failed(0, "gone", 0)]);
  });

  test("of a session with itself is two sides (RDV-10)", () => {
    const lab = new RawLab();
    const both = lab.listener();
    lab.say(both, invite(2), answer(1), signal(2), signal(1));
    expect(lab.read(both)).toMatchObject([
      { type: "invited", call: 1 },
      { type: "answered", call: 2 },
      { type: "go", call: 1 },
      { type: "signal", call: 1 },
      { type: "signal", call: 2 },
    ]);
    lab.close(both);
    expect(lab.server.health.calls).toBe(0);
  });

  test("with an envelope that is empty or too long fails (RDV-13)", () => {
    const lab = new RawLab();
    const listener = lab.listener();
    const caller = lab.open();
    lab.say(caller, invite(0, { envelope: new Uint8Array(0) }));
    lab.say(caller, invite(2, { envelope: new Uint8Array(MAX_ENVELOPE_SIZE + 1) }));
    expect(lab.read(caller)).toEqual([failed(0, "malformed", 0), failed(2, "malformed", 0)]);
    lab.say(caller, invite(4, { envelope: new Uint8Array(MAX_ENVELOPE_SIZE) }));
    expect(lab.read(listener)).toMatchObject([{ type: "invited" }]);
  });

  test("that is repeated word for word is another call to the server, with the same envelope (RDV-13)", () => {
    const lab = new RawLab();
    const listener = lab.listener();
    const [honest, replayer] = [lab.open(), lab.open()];
    lab.say(honest, invite(0));
    lab.say(replayer, invite(0));
    const [first, second] = lab.read(listener) as Extract<Message, { type: "invited" }>[];
    expect(second!.envelope).toEqual(first!.envelope);
    expect(second!.call).not.toBe(first!.call);
  });
});

describe("limits of calls", () => {
  test("hold for one session: a rate, and calls that are open (RDV-21)", () => {
    const lab = new RawLab({ limits: { maxCallsBegun: 3 } });
    const listener = lab.listener();
    const caller = lab.open();
    for (let i = 0; i < 4; i++) lab.say(caller, invite(2 * i));
    expect(lab.read(listener)).toHaveLength(3);
    expect(lab.read(caller)).toEqual([failed(6, "limit", 1_000)]);
    lab.say(caller, { type: "cancel", call: 0 }, invite(8));
    expect(lab.read(listener)).toMatchObject([failed(1, "gone"), { type: "invited", call: 7 }]);
    for (let i = 5; i < 45; i++) lab.say(caller, invite(2 * i, { slot: counting(1, 16) }));
    const told = lab.read(caller) as Extract<Message, { type: "failed" }>[];
    expect(told.map((each) => each.failure)).toEqual([
      ...new Array(35).fill("not-here"),
      ...new Array(5).fill("limit"),
    ]);
    expect(told.at(-1)!.retry).toBe(50);
  });

  test("hold for one slot, whoever calls it, and are not renewed by registering it anew (RDV-21)", () => {
    const lab = new RawLab({ limits: { inviteRatePerSlot: { perSecond: 2, burst: 5 } } });
    let listener = lab.listener();
    for (let i = 0; i < 5; i++) lab.say(lab.open(), invite(0));
    listener = lab.listener();
    const late = lab.open();
    lab.say(late, invite(0));
    expect(lab.read(late)).toEqual([failed(0, "limit", 500)]);
    lab.advance(500);
    lab.say(late, invite(2));
    expect(lab.read(listener)).toMatchObject([{ type: "invited" }]);
  });

  test("hold for who is invited (RDV-21)", () => {
    const lab = new RawLab({ limits: { maxCallsInvited: 2 } });
    const listener = lab.listener();
    const callers = [lab.open(), lab.open(), lab.open()];
    for (const caller of callers) lab.say(caller, invite(0));
    expect(lab.read(listener)).toHaveLength(2);
    expect(lab.read(callers[2]!)).toEqual([failed(0, "limit", 1_000)]);
  });

  test("keep a slow reader from piling up what others send to it, and end one that piles up its own answers (RDV-21)", () => {
    const lab = new RawLab();
    const listener = lab.listener();
    const caller = lab.open();
    lab.say(caller, invite(0));
    lab.read(listener);
    lab.backlog.set(listener.id, 65_537);
    lab.say(caller, invite(2));
    expect(lab.read(caller)).toEqual([failed(2, "limit", 1_000)]);
    expect(lab.read(listener)).toEqual([]);
    lab.backlog.set(caller.id, 65_537);
    lab.say(listener, answer(1));
    expect(lab.read(listener)).toEqual([failed(1, "limit", 1_000)]);
    lab.backlog.set(caller.id, 131_073);
    lab.say(caller, invite(4));
    expect(caller.closed).toBe("limit");
    expect(lab.server.health).toMatchObject({ sessions: 1, calls: 0 });
  });

  test("hold for sessions of one source, IPv6 by its /64, and of all (RDV-21)", () => {
    const lab = new RawLab({ limits: { maxSessionsPerSource: 2, maxSessions: 5 } });
    const hosts = [
      "192.0.2.1",
      "192.0.2.1",
      "192.0.2.1",
      "2001:db8:1:2:a::1",
      "2001:db8:1:2:b::1",
      "2001:db8:1:2:c::1",
    ];
    const closed = hosts.map((host) => lab.open({ host }).closed);
    expect(closed).toEqual([undefined, undefined, "limit", undefined, undefined, "limit"]);
    expect(lab.open({ host: "192.0.2.3" }).closed).toBeUndefined();
    expect(lab.open({ host: "192.0.2.4" }).closed).toBe("limit");
    expect(lab.server.health).toMatchObject({ sessions: 5, sources: 3, counters: { sessionsRefused: 3 } });
    // Who moves takes its place with it.
    lab.server.onAddressChanged(1, { host: "192.0.2.9", port: 1, family: 4 });
    expect(lab.server.health.sources).toBe(4);
    lab.close(lab.clients.get(2)!);
    expect(lab.server.health.sources).toBe(3);
  });

  test("hold over a flood of 10,000 invitations from 100 sessions: the listener sees what its slot allows (RDV-21)", () => {
    const lab = new RawLab();
    const listener = lab.listener();
    const attackers = Array.from({ length: 100 }, (_, i) => lab.open({ host: `203.0.113.${i}` }));
    for (let round = 0; round < 100; round++) {
      for (const attacker of attackers)
        lab.say(attacker, invite(2 * round, { envelope: new Uint8Array(1_200).fill(1) }));
      lab.advance(10);
    }
    const seen = lab.read(listener).filter((each) => each.type === "invited");
    expect(seen.length).toBeLessThanOrEqual(100 + 20);
    expect(lab.server.health.calls).toBe(seen.length);
  });
});

describe("a probe from elsewhere", () => {
  test("goes to the address of the session that asked, with its token, from where it asked for (RDV-20)", () => {
    const lab = new RawLab({ hasOtherPort: true, hasOtherAddress: true });
    const client = lab.open({ host: "203.0.113.5" });
    for (const [i, which] of (["other-port", "other-address", "both"] as const).entries()) {
      const token = counting(i, 8);
      lab.say(client, { type: "probe", request: 2 * i, which, token });
      const { payload, ...rest } = lab.witnesses.at(-1)!;
      expect(rest).toEqual({
        type: "witness",
        session: client.id,
        which,
        to: { host: "203.0.113.5", port: 40_000 + client.id, family: 4 },
      });
      expect(decodeWitness(payload)).toEqual(token);
      // No longer than the request that caused it.
      expect(payload.length).toBeLessThanOrEqual(12);
    }
    expect(lab.read(client)).toEqual([]);
  });

  test("is refused where the server has no other place, and beyond its rate (RDV-20, RDV-21)", () => {
    const lab = new RawLab({ hasOtherPort: true, limits: { probeRate: { perSecond: 2, burst: 1 } } });
    const client = lab.open();
    const probe = (request: number, which: "other-port" | "both"): Message => ({
      type: "probe",
      request,
      which,
      token: counting(1, 8),
    });
    lab.say(client, probe(0, "both"), probe(2, "other-port"), probe(4, "other-port"));
    expect(lab.read(client)).toEqual([failed(0, "unsupported", 0), failed(4, "limit", 500)]);
    expect(lab.witnesses).toHaveLength(1);
  });
});

test("a server that leaves says so, registers nothing more, brings calls to their end, and closes (RDV-23)", () => {
  const lab = new RawLab();
  const listener = lab.listener();
  const caller = lab.open();
  const silent = lab.open({ greets: false });
  lab.server.drain(5_000, lab.now);
  lab.server.drain(9_000, lab.now);
  lab.drain();
  expect(lab.read(listener)).toEqual([{ type: "goaway", drain: 5_000 }]);
  expect(lab.read(caller)).toEqual([{ type: "goaway", drain: 5_000 }]);
  expect(silent.inbox).toEqual([]);
  expect(lab.server.nextTimeout()).toBe(5_000);
  lab.say(caller, invite(0));
  lab.say(listener, answer(1));
  expect(lab.read(caller)).toMatchObject([{ type: "answered" }]);
  lab.say(caller, lab.registration(caller, { request: 2 }));
  expect(lab.read(caller)).toEqual([{ type: "registered", request: 2, results: ["full"] }]);
  expect(lab.open({ greets: false }).closed).toBe("draining");
  lab.advance(4_999);
  expect(lab.server.health).toMatchObject({ sessions: 3, isDraining: true });
  lab.advance(1);
  expect([listener, caller, silent].map((each) => each.closed)).toEqual(["draining", "draining", "draining"]);
  expect(lab.server.health).toMatchObject({ sessions: 0, slots: 0, calls: 0, sources: 0 });
  expect(lab.server.nextTimeout()).toBeUndefined();
});
