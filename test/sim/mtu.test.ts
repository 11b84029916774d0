/**
 * The search for the path's MTU on whole connections: what it costs, and what becomes of paths that change.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import type { Config } from "../../src/connection/config.ts";
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import type { EndpointEvent } from "../../src/connection/endpoint-events.ts";
import { type DuplexLinkOptions, World } from "../../src/testing/index.ts";
import { addHosts, type Hosts } from "./hosts.ts";

/** Bytes that the writer hands over at a time. */
const CHUNK = new Uint8Array(64 * 1024);

interface BulkOptions {
  readonly link: DuplexLinkOptions;
  readonly seed?: number;
  readonly interfaceMtu?: number;
  readonly config?: Partial<Config>;
}

/** A dialer that sends as much as it may, and a listener that reads it. */
class Bulk {
  readonly world: World;
  readonly hosts: Hosts;
  readonly initiator: ConnectionMachine;
  /** Bytes that arrived, and the longest time in which none did. */
  received = 0;
  longestStall = 0;
  /** Called for each unreliable datagram that arrives. */
  onDatagram: (data: Uint8Array) => void = () => {};
  #lastAt: number | undefined;
  #isWriting = false;
  #responder: ConnectionMachine | undefined;

  constructor({ link, seed = 1, ...options }: BulkOptions) {
    this.world = new World({ seed });
    this.hosts = addHosts(this.world, { link, ...options, onEvent: (side, event) => this.#onEvent(side, event) });
    this.initiator = this.hosts.dial();
    this.world.run({ until: () => this.#responder !== undefined, for: 5_000 });
  }

  /** Sends without end for some time. */
  run(time: number): void {
    this.#isWriting = true;
    this.#write();
    this.world.run({ for: time });
  }

  /** Forgets the stalls so far. */
  resetStalls(): void {
    this.longestStall = 0;
    this.#lastAt = this.world.now;
  }

  get responder(): ConnectionMachine {
    if (this.#responder === undefined) throw new Error("no connection came in");
    return this.#responder;
  }

  get stats(): ReturnType<ConnectionMachine["stats"]> {
    return this.initiator.stats();
  }

  #write(): void {
    while (this.#isWriting && this.initiator.write(0, CHUNK));
    this.world.wake(this.hosts.dialer);
  }

  #onEvent(side: string, event: EndpointEvent): void {
    if (event.type === "incoming") this.#responder = event.connection;
    if (event.type !== "connection") return;
    if (side === "dialer" && event.event.type === "writable") this.#write();
    if (side === "dialer" && event.event.type === "readable") while (event.connection.read(event.event.id));
    if (side === "listener" && event.event.type === "datagram") this.onDatagram(event.event.data);
    if (side === "listener" && event.event.type === "readable") this.#read(event.connection, event.event.id);
  }

  #read(connection: ConnectionMachine, id: number): void {
    for (let data = connection.read(id); data !== undefined; data = connection.read(id)) this.received += data.length;
    this.longestStall = Math.max(this.longestStall, this.world.now - (this.#lastAt ?? this.world.now));
    this.#lastAt = this.world.now;
    this.world.wake(this.hosts.listener);
  }
}

/** Slow enough for a minute of it, with a queue that takes what slow start piles up. */
const LINK = { bitsPerSecond: 10e6, delay: 25, queue: { packets: 100 } };

/** Loses nothing: neither a rate nor a queue. */
const FLAWLESS = { delay: 25 };

/** Credit of the peer that limits the rate, so that there are many round trips and no loss but that of probes. */
const SLOW_READER = { maxData: 60_000, maxStreamData: 60_000, memoryBudget: 60_000 };

/** Sends `bytes` and runs until they have arrived. */
function send(bulk: Bulk, bytes: number): void {
  bulk.initiator.write(0, new Uint8Array(bytes));
  bulk.world.wake(bulk.hosts.dialer);
  bulk.world.run({ until: () => bulk.received >= bytes, for: 60_000 });
  bulk.world.run({ for: 1_000 });
}

describe("what a search costs", () => {
  test("one probe and its acknowledgement where the path carries what the interface takes (MTU-6)", () => {
    const plain = new Bulk({ link: FLAWLESS, config: { maxDatagramSize: 1200 } });
    send(plain, 100_000);
    expect(plain.stats).toMatchObject({ datagramSize: 1200, mtuProbesSent: 0 });
    const probed = new Bulk({ link: FLAWLESS });
    send(probed, 100_000);
    expect(probed.stats).toMatchObject({ datagramSize: 1472, mtuProbesSent: 1, mtuProbesLost: 0, packetsLost: 0 });
    // The probe has paid for itself before the end of the second flight.
    expect(probed.stats.packetsSent).toBeLessThan(plain.stats.packetsSent);
    expect(probed.stats.bytesSent - plain.stats.bytesSent).toBeLessThan(1_472);
  });

  test("nothing on a connection that is idle, only receives, or exchanges little (MTU-2)", () => {
    const bulk = new Bulk({ link: FLAWLESS });
    for (let i = 0; i < 5; i++) send(bulk, 2_000);
    bulk.world.run({ for: 1_200_000 });
    expect(bulk.stats).toMatchObject({ datagramSize: 1200, mtuProbesSent: 0 });
    send(bulk, 500_000);
    expect(bulk.stats).toMatchObject({ datagramSize: 1472, mtuProbesSent: 1 });
    expect(bulk.responder.stats()).toMatchObject({ datagramSize: 1200, mtuProbesSent: 0 });
    // The raise that is due after ten minutes finds nothing to ask about.
    const { packetsSent } = bulk.stats;
    bulk.world.run({ for: 700_000 });
    send(bulk, 500_000);
    expect(bulk.stats.mtuProbesSent).toBe(1);
    expect(bulk.stats.packetsSent - packetsSent).toBeLessThan(500);
  });

  test("on a path of 1280 bytes, lost probes and nothing else: no window shrinks, nothing is repeated (MTU-4)", () => {
    const bulk = new Bulk({ link: { ...FLAWLESS, mtu: 1280 }, config: SLOW_READER });
    send(bulk, 2_000_000);
    expect(bulk.stats).toMatchObject({
      datagramSize: 1252,
      mtuProbesSent: 13,
      mtuProbesLost: 12,
      mtuBlackHoles: 0,
      packetsLost: 0,
      spuriousLosses: 0,
      retransmittedBytes: 0,
    });
    expect(bulk.hosts.listener.link.down.counters.oversized).toBe(12);
    // Slow start has ended for want of credit only.
    expect(bulk.stats.congestionWindow).toBeGreaterThan(60_000);
  });

  test("the size never makes the window larger (MTU-7, RFC 8899 §3)", () => {
    const bulk = new Bulk({ link: FLAWLESS, interfaceMtu: 65_536, config: { maxDatagramSize: 65_507 } });
    send(bulk, 1_000_000);
    expect(bulk.stats.datagramSize).toBe(65_507);
    // In slow start the window is what it began with and what has been acknowledged since.
    expect(bulk.stats.congestionWindow).toBeLessThanOrEqual(12_000 + bulk.stats.bytesSent);
  });
});

describe("bounds", () => {
  test.each([
    { what: "a loopback", interfaceMtu: 65_536, mtu: 65_536, size: 32_768, probes: 2 },
    { what: "a jumbo LAN", interfaceMtu: 9_000, mtu: 9_000, size: 8_972, probes: 1 },
    { what: "the Internet behind a jumbo LAN", interfaceMtu: 9_000, mtu: 1_500, size: 1_472, probes: 1 + 3 },
    { what: "PPPoE", interfaceMtu: 1_500, mtu: 1_492, size: 1_464, probes: 3 + 3 },
    { what: "a tunnel of this machine", interfaceMtu: 1_420, mtu: 1_420, size: 1_392, probes: 1 },
    { what: "an interface below the base", interfaceMtu: 1_000, mtu: 1_500, size: 1_200, probes: 0 },
    { what: "an unknown interface and a wide path", interfaceMtu: undefined, mtu: 9_000, size: 1_472, probes: 1 },
  ])("$what: $size bytes after $probes probes (MTU-5)", ({ interfaceMtu, mtu, size, probes }) => {
    const options = interfaceMtu === undefined ? {} : { interfaceMtu };
    const bulk = new Bulk({ link: { ...FLAWLESS, mtu }, ...options });
    send(bulk, 2_000_000);
    expect(bulk.stats).toMatchObject({ datagramSize: size, mtuProbesSent: probes, packetsLost: 0 });
    expect(bulk.hosts.dialer.link.up.counters.sent).toBe(bulk.hosts.dialer.counters.datagramsSent);
  });

  test("a path that is narrow one way only is measured one way only (MTU-1)", () => {
    const bulk = new Bulk({ link: { up: { delay: 25, mtu: 1_280 }, down: { delay: 25 } }, config: SLOW_READER });
    send(bulk, 200_000);
    bulk.responder.write(0, new Uint8Array(2_000_000));
    bulk.world.wake(bulk.hosts.listener);
    bulk.world.run({ for: 10_000 });
    expect(bulk.stats).toMatchObject({ datagramSize: 1_472, packetsLost: 0 });
    expect(bulk.responder.stats()).toMatchObject({ datagramSize: 1_252, packetsLost: 0 });
  });

  test("a probe that left in fragments does not count, even though it arrives (MTU-9)", () => {
    const bulk = new Bulk({ link: FLAWLESS });
    const { dialer, listener } = bulk.hosts;
    // The dialer's system knows of a router that takes 1400 bytes only.
    dialer.link.up.filter = (packet) => {
      const { length } = packet.payload;
      if (length > 1_372) {
        bulk.world.after(0.01, () => {
          dialer.machine.onMtuProbeRefused(0, listener.address(), length, bulk.world.now);
          bulk.world.wake(dialer);
        });
      }
      return "pass";
    };
    send(bulk, 2_000_000);
    expect(bulk.stats.datagramSize).toBe(1_372);
    expect(bulk.stats.packetsLost).toBe(0);
  });
});

describe("black hole", () => {
  test.each([
    { rtt: 5, congestion: "new-reno" },
    { rtt: 50, congestion: "bbr" },
    { rtt: 300, congestion: "new-reno" },
  ] as const)(
    "everything above 1280 vanishes after a minute: less than 2 s without progress at $rtt ms, $congestion (MTU-10, MTU-12)",
    ({ rtt, congestion }) => {
      const bulk = new Bulk({ link: { ...LINK, delay: rtt / 2 }, config: { congestion } });
      bulk.run(60_000);
      const before = bulk.stats;
      expect(before).toMatchObject({ datagramSize: 1_472, mtuBlackHoles: 0 });
      bulk.resetStalls();
      bulk.hosts.listener.link.down.update({ mtu: 1_280 });
      bulk.run(10_000);
      expect(bulk.stats).toMatchObject({ datagramSize: 1_252, mtuBlackHoles: 1 });
      // The flight that vanishes, the probe timeout, and the round trip of the small packet; the queue makes round trips
      // of about 100 ms more.
      expect(bulk.longestStall).toBeLessThan(2_000);
      expect(bulk.longestStall).toBeLessThan(4 * before.rtt + 200);
      // Three probes of each size that is too large, and one of the size that is not.
      const probes = bulk.stats.mtuProbesSent - before.mtuProbesSent;
      expect(probes).toBe(13);
      // What was in flight vanishes, with one packet of the probe timeout, and nothing large is sent after that.
      const vanished = bulk.hosts.listener.link.down.counters.oversized - (probes - 1);
      expect(vanished).toBeLessThanOrEqual((1.2 * before.congestionWindow) / 1_472 + 20);
    },
    60_000,
  );

  test("is found as well where one message at a time is sent (MTU-10, MTU-12)", () => {
    const bulk = new Bulk({ link: FLAWLESS });
    send(bulk, 100_000);
    expect(bulk.stats.datagramSize).toBe(1_472);
    bulk.hosts.listener.link.down.update({ mtu: 1_280 });
    const at = bulk.world.now;
    const target = bulk.received + 40 * 1_400;
    for (let message = 0; message < 40; message++) {
      bulk.initiator.write(0, new Uint8Array(1_400));
      bulk.world.wake(bulk.hosts.dialer);
      const arrived = target - (39 - message) * 1_400;
      bulk.world.run({ until: () => bulk.received >= arrived, for: 5_000 });
      expect(bulk.received).toBe(arrived);
    }
    expect(bulk.stats.mtuBlackHoles).toBe(1);
    // Forty messages take half a round trip each; until the hole is found, each waits for a probe timeout.
    expect(bulk.world.now - at).toBeLessThan(40 * 25 + 2_000);
  });

  test("is not what an outage looks like, and long bursts of loss seldom (MTU-10)", () => {
    for (let seed = 1; seed <= 6; seed++) {
      // In every other run bursts of thirty packets on average: one may end just before the small packet of a probe.
      const hasBursts = seed % 2 === 0;
      const burstLoss = hasBursts ? { enter: 0.002, leave: 1 / 30 } : undefined;
      const bulk = new Bulk({ seed, link: { ...LINK, burstLoss } });
      bulk.run(3_000);
      for (const outage of [30, 300, 2_000]) {
        for (const direction of ["up", "down"] as const) bulk.hosts.listener.link[direction].isUp = false;
        bulk.run(outage);
        for (const direction of ["up", "down"] as const) bulk.hosts.listener.link[direction].isUp = true;
        bulk.run(4_000);
      }
      expect(bulk.stats.mtuBlackHoles).toBeLessThanOrEqual(hasBursts ? 2 : 0);
      if (!hasBursts) expect(bulk.stats.datagramSize).toBe(1_472);
    }
  });

  test("is not what 10 % of random loss looks like, and the search ends at the top in spite of it (MTU-6, MTU-10)", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const bulk = new Bulk({ seed, link: { ...LINK, loss: 0.1 } });
      bulk.run(20_000);
      expect(bulk.stats).toMatchObject({ datagramSize: 1_472, mtuBlackHoles: 0 });
      expect(bulk.stats.packetsLost).toBeGreaterThan(50);
    }
  });

  test("datagrams that wait and fit no more are dropped and counted; shorter ones go on (MTU-13)", () => {
    const bulk = new Bulk({ link: LINK });
    bulk.run(5_000);
    expect(bulk.initiator.maxDatagramLength).toBe(1_472 - 34);
    bulk.hosts.listener.link.down.update({ mtu: 1_280 });
    let arrived = 0;
    bulk.onDatagram = (data) => {
      if (data.length === 100) arrived += 1;
    };
    for (let i = 0; i < 10 && bulk.stats.mtuBlackHoles === 0; i++) {
      bulk.run(100);
      for (let n = 0; n < 20; n++) bulk.initiator.sendDatagram(new Uint8Array(bulk.initiator.maxDatagramLength));
      bulk.initiator.sendDatagram(new Uint8Array(100));
    }
    bulk.run(3_000);
    expect(bulk.stats.mtuBlackHoles).toBe(1);
    expect(bulk.stats.datagramsDropped).toBeGreaterThanOrEqual(1);
    expect(arrived).toBeGreaterThan(0);
    expect(bulk.initiator.maxDatagramLength).toBe(1_252 - 34);
  });
});
