/**
 * Attacks on two agents that look for each other: by strangers, by peers with a ticket, and by the server itself.
 *
 * The oracle is the same for all: no connection but with the peer, nothing is thrown, and what third parties, sockets and
 * memory are made to bear is bounded by the figures that are stated.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { MAX_BURST, MAX_RATE } from "../../src/path/punch/budget.ts";
import type { Message } from "../../src/signal/messages.ts";
import { address } from "../../src/testing/index.ts";
import { Lab, type Who } from "../agent/lab.ts";
import {
  ATTACKER,
  addAgent,
  bytesTo,
  deliver,
  garbage,
  HOME,
  hostileLab,
  mutated,
  RANDOM,
  stunAnswer,
  VICTIM,
  watch,
} from "./attackers.ts";

/** Time from the call to the first byte where all is well: 4.5 R and the openers' lead. */
const AT_BEST = 4.5 * 40 + 15;

const KIB = 1_024;
const PEERS: readonly Who[] = ["dialer", "listener"];

/** Both have one connection with each other, by the addresses of their NATs, and it carries data. */
function expectRightConnection(lab: Lab): void {
  expect(lab.firstByteAt).toBeDefined();
  expect(lab.events.filter(({ event }) => event.type === "incoming")).toHaveLength(1);
  const [dialer, listener] = lab.nats.map((nat) => nat.address);
  expect(lab.connection!.paths()[0]!.remote.host).toBe(listener);
  expect(lab.accepted!.paths()[0]!.remote.host).toBe(dialer);
}

/** What an endpoint holds once all is over: the listener's session, and the connection if there is one. */
function expectNothingLeft(lab: Lab, connections: number): void {
  lab.world.run({ for: 70_000 });
  expect(lab.dialer.machine.endpoint.connectionCount).toBe(connections);
  expect(lab.listener.machine.endpoint.connectionCount).toBe(1 + connections);
  expect(lab.extraSockets.dialer.size + lab.extraSockets.listener.size).toBeLessThanOrEqual(2 * connections);
}

describe("forged answers of STUN", () => {
  test.each([
    [
      "another transaction",
      (request: Uint8Array) => ({ from: undefined, payload: stunAnswer(request, VICTIM, new Uint8Array(12)) }),
    ],
    ["another server's address", (request: Uint8Array) => ({ from: ATTACKER, payload: stunAnswer(request, VICTIM) })],
    [
      "another port of the server",
      (request: Uint8Array) => ({ from: address("192.0.2.1", 4_000), payload: stunAnswer(request, VICTIM) }),
    ],
  ])("with %s change nothing", (_name, forge) => {
    const lab = new Lab({ dialer: HOME, listener: HOME });
    const sent = bytesTo(lab, VICTIM.host);
    watch(lab, "dialer", ({ to, from, payload }) => {
      if (payload[0] !== 0 || from.port !== 4_433) return;
      const { from: source = to, payload: forged } = forge(payload);
      lab.world.after(1, () => deliver(lab, "dialer", { from: source, payload: forged }));
    });
    expect(lab.tryPair().ms).toBe(AT_BEST);
    expectRightConnection(lab);
    expect(sent()).toBe(0);
    expect(lab.accepted!.peerSituation.candidates.some((each) => each.address.host === VICTIM.host)).toBe(false);
  });

  test("by somebody on the way who sees all questions: at most 10 KiB to whom they name, and no wrong connection", () => {
    const lab = new Lab({ dialer: HOME, listener: HOME });
    const sent = bytesTo(lab, VICTIM.host);
    for (const who of PEERS) {
      watch(lab, who, ({ to, payload, from }) => {
        const via =
          from.port === 4_433 ? 0 : [...lab.extraSockets[who]].find((id) => lab[who].address(id).port === from.port);
        if (payload[0] === 0 && via !== undefined)
          lab.world.after(1, () => deliver(lab, who, { via, from: to, payload: stunAnswer(payload, VICTIM) }));
      });
    }
    lab.tryPair();
    lab.world.run({ for: 10_000 });
    expect(sent()).toBeGreaterThan(0);
    expect(sent()).toBeLessThanOrEqual(10 * KIB);
    expect(lab.events.filter(({ event }) => event.type === "incoming").length).toBeLessThanOrEqual(1);
  });
});

