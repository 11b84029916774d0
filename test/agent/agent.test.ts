/**
 * Two agents find each other through a server: how soon the first byte is there, what that costs, and what is left open.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import type { DuplexLinkOptions } from "../../src/testing/index.ts";
import { kind } from "../sim/punch-pair.ts";
import { Lab, type LabOptions, type Side } from "./lab.ts";

const CONE: Side = { nat: kind("endpoint-independent", "address-and-port-dependent") };
const SYMMETRIC: Side = { nat: kind("address-and-port-dependent", "address-and-port-dependent") };
const CONES: LabOptions = { dialer: CONE, listener: CONE };

/** Links of each host, and the round trip between any two of them, in ms. */
const LINKS: readonly { readonly name: string; readonly link: DuplexLinkOptions; readonly R: number }[] = [
  { name: "40 ms", link: { delay: 10 }, R: 40 },
  { name: "280 ms", link: { delay: 70 }, R: 280 },
  { name: "40 ms, three quarters of it one way", link: { up: { delay: 5 }, down: { delay: 15 } }, R: 40 },
];

const EASY: readonly (readonly [string, Side])[] = [
  ["public", {}],
  ["full cone", { nat: kind("endpoint-independent", "endpoint-independent") }],
  ["address-restricted cone", { nat: kind("endpoint-independent", "address-dependent") }],
  ["port-restricted cone", CONE],
];

describe("the first byte (PATH-69, PATH-74)", () => {
  test.each(LINKS)("of every easy pair comes 4.5 R and the openers' 15 ms after the call: R = $name", ({ link, R }) => {
    // Kinds make no difference but to who is let in; longer ways none that depends on kinds.
    const kinds = link === LINKS[0]!.link ? EASY : [EASY[0]!, EASY.at(-1)!];
    for (const [dialerName, dialer] of kinds) {
      for (const [listenerName, listener] of kinds) {
        const { ms } = new Lab({ dialer, listener, link }).tryPair();
        expect(ms, `${dialerName}, ${listenerName}`).toBeCloseTo(4.5 * R + 15, 6);
      }
    }
  });

  test.each(LINKS)(
    "takes half a round trip more behind an open filter, if ports differ by destination: R = $name",
    ({ link, R }) => {
      const open: Side = { nat: kind("address-and-port-dependent", "endpoint-independent") };
      for (const other of [{}, CONE]) {
        for (const sides of [
          { dialer: open, listener: other },
          { dialer: other, listener: open },
        ]) {
          expect(new Lab({ ...sides, link }).tryPair().ms).toBeLessThanOrEqual(5 * R + 15 + 25);
        }
      }
    },
  );

  test("comes 4.5 of the larger round trip after the call, at most, where the peers' links differ", () => {
    for (const [far, near] of [
      ["dialer", "listener"],
      ["listener", "dialer"],
    ] as const) {
      const lab = new Lab({ ...CONES, warmUp: 0 });
      for (const way of ["up", "down"] as const) lab[far].link[way].update({ delay: 60 });
      lab.listen();
      lab.world.run({ for: 3_000 });
      // 140 ms from the far one to either of the others, 40 ms from the near one to the server.
      expect(lab.tryPair().ms, `${far} far, ${near} near`).toBeLessThanOrEqual(4.5 * 140 + 150);
    }
  });

  test("of two home routers costs the caller 18 datagrams by its own socket, 3 of them STUN, and the listener 9", () => {
    const lab = new Lab(CONES);
    const own = { dialer: 0, listener: 0 };
    const stun: number[] = [];
    for (const who of ["dialer", "listener"] as const) {
      const { up } = lab[who].link;
      const { filter } = up;
      up.filter = (packet) => {
        if (packet.from.port === 4_433) own[who] += 1;
        if (packet.payload[0] === 0) stun.push(packet.from.port);
        return filter!(packet);
      };
    }
    lab.tryPair();
    expect(own).toEqual({ dialer: 18, listener: 9 });
    // What else is found out goes by fresh sockets (PATH-65).
    expect([stun.length, stun.filter((port) => port === 4_433).length, new Set(stun).size]).toEqual([12, 3, 1 + 5]);
    expect([lab.costs.dialer.openers, lab.costs.listener.openers]).toEqual([1, 1]);
    expect(lab.costs.dialer.bytes).toBeLessThan(6_000);
    expect(lab.costs.listener.bytes).toBeLessThan(1_000);
  });
});

describe("an address in the ticket, beside a server (PATH-69)", () => {
  test("that answers: one round trip, then the first byte", () => {
    const lab = new Lab({ isDirect: true });
    expect(lab.tryPair().ms).toBe(1.5 * 40);
    // The invitation was not sent: nobody was told where the caller is.
    expect(lab.costs.listener).toEqual({ datagrams: 2, bytes: expect.any(Number), stun: 0, openers: 0 });
  });

  test("that is blocked delays nothing", () => {
    const { ms } = new Lab({ ...CONES, isDirect: true }).tryPair();
    expect(ms).toBe(new Lab(CONES).tryPair().ms);
  });
});

