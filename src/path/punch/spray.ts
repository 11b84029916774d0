/**
 * Probes to the ports of a pool in random order, none twice before all had their turn.
 *
 * Theory of operation. If the target has opened N of R ports, k different ports miss all of them with probability
 * C(R − N, k) / C(R, k), which is about e^(−Nk / R): one in two is left after 175 of 64,512 with N = 256. It begins slowly,
 * as the target opens its sockets one after the other, and most pairs need few.
 *
 * In a sweep both sides guess both ports. A flow of one side is its own random port and a guess of the peer's; after K
 * flows each, two of them match with probability 1 − e^(−K² / R²). Several passes from different sockets make the flows
 * that one pass lacks.
 *
 * @module
 */
import type { SocketId } from "../../util/machine.ts";
import { after, type Duration, type Instant } from "../../util/time.ts";
import { MAX_SPRAY_BYTES } from "./budget.ts";
import { PortPermutation } from "./permutation.ts";
import type { PortPool } from "./plan.ts";
import { type DueShot, type Rung, SPRAY_SIZE } from "./rung.ts";

/** So many milliseconds from one probe to the next, for so long. */
interface Stage {
  readonly until: Duration;
  readonly interval: Duration;
}

// Specification

/** 100 probes a second while the target opens its sockets, then 200, then 400. */
export const BIRTHDAY_STAGES: readonly Stage[] = [
  { until: 150, interval: 10 },
  { until: 400, interval: 5 },
  { until: Number.POSITIVE_INFINITY, interval: 2.5 },
];

/** 500 probes a second: more than home routers bear for long, so only within a block. */
export const SWEEP_STAGES: readonly Stage[] = [{ until: Number.POSITIVE_INFINITY, interval: 2 }];

/** Probes of a birthday: with 256 sockets of 64,512 ports, three in ten thousand fail. */
export const MAX_BIRTHDAY_PROBES = 2048;

/** Probes of a sweep: what the budget of an invitation pays for. Three passes over 1,024 ports take less. */
export const MAX_SWEEP_PROBES = Math.floor(MAX_SPRAY_BYTES / SPRAY_SIZE);

/** Passes of a sweep, each from a socket of its own. */
export const SWEEP_PASSES = 3;

// Implementation

/** How far the schedule may lag behind, in ms: what a busy process missed is not sent in one burst. */
const MAX_LAG: Duration = 20;

/** See the module. */
export class Spray implements Rung {
  readonly #vias: readonly SocketId[];
  readonly #host: string;
  readonly #pool: PortPool;
  readonly #stages: readonly Stage[];
  readonly #random: (size: number) => Uint8Array;
  readonly #startAt: Instant;
  #left: number;
  #pass = 0;
  #ports: PortPermutation;
  #next: DueShot | undefined;

  /** Sprays `host`, an IPv4 address, with at most `probes` probes, each pass over the pool by the next of `vias`. */
  constructor(options: {
    readonly vias: readonly SocketId[];
    readonly host: string;
    readonly pool: PortPool;
    readonly probes: number;
    readonly stages: readonly Stage[];
    readonly random: (size: number) => Uint8Array;
    readonly startAt: Instant;
  }) {
    this.#vias = options.vias;
    this.#host = options.host;
    this.#pool = options.pool;
    this.#stages = options.stages;
    this.#random = options.random;
    this.#startAt = options.startAt;
    this.#left = options.vias.length === 0 ? 0 : options.probes;
    this.#ports = new PortPermutation(options.pool, options.random);
    this.#next = this.#draw(options.startAt);
  }

  /** Command: part of {@link Rung}. */
  advance(now: Instant): void {
    if (this.#next === undefined) return;
    const { at } = this.#next;
    const stage = this.#stages.find(({ until }) => at - this.#startAt < until)!;
    const due = after(at, stage.interval);
    this.#next = this.#draw(due < now - MAX_LAG ? after(now, -MAX_LAG) : due);
  }

  /** Part of {@link Rung}. */
  next(): DueShot | undefined {
    return this.#next;
  }

  #draw(at: Instant): DueShot | undefined {
    if (this.#left === 0) return undefined;
    this.#left -= 1;
    let port = this.#ports.next();
    if (port === undefined) {
      this.#pass += 1;
      this.#ports = new PortPermutation(this.#pool, this.#random);
      port = this.#ports.next()!;
    }
    const via = this.#vias[this.#pass % this.#vias.length]!;
    const to = { host: this.#host, port, family: 4 } as const;
    return { at, shot: { type: "probe", via, to, kind: "spray", ttl: undefined, size: SPRAY_SIZE }, account: "spray" };
  }
}

/** How long a birthday of that many probes takes, in ms. */
export function sprayDuration(probes: number, stages: readonly Stage[]): Duration {
  let elapsed = 0;
  let left = probes;
  for (const { until, interval } of stages) {
    const here = Math.min(left, (until - elapsed) / interval);
    elapsed += here * interval;
    left -= here;
  }
  return elapsed;
}
