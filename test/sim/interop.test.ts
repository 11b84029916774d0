/**
 * The network cases of the QUIC interop runner, on its link: 10 Mbit/s, 15 ms each way and a queue of 25 packets, unless
 * a case says otherwise. Sizes count 1024 for a K, as there.
 *
 * The runner's damaged packets do not arrive: what its error model has touched, ns-3 drops. Here both kinds are tried.
 *
 * @module
 */
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Config } from "../../src/connection/config.ts";
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import { PacketSealer, type SealOptions } from "../../src/crypto/packet-protection.ts";
import { simulationSeeds } from "../../src/testing/index.ts";
import { Flows } from "../congestion/flows.ts";
import { FRAMING, link, PLACES_BEHIND_QUEUE, type Wire } from "./interop/network.ts";
import { type Download, Programs } from "./interop/programs.ts";

/** Every bound holds for five of them; one is what there is time for. */
const SEEDS = simulationSeeds(process.env, 1);

const KB = 1024;
const MB = 1024 * 1024;

/** What the runner gives a case, in ms. */
const TIMEOUT = 60_000;

/** Its time for fifty connections, and for a transfer beside another one. */
const LONG_TIMEOUT = 300_000;
const CROSS_TRAFFIC_TIMEOUT = 180_000;

/** What may happen to a share of the packets, each way. */
function faultsOf(share: number): { readonly kind: string; readonly faults: Wire["faults"] & {} }[] {
  return [
    { kind: "lost", faults: { loss: share } },
    { kind: "damaged and arrive so", faults: { corruption: share } },
    { kind: "damaged and dropped for it", faults: { corruption: share, discardsCorrupt: true } },
  ];
}

/** A case with one download: both directions of the link, and what both ends are configured with. */
interface Case {
  readonly config?: Partial<Config>;
  readonly toClient?: Wire;
  readonly toServer?: Wire;
  /** In ms. */
  readonly limit?: number;
}

interface Outcome {
  readonly programs: Programs;
  readonly download: Download;
  /** The server's end. */
  readonly server: ConnectionMachine;
}

/** Fetches files of these sizes at once, over one connection. */
function fetched(seed: number, sizes: readonly number[], options: Case = {}): Outcome {
  const { config = {}, toClient, toServer, limit = TIMEOUT } = options;
  const programs = new Programs({ seed, config, toClient: link(toClient), toServer: link(toServer) });
  const download = programs.finish(programs.start(sizes, limit), limit);
  expect(programs.accepted).toHaveLength(1);
  return { programs, download, server: programs.accepted[0]! };
}

