/**
 * One round of hole punching: what is sent where, when, from which socket and how far (spec/paths.md#ladder).
 *
 * Theory of operation. A ladder of techniques, each more expensive than the one before, runs until the first probe is
 * answered. Openers and volleys to what the peer has announced come first. If the plan says that they cannot do, ports are
 * guessed from 150 ms on: predicted, walked, hit by chance or swept. All rungs go on side by side; none harms another.
 *
 * The ladder only decides. Packets and keys belong to the owner, who sends what `pollAction` names, opens and closes the
 * sockets that it asks for, and reports what has arrived and was authentic: nothing else ever reaches the ladder. Each
 * round with fresh sockets has a ladder of its own; the one before may still be spraying, so it is kept, together with
 * its sockets, until it says that it is exhausted.
 *
 * Before the peer's key is confirmed, only openers and volleys leave. Sprays go to one address alone, which must be one
 * of the peer's sealed candidates and one at which the server has seen the peer.
 *
 * @module
 */
import type { Address, SocketId } from "../../util/machine.ts";
import { after, type Duration, earliest, type Instant } from "../../util/time.ts";
import type { Candidate } from "../../wire/candidate.ts";
import type { NatProfile } from "../../wire/nat-profile.ts";
import { type TargetRules, targetRules } from "./address-rules.ts";
import { type Attempt, AttemptLog } from "./attempts.ts";
import type { InvitationBudget } from "./budget.ts";
import { type GuessingBasis, GuessingRungs, type SocketAction } from "./guessing.ts";
import { type Plan, planOf, type Role } from "./plan.ts";
import { type DueShot, OPENER_SIZE, PROBE_SIZE, type Rung, type Shot } from "./rung.ts";
import { chooseTargets, guessingPair, hasOpenRoute, type PunchSocket } from "./targets.ts";
import { MAX_TARGETS, VOLLEY_TIMES, Volleys } from "./volleys.ts";

/** Why a round ended without an answer. */
export type ExhaustedReason =
  /** Both NATs choose ports at random and look at them: nothing that is known can connect them. */
  | "hopeless"
  /** Nothing of the peer has arrived. */
  | "silent"
  /** Packets of the peer have arrived, but no answer. */
  | "one-way"
  /** The peer has announced nothing that may be probed. */
  | "no-targets"
  /** Nothing of the peer has arrived, and what might have helped was not tried: the endpoint is busy with other peers. */
  | "busy";

/** What the owner is to do. */
export type PunchAction = Shot | SocketAction | { readonly type: "exhausted"; readonly reason: ExhaustedReason };

/** A round to be punched. */
export interface PuncherOptions {
  readonly role: Role;
  /** What we have announced, in the order in which we did. */
  readonly local: readonly Candidate[];
  /** What the peer has announced, in its order. */
  readonly remote: readonly Candidate[];
  readonly localProfile: NatProfile;
  readonly remoteProfile: NatProfile;
  /** When both sides start. An authentic packet of the peer starts this one earlier. */
  readonly startAt: Instant;
  /** When openers go for the first time, if the start is no more than a guess: the peer may begin at any moment before. */
  readonly opensAt?: Instant;
  /** 1 to 3. Each has fresh sockets, candidates of these, and a start of its own; see {@link ROUND_STARTS}. */
  readonly round: number;
  /** The sockets of this round. */
  readonly sockets: readonly PunchSocket[];
  /** Hosts at which the server itself has seen the peer. */
  readonly attestedRemoteHosts: readonly string[];
  /** Whether the peer has proven that it holds its key. Until then no port is guessed. */
  readonly isConfirmed: boolean;
  readonly random: (size: number) => Uint8Array;
  /** What all rounds for this peer share. */
  readonly budget: InvitationBudget;
  /** Hop limit of openers; by default that of the round. */
  readonly openerTtl?: number;
  /** Whether ports below 1024 may be probed; by default not. */
  readonly allowsLowPorts?: boolean;
  /** Round-trip time to the peer, in ms, if known: guesses by the hundred wait for it. */
  readonly roundTrip?: Duration;
  /** Time from the peer's last STUN answer to the start, in ms, if known. */
  readonly sampleAge?: Duration;
}

