/**
 * The rungs that guess ports: when they begin, the sockets that they need, and who may be sprayed.
 *
 * @module
 */
import type { Address, SocketId } from "../../util/machine.ts";
import { after, type Duration, earliest, type Instant } from "../../util/time.ts";
import type { Candidate } from "../../wire/candidate.ts";
import type { NatProfile } from "../../wire/nat-profile.ts";
import type { InvitationBudget } from "./budget.ts";
import type { PlannedRung, PortPool, Role } from "./plan.ts";
import { PortWalk } from "./port-walk.ts";
import { stridePorts, walkPorts } from "./prediction.ts";
import type { Rung } from "./rung.ts";
import { SocketFan } from "./socket-fan.ts";
import {
  BIRTHDAY_STAGES,
  MAX_BIRTHDAY_PROBES,
  MAX_SWEEP_PROBES,
  Spray,
  SWEEP_PASSES,
  SWEEP_STAGES,
  sprayDuration,
} from "./spray.ts";
import type { GuessingPair } from "./targets.ts";

/** What the guessing rungs ask for. */
export type SocketAction =
  /** Open so many sockets, and report them by `onSockets`; fewer if that is all there is. */
  | { readonly type: "open-sockets"; readonly requestId: number; readonly count: number; readonly family: 4 }
  /** Close these: they were opened for nothing. */
  | { readonly type: "close-sockets"; readonly vias: readonly SocketId[] };

// Specification

/** When guessing begins, in ms from the start of the round: a path of 100 ms that needs no guess is proven by then. */
export const GUESSING_DELAY: Duration = 150;

/** The same for rungs that open hundreds of flows, if an easier way is likely. */
export const OPEN_ROUTE_DELAY: Duration = 1000;

/** How much later than a round trip such rungs begin, in ms: so long an answer to the second volley may take. */
const ROUND_TRIP_MARGIN: Duration = 50;

/** Fresh sockets of a side whose ports are predicted: one that is hit suffices. */
export const PREDICTION_SOCKETS = 4;

/** Passes of a walk towards one target. */
const WALK_PASSES = 2;

/** How long a target waits for a walk, in ms. */
const PREDICTION_WAIT: Duration = 1500;

/** How much later than itself a target expects the sprayer to begin, in ms: its confirmation may be under way. */
const SPRAY_SKEW: Duration = 500;

/** What the guesses are based on; it may change while nothing has begun. */
export interface GuessingBasis {
  readonly rungs: readonly PlannedRung[];
  readonly remote: readonly Candidate[];
  readonly remoteProfile: NatProfile;
  readonly pair: GuessingPair | undefined;
  /** An easier way is likely. */
  readonly hasOpenRoute: boolean;
}

/** What never changes during a round. */
export interface GuessingOptions {
  readonly role: Role;
  readonly round: number;
  readonly attestedRemoteHosts: readonly string[];
  readonly random: (size: number) => Uint8Array;
  readonly budget: InvitationBudget;
  /** Round-trip time to the peer, in ms; 0 if unknown. */
  readonly roundTrip: Duration;
  /** Age of the ports that predictions start from, in ms. */
  readonly sampleAge: Duration | undefined;
}

/** See the module. */
export class GuessingRungs {
  /** Those that have begun. */
  readonly active: Rung[] = [];
  /** A spray would have been tried, but the endpoint may not spray now. */
  wasBusy = false;

  readonly #options: GuessingOptions;
  #basis: GuessingBasis;
  /** Those that have not begun. */
  #planned: readonly PlannedRung[];
  readonly #requests = new Map<number, PlannedRung>();
  readonly #sockets: SocketId[] = [];
  readonly #actions: SocketAction[] = [];
  #lastRequest = 0;
  #reserved = 0;
  #isSpraying = false;
  #hasEnded = false;
  /** Until when the peer may hit one of our sockets. */
  #openUntil: Instant | undefined;

  constructor(options: GuessingOptions, basis: GuessingBasis) {
    this.#options = options;
    this.#basis = basis;
    this.#planned = this.#ofThisRound(basis.rungs);
  }

  /** Command: plans anew, unless something has begun. */
  update(basis: GuessingBasis): void {
    if (this.active.length > 0 || this.#requests.size > 0) return;
    this.#basis = basis;
    this.#planned = this.#ofThisRound(basis.rungs);
  }

  /** Command: begins what is due in a round that started at `base`. */
  start(base: Instant, now: Instant): void {
    const due = this.#planned.filter((rung) => this.#startAt(rung, base) <= now);
    this.#planned = this.#planned.filter((rung) => !due.includes(rung));
    for (const rung of due) this.#begin(rung, now);
  }

  /** Input: sockets were opened, perhaps fewer than asked for. */
  onSockets(requestId: number, vias: readonly SocketId[], now: Instant): void {
    const rung = this.#requests.get(requestId);
    this.#requests.delete(requestId);
    if (rung === undefined || this.#hasEnded) {
      if (vias.length > 0) this.#actions.push({ type: "close-sockets", vias });
      return;
    }
    this.#sockets.push(...vias);
    if (vias.length > 0) this.#fill(rung, vias, now);
  }

  /** Command: everything is over. All sockets are closed but that one. */
  end(kept?: SocketId): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.active.length = 0;
    this.#planned = [];
    const vias = this.#sockets.filter((via) => via !== kept);
    if (vias.length > 0) this.#actions.push({ type: "close-sockets", vias });
    this.#options.budget.endpoint.releaseSockets(this.#reserved);
    if (this.#isSpraying) this.#options.budget.endpoint.endSpray();
  }

  /** Output: what to open or close. */
  pollAction(): SocketAction | undefined {
    return this.#actions.shift();
  }

  /** When the next rung begins, if the round started at `base`. */
  nextStart(base: Instant): Instant | undefined {
    return this.#planned.map((rung) => this.#startAt(rung, base)).reduce<Instant | undefined>(earliest, undefined);
  }

  /** Until when the peer may still hit, and answers are to be awaited. */
  get openUntil(): Instant | undefined {
    return this.#openUntil;
  }

  /** Whether the socket was opened for one of these rungs. */
  owns(via: SocketId): boolean {
    return this.#sockets.includes(via);
  }

  /** Whether sockets are open that nobody else knows. */
  get hasSockets(): boolean {
    return this.#sockets.length > 0;
  }

  /**
   * Cheap rungs run in every round, with the fresh sockets and samples of that round; those with hundreds of flows once, in
   * a later round than planned if it was not known before.
   */
  #ofThisRound(rungs: readonly PlannedRung[]): readonly PlannedRung[] {
    const { round, budget } = this.#options;
    return rungs.filter((rung) => rung.round <= round && (isCheap(rung) || !budget.hasGuessed));
  }