function both(wire: Wire): Pick<Case, "toClient" | "toServer"> {
  return { toClient: wire, toServer: wire };
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(SEEDS)("seed %i", (seed) => {
  describe("handshakes", () => {
    // Half of them take 0.3 to 0.6 s, where two round trips are 62 ms; all fifty take 30 to 75 s.
    test.each(faultsOf(0.3))("30 % of the packets are $kind: 50 of 50 connections bring 1 KB", ({ faults }) => {
      const programs = new Programs({ seed, toClient: link({ faults }), toServer: link({ faults }) });
      const times: number[] = [];
      while (times.length < 50) {
        const download = programs.finish(programs.start([KB]), LONG_TIMEOUT - programs.world.now);
        times.push(download.elapsed);
        programs.close(download);
      }
      expect(programs.accepted).toHaveLength(50);
      expect(programs.world.now).toBeLessThan(120_000);
      expect(times.toSorted((a, b) => a - b)[25]).toBeLessThan(1_500);
    });

    test("a round trip of 1.5 s: 1 KB comes in the second one, and the repeated first messages make no connection", () => {
      const programs = new Programs({ seed, toClient: link({ delay: 750 }), toServer: link({ delay: 750 }) });
      const download = programs.start([KB]);
      programs.world.run({ until: () => download.connectedAt !== undefined, for: TIMEOUT });
      expect(programs.toServer.counters.sent).toBeGreaterThanOrEqual(2);
      programs.finish(download, TIMEOUT);
      expect(download.elapsed).toBeLessThan(3_050);
      programs.world.run({ for: 10_000 });
      expect(programs.accepted).toHaveLength(1);
    });

    test("CONN-13: while the client's datagrams 2 to 7 are lost, the server sends no more than it has got", () => {
      const programs = new Programs({ seed });
      const { toServer, toClient } = programs;
      toServer.filter = () => (toServer.counters.sent >= 2 && toServer.counters.sent <= 7 ? "drop" : "pass");
      let mostPerByte = 0;
      toClient.filter = () => {
        // The client's second datagram that arrives is what proves where it is.
        const isProven = toServer.counters.delivered > 1;
        const share = toClient.counters.bytesSent / toServer.counters.bytesDelivered;
        if (!isProven) mostPerByte = Math.max(mostPerByte, share);
        return "pass";
      };
      const download = programs.finish(programs.start([5 * KB]), TIMEOUT);
      expect(toServer.counters.scripted).toBe(6);
      expect(mostPerByte).toBeGreaterThan(0);
      expect(mostPerByte).toBeLessThanOrEqual(1);
      // Three probe timeouts of 85 ms, doubled twice, on top of three round trips.
      expect(download.elapsed).toBeLessThan(1_000);
    });
  });

  describe("transfers", () => {
    // The default needs 2 s, which is what the rate allows and two tenths; CUBIC, which takes each loss for a full queue,
    // 5 s and more.
    test.each(faultsOf(0.02))("2 % of the packets are $kind: 2 MB in 3 s", ({ faults }) => {
      expect(fetched(seed, [2 * MB], both({ faults })).download.elapsed).toBeLessThan(3_000);
    });

    test.each(faultsOf(0.02))("2 % of the packets are $kind: 2 MB in 10 s with CUBIC", ({ faults }) => {
      const config = { congestion: "cubic" } as const;
      expect(fetched(seed, [2 * MB], { config, ...both({ faults }) }).download.elapsed).toBeLessThan(10_000);
    });

    test.each(["bbr", "cubic"] as const)("2 s of nothing cost 10 MB not much more than that (%s)", (congestion) => {
      const faults = { blackouts: [{ from: 5_000, until: 7_000 }] };
      const { download } = fetched(seed, [10 * MB], { config: { congestion }, ...both({ faults }) });
      expect(download.longestPause).toBeLessThan(2_500);
      // 8.8 s is what the rate allows. Seen: 11.4 to 11.7 s, and 11.0 with CUBIC.
      expect(download.elapsed).toBeLessThan(8_800 + 2_000 + 1_200);
    });

    test("2, 3 and 5 MB at once share the link without loss of time", () => {
      expect(fetched(seed, [2 * MB, 3 * MB, 5 * MB]).download.elapsed).toBeLessThan(10_000);
    });

    test("windows of 32 KB for a stream and 64 KB for all, as they are at first, cost less than a tenth of a second", () => {
      const sizes = [2 * MB, 3 * MB, 5 * MB];
      const usual = fetched(seed, sizes).download.elapsed;
      const config = { maxData: 64 * KB, maxStreamData: 32 * KB };
      expect(fetched(seed, sizes, { config }).download.elapsed).toBeLessThan(usual + 100);
    });

    test("1,999 answers of 32 bytes, 1,000 streams at once: four round trips or so", () => {
      const { download, programs } = fetched(seed, Array(1_999).fill(32), { config: { maxStreamsBidi: 1_000 } });
      expect(download.mostOpen).toBeLessThanOrEqual(1_000);
      expect(download.mostOpen).toBeGreaterThan(500);
      expect(download.elapsed).toBeLessThan(400);
      expect(programs.toClient.counters.sent + programs.toServer.counters.sent).toBeLessThan(300);
    });

    test("both sides change keys during 3 MB", () => {
      const phases = new Map<PacketSealer, number>();
      const seal = PacketSealer.prototype.sealBatch;
      vi.spyOn(PacketSealer.prototype, "sealBatch").mockImplementation(function (
        this: PacketSealer,
        buffer: Uint8Array,
        options: SealOptions,
      ) {
        if (options.space === "data") phases.set(this, this.phase);
        seal.call(this, buffer, options);
      });
      // Within the first megabyte.
      const { download } = fetched(seed, [3 * MB], { config: { packetsPerPhase: 500 } });
      expect(phases.size).toBe(2);
      for (const phase of phases.values()) expect(phase).toBeGreaterThanOrEqual(1);
      expect(download.elapsed).toBeLessThan(3_500);
    });
  });

  describe("goodput", () => {
    // 9,567 is the ceiling of packets of 1,500 bytes. Seen: 9,296 and 9,503.
    test.each([
      ["bbr", 9_200],
      ["cubic", 9_400],
    ] as const)("10 MB with %s: %i kbit/s or more", (congestion, atLeast) => {
      const { download, server } = fetched(seed, [10 * MB], { config: { congestion } });
      expect(download.goodput).toBeGreaterThanOrEqual(atLeast);
      expect(server.stats().retransmittedBytes).toBeLessThan(0.02 * 10 * MB);
    });

    // Seen: 5.4 to 5.7 Mbit/s for BBR and 4.1 to 3.8 for the CUBIC beside it; 4.7 to 5.0 and 4.9 to 4.5 for two of CUBIC.
    test.each([
      ["bbr", 6.5],
      ["cubic", 5.5],
    ] as const)(
      "25 MB with %s beside a CUBIC flow that was there first: neither starves, %d Mbit/s at most",
      (congestion, atMost) => {
        const beside = { config: { congestion: "cubic" } } as const;
        const ours = { config: { congestion }, startAt: 1_500, bytes: 25 * MB } as const;
        const bottleneck = { rate: 10, delay: 15, queue: 25 + PLACES_BEHIND_QUEUE, framing: FRAMING };
        const run = new Flows(bottleneck, [beside, ours], seed);
        const [there, came] = run.flows;
        while (!came!.isComplete) {
          run.run(1_000);
          expect(run.world.now).toBeLessThan(CROSS_TRAFFIC_TIMEOUT);
        }
        const span = [came!.firstByteAt!, came!.lastByteAt] as const;
        const [theirs, mine] = [there!.rate(...span), came!.rate(...span)];
        // An even share is 4.75.
        expect(mine).toBeGreaterThan(3.5);
        expect(mine).toBeLessThan(atMost);
        expect(theirs).toBeGreaterThan(3);
        expect(mine + theirs).toBeGreaterThan(9.2);
      },
    );
  });

  describe("a satellite: 600 ms, 20 Mbit/s down and 2 up, the queue a fortieth of what is on the way", () => {
    const satellite = (loss: number) => ({
      toClient: { megabitsPerSecond: 20, delay: 300, faults: { loss } },
      toServer: { megabitsPerSecond: 2, delay: 300, faults: { loss } },
    });

    // 4.4 s is what the rate allows; the rest is slow start, and what its overshoot costs. Seen: 10.4 to 12.0 s, and 10.8.
    test.each(["bbr", "cubic"] as const)("10 MB with %s in 14 s", (congestion) => {
      const { download } = fetched(seed, [10 * MB], { config: { congestion }, ...satellite(0) });
      expect(download.elapsed).toBeLessThan(14_000);
    });

    // The runner gives it 360 s. Seen: 12.4 to 14.4 s; CUBIC takes 155 to 193, because each loss costs it
    // window that a round trip of 600 ms is slow to win back.
    test("and with 1 % loss each way in 20 s", () => {
      expect(fetched(seed, [10 * MB], satellite(0.01)).download.elapsed).toBeLessThan(20_000);
    });
  });
});