// Specification

/** When the rounds begin, in ms from the first. Nearly all that works does in the first (Trautwein et al., 2025: 97.6 %). */
export const ROUND_STARTS: readonly Duration[] = [0, 1500, 6000];

/** Hop limits of openers by round: past a home router; past a carrier's NAT behind it. */
export const OPENER_TTLS: readonly number[] = [2, 4, 4];

/** Bytes of candidates' openers and probes in one round: all that a full set of targets takes. */
export const MAX_ROUND_BYTES = MAX_TARGETS * (OPENER_SIZE + VOLLEY_TIMES.length * PROBE_SIZE);

/** How long an answer to the last probe is awaited, in ms, or two round trips if that is longer. */
export const ANSWER_WAIT: Duration = 1000;

/** How long the round waits for the peer's confirmation, in ms, if there is more to try. */
export const CONFIRMATION_WAIT: Duration = 3000;

/** How long the other sockets stay open after an answer, in ms: the peer may have found another way at the same moment. */
export const CLOSE_DELAY: Duration = 1000;

/** See the module. */
export class Puncher {
  readonly #options: PuncherOptions;
  readonly #guessing: GuessingRungs;
  readonly #volleys: Volleys;
  readonly #log = new AttemptLog();
  #local: readonly Candidate[];
  #localProfile: NatProfile;
  #remote: readonly Candidate[];
  #remoteProfile: NatProfile;
  #plan: Plan;
  #base: Instant;
  #isConfirmed: boolean;
  #state: "running" | "closing" | "over" = "running";
  #isHeard = false;
  /** Why nothing was found, until the owner has been told. */
  #exhausted: ExhaustedReason | undefined;
  #roundBytes = 0;
  #lastShotAt: Instant;
  /** The rate of the endpoint allows nothing before. */
  #blockedUntil: Instant;
  /** When the sockets that are no longer needed are closed, and that which is. */
  #closing: { readonly at: Instant; readonly kept: SocketId } | undefined;

  constructor(options: PuncherOptions, now: Instant) {
    this.#options = options;
    this.#local = options.local;
    this.#localProfile = options.localProfile;
    this.#remote = options.remote;
    this.#remoteProfile = options.remoteProfile;
    this.#isConfirmed = options.isConfirmed;
    this.#base = options.startAt > now ? options.startAt : now;
    this.#lastShotAt = this.#base;
    this.#blockedUntil = now;
    this.#plan = planOf(options.localProfile, options.remoteProfile, options.role);
    const openerTtl = options.openerTtl ?? OPENER_TTLS[options.round - 1] ?? OPENER_TTLS.at(-1)!;
    this.#volleys = new Volleys({ startAt: this.#base, openAt: options.opensAt ?? this.#base, openerTtl });
    this.#addTargets(now);
    const { role, round, attestedRemoteHosts, random, budget, roundTrip = 0, sampleAge } = options;
    const fixed = { role, round, attestedRemoteHosts, random, budget, roundTrip, sampleAge };
    this.#guessing = new GuessingRungs(fixed, this.#basis());
  }

  /** Input: the peer has proven that it holds its key. */
  onConfirmed(): void {
    this.#isConfirmed = true;
  }

  /** Input: what an `open-sockets` asked for, or as much as there is. */
  onSockets(requestId: number, vias: readonly SocketId[], now: Instant): void {
    this.#guessing.onSockets(requestId, vias, now);
  }

