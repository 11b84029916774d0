/**
 * Two agents that people bring together by two strings, minutes apart.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { MAX_RESPONSE_TARGETS, RESPONSE_TIMES } from "../../src/agent/pasted-answer.ts";
import type { PastingEvent } from "../../src/agent/pasting.ts";
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import { MAX_INVITATION_BYTES } from "../../src/path/punch/budget.ts";
import type { Behavior, NatOptions } from "../../src/testing/index.ts";
import type { TicketFields } from "../../src/ticket/ticket.ts";
import type { Address } from "../../src/util/machine.ts";
import { classify, FIRST_BYTE } from "../../src/wire/datagram.ts";
import { kind } from "../sim/punch-pair.ts";
import { Lab, type LabOptions, type Side, type Who } from "./lab.ts";

const EI: Behavior = "endpoint-independent";
const AD: Behavior = "address-dependent";
const APD: Behavior = "address-and-port-dependent";

const MINUTE = 60_000;

function behind(mapping: Behavior, filtering: Behavior, more: Partial<NatOptions> = {}): Side {
  return { nat: kind(mapping, filtering, { lifetime: 30_000, ...more }) };
}

/** A port-restricted cone that forgets what is silent for 30 s. */
const CONE = behind(EI, APD);

/** What a side has sent beside STUN. */
interface Sent {
  readonly at: number;
  readonly ttl: number;
  readonly payload: Uint8Array;
  readonly to: Address;
}

/** Two agents, and the strings between them. */
class Pasted {
  readonly lab: Lab;
  readonly sent: Record<Who, Sent[]> = { dialer: [], listener: [] };
  connection: ConnectionMachine | undefined;
  ticket: TicketFields;

  constructor(options: LabOptions = {}) {
    this.lab = new Lab({ dialer: CONE, listener: CONE, warmUp: 0, ...options });
    this.ticket = { ...this.lab.ticket, paste: true, singleUse: true };
    for (const who of ["dialer", "listener"] as const) {
      const { link } = this.lab[who];
      const { filter } = link.up;
      link.up.filter = (packet) => {
        const { payload, to, ttl } = packet;
        if (classify(payload[0]!) !== "stun") {
          this.sent[who].push({ at: this.lab.world.now, ttl, payload: payload.slice(), to });
        }
        return filter?.(packet) ?? "pass";
      };
    }
  }

  get servers(): readonly Address[] {
    return this.lab.agentServer().addresses;
  }

  /** The listener makes its ticket. */
  listen(): this {
    const { world, listener } = this.lab;
    listener.machine.listenPasted(this.servers, world.now);
    world.wake(listener);
    const isTold = () => this.events("pasting-ready").length + this.events("pasting-blocked").length > 0;
    world.run({ until: isTold, for: 10_000 });
    const addresses = this.events("pasting-ready")[0]?.addresses ?? [];
    this.ticket = { ...this.ticket, addresses };
    this.lab.ticketId = listener.machine.addTicket(this.ticket, 1, world.now);
    return this;
  }

  /** The initiator reads it and makes its string. */
  call(timeout = 10 * MINUTE): this {
    const { world, dialer } = this.lab;
    const options = { ticket: this.ticket, identity: this.lab.newKey(), timeout };
    this.connection = dialer.machine.connectPasted(options, this.servers, world.now);
    this.lab.connection = this.connection;
    world.wake(dialer);
    world.run({ until: () => this.invitations.length > 0 || this.lab.reason !== undefined, for: 10_000 });
    return this;
  }

  wait(ms: number): this {
    this.lab.world.run({ for: ms });
    return this;
  }

  /** The listener is told; returns what it says to that. */
  paste(core1: Uint8Array = this.invitations.at(-1)!): string | undefined {
    const { world, listener } = this.lab;
    const dropped = listener.machine.onPasted(core1.slice(), world.now);
    world.wake(listener);
    return dropped;
  }

  /** Time from the paste to the first byte, in ms. */
  finish(): number | undefined {
    const { lab } = this;
    const start = lab.world.now;
    lab.world.run({ until: () => lab.firstByteAt !== undefined || lab.reason !== undefined, for: 30_000 });
    return lab.firstByteAt === undefined ? undefined : lab.firstByteAt - start;
  }

  events<Type extends PastingEvent["type"]>(type: Type): readonly Extract<PastingEvent, { type: Type }>[] {
    return this.lab.events.flatMap(({ event }) =>
      event.type === type ? [event as Extract<PastingEvent, { type: Type }>] : [],
    );
  }

  get invitations(): readonly Uint8Array[] {
    return this.events("pasting-invitation").map(({ core1 }) => core1);
  }

