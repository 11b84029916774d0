/**
 * Scenarios with exact costs: round trips, datagrams, repetitions.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import type { EndpointEvent } from "../../src/connection/endpoint-events.ts";
import type { ConnectionEvent } from "../../src/connection/events.ts";
import { type DuplexLinkOptions, World } from "../../src/testing/index.ts";
import { addHosts, type Hosts } from "./hosts.ts";

interface Run {
  readonly world: World;
  readonly hosts: Hosts;
  readonly initiator: ConnectionMachine;
  responder(): ConnectionMachine;
  /** Events of each side with their time. */
  readonly log: { readonly side: string; readonly at: number; readonly event: EndpointEvent }[];
  events(side: "listener" | "dialer"): ConnectionEvent["type"][];
  timeOf(side: "listener" | "dialer", type: string): number | undefined;
}

function start(link: DuplexLinkOptions, seed = 1): Run {
  const world = new World({ seed });
  const log: Run["log"] = [];
  const hosts = addHosts(world, { link, onEvent: (side, event) => log.push({ side, at: world.now, event }) });
  const initiator = hosts.dial();
  const responder = () => {
    for (const { event } of log) if (event.type === "incoming") return event.connection;
    throw new Error("no connection came in");
  };
  const typeOf = (event: EndpointEvent) => (event.type === "connection" ? event.event.type : event.type);
  const events = (side: string) =>
    log
      .filter((entry) => entry.side === side && entry.event.type === "connection")
      .map((entry) => typeOf(entry.event)) as ConnectionEvent["type"][];
  const timeOf = (side: string, type: string) =>
    log.find((entry) => entry.side === side && typeOf(entry.event) === type)?.at;
  return { world, hosts, initiator, responder, log, events, timeOf };
}

describe("opening", () => {
  test("the initiator may write after one round trip, and the responder hears of it half a round trip later", () => {
    const run = start({ delay: 50 });
    run.world.run({ for: 1_000 });
    expect(run.timeOf("dialer", "connected")).toBe(100);
    expect(run.timeOf("listener", "incoming")).toBe(150);
    // INIT, the announcement of stream 0 with the proof of the path | RESP, ACK.
    expect(run.hosts.dialer.counters.datagramsSent).toBe(2);
    expect(run.hosts.listener.counters.datagramsSent).toBe(2);
  });

  test("a lost first message costs 200 ms, a lost answer no more", () => {
    for (const direction of ["down", "up"] as const) {
      const run = start({ delay: 50 });
      run.hosts.listener.link[direction].dropNext(1);
      run.world.run({ for: 2_000 });
      const opened = run.timeOf("dialer", "connected")!;
      expect(opened).toBeGreaterThanOrEqual(100 + 180);
      expect(opened).toBeLessThanOrEqual(100 + 220);
    }
  });

  test("CONN-3: a lost announcement costs one probe timeout (RFC 9002 §6.2)", () => {
    const run = start({ delay: 50 });
    // After the first message, before the first flight.
    run.world.at(60, () => run.hosts.listener.link.down.dropNext(1));
    run.world.run({ for: 3_000 });
    // One sample of 100 ms from the handshake: 100 + 2 · 50 + 25.
    expect(run.timeOf("listener", "incoming")).toBe(100 + 225 + 50);
  });

  test("REC-30: a first flight that is lost whole costs one probe timeout, the second packet of it too", () => {
    const run = start({ delay: 50 });
    run.world.at(60, () => run.hosts.listener.link.down.dropNext(2));
    run.world.run({ until: () => run.initiator.state === "open", for: 1_000 });
    run.initiator.write(0, new Uint8Array(100));
    run.world.wake(run.hosts.dialer);
    run.world.run({ for: 3_000 });
    expect(run.hosts.listener.link.down.counters.scripted).toBe(2);
    expect(run.timeOf("listener", "readable")).toBe(100 + 225 + 50);
  });
});

describe("transfer", () => {
  test("10 kB arrive within the first flight: half a round trip, without a repetition", () => {
    const run = start({ delay: 50 });
    run.world.run({ until: () => run.timeOf("listener", "incoming") !== undefined, for: 1_000 });
    const before = run.hosts.dialer.counters.datagramsSent;
    const at = run.world.now;
    run.initiator.write(0, new Uint8Array(10_000));
    run.initiator.finish(0);
    run.world.wake(run.hosts.dialer);
    run.world.run({ until: () => run.timeOf("dialer", "finished") !== undefined, for: 5_000 });
    expect(run.hosts.dialer.counters.datagramsSent - before).toBe(9);
    expect(run.timeOf("dialer", "finished")! - at).toBeLessThanOrEqual(100 + 25);
    expect(run.initiator.stats()).toMatchObject({ packetsLost: 0, retransmittedBytes: 0, spuriousLosses: 0 });
  });

  test("one lost packet in the middle is repeated once, after one round trip (RFC 9002 §6.1.1)", () => {
    const run = start({ delay: 50 });
    run.world.run({ until: () => run.timeOf("listener", "incoming") !== undefined, for: 1_000 });
    run.initiator.write(0, new Uint8Array(8_000));
    run.initiator.finish(0);
    run.hosts.listener.link.down.dropNext(1);
    run.world.wake(run.hosts.dialer);
    run.world.run({ until: () => run.timeOf("dialer", "finished") !== undefined, for: 5_000 });
    expect(run.initiator.stats()).toMatchObject({ packetsLost: 1, spuriousLosses: 0 });
    expect(run.initiator.stats().retransmittedBytes).toBeLessThanOrEqual(1_200);
  });
});