describe("strangers who send to the peers while they punch", () => {
  test("forged probes: every first byte, and mutants of all that was seen, from an attacker's address and from the peer's", () => {
    for (const seed of [1, 2, 3]) {
      const lab = new Lab({ seed, dialer: HOME, listener: HOME });
      const rng = lab.world.rng.fork("attacker");
      const sent = bytesTo(lab, ATTACKER.host);
      for (const who of PEERS) {
        const other = who === "dialer" ? "listener" : "dialer";
        watch(lab, who, ({ payload }) => {
          const copy = payload.slice();
          for (const from of [ATTACKER, address(lab.nats[PEERS.indexOf(who)]!.address, 4_433)]) {
            for (const forged of [mutated(copy, rng), garbage(rng)]) {
              for (const target of [who, other] as const) {
                lab.world.after(rng.integer(0, 30), () => deliver(lab, target, { from, payload: forged }));
              }
            }
          }
        });
      }
      expect(lab.tryPair().ms).toBe(AT_BEST);
      expectRightConnection(lab);
      // Nothing that is not authentic is answered (PATH-11).
      expect(sent()).toBe(0);
      expectNothingLeft(lab, 1);
    }
  });

  test("replays of all that was seen, from an attacker's address: no answer, and the path stays", () => {
    const lab = new Lab({ dialer: HOME, listener: HOME });
    const sent = bytesTo(lab, ATTACKER.host);
    for (const who of PEERS) {
      const other = who === "dialer" ? "listener" : "dialer";
      watch(lab, who, ({ payload, to }) => {
        const copy = payload.slice();
        if (to.host.startsWith("203.0.113."))
          lab.world.after(25, () => deliver(lab, other, { from: ATTACKER, payload: copy }));
      });
    }
    expect(lab.tryPair().ms).toBe(AT_BEST);
    lab.world.run({ for: 3_000 });
    expectRightConnection(lab);
    expect(sent()).toBe(0);
  });

  test("an attacker who is faster than the peer has probes answered to himself: 10 KiB at most, and no connection with him", () => {
    const lab = new Lab({ dialer: HOME, listener: HOME });
    const sent = bytesTo(lab, ATTACKER.host);
    for (const who of PEERS) {
      const other = who === "dialer" ? "listener" : "dialer";
      watch(lab, who, ({ payload, to }) => {
        const copy = payload.slice();
        // The original takes 20 ms.
        if (to.host.startsWith("203.0.113."))
          lab.world.after(5, () => deliver(lab, other, { from: ATTACKER, payload: copy }));
      });
    }
    lab.tryPair();
    lab.world.run({ for: 20_000 });
    expect(sent()).toBeGreaterThan(0);
    expect(sent()).toBeLessThanOrEqual(10 * KIB);
    for (const connection of [lab.connection!, lab.accepted]) {
      if (connection?.state === "open") expect(connection.paths()[0]!.remote.host).not.toBe(ATTACKER.host);
    }
  });

  test("forged witnesses: filters are not believed to be open", () => {
    const lab = new Lab({ dialer: HOME, listener: HOME });
    const rng = lab.world.rng.fork("attacker");
    for (let i = 0; i < 500; i++) {
      lab.world.after(i, () => {
        for (const who of PEERS) {
          const payload = Uint8Array.of(0x86, 0, 12, 1, ...rng.random(8));
          deliver(lab, who, { from: address("192.0.2.2", 3_479), payload });
        }
      });
    }
    lab.tryPair();
    lab.world.run({ for: 3_000 });
    for (const who of PEERS) {
      const { filtering } = lab[who].machine.situation.profile!;
      expect(["address-and-port-dependent", undefined]).toContain(filtering);
    }
  });
});

