/**
 * Hole punching for one connection (spec/paths.md#punching).
 *
 * Theory of operation. A probe is a PATH_CHALLENGE under the keys of the connection, so an answer proves at once that the
 * path works both ways and who is at its other end. What is sent where and when is decided by a ladder for each round
 * (`path/punch`); this class gives it packets, remembers the tokens, and tells the ladders what has come. Rounds run side by
 * side: an earlier one may still be spraying when a later one begins with fresh sockets. The first answer ends them all.
 *
 * @module
 */
import type { InvitationBudget } from "../path/punch/budget.ts";
import { type ExhaustedReason, Puncher } from "../path/punch/puncher.ts";
import type { Shot } from "../path/punch/rung.ts";
import type { PunchSocket } from "../path/punch/targets.ts";
import type { Address, SocketId, Transmit } from "../util/machine.ts";
import { type Duration, earliest, type Instant } from "../util/time.ts";
import { UNKNOWN_NAT } from "../wire/nat-profile.ts";
import { encodePad } from "../wire/pad.ts";
import type { Core } from "./core.ts";
import type { Attempt, SocketRequest } from "./events.ts";
import type { Keys } from "./keys.ts";
import { buildPunchProbe } from "./packet-builder.ts";
import { ProbeBook } from "./probe-book.ts";
import type { Situation } from "./situation.ts";

/** One round to be punched. */
export interface PunchOptions {
  /** 1 for the first; later ones have fresh sockets. */
  readonly round: number;
  /** When both sides begin. */
  readonly startAt: Instant;
  /** When openers go for the first time, if that is before the start. */
  readonly opensAt?: Instant | undefined;
  /** What the peer was told for this round. */
  readonly local: Situation;
  /** The sockets that this speaks of. */
  readonly sockets: readonly PunchSocket[];
  /** Hosts at which a server has seen the peer. */
  readonly attestedHosts: readonly string[];
  /** Round-trip time to the peer, in ms, if it can be guessed. */
  readonly roundTrip?: Duration | undefined;
}

interface Round {
  readonly number: number;
  readonly puncher: Puncher;
}

// Implementation

/** Rounds at a time; see `ROUND_STARTS`. */
const MAX_ROUNDS = 3;

/** Requests for sockets carry the round in their number, so that answers find their way back. */
const REQUESTS_PER_ROUND = 1_000;

/** See the module. */
export class Traversal {
  readonly #core: Core;
  readonly #budget: InvitationBudget;
  readonly #rounds: Round[] = [];
  readonly #requests: SocketRequest[] = [];
  #isConfirmed: boolean;
  /** What is told now is for a round that has not begun. */
  #isPreparing = false;
  #now: Instant;
  /** Why the last round ended, once all have. */
  #exhausted: ExhaustedReason | undefined;

  constructor(core: Core, budget: InvitationBudget, now: Instant) {
    this.#core = core;
    this.#now = now;
    this.#budget = budget;
    core.probes = new ProbeBook();
    // Who has read the answer of the responder knows that it holds its key.
    this.#isConfirmed = core.role === "initiator";
  }

  // Inputs