describe("what is left when the connection is open (PATH-73)", () => {
  test.each([
    ["cones", CONES],
    ["a birthday by the listener", { dialer: CONE, listener: SYMMETRIC }],
    ["a birthday by the caller", { dialer: SYMMETRIC, listener: CONE }],
  ] as const)("%s: 2 s later at most the socket in use is open beside the usual ones", (_name, options) => {
    const lab = new Lab(options);
    expect(lab.tryPair().ms).toBeDefined();
    // Discovery may still have sockets of its own; it has none a few seconds after it has begun.
    lab.world.run({ for: Math.max(2_001, 4_000 - (lab.world.now - lab.calledAt)) });
    const used = { dialer: lab.connection!.paths()[0]!.local, listener: lab.accepted!.paths()[0]!.local };
    for (const who of ["dialer", "listener"] as const) {
      expect([...lab.extraSockets[who]]).toEqual(used[who] === 0 ? [] : [used[who]]);
    }
  });

  test.each([
    ["the caller", "dialer"],
    ["the listener", "listener"],
  ] as const)("%s closes the connection: no socket is left", (_name, who) => {
    const lab = new Lab({ dialer: SYMMETRIC, listener: CONE });
    expect(lab.tryPair().ms).toBeDefined();
    lab.world.run({ for: 4_000 });
    const connection = who === "dialer" ? lab.connection! : lab.accepted!;
    connection.close(0, "", lab.world.now);
    lab.world.run({ for: 5_000 });
    expect([lab.extraSockets.dialer.size, lab.extraSockets.listener.size]).toEqual([0, 0]);
  });

  test("the caller gives up in the middle of a birthday: its sockets are closed at once, those of the listener 30 s later", () => {
    const lab = new Lab({ dialer: SYMMETRIC, listener: CONE });
    lab.call();
    lab.world.run({ until: () => lab.extraSockets.dialer.size > 200, for: 10_000 });
    lab.connection!.abort();
    lab.world.run({ for: 4_000 });
    expect(lab.extraSockets.dialer.size).toBe(0);
    lab.world.run({ for: 30_000 });
    expect(lab.extraSockets.listener.size).toBe(0);
  });

  test("the caller's session ends, that of the listener stays (RDV-30)", () => {
    const lab = new Lab(CONES);
    lab.tryPair();
    lab.world.run({ for: 1_000 });
    const { sessions, calls } = lab.servers[0]!.machine.health;
    expect([sessions, calls]).toEqual([1, 0]);
    expect(lab.dialer.machine.endpoint.connectionCount).toBe(1);
    expect(lab.listener.machine.endpoint.connectionCount).toBe(2);
  });

  test("a ticket for several calls at once brings them all", () => {
    const lab = new Lab(CONES);
    for (let i = 0; i < 4; i++) lab.call();
    const incoming = (): number => lab.events.filter(({ event }) => event.type === "incoming").length;
    lab.world.run({ until: () => incoming() === 4, for: 5_000 });
    expect(lab.world.now - lab.calledAt).toBeLessThan(4.5 * 40 + 150);
  });
});

describe("what the listener decides", () => {
  test("its application is asked, and accepts half a second later", () => {
    const lab = new Lab({ ...CONES, acceptHook: true });
    const answer = (): boolean => {
      const request = lab.events.find(({ event }) => event.type === "request");
      if (request?.event.type !== "request") return false;
      lab.listener.machine.endpoint.answer(request.event.request.id, { accept: true, message: "" }, lab.world.now);
      lab.world.wake(lab.listener);
      return true;
    };
    lab.world.at(lab.world.now + 500, () => expect(answer()).toBe(true));
    // The server has measured round trips meanwhile, delays of acknowledgements included: it has both sides wait for that.
    expect(lab.tryPair().ms).toBeLessThanOrEqual(500 + 2.5 * 40 + 15 + 25);
  });

  test("its application refuses: the caller hears why, by the server alone", () => {
    const lab = new Lab({ ...CONES, acceptHook: true });
    lab.world.at(lab.world.now + 500, () => {
      const request = lab.events.find(({ event }) => event.type === "request");
      if (request?.event.type !== "request") throw new Error("nobody was asked");
      lab.listener.machine.endpoint.answer(
        request.event.request.id,
        { accept: false, message: "not now" },
        lab.world.now,
      );
      lab.world.wake(lab.listener);
    });
    const { ms, reason } = lab.tryPair();
    expect([ms, reason]).toEqual([
      undefined,
      expect.objectContaining({ kind: "refused", refusal: "not-allowed", message: "not now" }),
    ]);
    expect(lab.world.now - lab.calledAt).toBe(500 + 40);
    expect([lab.costs.dialer.openers, lab.costs.listener.openers]).toEqual([0, 0]);
  });

  test.each([
    ["revoked", (lab: Lab) => lab.listener.machine.endpoint.revokeTicket(lab.ticketId)],
    ["used-up", (lab: Lab) => lab.tryPair()],
  ] as const)("a ticket that is %s is refused by the server alone", (refusal, prepare) => {
    const lab = new Lab({
      ...CONES,
      ticket: { singleUse: refusal === "used-up" },
      uses: refusal === "used-up" ? 1 : undefined,
    });
    prepare(lab);
    lab.events.length = 0;
    const { reason } = lab.tryPair();
    expect(reason).toMatchObject({ kind: "refused", refusal });
    expect(lab.world.now - lab.calledAt).toBeLessThanOrEqual(3.5 * 40);
  });
});

test("one seed determines the run", () => {
  const hashes = [1, 1, 2].map((seed) => {
    const lab = new Lab({ seed, dialer: CONE, listener: SYMMETRIC });
    lab.tryPair();
    return lab.world.traceHash;
  });
  expect(hashes[0]).toBe(hashes[1]);
  expect(hashes[2]).not.toBe(hashes[0]);
});