describe("a peer with a ticket that names somebody else (PATH-15, PATH-24, PATH-26)", () => {
  /** The caller says that he is at the victim's, with random ports, and that guessing will help. */
  function callInTheNameOf(lab: Lab, host: string): void {
    let port = 20_000;
    watch(lab, "dialer", ({ to, from, payload }) => {
      if (payload[0] !== 0) return;
      const via =
        from.port === 4_433 ? 0 : [...lab.extraSockets.dialer].find((id) => lab.dialer.address(id).port === from.port);
      port = 20_000 + ((port + 12_345) % 40_000);
      const forged = stunAnswer(payload, address(host, port));
      if (via !== undefined) lab.world.after(1, () => deliver(lab, "dialer", { via, from: to, payload: forged }));
    });
    lab.dialer.machine.onMappedPort({ external: address(host, 5_353), reach: "public" }, lab.world.now);
  }

  test("at an address at which the server has not seen him: 10 KiB, and no port is guessed", () => {
    const lab = new Lab({ dialer: HOME, listener: HOME });
    callInTheNameOf(lab, VICTIM.host);
    lab.dialer.link.down.filter = ({ from }) => (from.host === lab.nats[1]!.address ? "drop" : "pass");
    let bytes = 0;
    const ports = new Set<number>();
    watch(lab, "listener", ({ to, payload }) => {
      if (to.host !== VICTIM.host) return;
      bytes += payload.length;
      ports.add(to.port);
    });
    lab.tryPair();
    lab.world.run({ for: 40_000 });
    expect(bytes).toBeGreaterThan(500);
    expect(bytes).toBeLessThanOrEqual(10 * KIB);
    expect(ports.size).toBeLessThanOrEqual(3 * 8);
  });

  test("at an address that he shares with the victim: a birthday, of 128 KiB at most beside the 10", () => {
    const lab = new Lab({ dialer: RANDOM, listener: HOME });
    const { address: shared } = lab.nats[0]!;
    callInTheNameOf(lab, shared);
    lab.dialer.link.down.filter = ({ from }) => (from.host === lab.nats[1]!.address ? "drop" : "pass");
    const start = lab.world.now;
    let bytes = 0;
    let most = 0;
    watch(lab, "listener", ({ to, payload }) => {
      if (to.host !== shared) return;
      bytes += payload.length;
      most = Math.max(most, bytes - (MAX_RATE * (lab.world.now - start)) / 1_000);
    });
    lab.tryPair();
    lab.world.run({ for: 40_000 });
    expect(bytes).toBeGreaterThan(30 * KIB);
    expect(bytes).toBeLessThanOrEqual((128 + 10) * KIB);
    expect(most).toBeLessThanOrEqual(MAX_BURST);
  });

  test("within the listener's own network, or at its router: not a byte", () => {
    for (const host of ["10.0.0.1", "192.168.1.1", "127.0.0.1", "169.254.1.1", "224.0.0.251", "255.255.255.255"]) {
      const lab = new Lab({ dialer: HOME, listener: HOME });
      callInTheNameOf(lab, host);
      let bytes = 0;
      watch(lab, "listener", ({ to, payload }) => {
        if (to.host === host) bytes += payload.length;
      });
      lab.tryPair();
      expect(bytes, host).toBe(0);
    }
  });
});

describe("many invitations at once (PATH-25)", () => {
  test("48 callers who never answer: 32 are punched for, and sockets, rate and memory stay bounded", () => {
    const lab = new Lab({ dialer: HOME, listener: RANDOM });
    const start = lab.world.now;
    let bytes = 0;
    let most = 0;
    let sockets = 0;
    watch(lab, "listener", ({ to, payload }) => {
      if (!to.host.startsWith("198.51.101.")) return;
      bytes += payload.length;
      most = Math.max(most, bytes - (MAX_RATE * (lab.world.now - start)) / 1_000);
      sockets = Math.max(sockets, lab.extraSockets.listener.size);
    });
    const reached = new Set<string>();
    watch(lab, "listener", ({ to }) => to.host.startsWith("198.51.101.") && reached.add(to.host));
    for (let i = 1; i <= 48; i++) {
      const caller = addAgent(lab, i);
      // It claims to filter, so that ports are guessed, and never hears the listener.
      caller.link.down.filter = ({ from }) => (from.host === lab.nats[1]!.address ? "drop" : "pass");
      const { machine } = caller;
      const connection = machine.connect(
        { ticket: lab.ticket, identity: lab.newKey(), timeout: 20_000 },
        lab.world.now,
      );
      machine.introduce(connection, lab.ticket, [lab.agentServer()], lab.world.now);
      lab.world.wake(caller);
    }
    lab.world.run({ for: 25_000 });
    expect(reached.size).toBeGreaterThan(0);
    expect(reached.size).toBeLessThanOrEqual(32);
    expect(most).toBeLessThanOrEqual(MAX_BURST);
    // A fresh one for each round of each invitation, and those for guessing (PATH-25).
    expect(sockets).toBeLessThanOrEqual(272 + 2 * 32);
    lab.world.run({ for: 60_000 });
    expect(lab.extraSockets.listener.size).toBe(0);
    expect(lab.listener.machine.endpoint.connectionCount).toBe(1);
    // It is none the worse for it.
    expect(lab.tryPair().ms).toBeLessThan(10_000);
  });
});