  responses(): readonly Sent[] {
    return this.sent.listener.filter(({ payload }) => payload[0] === FIRST_BYTE.RESP);
  }
}

describe("two port-restricted cones whose bindings live 30 s", () => {
  test("connect by two strings, three minutes after the second (PASTE-3, PASTE-4, PASTE-8)", () => {
    const pasted = new Pasted()
      .listen()
      .wait(MINUTE)
      .call()
      .wait(3 * MINUTE);
    expect(pasted.ticket.addresses).toHaveLength(1);
    expect(pasted.events("pasting-moved")).toEqual([]);
    expect(pasted.invitations).toHaveLength(1);
    expect(pasted.paste()).toBeUndefined();
    expect(pasted.finish()).toBeLessThan(300);
    expect(pasted.lab.accepted?.state).toBe("open");
  });

  test("nothing but openers goes to the listener's address before (PASTE-5)", () => {
    const pasted = new Pasted().listen().call().wait(MINUTE);
    const sent = pasted.sent.dialer;
    expect(sent.length).toBeGreaterThanOrEqual(12);
    expect(sent.length).toBeLessThanOrEqual(14);
    for (const { ttl, payload } of sent) expect([ttl, payload.length, payload[0]]).toEqual([2, 16, FIRST_BYTE.PAD]);
    expect(pasted.sent.listener).toEqual([]);
  });

  test("the string has the size of a sentence (PASTE-1)", () => {
    const [core1] = new Pasted().listen().call().invitations;
    expect(core1!.length).toBeLessThanOrEqual(230);
  });

  test("pasted twice at once, and again when all is done (PASTE-7)", () => {
    const pasted = new Pasted().listen().call().wait(MINUTE);
    expect(pasted.paste()).toBeUndefined();
    expect(pasted.paste()).toBeUndefined();
    expect(pasted.finish()).toBeLessThan(300);
    expect(pasted.paste()).toBe("replayed");
    pasted.wait(5_000);
    expect(pasted.lab.accepted?.state).toBe("open");
    expect(pasted.lab.listener.machine.endpoint.connectionCount).toBe(1);
  });

  test("a string that waited for its listener too long connects nobody, and says so (PASTE-7)", () => {
    const pasted = new Pasted().listen().call(2_000).wait(5_000);
    expect(pasted.lab.reason).toMatchObject({ kind: "unreachable" });
    expect(pasted.paste()).toBeUndefined();
    pasted.wait(25_000);
    expect(pasted.paste()).toBe("replayed");
    expect(pasted.lab.listener.machine.endpoint.connectionCount).toBe(0);
  });
});

describe("a string that leads nowhere (PASTE-7)", () => {
  test("is for another ticket, or damaged", () => {
    const pasted = new Pasted().listen();
    const { ticket } = pasted;
    pasted.ticket = { ...ticket, secret: new Uint8Array(16) };
    const [foreign] = pasted.call().invitations;
    expect(pasted.paste(foreign)).toBe("no-ticket");
    const damaged = foreign!.slice();
    damaged[100]! ^= 1;
    expect(pasted.paste(damaged)).toBe("no-ticket");
    expect(pasted.wait(5_000).sent.listener).toEqual([]);
  });

  test("is refused once the ticket is used up, and the caller is told nothing", () => {
    const pasted = new Pasted().listen().call();
    pasted.lab.listener.machine.endpoint.revokeTicket(pasted.lab.ticketId);
    expect(pasted.paste()).toBe("refused");
    expect(pasted.wait(5_000).sent.listener).toEqual([]);
  });
});

