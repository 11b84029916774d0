/**
 * A deterministic world: hosts, NATs and links under one virtual clock, driven event by event.
 *
 * Theory of operation. Each step takes the earliest thing that is due, a task on the timeline (a packet arrives, an
 * action runs) or the deadline of a machine, moves the clock there and makes it happen; tasks go before deadlines of the
 * same instant. Then the hosts that were touched are pumped, the hook for invariants runs, and the condition is tried.
 * Nothing else moves the clock, and all chance comes from forks of one seeded generator, so a seed determines the run.
 *
 * @module
 */
import { BufferPool } from "../util/buffer-pool.ts";
import { DeadlineHeap } from "../util/deadline-heap.ts";
import type { Machine } from "../util/machine.ts";
import type { Duration, Instant } from "../util/time.ts";
import { Environment } from "./environment.ts";
import { Host, type HostOptions } from "./host.ts";
import { Nat } from "./nat.ts";
import type { NatOptions } from "./nat-options.ts";
import { Network } from "./network.ts";
import { Rng } from "./rng.ts";
import { SimulationError } from "./simulation-error.ts";
import { Task, Timeline } from "./timeline.ts";
import { Trace } from "./trace.ts";

/** A world to make. */
export interface WorldOptions {
  /** Determines everything that is left to chance. */
  readonly seed: number | string;
  /** The first instant, 0 by default. */
  readonly startAt?: number;
  /** Seconds since 1970 at the first instant, for what depends on the calendar. */
  readonly unixTimeAtStart?: number;
  /** Routers of the public internet between any two of its nodes, 3 by default. Each NAT is one more. */
  readonly hops?: number;
  /** Last entries of the trace to keep, 60 by default; `Infinity` keeps all. */
  readonly traceTail?: number;
  /** Called after every step: the place to check invariants. What it throws fails the run. */
  readonly afterEvent?: (world: World) => void;
}

/** When a run ends. Without `until` and `for` it ends when nothing is due. */
export interface RunOptions {
  /** Ends the run as soon as it returns true. It is an error if it never does. */
  readonly until?: () => boolean;
  /** Longest time that the run may take; without `until`, exactly that time. */
  readonly for?: Duration;
  /** Most steps that the run may take, 1,000,000 by default. */
  readonly maxSteps?: number;
}

// Implementation

/** Routers on the way: with the two home routers about a third of a real path, but enough to tell opener TTLs apart. */
const DEFAULT_HOPS = 3;

/** 2027-01-15: a whole number, so that expiry times in tests are easy to read. */
const DEFAULT_UNIX_TIME = 1_800_000_000;

/** Steps of one run: some hundred thousand packets, far beyond any scenario that is meant to end. */
const DEFAULT_MAX_STEPS = 1_000_000;

/** Steps without time moving: a burst without rate limit may be thousands of packets; a loop is endless. */
const MAX_STEPS_AT_ONE_INSTANT = 50_000;

/** Trace entries in an error message. */
const TRACE_LINES_IN_ERRORS = 40;

/** A simulated world. */
export class World {
  readonly seed: number | string;
  /** The source of all chance; fork it by a label for machines and scenarios. */
  readonly rng: Rng;
  /** Buffers for all machines that are not given another pool. */
  readonly pool = new BufferPool();
  /** The public internet. */
  readonly network: Network;
  readonly trace: Trace;
  /** Seconds since 1970, for what depends on the calendar. Bound, so that it can be handed to a machine. */
  readonly unixTime = (): number => this.#unixTimeAtStart + (this.now - this.#startAt) / 1000;

  readonly #timeline: Timeline;
  readonly #environment: Environment;
  readonly #afterEvent: ((world: World) => void) | undefined;
  readonly #startAt: number;
  readonly #unixTimeAtStart: number;
  readonly #hosts: Host[] = [];
  readonly #deadlines = new DeadlineHeap<Host>();
  /** Hosts to be pumped, in the order in which they were touched. */
  readonly #awake: Host[] = [];
  #stepsAtThisInstant = 0;
  #steps = 0;

