/**
 * The network cases of the QUIC interop runner as data, and how one is run and measured.
 *
 * Sizes, links and limits are the runner's. Its corruption cases come in two forms: what is damaged is delivered, as the
 * runner means it, or dropped by a layer below, as its simulator does.
 *
 * @module
 */

import type { CongestionName } from "../../../src/congestion/create.ts";
import type { Config } from "../../../src/connection/config.ts";
import { type LinkFaults, link, type Wire } from "./network.ts";
import { type Download, Programs } from "./programs.ts";

/** One case: a connection, or several one after the other, that fetches files. */
export interface Case {
  readonly name: string;
  /** Bytes of the files that each connection fetches. */
  readonly files: readonly number[];
  /** 1 unless given. */
  readonly connections?: number;
  /** Both directions, unless given apart; the runner's usual link unless given. */
  readonly wire?: Wire | { readonly toClient: Wire; readonly toServer: Wire };
  readonly config?: Partial<Config>;
  /** Time for everything, in simulated ms; 60 s unless given. */
  readonly limit?: number;
}

/** What a case came to. Times in ms. */
export interface Outcome {
  /** From the first call to the last byte. */
  readonly elapsed: number;
  /** Of each connection, from its call to its last byte. */
  readonly each: readonly number[];
  /** Of the first connection, in kbit/s, by the formula of the runner. */
  readonly goodput: number;
  /** Of the first connection: the longest time in which nothing came, after the first byte. */
  readonly longestPause: number;
  /** Handshakes that the server completed. */
  readonly handshakes: number;
  /** Datagrams that left the client and the server. */
  readonly datagrams: { readonly client: number; readonly server: number };
  /** What the link towards the client dropped at the tail of its queue; lost or discarded; and damaged. */
  readonly tailDrops: number;
  readonly lost: number;
  readonly corrupted: number;
  /** Of the first connection: stream bytes that the server sent again, packets it wrongly deemed lost, and its MTU. */
  readonly retransmitted: number;
  readonly spurious: number;
  readonly datagramSize: number;
  /** Of the whole world; equal for equal runs. */
  readonly traceHash: string;
}

// Specification

const KB = 1024;
const MB = 1024 * KB;

/** Of every case that names no other. */
const DEFAULT_LIMIT = 60_000;

/** Connections of the cases that are about handshakes. */
const MANY = 50;
const MANY_LIMIT = 300_000;

const HANDSHAKE_FAULT = 0.3;
const TRANSFER_FAULT = 0.02;

/** Of the links by satellite: RTT 600 ms, and a queue that holds a fortieth of what is under way. */
const SATELLITE: Wire = { megabitsPerSecond: 20, delay: 300 };
const SATELLITE_BACK: Wire = { megabitsPerSecond: 2, delay: 300 };

/** All cases with files, by their names in the runner. */
export const CASES = {
  handshake: { name: "handshake", files: [KB] },
  longRtt: { name: "long RTT", files: [KB], wire: { delay: 750 } },
  handshakeLoss: manyHandshakes("handshake loss", { loss: HANDSHAKE_FAULT }),
  handshakeCorruption: manyHandshakes("handshake corruption", { corruption: HANDSHAKE_FAULT }),
  handshakeCorruptionDropped: manyHandshakes("handshake corruption, dropped", {
    corruption: HANDSHAKE_FAULT,
    discardsCorrupt: true,
  }),
  transfer: { name: "transfer", files: [2 * MB, 3 * MB, 5 * MB] },
  smallWindows: {
    name: "transfer, small windows at first",
    files: [2 * MB, 3 * MB, 5 * MB],
    config: { maxData: 64 * KB, maxStreamData: 32 * KB },
  },
  transferLoss: { name: "transfer loss", files: [2 * MB], wire: { faults: { loss: TRANSFER_FAULT } } },
  transferCorruption: {
    name: "transfer corruption",
    files: [2 * MB],
    wire: { faults: { corruption: TRANSFER_FAULT } },
  },
  transferCorruptionDropped: {
    name: "transfer corruption, dropped",
    files: [2 * MB],
    wire: { faults: { corruption: TRANSFER_FAULT, discardsCorrupt: true } },
  },
  blackhole: {
    name: "blackhole",
    files: [10 * MB],
    wire: { faults: { blackouts: [{ from: 5_000, until: 7_000 }] } },
  },
  multiplexing: {
    name: "multiplexing",
    files: Array.from({ length: 1999 }, () => 32),
    config: { maxStreamsBidi: 1000 },
  },
  keyUpdate: { name: "key update", files: [3 * MB], config: { packetsPerPhase: 500 } },
  goodput: { name: "goodput", files: [10 * MB] },
  satellite: {
    name: "satellite",
    files: [10 * MB],
    wire: { toClient: SATELLITE, toServer: SATELLITE_BACK },
    limit: 120_000,
  },
  satelliteLoss: {
    name: "satellite with loss",
    files: [10 * MB],
    wire: {
      toClient: { ...SATELLITE, faults: { loss: 0.01 } },
      toServer: { ...SATELLITE_BACK, faults: { loss: 0.01 } },
    },
    limit: 360_000,
  },
} as const satisfies Record<string, Case>;

function manyHandshakes(name: string, faults: LinkFaults): Case {
  return { name, files: [KB], connections: MANY, limit: MANY_LIMIT, wire: { faults } };
}

/** How a case is run. */
export interface CaseOptions {
  readonly seed: number;
  readonly congestion: CongestionName;
  /** Called before the first call: the place to watch or to change the network. */
  readonly onStart?: (programs: Programs) => void;
}

/** Runs a case. @throws Error if a file arrives wrong, late or not at all. */
export function runCase(each: Case, { seed, congestion, onStart }: CaseOptions): Outcome {
  const { toClient, toServer } = wiresOf(each);
  const programs = new Programs({
    seed,
    config: { ...each.config, congestion },
    toClient: link(toClient),
    toServer: link(toServer),
  });
  onStart?.(programs);
  const { world } = programs;
  const limit = each.limit ?? DEFAULT_LIMIT;
  const downloads: Download[] = [];
  for (let i = 0; i < (each.connections ?? 1); i++) {
    const left = limit - world.now;
    const download = programs.finish(programs.start(each.files, left), left);
    downloads.push(download);
    if (i + 1 < (each.connections ?? 1)) programs.close(download);
  }
  return outcomeOf(programs, downloads);
}

function wiresOf({ wire = {} }: Case): { readonly toClient: Wire; readonly toServer: Wire } {
  return "toClient" in wire ? wire : { toClient: wire, toServer: wire };
}

function outcomeOf(programs: Programs, downloads: readonly Download[]): Outcome {
  const { toClient, hosts, accepted, world } = programs;
  const { tailDropped, lost, discarded, corrupted } = toClient.counters;
  const [first] = downloads;
  const { retransmittedBytes, spuriousLosses, datagramSize } = accepted[0]!.stats();
  return {
    elapsed: downloads.at(-1)!.finishedAt! - first!.startedAt,
    each: downloads.map(({ elapsed }) => elapsed),
    goodput: first!.goodput,
    longestPause: first!.longestPause,
    handshakes: accepted.length,
    datagrams: { client: hosts.dialer.counters.datagramsSent, server: hosts.listener.counters.datagramsSent },
    tailDrops: tailDropped,
    lost: lost + discarded,
    corrupted,
    retransmitted: retransmittedBytes,
    spurious: spuriousLosses,
    datagramSize,
    traceHash: world.traceHash,
  };
}