describe("other networks", () => {
  test.each<[string, Side, Side]>([
    ["a public listener", CONE, {}],
    ["a public caller", {}, CONE],
    ["two public ones", {}, {}],
    ["full cones", behind(EI, EI), behind(EI, EI)],
    ["restricted cones", behind(EI, AD), behind(EI, AD)],
    ["a symmetric NAT of the listener, filtering by address", behind(EI, AD), behind(APD, AD)],
    ["routers that remember what nobody asked for", behind(EI, APD, { tracksUnsolicited: true }), CONE],
    ["such routers on the other side", CONE, behind(EI, APD, { tracksUnsolicited: true })],
  ])("%s: connected at once (PASTE-8)", (_, dialer, listener) => {
    const pasted = new Pasted({ dialer, listener }).listen().wait(20_000).call().wait(MINUTE);
    expect(pasted.paste()).toBeUndefined();
    expect(pasted.finish()).toBeLessThan(500);
  });

  test("one NAT in front of both, which turns nothing around: their inner addresses serve, if they tell them (PASTE-4)", () => {
    const sharedNat = kind(EI, APD, { lifetime: 30_000 });
    const pasted = new Pasted({ sharedNat, tellsHosts: true }).listen().call().wait(MINUTE);
    expect(pasted.ticket.addresses.map(({ host }) => host)).toEqual(["203.0.113.1", "10.0.0.3"]);
    expect(pasted.paste()).toBeUndefined();
    expect(pasted.finish()).toBeLessThan(500);
  });

  test("a twentieth lost on each link: connected all the same (PASTE-6)", () => {
    for (let seed = 1; seed <= 5; seed++) {
      const pasted = new Pasted({ seed, link: { delay: 10, loss: 0.05 } }).listen().call().wait(MINUTE);
      pasted.paste();
      expect(pasted.finish()).toBeLessThan(8_000);
    }
  });

  test("no server answers: both are told (PASTE-3)", () => {
    const pasted = new Pasted();
    pasted.lab.stopServer();
    pasted.listen();
    expect(pasted.events("pasting-blocked")).toHaveLength(1);
    pasted.call();
    expect(pasted.lab.reason).toMatchObject({ kind: "unreachable", cause: "udp-blocked" });
  });
});

describe("an address that changes (PASTE-5)", () => {
  const reboot = (pasted: Pasted, name: string): void => {
    for (const nat of pasted.lab.nats) if (nat.name.includes(name)) nat.reboot();
  };

  test("of the initiator: there is another string, and it connects", () => {
    const random: Partial<NatOptions> = { ports: { kind: "random" } };
    const pasted = new Pasted({ dialer: behind(EI, APD, random) }).listen().call().wait(20_000);
    reboot(pasted, "dialer");
    pasted.wait(30_000);
    expect(pasted.events("pasting-invitation").map(({ isChanged }) => isChanged)).toEqual([false, true]);
    expect(pasted.paste()).toBeUndefined();
    expect(pasted.finish()).toBeLessThan(500);
  });

  test("of the listener: it is told once that its ticket leads nowhere", () => {
    const random: Partial<NatOptions> = { ports: { kind: "random" } };
    const pasted = new Pasted({ listener: behind(EI, APD, random) }).listen().wait(20_000);
    reboot(pasted, "listener");
    pasted.wait(MINUTE);
    expect(pasted.events("pasting-moved")).toHaveLength(1);
  });
});

describe("what an answer costs (PASTE-6)", () => {
  test("its times, until nobody can be expected any more", () => {
    const pasted = new Pasted().listen().call();
    pasted.lab.dialer.stop();
    const start = pasted.lab.world.now;
    pasted.paste();
    pasted.wait(40_000);
    const times = pasted.responses().map(({ at }) => at - start - 15);
    const late = Array.from({ length: 9 }, (_, index) => 1_600 + 2_000 * (index + 1));
    expect(times).toEqual([...RESPONSE_TIMES, ...late]);
    expect(pasted.sent.listener[0]).toMatchObject({ ttl: 2 });
    expect(pasted.lab.listener.machine.endpoint.connectionCount).toBe(0);
  });

  test("four targets and 10 KiB at the most, whatever addresses the string names", () => {
    const pasted = new Pasted().listen().call();
    const { connection, lab } = pasted;
    const candidates = Array.from({ length: 12 }, (_, index) => ({
      ...{ kind: "reflexive" as const, group: 0 },
      address: { host: `198.18.0.${index + 1}`, port: 5_000, family: 4 as const },
    }));
    const core1 = connection!.invite({ generation: 9, candidates, profile: undefined }, { isPasted: true })!;
    lab.dialer.stop();
    pasted.paste(core1);
    pasted.wait(40_000);
    expect(new Set(pasted.responses().map(({ to }) => to.host)).size).toBe(MAX_RESPONSE_TARGETS);
    const bytes = pasted.sent.listener.reduce((sum, { payload }) => sum + payload.length, 0);
    expect(bytes).toBeLessThanOrEqual(MAX_INVITATION_BYTES);
  });

  test("nobody is made to write to addresses that are not global, or ports of services", () => {
    const pasted = new Pasted().listen().call();
    const at = (host: string, port: number) => ({
      ...{ kind: "reflexive" as const, group: 0 },
      address: { host, port, family: 4 as const },
    });
    const candidates = [at("127.0.0.1", 5_000), at("192.168.1.1", 5_000), at("224.0.0.1", 5_000), at("198.18.0.1", 53)];
    pasted.paste(pasted.connection!.invite({ generation: 9, candidates, profile: undefined }, { isPasted: true })!);
    expect(pasted.wait(30_000).sent.listener).toEqual([]);
  });
});