  /** Input: an authentic packet of the peer came from there, and is being answered. Those of other rounds are ignored. */
  onContact(via: SocketId, from: Address, now: Instant): void {
    if (!this.#owns(via)) return;
    this.#isHeard = true;
    this.#log.onHeard(from, now);
    if (this.#state !== "running") return;
    this.onBegun(now);
    this.#volleys.onContact(via, from, now);
  }

  /** Input: the peer has begun. Whoever waits for the start does so no longer. */
  onBegun(now: Instant): void {
    if (this.#state !== "running" || this.#base <= now) return;
    this.#base = now;
    this.#volleys.startNow(now);
  }

  /** Input: the peer has answered a probe. Nothing more is sent. */
  onSuccess(path: { readonly via: SocketId; readonly remote: Address }, now: Instant): void {
    this.#log.onAnswered(path.remote, now);
    if (this.#state !== "running") return;
    this.#state = "closing";
    this.#closing = { at: after(now, this.#guessing.hasSockets ? CLOSE_DELAY : 0), kept: path.via };
  }

  /** Input: the peer has announced more, or knows more of its NATs. */
  onRemoteCandidates(remote: readonly Candidate[], profile: NatProfile, now: Instant): void {
    if (this.#state !== "running") return;
    this.#remote = remote;
    this.#remoteProfile = profile;
    this.#replan(now);
  }

  /** Input: the peer is told more of us, so its plan will be another one, and ours with it. */
  onLocalCandidates(local: readonly Candidate[], profile: NatProfile, now: Instant): void {
    if (this.#state !== "running") return;
    this.#local = local;
    this.#localProfile = profile;
    this.#replan(now);
  }

  /** Command: gives up. What was opened is to be closed, and nothing more is sent. */
  close(): void {
    if (this.#state !== "over") this.#end();
  }

  /** Input: time has passed. All that follows from it is done when actions are polled. */
  handleTimeout(now: Instant): void {
    if (this.#closing !== undefined && this.#closing.at <= now) this.#end(this.#closing.kept);
    if (this.#state === "running" && this.#isConfirmed) this.#guessing.start(this.#base, now);
  }

  /** Output: the next thing to do; call until `undefined`. */
  pollAction(now: Instant): PunchAction | undefined {
    this.handleTimeout(now);
    const action = this.#pollControl();
    if (action !== undefined || this.#state !== "running") return action;
    const shot = this.#pollShot(now);
    if (shot !== undefined) return shot;
    const endAt = this.#endAt();
    if (endAt === undefined || endAt > now) return undefined;
    this.#exhausted = this.#reason();
    this.#end();
    return this.#pollControl();
  }

  /** Output: when to poll again. */
  nextTimeout(): Instant | undefined {
    if (this.#state !== "running") return this.#closing?.at;
    const due = this.#first();
    const shotAt = due === undefined || due.at > this.#blockedUntil ? due?.at : this.#blockedUntil;
    const start = this.#isConfirmed ? this.#guessing.nextStart(this.#base) : undefined;
    return earliest(earliest(shotAt, start), this.#endAt());
  }

  /** What was tried so far, for errors and for people who ask. */
  attempts(now: Instant): readonly Attempt[] {
    return this.#log.rows(now);
  }

  /** What the two profiles come to. */
  get plan(): Plan {
    return this.#plan;
  }

  /** Whether nothing more will be asked for; the sockets of the round are no longer needed. */
  get isOver(): boolean {
    return this.#state === "over";
  }

  /** Sockets to open or close, and at last why nothing was found. */
  #pollControl(): PunchAction | undefined {
    const action = this.#guessing.pollAction();
    const reason = this.#exhausted;
    if (action !== undefined || reason === undefined) return action;
    this.#exhausted = undefined;
    return { type: "exhausted", reason };
  }

  #owns(via: SocketId): boolean {
    return this.#options.sockets.some((socket) => socket.via === via) || this.#guessing.owns(via);
  }

  #replan(now: Instant): void {
    this.#plan = planOf(this.#localProfile, this.#remoteProfile, this.#options.role);
    this.#addTargets(now);
    this.#guessing.update(this.#basis());
  }

  #addTargets(now: Instant): void {
    const { sockets, round, role } = this.#options;
    const isQuiet = this.#plan.quiet === role && round === 1;
    const { targets, refused } = chooseTargets({ remote: this.#remote, sockets, rules: this.#rules(), isQuiet });
    this.#volleys.add(targets, now);
    for (const { address, kind } of refused) this.#log.onRefused(address, kind);
  }

  #rules(): TargetRules {
    const { attestedRemoteHosts, allowsLowPorts = false } = this.#options;
    return targetRules({ local: this.#local, remote: this.#remote, attestedRemoteHosts, allowsLowPorts });
  }

  #basis(): GuessingBasis {
    const { sockets } = this.#options;
    const [local, localProfile] = [this.#local, this.#localProfile];
    const [remote, remoteProfile] = [this.#remote, this.#remoteProfile];
    return {
      rungs: this.#plan.rungs,
      remote,
      remoteProfile,
      pair: guessingPair({ local, remote, sockets, rules: this.#rules(), hairpins: localProfile.hairpin }),
      hasOpenRoute: hasOpenRoute({ local, remote, localProfile, remoteProfile }),
    };
  }

  /** The next shot that is due and may leave. Those that no budget pays for are left out. */
  #pollShot(now: Instant): Shot | undefined {
    for (let due = this.#first(); due !== undefined && due.at <= now; due = this.#first()) {
      const { shot } = due;
      const readyAt = this.#options.budget.endpoint.readyAt(shot.size, now);
      if (readyAt > now) {
        this.#blockedUntil = readyAt;
        return undefined;
      }
      const isPaid = this.#pay(due, now);
      due.rung.advance(now);
      if (!isPaid) continue;
      this.#lastShotAt = now;
      this.#log.onSent(shot, now);
      return shot;
    }
    return undefined;
  }

  /** Whether a budget pays for it. */
  #pay({ shot, account }: DueShot, now: Instant): boolean {
    const { budget, attestedRemoteHosts } = this.#options;
    const { size, to } = shot;
    switch (account) {
      case "spray":
        if (!budget.takeForSpray(size)) return false;
        break;
      case "candidate":
        if (this.#roundBytes + size > MAX_ROUND_BYTES || !budget.takeForCandidate(size)) return false;
        this.#roundBytes += size;
        break;
      case "contact":
        // Packets may come from there by somebody else's doing, unless the server knows better.
        if (!attestedRemoteHosts.includes(to.host) && !budget.takeForCandidate(size)) return false;
        break;
    }
    budget.endpoint.take(size, now);
    return true;
  }

  /** The shot that is due first. */
  #first(): (DueShot & { readonly rung: Rung }) | undefined {
    let first: (DueShot & { readonly rung: Rung }) | undefined;
    for (const rung of [this.#volleys, ...this.#guessing.active]) {
      const due = rung.next();
      if (due !== undefined && (first === undefined || due.at < first.at)) first = { ...due, rung };
    }
    return first;
  }

  /** When the round is over, as things stand; `undefined` while there is something to send. */
  #endAt(): Instant | undefined {
    if (this.#first() !== undefined) return undefined;
    const { roundTrip = 0 } = this.#options;
    const start = this.#guessing.nextStart(this.#base);
    if (start !== undefined) return this.#isConfirmed ? undefined : after(this.#base, CONFIRMATION_WAIT);
    const openUntil = this.#guessing.openUntil ?? this.#lastShotAt;
    const quietFrom = openUntil > this.#lastShotAt ? openUntil : this.#lastShotAt;
    return after(quietFrom, Math.max(ANSWER_WAIT, 2 * roundTrip));
  }

  #reason(): ExhaustedReason {
    if (this.#isHeard) return "one-way";
    const [local, localProfile] = [this.#local, this.#localProfile];
    const [remote, remoteProfile] = [this.#remote, this.#remoteProfile];
    if (this.#volleys.targetCount === 0) return "no-targets";
    if (this.#plan.isHopeless && !hasOpenRoute({ local, remote, localProfile, remoteProfile })) return "hopeless";
    return this.#guessing.wasBusy ? "busy" : "silent";
  }

  #end(kept?: SocketId): void {
    this.#state = "over";
    this.#closing = undefined;
    this.#guessing.end(kept);
  }
}