  #startAt(rung: PlannedRung, base: Instant): Instant {
    if (isCheap(rung)) return after(base, GUESSING_DELAY);
    if (this.#basis.hasOpenRoute) return after(base, OPEN_ROUTE_DELAY);
    return after(base, Math.max(GUESSING_DELAY, this.#options.roundTrip + ROUND_TRIP_MARGIN));
  }

  #begin(rung: PlannedRung, now: Instant): void {
    const { pair } = this.#basis;
    if (pair === undefined) return;
    const { role } = this.#options;
    switch (rung.technique) {
      case "prediction":
        if (rung.target === role) this.#request(rung, PREDICTION_SOCKETS);
        else this.#walk(pair, walkPorts(this.#target(pair.to), this.#options.sampleAge), WALK_PASSES, now);
        return;
      case "strides": {
        const stride = role === "responder" ? rung.responderStride : 1;
        const age = this.#options.sampleAge;
        this.#walk(pair, stridePorts(this.#target(pair.to), { stride, age }), 1, now);
        return;
      }
      case "birthday":
        if (!this.#isAttested(pair.to)) return;
        if (rung.target === role) this.#request(rung, rung.sockets);
        else if (this.#maySpray(now)) this.#spray(pair, rung.pool, now);
        return;
      case "sweep":
        if (this.#isAttested(pair.to) && this.#maySpray(now)) this.#request(rung, SWEEP_PASSES);
        return;
    }
  }

  /** The sockets of a rung are there. */
  #fill(rung: PlannedRung, vias: readonly SocketId[], now: Instant): void {
    const { pair } = this.#basis;
    if (pair === undefined) return;
    const { to } = pair;
    switch (rung.technique) {
      case "prediction":
        this.active.push(new SocketFan({ vias, to, account: "candidate", startAt: now }));
        this.#openUntil = after(now, PREDICTION_WAIT);
        return;
      case "birthday":
        this.active.push(new SocketFan({ vias, to, account: "spray", startAt: now }));
        this.#openUntil = after(now, sprayDuration(MAX_BIRTHDAY_PROBES, BIRTHDAY_STAGES) + SPRAY_SKEW);
        return;
      case "sweep":
        this.#sweep(rung, vias, now);
        return;
      case "strides":
        return;
    }
  }

  #walk({ via, to }: GuessingPair, ports: readonly number[], passes: number, now: Instant): void {
    this.active.push(new PortWalk({ via, host: to.host, ports, passes, startAt: now }));
  }

  #spray({ via, to }: GuessingPair, pool: PortPool, now: Instant): void {
    const { random } = this.#options;
    const plan = { vias: [via], pool, probes: MAX_BIRTHDAY_PROBES, stages: BIRTHDAY_STAGES };
    this.active.push(new Spray({ ...plan, host: to.host, random, startAt: now }));
  }

  #sweep(rung: PlannedRung & { technique: "sweep" }, vias: readonly SocketId[], now: Instant): void {
    const { role, random } = this.#options;
    const pool = role === "initiator" ? rung.pools.responder : rung.pools.initiator;
    const probes = Math.min(pool.size * vias.length, MAX_SWEEP_PROBES);
    const host = this.#basis.pair!.to.host;
    this.active.push(new Spray({ vias, host, pool, probes, stages: SWEEP_STAGES, random, startAt: now }));
    this.#openUntil = after(now, SPRAY_SKEW + sprayDuration(probes, SWEEP_STAGES));
  }

  #request(rung: PlannedRung, count: number): void {
    const { budget } = this.#options;
    if (!budget.endpoint.reserveSockets(count)) {
      this.wasBusy = true;
      return;
    }
    if (!isCheap(rung)) budget.guess();
    this.#reserved += count;
    this.#lastRequest += 1;
    this.#requests.set(this.#lastRequest, rung);
    this.#actions.push({ type: "open-sockets", requestId: this.#lastRequest, count, family: 4 });
  }

  #maySpray(now: Instant): boolean {
    if (this.#isSpraying) return false;
    const { budget } = this.#options;
    this.#isSpraying = budget.endpoint.startSpray(now);
    if (this.#isSpraying) budget.guess();
    else this.wasBusy = true;
    return this.#isSpraying;
  }

  #isAttested(to: Address): boolean {
    return this.#options.attestedRemoteHosts.includes(to.host);
  }

  #target({ host }: Address): { candidates: readonly Candidate[]; profile: NatProfile; host: string } {
    return { candidates: this.#basis.remote, profile: this.#basis.remoteProfile, host };
  }
}

function isCheap(rung: PlannedRung): boolean {
  return rung.technique === "prediction" || rung.technique === "strides";
}
