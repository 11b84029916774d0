/**
 * Key updates on bad links: both sides change keys often while data goes both ways, and nothing but time is lost.
 *
 * @module
 */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import { PacketOpener, PacketSealer, type SealOptions } from "../../src/crypto/packet-protection.ts";
import { type LinkOptions, World } from "../../src/testing/index.ts";
import { equalBytes } from "../../src/util/bytes.ts";
import { addHosts } from "./hosts.ts";

const BYTES = 1_200_000;

/** What every sealer and opener of a run did; both are watched, not replaced. */
interface Watched {
  /** Pairs of key and nonce that were used: sealer, phase, space, number. */
  readonly nonces: Set<string>;
  readonly sealers: Set<PacketSealer>;
  readonly openers: Set<PacketOpener>;
}

let watched: Watched;

beforeEach(() => {
  watched = { nonces: new Set(), sealers: new Set(), openers: new Set() };
  const names = new Map<PacketSealer, number>();
  const seal = PacketSealer.prototype.sealBatch;
  vi.spyOn(PacketSealer.prototype, "sealBatch").mockImplementation(function (
    this: PacketSealer,
    buffer: Uint8Array,
    options: SealOptions,
  ) {
    watched.sealers.add(this);
    if (!names.has(this)) names.set(this, names.size);
    const { space, firstPacketNumber, total, segmentSize } = options;
    const phase = space === "data" ? this.phase : "always";
    for (let i = 0; i < Math.ceil(total / segmentSize); i++) {
      const nonce = `${names.get(this)} ${space} ${phase} ${firstPacketNumber + i}`;
      if (watched.nonces.has(nonce)) throw new Error(`used twice: ${nonce}`);
      watched.nonces.add(nonce);
    }
    seal.call(this, buffer, options);
  });
  const open = PacketOpener.prototype.open;
  vi.spyOn(PacketOpener.prototype, "open").mockImplementation(function (this: PacketOpener, datagram: Uint8Array) {
    watched.openers.add(this);
    return open.call(this, datagram);
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

interface Link {
  readonly name: string;
  readonly link: LinkOptions;
}

const LINKS: readonly Link[] = [
  { name: "a good link", link: { delay: 20, bitsPerSecond: 2e6 } },
  { name: "5 % loss", link: { delay: 20, loss: 0.05 } },
  {
    name: "reordering beyond an update",
    link: { delay: 10, reordering: { probability: 0.1, minDelay: 1, maxDelay: 120 } },
  },
  {
    name: "loss, reordering, duplication and damage together",
    link: {
      delay: 30,
      jitter: 10,
      loss: 0.1,
      reordering: { probability: 0.05, minDelay: 1, maxDelay: 60 },
      duplication: 0.05,
      corruption: 0.01,
    },
  },
];

for (const { name, link } of LINKS) {
  test(`CONN-24: over ${name}, both sides change keys every few packets, and no nonce is used twice`, () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const { received, sent, initiator, responder } = transfer(seed, link);
      expect([initiator.state, responder.state]).toEqual(["open", "open"]);
      for (const bytes of received) expect(equalBytes(bytes, sent)).toBe(true);
    }
    // Two sides of five connections, each with a sealer and an opener.
    expect([watched.sealers.size, watched.openers.size]).toEqual([10, 10]);
    for (const { phase } of watched.sealers) expect(phase).toBeGreaterThanOrEqual(2);
    for (const opener of watched.openers) {
      expect(opener.phase).toBeGreaterThanOrEqual(2);
      expect(opener.violation).toBeUndefined();
      // Old keys go after three probe timeouts.
      expect(opener.hasOldKeys).toBe(false);
    }
  });
}

test("CONN-24: an update loses no packet on a link that loses none, and costs none", () => {
  const rare = transfer(1, { delay: 20 }, 2 ** 20);
  const often = transfer(1, { delay: 20 });
  for (const run of [rare, often]) {
    expect(run.initiator.stats()).toMatchObject({ packetsLost: 0, retransmittedBytes: 0 });
    expect(run.undecryptable).toBe(0);
  }
  expect(often.initiator.stats().packetsSent).toBe(rare.initiator.stats().packetsSent);
});

test("CONN-24: after 10 minutes of use keys change without many packets", () => {
  const world = new World({ seed: 1 });
  let responder: ConnectionMachine | undefined;
  const hosts = addHosts(world, {
    link: { delay: 20 },
    onEvent: (_, event) => {
      if (event.type === "incoming") responder = event.connection;
    },
  });
  const initiator = hosts.dial();
  world.run({ for: 1_000 });
  for (let minute = 0; minute < 25; minute++) {
    initiator.write(0, new Uint8Array(100));
    world.wake(hosts.dialer);
    world.run({ for: 60_000 });
  }
  expect([initiator.state, responder?.state]).toEqual(["open", "open"]);
  const phases = [...watched.sealers].map(({ phase }) => phase);
  expect(phases).toEqual([phases[0], phases[0]]);
  expect(phases[0]).toBeGreaterThanOrEqual(2);
  expect(phases[0]).toBeLessThanOrEqual(4);
});

/** Moves {@link BYTES} in both directions at once. */
function transfer(seed: number, link: LinkOptions, packetsPerPhase = 20) {
  const world = new World({ seed });
  const sent = world.rng.fork("data").random(BYTES);
  const received = { dialer: new Uint8Array(BYTES), listener: new Uint8Array(BYTES) };
  const at = { dialer: 0, listener: 0 };
  const ends: { dialer?: ConnectionMachine; listener?: ConnectionMachine } = {};
  const hosts = addHosts(world, {
    config: { packetsPerPhase },
    link: { up: link, down: link },
    onEvent: (side, event) => {
      if (event.type === "incoming") ends.listener = event.connection;
      if (event.type !== "connection") return;
      const { connection } = event;
      if (event.event.type === "connected") {
        connection.write(0, sent);
        connection.finish(0);
      }
      if (event.event.type !== "readable") return;
      for (let piece = connection.read(0); piece !== undefined; piece = connection.read(0)) {
        received[side].set(piece, at[side]);
        at[side] += piece.length;
      }
    },
  });
  ends.dialer = hosts.dial(60_000);
  world.run({ until: () => at.dialer === BYTES && at.listener === BYTES, for: 600_000 });
  // The last acknowledgements, and the end of old keys.
  world.run({ for: 20_000 });
  const undecryptable = [hosts.dialer, hosts.listener]
    .map((host) => host.machine.stats.dropped.undecryptable ?? 0)
    .reduce((sum, count) => sum + count);
  const both = [received.dialer, received.listener];
  return { sent, received: both, initiator: ends.dialer, responder: ends.listener!, undecryptable };
}
