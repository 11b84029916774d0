/**
 * Loss detection and acknowledgements over links that lose and reorder, with what they cost.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import { type LinkOptions, World } from "../../src/testing/index.ts";
import { addHosts, type Hosts } from "./hosts.ts";

interface Transfer {
  readonly world: World;
  readonly hosts: Hosts;
  readonly sender: ConnectionMachine;
  readonly receiver: ConnectionMachine;
  /** Virtual ms from the call to the last byte. */
  readonly elapsed: number;
}

/** Sends `bytes` from the dialer to the listener, which reads at once. */
function transfer(
  link: LinkOptions,
  bytes: number,
  prepare: (hosts: Hosts, world: World) => void = () => {},
): Transfer {
  const world = new World({ seed: 7 });
  let receiver: ConnectionMachine | undefined;
  let received = 0;
  const hosts = addHosts(world, {
    link,
    config: { congestion: "new-reno" },
    onEvent: (side, event) => {
      if (event.type === "incoming") receiver = event.connection;
      if (side !== "listener" || event.type !== "connection" || event.event.type !== "readable") return;
      const { id } = event.event;
      for (let piece = receiver!.read(id); piece !== undefined; piece = receiver!.read(id)) received += piece.length;
    },
  });
  prepare(hosts, world);
  const sender = hosts.dial();
  world.run({ until: () => sender.state === "open", for: 10_000 });
  sender.write(0, new Uint8Array(bytes));
  sender.finish(0);
  world.wake(hosts.dialer);
  world.run({ until: () => received === bytes, for: 120_000 });
  return { world, hosts, sender, receiver: receiver!, elapsed: world.now };
}

/** Bytes that were sent again although the queue had not dropped them. */
function needless({ listener }: Hosts, retransmittedBytes: number): number {
  return retransmittedBytes - listener.link.down.counters.tailDropped * 1_472;
}

const FAST: LinkOptions = { bitsPerSecond: 100e6, queue: { packets: 250 }, delay: 10 };

describe("a bulk transfer", () => {
  test("is acknowledged a few times per round trip, not for every second packet (REC-32)", () => {
    const { sender, receiver } = transfer(FAST, 20e6);
    const { packetsSent, spuriousLosses } = sender.stats();
    expect(packetsSent).toBeGreaterThan(13_000);
    expect(spuriousLosses).toBe(0);
    expect(receiver.stats().packetsSent).toBeLessThan(packetsSent / 15);
  });

  test("packets that come 15 ms late are waited for, after the first few (REC-27)", () => {
    const late: LinkOptions = { ...FAST, reordering: { probability: 0.02, minDelay: 15, maxDelay: 15 } };
    const { sender, hosts, elapsed } = transfer(late, 20e6);
    const { packetsLost, spuriousLosses, retransmittedBytes } = sender.stats();
    expect(hosts.listener.link.down.counters.reordered).toBeGreaterThan(200);
    expect(spuriousLosses).toBeLessThan(30);
    // What arrived with the last acknowledgements may not be known yet.
    expect(packetsLost - spuriousLosses - hosts.listener.link.down.counters.tailDropped).toBeLessThan(3);
    expect(needless(hosts, retransmittedBytes)).toBeLessThan(0.005 * 20e6);
    expect(20e6 / elapsed).toBeGreaterThan(0.8 * 12_500);
  });

  test("packets that overtake a hundred cost repetitions at first only, and set no minimum (REC-27, REC-29)", () => {
    const prepare = (hosts: Hosts, world: World) => {
      const rng = world.rng.fork("early");
      // The wire's delay is made here, so that some packets can do without.
      for (const link of [hosts.listener.link.up, hosts.listener.link.down]) {
        link.filter = () => (rng.chance(0.02) ? "pass" : 10);
      }
    };
    const { sender, receiver, hosts, elapsed } = transfer({ ...FAST, delay: 0 }, 20e6, prepare);
    const { packetsSent, spuriousLosses, retransmittedBytes, minRtt } = sender.stats();
    expect(spuriousLosses).toBeLessThan(500);
    expect(needless(hosts, retransmittedBytes)).toBeLessThan(0.03 * 20e6);
    expect(minRtt).toBeGreaterThan(19);
    expect(minRtt).toBeLessThan(25);
    expect(receiver.stats().packetsSent).toBeLessThan(packetsSent / 10);
    expect(20e6 / elapsed).toBeGreaterThan(0.8 * 12_500);
  });
});
