/**
 * How a NAT chooses ports, from the ports that a row of fresh sockets got (RFC 4787 §4.2).
 *
 * Theory of operation. Three questions, in this order:
 *
 * 1. Do sockets keep their own port? Of random ports one in 64,512 would. Half of the sockets suffice, since somebody else
 *    may hold a port.
 * 2. Do ports go up, or down, in the order of asking? Then the step is the greatest common divisor of the differences,
 *    and what is left over are ports that others have taken meanwhile. At the end of its range a NAT starts over, so one
 *    difference may go the other way. Random ports pass only if they happen to be in order and close together.
 * 3. Otherwise they are random. If they lie close together, a longer row tells how large the block is: 30 random ports
 *    of a block of 2^n cover more than half of it but for one time in 10^7, so the next power of two is its size.
 *
 * @module
 */

import type { Address } from "../../util/machine.ts";
import type { Instant } from "../../util/time.ts";
import type { PortAllocator } from "../../wire/nat-profile.ts";

/** The outer port of one new mapping. */
export interface PortSample {
  readonly localPort: number;
  readonly mapped: Address;
  /** When the mapping was asked for. */
  readonly askedAt: Instant;
  /** It is the first mapping of its socket. */
  readonly isFirst: boolean;
  /** The request was not repeated, so the mapping dates from `askedAt`. */
  readonly isPunctual: boolean;
}

/** What the samples show; ports and rates as in the profile. */
export interface AllocatorVerdict {
  readonly allocator: PortAllocator | undefined;
  readonly step: number;
  readonly poolFirst: number;
  readonly poolSize: number;
  readonly foreignFlows: number;
  /** What more samples would tell: whether it is a block, or how many ports others take. */
  readonly open: "nothing" | "block" | "rate";
}

// Specification

/** First port that NATs use (RFC 4787 §4.2.2). */
const FIRST_PORT = 1024;
const PORTS_END = 65_536;

/** Largest block that carriers give to a subscriber (RFC 7422 §2, RFC 6888 §3). */
export const MAX_BLOCK_SIZE = 4096;

// Implementation

/** Sockets that have to be seen before ports count as not preserved. */
const MIN_SAMPLES = 4;

/** Sockets that keep their port before all are taken to. */
const MIN_PRESERVED = 2;

/** Samples that are taken of what may be a block; see the module. */
export const BLOCK_SAMPLES = 30;

/** Samples that prove one: of the others some may be lost, or have the port of a mapping to another server. */
const PROVING_SAMPLES = 24;

/** Smallest block that is assumed. */
const MIN_BLOCK_SIZE = 64;

/** Largest step of a NAT that counts; those that are known take 1 or 2, some 4 to 16. */
const MAX_STEP = 64;

/** Most flows of others, in a second, with which ports in order are still no accident: three times what can be predicted. */
const MAX_FOREIGN_RATE = 200;

/** Flows of others that are allowed for beyond that rate: they come in bursts. */
const FOREIGN_BURST = 8;

/** A range of random ports counts as smaller than all ports if it is a quarter of them: by chance once in 10,000 times. */
const MAX_PARTIAL_POOL = 16_384;

const UNKNOWN: AllocatorVerdict = {
  allocator: undefined,
  step: 0,
  poolFirst: 0,
  poolSize: 0,
  foreignFlows: 0,
  open: "nothing",
};

/** The verdict on the samples so far, which are in the order of asking. */
export function allocatorOf(samples: readonly PortSample[]): AllocatorVerdict {
  const first = samples.filter((each) => each.isFirst);
  const preserved = first.filter((each) => each.mapped.port === each.localPort).length;
  if (preserved >= MIN_PRESERVED && 2 * preserved >= first.length) return { ...UNKNOWN, allocator: "preserving" };
  // One outer address: NATs with several count on each of them.
  const host = samples[0]?.mapped.host;
  const row = samples.filter((each) => each.mapped.host === host);
  if (row.length < MIN_SAMPLES) return UNKNOWN;
  return sequentialVerdict(row.filter((each) => each.isPunctual)) ?? randomVerdict(row.map((each) => each.mapped.port));
}

function sequentialVerdict(row: readonly PortSample[]): AllocatorVerdict | undefined {
  if (row.length < MIN_SAMPLES) return undefined;
  const hops = row.slice(1).map((sample, index) => {
    const before = row[index]!;
    return { delta: sample.mapped.port - before.mapped.port, elapsed: sample.askedAt - before.askedAt };
  });
  const isRising = hops.filter((hop) => hop.delta > 0).length > hops.length / 2;
  const along = hops.filter((hop) => hop.delta > 0 === isRising);
  if (hops.length - along.length > 1 || along.length < MIN_SAMPLES - 1) return undefined;
  const step = along.map((hop) => Math.abs(hop.delta)).reduce(greatestCommonDivisor);
  if (step > MAX_STEP) return undefined;
  const foreign = along.reduce((sum, hop) => sum + Math.abs(hop.delta) / step - 1, 0);
  const seconds = along.reduce((sum, hop) => sum + hop.elapsed, 0) / 1000;
  if (foreign > FOREIGN_BURST + MAX_FOREIGN_RATE * seconds) return undefined;
  return {
    ...UNKNOWN,
    allocator: "sequential",
    step: isRising ? step : -step,
    foreignFlows: seconds === 0 ? 0 : Math.round(foreign / seconds),
    open: "rate",
  };
}

function randomVerdict(ports: readonly number[]): AllocatorVerdict {
  const [min, max] = [Math.min(...ports), Math.max(...ports)];
  if (max - min >= MAX_BLOCK_SIZE) {
    const [poolFirst, poolSize] = randomPool(min, max);
    return { ...UNKNOWN, allocator: "random", poolFirst, poolSize };
  }
  if (ports.length < PROVING_SAMPLES) return { ...UNKNOWN, open: "block" };
  const size = Math.max(MIN_BLOCK_SIZE, 2 ** Math.ceil(Math.log2(max - min + 1)));
  const first = roundest(Math.max(1, max - size + 1), min);
  return { ...UNKNOWN, allocator: "block", poolFirst: first, poolSize: Math.min(size, PORTS_END - first) };
}

/** The range that random ports come from: a part of all ports that begins at a multiple of its size, or all. */
function randomPool(min: number, max: number): readonly [first: number, size: number] {
  for (let size = 2 * MAX_BLOCK_SIZE; size <= MAX_PARTIAL_POOL; size *= 2) {
    const first = min - (min % size);
    if (max < first + size) return [first, size];
  }
  return min >= FIRST_PORT ? [FIRST_PORT, PORTS_END - FIRST_PORT] : [1, PORTS_END - 1];
}

/** The number from `low` to `high` that most powers of two divide: blocks begin at round numbers. */
function roundest(low: number, high: number): number {
  for (let unit = PORTS_END / 2; unit > 1; unit /= 2) {
    const multiple = Math.ceil(low / unit) * unit;
    if (multiple <= high) return multiple;
  }
  return high;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