  constructor(options: WorldOptions) {
    this.seed = options.seed;
    this.rng = new Rng(options.seed);
    this.#startAt = options.startAt ?? 0;
    this.#unixTimeAtStart = options.unixTimeAtStart ?? DEFAULT_UNIX_TIME;
    this.#timeline = new Timeline(this.#startAt as Instant);
    this.trace = new Trace(this.#timeline, options.traceTail);
    this.#environment = new Environment({ timeline: this.#timeline, trace: this.trace, rng: this.rng });
    this.#afterEvent = options.afterEvent;
    this.network = new Network({
      name: "internet",
      environment: this.#environment,
      hops: options.hops ?? DEFAULT_HOPS,
      gateway: undefined,
    });
  }

  /** Command: adds a host in the public internet, or behind a NAT. */
  addHost<M extends Machine<unknown>>(options: HostOptions<M>): Host<M> {
    const host = new Host(options, {
      environment: this.#environment,
      network: options.behind?.inside ?? this.network,
      pool: this.pool,
      wake: (awoken) => this.wake(awoken),
    });
    this.#hosts.push(host);
    this.wake(host);
    return host;
  }

  /** Command: adds a NAT in the public internet, or behind another NAT. */
  addNat(options: NatOptions): Nat {
    return new Nat(options, this.#environment, this.network);
  }

  /** Command: runs `action` at the instant `time`, or now if that has passed. All hosts are pumped after it. */
  at(time: Instant | number, action: () => void): void {
    this.#timeline.schedule(new Action(this, action), time as Instant);
  }

  /** Command: runs `action` after `delay`. All hosts are pumped after it. */
  after(delay: Duration, action: () => void): void {
    this.at(this.now + delay, action);
  }

  /**
   * Command: has `host` pumped before anything else happens. Needed only after commands to a machine from the event
   * handler of another host; in all other places the world does it by itself.
   */
  wake(host: Host): void {
    if (host.isAwake) return;
    host.isAwake = true;
    this.#awake.push(host);
  }

  /** Command: has all hosts pumped before anything else happens. */
  wakeAll(): void {
    for (const host of this.#hosts) this.wake(host);
  }

  /**
   * Command: lets time pass until the condition holds, the time is over, or nothing is due.
   *
   * @throws SimulationError on livelock, deadlock, timeout, a broken contract, and around whatever else is thrown.
   */
  run(options: RunOptions = {}): void {
    try {
      this.#run(options);
    } catch (error) {
      throw this.#explained(error);
    }
  }

  /** The present. */
  get now(): Instant {
    return this.#timeline.now;
  }

  /** Hash of everything that has happened: equal for equal runs. */
  get traceHash(): string {
    return this.trace.hash;
  }

  /** Steps taken so far. */
  get steps(): number {
    return this.#steps;
  }

  /** All hosts ever added. */
  get hosts(): readonly Host[] {
    return this.#hosts;
  }

  #run({ until, for: span, maxSteps = DEFAULT_MAX_STEPS }: RunOptions): void {
    const end = span === undefined ? undefined : ((this.now + span) as Instant);
    this.wakeAll();
    this.#settle();
    for (let step = 0; until?.() !== true; step++) {
      const next = this.#nextDue();
      if (next === undefined && until !== undefined) {
        throw new SimulationError("deadlock", "nothing is due, but the condition does not hold");
      }
      if (next === undefined || (end !== undefined && next > end)) {
        if (end === undefined) return;
        this.#advance(end);
        if (until !== undefined) throw new SimulationError("timeout", `the condition did not hold within ${span} ms`);
        return;
      }
      if (step >= maxSteps) throw new SimulationError("livelock", `${maxSteps} steps were not enough`);
      this.#advance(next);
      this.#step();
      this.#settle();
      this.#afterEvent?.(this);
    }
  }

  /** Makes one thing happen that is due now. */
  #step(): void {
    this.#steps += 1;
    this.#stepsAtThisInstant += 1;
    if (this.#stepsAtThisInstant > MAX_STEPS_AT_ONE_INSTANT) {
      throw new SimulationError("livelock", `${MAX_STEPS_AT_ONE_INSTANT} steps and time stands still`);
    }
    const taskAt = this.#timeline.nextAt();
    const host = this.#deadlines.first();
    if (taskAt !== undefined && (host === undefined || taskAt <= host.deadline)) this.#timeline.take()!.run();
    else host?.serveTimer();
  }

  /** Pumps the hosts that were touched, and sets their deadlines. */
  #settle(): void {
    for (let index = 0; index < this.#awake.length; index++) {
      if (index > MAX_STEPS_AT_ONE_INSTANT) throw new SimulationError("livelock", "hosts wake each other without end");
      const host = this.#awake[index]!;
      host.pump();
      host.isAwake = false;
      this.#deadlines.set(host, host.nextTimeout());
    }
    this.#awake.length = 0;
  }

  #nextDue(): Instant | undefined {
    const taskAt = this.#timeline.nextAt();
    const deadline = this.#deadlines.first()?.deadline;
    if (taskAt === undefined) return deadline;
    return deadline === undefined || taskAt <= deadline ? taskAt : deadline;
  }

  #advance(to: Instant): void {
    if (to > this.now) this.#stepsAtThisInstant = 0;
    this.#timeline.advance(to);
  }

  #explained(error: unknown): SimulationError {
    const kind = error instanceof SimulationError ? error.kind : "thrown";
    const message = error instanceof Error ? error.message : String(error);
    const report = [
      `${kind}: ${message}`,
      `seed ${this.seed}, t = ${this.now} ms, step ${this.#steps}, ${this.#timeline.pending} tasks pending`,
      ...this.#hosts.map((host) => `  ${host.name}: next timeout ${nextTimeout(host)}`),
      this.trace.text(TRACE_LINES_IN_ERRORS),
    ];
    return new SimulationError(kind, report.join("\n"), { cause: error });
  }
}

/** For the report: even the question may throw. */
function nextTimeout(host: Host): string {
  try {
    return String(host.nextTimeout() ?? "none");
  } catch (error) {
    return String(error);
  }
}

/** A scheduled action. */
class Action extends Task {
  readonly #world: World;
  readonly #action: () => void;

  constructor(world: World, action: () => void) {
    super();
    this.#world = world;
    this.#action = action;
  }

  run(): void {
    this.#world.trace.note("action", "world", "");
    this.#action();
    this.#world.wakeAll();
  }
}