describe("silence", () => {
  test("CONN-17: an idle connection costs one challenge and one answer per side in 15 s, and no acknowledgement", () => {
    const run = start({ delay: 20 });
    run.world.run({ for: 1_000 });
    const before = [run.hosts.dialer, run.hosts.listener].map((host) => host.counters.datagramsSent);
    run.world.run({ for: 600_000 });
    const sent = [run.hosts.dialer, run.hosts.listener].map((host, i) => host.counters.datagramsSent - before[i]!);
    for (const count of sent) {
      expect(count).toBeGreaterThanOrEqual(39);
      expect(count).toBeLessThanOrEqual(41);
    }
    expect(run.initiator.state).toBe("open");
  });

  test("CONN-16: a peer that is gone is lost 30 s after its last packet, and said to stall before", () => {
    const run = start({ delay: 20 });
    run.world.run({ for: 1_000 });
    run.hosts.listener.stop();
    run.world.run({ until: () => run.initiator.state === "closed", for: 100_000 });
    expect(run.events("dialer").slice(-2)).toEqual(["stalled", "closed"]);
    // The last packet acknowledged stream 0, 80 ms or an ack delay later.
    expect(run.timeOf("dialer", "closed")).toBeGreaterThanOrEqual(30_080);
    expect(run.timeOf("dialer", "closed")).toBeLessThanOrEqual(30_160);
    expect(run.hosts.dialer.machine.nextTimeout()).toBeUndefined();
  });

  test("CONN-18: a path that comes back within linger resumes the connection, and nothing is lost", () => {
    const run = start({ delay: 20 });
    run.world.run({ for: 1_000 });
    run.initiator.write(0, new Uint8Array(50_000));
    run.initiator.finish(0);
    for (const direction of ["up", "down"] as const) run.hosts.listener.link[direction].isUp = false;
    run.world.wake(run.hosts.dialer);
    run.world.run({ for: 15_000 });
    expect(run.events("dialer")).toContain("stalled");
    for (const direction of ["up", "down"] as const) run.hosts.listener.link[direction].isUp = true;
    run.world.run({ until: () => run.timeOf("dialer", "finished") !== undefined, for: 15_000 });
    expect(run.events("dialer")).toContain("resumed");
  });
});

describe("close", () => {
  test("CONN-19: CLOSE and its answer are the last two datagrams, and both sides end within one round trip", () => {
    const run = start({ delay: 50 });
    run.world.run({ for: 1_000 });
    const before = [run.hosts.dialer, run.hosts.listener].map((host) => host.counters.datagramsSent);
    const at = run.world.now;
    run.initiator.close(5, "bye", run.world.now);
    run.world.wake(run.hosts.dialer);
    run.world.run({ for: 10_000 });
    const sent = [run.hosts.dialer, run.hosts.listener].map((host, i) => host.counters.datagramsSent - before[i]!);
    expect(sent).toEqual([1, 1]);
    expect(run.timeOf("listener", "closed")! - at).toBe(50);
    expect(run.timeOf("dialer", "closed")! - at).toBe(100);
    const last = run.log.filter((entry) => entry.side === "listener").at(-1)!.event;
    expect(last).toMatchObject({
      event: { type: "closed", reason: { kind: "closed", origin: "peer", application: true, code: 5, message: "bye" } },
    });
    for (const host of [run.hosts.dialer, run.hosts.listener]) {
      expect(host.machine.connectionCount).toBe(0);
      expect(host.machine.nextTimeout()).toBeUndefined();
    }
  });

  test("CONN-19: a lost CLOSE is repeated after a probe timeout", () => {
    const run = start({ delay: 50 });
    run.world.run({ for: 1_000 });
    run.hosts.listener.link.down.dropNext(1);
    run.initiator.close(0, "", run.world.now);
    run.world.wake(run.hosts.dialer);
    run.world.run({ until: () => run.initiator.state === "closed", for: 10_000 });
    expect(run.timeOf("listener", "closed")).toBeDefined();
  });

  test("CONN-20: who closes after the peer's FIN still acknowledges it", () => {
    const run = start({ delay: 50 });
    run.world.run({ for: 1_000 });
    const responder = run.responder();
    responder.write(0, new Uint8Array(100));
    responder.finish(0);
    run.world.wake(run.hosts.listener);
    run.world.run({ until: () => run.timeOf("dialer", "readable") !== undefined, for: 1_000 });
    run.initiator.close(0, "", run.world.now);
    run.world.wake(run.hosts.dialer);
    run.world.run({ for: 5_000 });
    const events = run.events("listener");
    expect(events.indexOf("finished")).toBeGreaterThan(-1);
    expect(events.indexOf("finished")).toBeLessThan(events.indexOf("closed"));
  });
});