  /** Input: the first packet of the peer has opened. */
  onConfirmed(): void {
    if (this.#isConfirmed) return;
    this.#isConfirmed = true;
    for (const { puncher } of this.#rounds) puncher.onConfirmed();
  }

  /** Input: an authentic packet of the peer came from there. */
  onContact(via: SocketId, from: Address, now: Instant): void {
    for (const { puncher } of this.#rounds) puncher.onContact(via, from, now);
  }

  /** Input: the peer has begun, as it says by a carrier. */
  onBegun(now: Instant): void {
    for (const { puncher } of this.#rounds) puncher.onBegun(now);
  }

  /** Input: a probe was answered. */
  onSuccess(path: { readonly via: SocketId; readonly remote: Address }, now: Instant): void {
    for (const { puncher } of this.#rounds) puncher.onSuccess(path, now);
  }

  /** Input: the sockets that an `open-sockets` asked for; fewer if there are no more. */
  onSockets(requestId: number, sockets: readonly SocketId[], now: Instant): void {
    const number = Math.floor(requestId / REQUESTS_PER_ROUND);
    const round = this.#rounds.find((each) => each.number === number);
    if (round === undefined) this.#requests.push({ type: "close-sockets", sockets });
    else round.puncher.onSockets(requestId % REQUESTS_PER_ROUND, sockets, now);
  }

  /** Input: the peer tells where it is now. */
  onRemote({ candidates, profile }: Situation, now: Instant): void {
    if (this.#isPreparing) return;
    this.#rounds.at(-1)?.puncher.onRemoteCandidates(candidates, profile ?? UNKNOWN_NAT, now);
  }

  /** Input: the peer is told this of where we are now. */
  onLocal({ candidates, profile }: Situation, now: Instant): void {
    if (this.#isPreparing) return;
    this.#rounds.at(-1)?.puncher.onLocalCandidates(candidates, profile ?? UNKNOWN_NAT, now);
  }

  // Commands

  /**
   * Both sides prepare the next round. What they tell from now on is of its sockets: a probe from one of the round before
   * would reach a NAT that does not expect it, and spoil a fresh port before it is used.
   */
  prepareRound(): void {
    this.#isPreparing = true;
  }

  /** Begins a round. */
  punch(options: PunchOptions, remote: Situation, now: Instant): void {
    if (this.#rounds.length >= MAX_ROUNDS) return;
    const { round, startAt, opensAt, local, sockets, attestedHosts, roundTrip } = options;
    const puncher = new Puncher(
      {
        role: this.#core.role,
        local: local.candidates,
        remote: remote.candidates,
        localProfile: local.profile ?? UNKNOWN_NAT,
        remoteProfile: remote.profile ?? UNKNOWN_NAT,
        startAt,
        round,
        sockets,
        attestedRemoteHosts: attestedHosts,
        isConfirmed: this.#isConfirmed,
        random: this.#core.random,
        budget: this.#budget,
        ...(roundTrip === undefined ? {} : { roundTrip }),
        ...(opensAt === undefined ? {} : { opensAt }),
      },
      now,
    );
    this.#rounds.push({ number: round, puncher });
    this.#isPreparing = false;
    this.#exhausted = undefined;
  }

  /** Ends all rounds; nothing more is sent, but requests to close sockets may be left. */
  end(): void {
    for (const round of this.#rounds) {
      round.puncher.close();
      this.#pollRound(round, this.#now);
    }
    this.#rounds.length = 0;
    this.#core.probes = undefined;
    this.#budget.end();
  }

  // Outputs

  /** Output: the next probe or opener. */
  pollTransmit(keys: Keys, now: Instant): Transmit | undefined {
    this.#now = now;
    for (const round of this.#rounds) {
      const shot = this.#pollRound(round, now);
      if (shot !== undefined) return shot.type === "opener" ? this.#opener(shot) : this.#probe(shot, keys, now);
    }
    return undefined;
  }

  /** Output: sockets that are wanted, or no longer. */
  pollRequest(): SocketRequest | undefined {
    return this.#requests.shift();
  }

  /** Output: when to poll again. */
  nextTimeout(): Instant | undefined {
    let next: Instant | undefined;
    for (const { puncher } of this.#rounds) next = earliest(next, puncher.nextTimeout());
    return next;
  }

  // Getters

  /** Whether the peer has shown that it holds its key. */
  get isConfirmed(): boolean {
    return this.#isConfirmed;
  }

  /** When it was last polled. */
  get now(): Instant {
    return this.#now;
  }

  /** Why nothing was found, once every round that was begun has ended. */
  get exhausted(): ExhaustedReason | undefined {
    return this.#rounds.every(({ puncher }) => puncher.isOver) ? this.#exhausted : undefined;
  }

  /** Whether nothing more will come of it. */
  get isOver(): boolean {
    return this.#rounds.every(({ puncher }) => puncher.isOver) && this.#requests.length === 0;
  }

  /** What was tried. */
  attempts(now: Instant): readonly Attempt[] {
    return this.#rounds.flatMap(({ puncher }) =>
      puncher.attempts(now).map(({ address, kind, sent, received, ms, outcome }) => ({
        ...{ address, kind, sent, received, elapsed: ms, outcome: OUTCOMES[outcome] },
      })),
    );
  }

  /** Takes what a round has to say, up to the next thing to send. */
  #pollRound({ number, puncher }: Round, now: Instant): Shot | undefined {
    for (let action = puncher.pollAction(now); action !== undefined; action = puncher.pollAction(now)) {
      switch (action.type) {
        case "opener":
        case "probe":
          return action;
        case "open-sockets": {
          const { requestId, count, family } = action;
          this.#requests.push({ type: "open-sockets", id: number * REQUESTS_PER_ROUND + requestId, count, family });
          break;
        }
        case "close-sockets":
          this.#requests.push({ type: "close-sockets", sockets: action.vias });
          break;
        case "exhausted":
          this.#exhausted = action.reason;
          break;
      }
    }
    return undefined;
  }

  #opener({ via, to, ttl, size }: Shot): Transmit {
    const payload = encodePad(this.#core.random, size);
    return { via, to, payload, segmentSize: payload.length, ttl };
  }

  #probe(shot: Shot, keys: Keys, now: Instant): Transmit {
    const token = this.#core.random(8);
    this.#core.probes!.onSent(token, shot.via, shot.to, now);
    return buildPunchProbe(this.#core, keys, { ...shot, token }, now);
  }
}

const OUTCOMES = {
  answered: "connected",
  heard: "heard",
  silent: "no-answer",
  refused: "not-tried",
} as const satisfies Record<string, Attempt["outcome"]>;