describe("somebody else's key (RDV-7)", () => {
  test("who holds the ticket, but not the listener's key, registers in vain", () => {
    const lab = new Lab({ dialer: HOME, listener: HOME });
    const thief = addAgent(lab, 1);
    thief.machine.addTicket(lab.ticket, Number.POSITIVE_INFINITY, lab.world.now);
    thief.machine.useServers([lab.agentServer()], lab.world.now);
    lab.world.wake(thief);
    lab.world.run({ for: 3_000 });
    expect(lab.tryPair().ms).toBe(AT_BEST);
    expectRightConnection(lab);
    expect(thief.events.some((event) => event.type === "incoming" || event.type === "request")).toBe(false);
    expect(lab.serverStates().map(({ state }) => state)).toEqual(["registered"]);
  });

  test("and finds nobody fall for it when the listener is away", () => {
    const lab = new Lab({ dialer: HOME, listener: HOME, warmUp: 0 });
    const thief = addAgent(lab, 1);
    thief.machine.addTicket(lab.ticket, Number.POSITIVE_INFINITY, lab.world.now);
    thief.machine.useServers([lab.agentServer()], lab.world.now);
    lab.world.wake(thief);
    lab.world.run({ for: 3_000 });
    expect(lab.tryPair({ timeout: 5_000 }).reason).toMatchObject({ kind: "unreachable", cause: "not-there" });
  });
});

