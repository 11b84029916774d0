/**
 * Openers and volleys to everything that the peer has announced, and to where its packets come from.
 *
 * Theory of operation. First one opener to each target: a datagram with a low hop limit, which opens the NATs on the own
 * side and dies before it reaches those of the other. Otherwise the first probe might reach the peer's router before the
 * peer has sent anything; some routers take such a packet for themselves, or hold it against its sender, and then the
 * peer's own packets no longer leave as they should. Some milliseconds later, when both sides have opened, come volleys of
 * probes, closer together at first. Within one volley the targets follow each other at 5 ms, the likeliest first.
 *
 * A packet of the peer from an unexpected address makes that a target too, and is probed back at once: behind it is a
 * mapping that nobody could foresee (RFC 8445 §7.3.1.3).
 *
 * @module
 */
import { type Address, type SocketId, sameAddress } from "../../util/machine.ts";
import { after, type Duration, type Instant } from "../../util/time.ts";
import { type DueShot, OPENER_SIZE, PROBE_SIZE, type ProbeKind, type Rung, type Shot } from "./rung.ts";

// Specification

/** From the openers to the first volley, in ms: the skew between the two sides' starts, by a server that measures both. */
export const OPENER_LEAD: Duration = 15;

/**
 * Instants of the volleys after the first, in ms. Two losses in a row cost 25 ms, and the last one still meets a peer that
 * starts a second late.
 */
// Deviates from RFC 8445 §14.3: probes are repeated by this schedule, not by a retransmission timeout of 500 ms or more.
export const VOLLEY_TIMES: readonly Duration[] = [0, 25, 50, 100, 150, 250, 400, 650, 1000];

/** Between two targets of one volley, in ms: the least that the standard allows. */
// Deviates from RFC 8445 §14.2: the pace is not stretched to 50 ms, as the budget bounds all probes of an endpoint.
export const TARGET_SPACING: Duration = 5;

/** Targets of a volley. */
export const MAX_TARGETS = 8;

/** Further targets, where packets of the peer came from. */
export const MAX_CONTACTS = 8;

/** A place to probe, from one of our sockets. */
export interface Target {
  readonly via: SocketId;
  readonly to: Address;
  readonly kind: ProbeKind;
  /** Whether an opener makes sense: not where no router lies between. */
  readonly isOpened: boolean;
  /** Whether its volleys are openers too; see `quiet` of the plan. */
  readonly isQuiet: boolean;
}

interface TargetState {
  readonly target: Target;
  account: "candidate" | "contact";
  /** When the first volley is due. */
  startAt: Instant;
  /** When the opener is due; `undefined` once it has left, or if there is none. */
  openAt: Instant | undefined;
  /** Volleys that have left. */
  sent: number;
  isQuiet: boolean;
  /** A packet of the peer came from there. */
  isHeard: boolean;
}

/** See the module. */
export class Volleys implements Rung {
  readonly #openerTtl: number;
  readonly #openAt: Instant;
  #startAt: Instant;
  readonly #states: TargetState[] = [];
  #contacts = 0;

  /** With `openAt`, openers go before the start as well. */
  constructor(options: { readonly startAt: Instant; readonly openAt?: Instant; readonly openerTtl: number }) {
    this.#startAt = options.startAt;
    this.#openAt = options.openAt ?? options.startAt;
    this.#openerTtl = options.openerTtl;
  }

  /** Command: adds what the peer has announced, the likeliest first. What is there already stays as it is. */
  add(targets: readonly Target[], now: Instant): void {
    const base = this.#startAt > now ? this.#startAt : now;
    const openAt = this.#openAt > now ? this.#openAt : now;
    for (const target of targets) {
      const count = this.#states.length - this.#contacts;
      if (count >= MAX_TARGETS || this.#find(target.via, target.to) !== undefined) continue;
      this.#states.push({
        target,
        account: "candidate",
        startAt: after(base, OPENER_LEAD + TARGET_SPACING * count),
        openAt: target.isOpened ? openAt : undefined,
        sent: 0,
        isQuiet: target.isQuiet,
        isHeard: false,
      });
    }
  }

  /** Command: the peer has begun already. */
  startNow(now: Instant): void {
    const early = this.#startAt - now;
    if (early <= 0) return;
    this.#startAt = now;
    for (const state of this.#states) {
      state.startAt = after(state.startAt, -early);
      if (state.openAt !== undefined) state.openAt = after(state.openAt, -early);
    }
  }

  /** Input: a packet of the peer came from there. The first time it is probed at once, and from then on by the schedule. */
  onContact(via: SocketId, from: Address, now: Instant): void {
    const known = this.#find(via, from);
    if (known !== undefined) {
      if (!known.isHeard) restart(known, now);
      return;
    }
    if (this.#contacts >= MAX_CONTACTS) return;
    this.#contacts += 1;
    const target: Target = { via, to: from, kind: "peer-reflexive", isOpened: false, isQuiet: false };
    const start = { startAt: now, openAt: undefined, sent: 0 };
    this.#states.push({ target, account: "contact", ...start, isQuiet: false, isHeard: true });
  }

  /** Command: part of {@link Rung}. */
  advance(): void {
    const state = this.#first();
    if (state === undefined) return;
    if (state.openAt !== undefined) {
      // One that went long before the start may have been lost, or forgotten by the NAT.
      state.openAt = state.openAt < this.#startAt ? this.#startAt : undefined;
      return;
    }
    state.sent += 1;
  }

  /** Part of {@link Rung}. */
  next(): DueShot | undefined {
    const state = this.#first();
    if (state === undefined) return undefined;
    return { at: dueAt(state)!, shot: this.#shotOf(state), account: state.account };
  }

  /** Targets so far, those included that packets came from. */
  get targetCount(): number {
    return this.#states.length;
  }

  #shotOf({ target, openAt, isQuiet }: TargetState): Shot {
    const { via, to, kind } = target;
    return openAt !== undefined || isQuiet
      ? { type: "opener", via, to, kind, ttl: this.#openerTtl, size: OPENER_SIZE }
      : { type: "probe", via, to, kind, ttl: undefined, size: PROBE_SIZE };
  }

  /** The state whose turn is next. */
  #first(): TargetState | undefined {
    let first: TargetState | undefined;
    let firstAt = Number.POSITIVE_INFINITY;
    for (const state of this.#states) {
      const at = dueAt(state);
      if (at === undefined || at >= firstAt) continue;
      first = state;
      firstAt = at;
    }
    return first;
  }

  #find(via: SocketId, to: Address): TargetState | undefined {
    return this.#states.find(({ target }) => target.via === via && sameAddress(target.to, to));
  }
}

/** The way to a target is open at last: all that was sent there before may have been in vain. */
function restart(state: TargetState, now: Instant): void {
  state.account = "contact";
  state.startAt = now;
  state.openAt = undefined;
  state.sent = 0;
  state.isQuiet = false;
  state.isHeard = true;
}

function dueAt(state: TargetState): Instant | undefined {
  if (state.openAt !== undefined) return state.openAt;
  const delay = VOLLEY_TIMES[state.sent];
  return delay === undefined ? undefined : after(state.startAt, delay);
}
