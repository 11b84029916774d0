/**
 * Servers that are not there, come back, refuse, or know nobody; and several of them.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { kind } from "../sim/punch-pair.ts";
import { Lab, type LabOptions, type Side } from "./lab.ts";

const CONE: Side = { nat: kind("endpoint-independent", "address-and-port-dependent") };
const CONES: LabOptions = { dialer: CONE, listener: CONE };

/** Time from the call to the first byte where all is well: 4.5 R and the openers' lead. */
const AT_BEST = 4.5 * 40 + 15;

describe("no way to any server (PATH-72)", () => {
  test.each([
    ["datagrams leave and none comes back", (lab: Lab) => (lab.dialer.link.down.isUp = false)],
    ["nothing leaves", (lab: Lab) => (lab.dialer.link.up.isUp = false)],
  ])("%s: the caller says after 3 s that UDP is blocked", (_name, block) => {
    const lab = new Lab(CONES);
    block(lab);
    const { ms, reason } = lab.tryPair();
    expect([ms, reason]).toEqual([undefined, expect.objectContaining({ kind: "unreachable", cause: "udp-blocked" })]);
    expect(lab.world.now - lab.calledAt).toBe(3_000);
    lab.world.run({ for: 10_000 });
    expect(lab.extraSockets.dialer.size).toBe(0);
    expect(lab.dialer.machine.nextTimeout()).toBeUndefined();
  });

  test("an address of the ticket that answers late is not given up for it", () => {
    const lab = new Lab({ isDirect: true });
    lab.stopServer();
    for (const way of ["up", "down"] as const) lab.dialer.link[way].update({ delay: 400 });
    expect(lab.tryPair().ms).toBeLessThan(3 * 410 + 1);
  });

  test("a server that answers STUN, but has another key: none that can be trusted, when the time is over", () => {
    const lab = new Lab(CONES);
    lab.stopServer();
    lab.startServer(0, lab.newKey());
    const { reason } = lab.tryPair({ timeout: 10_000 });
    expect(reason).toMatchObject({ kind: "unreachable", cause: "no-server" });
    expect(lab.world.now - lab.calledAt).toBe(10_000);
  });
});

describe("nobody by this ticket (PATH-70)", () => {
  test("the server is asked once a second; the caller says so when the time is over", () => {
    const lab = new Lab({ ...CONES, warmUp: 0 });
    const { reason } = lab.tryPair({ timeout: 5_000 });
    expect(reason).toMatchObject({ kind: "unreachable", cause: "not-there" });
    expect(lab.world.now - lab.calledAt).toBe(5_000);
    expect(lab.servers[0]!.machine.health.counters.invites).toBe(5);
  });

  test("a listener that comes 3 s later is found within a second", () => {
    const lab = new Lab({ ...CONES, warmUp: 0 });
    lab.world.at(3_000, () => lab.listen());
    const { ms } = lab.tryPair();
    expect(ms).toBeGreaterThan(3_000);
    expect(ms).toBeLessThan(3_000 + 1_000 + AT_BEST);
  });
});