describe("a server that lies", () => {
  test("about where it sees the peer: no port is guessed there, not a byte goes there", () => {
    const { lab, server } = hostileLab({ listener: RANDOM });
    server.lie = (message) =>
      message.type === "invited" || message.type === "answered" ? [{ ...message, seen: VICTIM.host }] : [message];
    const sent = bytesTo(lab, VICTIM.host);
    lab.tryPair();
    lab.world.run({ for: 10_000 });
    expect(sent()).toBe(0);
  });

  test("about where it sees the client itself: it is told in vain, and two homes meet", () => {
    const { lab, server } = hostileLab();
    const sent = bytesTo(lab, VICTIM.host);
    server.lie = (message) => (message.type === "welcome" ? [{ ...message, address: VICTIM }] : [message]);
    expect(lab.tryPair().ms).toBeLessThanOrEqual(AT_BEST + 1_600);
    expectRightConnection(lab);
    expect(sent()).toBeLessThanOrEqual(10 * KIB);
  });

  test.each([0, 1, 1e6, 1e9, 2 ** 32, 2 ** 52])("about waits: %d µs make it no later than 2 s (RDV-19)", (wait) => {
    const { lab, server } = hostileLab();
    server.lie = (message) =>
      message.type === "go" || message.type === "answered" ? [{ ...message, wait }] : [message];
    expect(lab.tryPair().ms).toBeLessThanOrEqual(AT_BEST + 2_000);
    expectRightConnection(lab);
  });

  test.each([0, 2 ** 52])("about round trips: %d µs do no harm", (rtt) => {
    const { lab, server } = hostileLab();
    server.lie = (message) =>
      message.type === "invited" || message.type === "answered" ? [{ ...message, rtt }] : [message];
    expect(lab.tryPair().ms).toBe(AT_BEST);
  });

  test("and says nothing more after the answer: the peers meet all the same", () => {
    const { lab, server } = hostileLab();
    server.lie = (message) => (message.type === "go" || message.type === "signal" ? [] : [message]);
    // The listener begins by its own clock.
    expect(lab.tryPair().ms).toBeLessThanOrEqual(AT_BEST + 300 + 40 + 100);
    expectRightConnection(lab);
  });

  test("and brings no signals, while the caller's first packets are lost: the listener does not give up for its CANCEL", () => {
    const { lab, server } = hostileLab();
    server.lie = (message) => (message.type === "signal" ? [] : [message]);
    let connectedAt = Number.POSITIVE_INFINITY;
    lab.nats[1]!.link.down.filter = ({ from }) => {
      if (lab.connection?.state === "open") connectedAt = Math.min(connectedAt, lab.world.now);
      const isSoon = lab.world.now >= connectedAt && lab.world.now < connectedAt + 200;
      return isSoon && from.host === lab.nats[0]!.address ? "drop" : "pass";
    };
    expect(lab.tryPair().ms).toBeLessThan(AT_BEST + 600);
    expectRightConnection(lab);
  });

  test("and keeps every second message to itself, whichever begins", () => {
    for (const parity of [0, 1]) {
      const { lab, server } = hostileLab();
      let count = parity;
      server.lie = (message) => (++count % 2 === 0 ? [] : [message]);
      const { reason } = lab.tryPair();
      if (reason === undefined) expectRightConnection(lab);
      else expect(reason.kind).toBe("unreachable");
      lab.world.run({ for: 70_000 });
      expect(lab.extraSockets.dialer.size + lab.extraSockets.listener.size).toBeLessThanOrEqual(2);
    }
  });

  test("and says everything five times: one connection, and not one more half-open one", () => {
    const { lab, server } = hostileLab();
    server.lie = (message) => Array<Message>(5).fill(message);
    lab.tryPair();
    lab.world.run({ for: 2_000 });
    expect(lab.events.filter(({ event }) => event.type === "incoming").length).toBeLessThanOrEqual(1);
    expectNothingLeft(lab, lab.firstByteAt === undefined ? 0 : 1);
  });

  test("and brings a recorded invitation again, a thousand times, later, as new calls: nobody comes in (RDV-13)", () => {
    const { lab, server } = hostileLab();
    expect(lab.tryPair().ms).toBe(AT_BEST);
    lab.world.run({ for: 1_000 });
    const recorded = server.messages.find(({ message }) => message.type === "invited")!;
    const { endpoint } = lab.listener.machine;
    const before = endpoint.connectionCount;
    const sent = lab.costs.listener.bytes;
    for (let i = 0; i < 1_000; i++) {
      lab.world.after(i, () => {
        server.say(recorded.session, { ...recorded.message, call: 1_001 + 2 * i } as Message);
        expect(endpoint.connectionCount).toBeLessThanOrEqual(before);
      });
    }
    lab.world.run({ for: 5_000 });
    expect(lab.events.filter(({ event }) => event.type === "incoming")).toHaveLength(1);
    expect(lab.costs.listener.bytes - sent).toBeLessThan(1_000 * 250);
    expectNothingLeft(lab, 1);
  });

  test("and brings an invitation to another caller's answer, and everybody's signals to everybody", () => {
    const { lab, server } = hostileLab();
    const second = addAgent(lab, 1);
    const seen: Message[] = [];
    server.lie = (message) => {
      if (!("envelope" in message)) return [message];
      seen.push(message);
      // The envelope of the one before, in the frame of this one.
      const other = seen.findLast((each) => each !== message && each.type === message.type && "envelope" in each);
      return other !== undefined && "envelope" in other
        ? [{ ...message, envelope: other.envelope }, message]
        : [message];
    };
    const { machine } = second;
    const other = machine.connect({ ticket: lab.ticket, identity: lab.newKey(), timeout: 20_000 }, lab.world.now);
    machine.introduce(other, lab.ticket, [lab.agentServer()], lab.world.now);
    lab.world.wake(second);
    lab.tryPair();
    lab.world.run({ for: 20_000 });
    // Each connection that is open is with whom it was asked for, and there are no more of them than calls.
    expect(lab.events.filter(({ event }) => event.type === "incoming").length).toBeLessThanOrEqual(2);
    if (lab.connection!.state === "open") expect(lab.connection!.paths()[0]!.remote.host).toBe(lab.nats[1]!.address);
    if (other.state === "open") expect(other.paths()[0]!.remote.host).toBe(lab.nats[1]!.address);
  });

  test("and invents invitations, answers, signals, failures and ends of registrations", () => {
    const { lab, server } = hostileLab();
    const rng = lab.world.rng.fork("inventions");
    const slot = new Uint8Array(16);
    const invent = (i: number): Message => {
      const envelope = Uint8Array.of(rng.integer(0, 6), ...rng.random(rng.integer(0, 1_199)));
      const call = rng.integer(0, 40);
      const attested = { rtt: rng.integer(0, 1e9), seen: VICTIM.host };
      const inventions: readonly Message[] = [
        { type: "invited", call: 2 * i + 1, slot, flags: 0, ...attested, envelope },
        { type: "answered", call, flags: 0, wait: 0, relay: { status: "none" }, ...attested, envelope },
        { type: "signal", call, flags: 0, envelope },
        { type: "go", call, wait: 0, relay: { status: "none" } },
      ];
      return inventions[i % inventions.length]!;
    };
    const sent = bytesTo(lab, VICTIM.host);
    lab.call();
    for (let i = 0; i < 400; i++) {
      lab.world.after(i, () => {
        for (const session of server.sessions) server.say(session, invent(i));
      });
    }
    lab.world.run({ for: 20_000 });
    expect(sent()).toBe(0);
    expect(lab.events.filter(({ event }) => event.type === "incoming").length).toBeLessThanOrEqual(1);
    expectNothingLeft(lab, lab.firstByteAt === undefined ? 0 : 1);
  });

  test("and floods the listener with 5,000 invitations that nobody wrote: nothing is kept of them", () => {
    const { lab, server } = hostileLab();
    const rng = lab.world.rng.fork("flood");
    const [session] = server.sessions;
    for (let i = 0; i < 5_000; i++) {
      const envelope = Uint8Array.of(1, ...rng.random(300));
      const facts = { rtt: 0, seen: VICTIM.host, slot: new Uint8Array(16), flags: 0 };
      server.say(session!, { type: "invited", call: 2 * i + 1, ...facts, envelope });
    }
    lab.world.run({ for: 10_000 });
    expect(lab.listener.machine.endpoint.connectionCount).toBe(1);
    expect(lab.extraSockets.listener.size).toBe(0);
    // Calls without an answer are forgotten after a minute; until then there may be no room for others from there.
    lab.world.run({ for: 60_000 });
    expect(lab.tryPair().ms).toBe(AT_BEST);
  });

  test("and writes what is no message: the session ends, others are opened at growing intervals (RDV-29)", () => {
    const { lab, server } = hostileLab();
    const rng = lab.world.rng.fork("nonsense");
    server.lie = () => {
      for (const session of server.sessions) server.write(session, rng.random(2_000));
      return [];
    };
    lab.tryPair({ timeout: 15_000 });
    lab.world.run({ for: 30_000 });
    // Two clients: at 0, 0, 0.25, 0.75, 1.75 … s.
    expect(server.closed).toBeGreaterThan(2);
    expect(server.closed).toBeLessThanOrEqual(2 * 10);
    expect(lab.events.some(({ event }) => event.type === "incoming")).toBe(false);
  });

  test("and claims each second that another process has the listener's place: it says so, and calls of others go on", () => {
    const { lab, server } = hostileLab();
    server.lie = (message) =>
      message.type === "registered" ? [message, { type: "unregister", slots: [new Uint8Array(16)] }] : [message];
    expect(lab.tryPair().ms).toBe(AT_BEST);
  });
});