describe("a server that restarts (RDV-28, RDV-29)", () => {
  test.each([100, 2_000, 7_900])("after %i ms: the listener is registered again within 10 s of its end", (gap) => {
    const lab = new Lab(CONES);
    const stoppedAt = lab.world.now;
    lab.stopServer();
    lab.world.run({ for: gap });
    lab.startServer();
    lab.world.run({ for: 20_000 });
    const [first, lost, ...later] = lab.serverStates();
    expect([first!.state, lost!.state, later.at(-1)!.state]).toEqual(["registered", "unreachable", "registered"]);
    expect(lost!.at - stoppedAt).toBeLessThanOrEqual(8_000);
    expect(later.at(-1)!.at - stoppedAt).toBeLessThanOrEqual(10_000);
    expect(lab.tryPair().ms).toBe(AT_BEST);
  });

  test("after a minute: within 40 s of its return, and it was asked at growing intervals", () => {
    const lab = new Lab(CONES);
    lab.stopServer();
    Object.assign(lab.costs.listener, { datagrams: 0 });
    lab.world.run({ for: 60_000 });
    // Seven attempts of 4 s, each with a few datagrams to both places.
    expect(lab.costs.listener.datagrams).toBeLessThan(100);
    lab.startServer();
    const backAt = lab.world.now;
    lab.world.run({ for: 45_000 });
    const last = lab.serverStates().at(-1)!;
    expect(last.state).toBe("registered");
    expect(last.at - backAt).toBeLessThan(40_000);
  });

  test("a call that comes meanwhile succeeds as soon as the listener is back", () => {
    const lab = new Lab(CONES);
    lab.stopServer();
    lab.world.run({ for: 500 });
    lab.startServer();
    const { ms } = lab.tryPair();
    expect(ms).toBeLessThan(8_000 + 1_000 + AT_BEST);
  });

  test("between answer and rounds: both go on by their own clocks", () => {
    const lab = new Lab(CONES);
    lab.call();
    // The first answer is on its way; nothing of the server arrives later.
    lab.world.run({ for: 105 });
    lab.stopServer();
    lab.world.run({ until: () => lab.firstByteAt !== undefined || lab.reason !== undefined, for: 20_000 });
    expect(lab.firstByteAt! - lab.calledAt).toBeLessThan(AT_BEST + 100);
  });

  test("one that ends each session at once is not asked more often than its absence would be", () => {
    const lab = new Lab(CONES);
    lab.stopServer();
    lab.startServer();
    const server = lab.servers[0]!;
    server.machine.drain(0, lab.world.now);
    lab.world.wake(server);
    lab.world.run({ for: 30_000 });
    expect(server.counters.datagramsReceived).toBeLessThan(120);
  });
});

describe("signs of life (RDV-28)", () => {
  test("go out every 5 s, and keep the mapping of the listener's socket", () => {
    const lab = new Lab({ dialer: CONE, listener: { nat: { ...CONE.nat, lifetime: 20_000 } } });
    lab.world.run({ for: 60_000 });
    Object.assign(lab.costs.listener, { datagrams: 0 });
    const before = lab.nats[1]!.mappings().map(({ external }) => external.port);
    lab.world.run({ for: 60_000 });
    expect(lab.nats[1]!.mappings().map(({ external }) => external.port)).toEqual(before);
    expect(lab.costs.listener.datagrams).toBeGreaterThanOrEqual(60 / 5 - 1);
    expect(lab.costs.listener.datagrams).toBeLessThanOrEqual(2 * (60 / 5 + 1));
  });
});

describe("two servers (RDV-25, PATH-70)", () => {
  test.each([0, 1])("server %i is dead: nobody notices", (index) => {
    const lab = new Lab({ ...CONES, servers: 2 });
    lab.stopServer(index);
    expect(lab.tryPair().ms).toBe(AT_BEST);
  });

  test("the listener is at the second one alone: one round trip more, and a few ms", () => {
    const { ms } = new Lab({ ...CONES, servers: 2, listenerServers: [1] }).tryPair();
    expect(ms).toBeLessThan(AT_BEST + 40 + 20);
  });

  test("the first one is slow and has the listener; it is heard although the other was asked", () => {
    const lab = new Lab({ ...CONES, servers: 2, listenerServers: [0] });
    for (const way of ["up", "down"] as const) lab.servers[0]!.link[way].update({ delay: 150 });
    lab.world.run({ for: 2_000 });
    const { ms } = lab.tryPair();
    expect(ms).toBeLessThan(4.5 * (2 * 150 + 20) + 150);
  });

  test("the server that has brought the answer dies: the call goes on without it", () => {
    const lab = new Lab({
      servers: 2,
      dialer: CONE,
      listener: { nat: kind("address-and-port-dependent", "address-and-port-dependent") },
    });
    lab.call();
    lab.world.run({ for: 400 });
    lab.stopServer(0);
    lab.stopServer(1);
    lab.world.run({ until: () => lab.firstByteAt !== undefined || lab.reason !== undefined, for: 25_000 });
    expect(lab.firstByteAt).toBeDefined();
  });
});