describe("garbage to every input", () => {
  test("twenty datagrams to each socket in each millisecond of a call: it is as fast as ever", () => {
    for (const seed of [1, 2]) {
      const lab = new Lab({ seed, dialer: HOME, listener: HOME });
      const rng = lab.world.rng.fork("garbage");
      const sent = bytesTo(lab, ATTACKER.host);
      for (let t = 0; t < 200; t++) {
        lab.world.after(t, () => {
          for (let i = 0; i < 20; i++) {
            for (const who of PEERS) {
              const extra = [...lab.extraSockets[who]];
              const via = rng.chance(0.5) ? 0 : (extra[rng.integer(0, extra.length + 1)] ?? 0);
              deliver(lab, who, { via, from: ATTACKER, payload: garbage(rng) });
            }
          }
        });
      }
      expect(lab.tryPair().ms).toBe(AT_BEST);
      expectRightConnection(lab);
      expect(sent()).toBe(0);
    }
  });

  test("answers from the owner that make no sense: sockets that nobody asked for are closed, others are passed over", () => {
    const lab = new Lab({ dialer: HOME, listener: HOME });
    const { machine } = lab.listener;
    machine.onSockets(12_345, [{ via: 99, localPort: 9 }], lab.world.now);
    machine.onInterfaces([address("0.0.0.0", 0), address("::", 0), address("224.0.0.1", 0)], lab.world.now);
    machine.onRouterAddress("not an address", lab.world.now);
    lab.world.wake(lab.listener);
    lab.world.run({ for: 10 });
    const closed = lab.events.flatMap(({ event }) => (event.type === "sockets-unwanted" ? event.sockets : []));
    expect(closed).toContain(99);
    expect(lab.tryPair().ms).toBe(AT_BEST);
  });
});
