/**
 * One round of the ladder, driven by hand: its time, its sockets, and all that it asks for.
 *
 * @module
 */
import { expect } from "vitest";
import { PunchBudget } from "../../../src/path/punch/budget.ts";
import { type PunchAction, Puncher, type PuncherOptions } from "../../../src/path/punch/puncher.ts";
import { address, Rng } from "../../../src/testing/index.ts";
import type { Instant } from "../../../src/util/time.ts";
import type { Candidate, CandidateKind } from "../../../src/wire/candidate.ts";
import { profile } from "./profiles.ts";

export const START = 1000 as Instant;
export const US = "203.0.113.1";
export const PEER = "203.0.113.2";

export function candidate(host: string, port: number, kind: CandidateKind = "reflexive", group = 0): Candidate {
  return { kind, address: address(host, port), group };
}

/** A round between two home routers, unless something else is said. */
export function options(more: Partial<PuncherOptions> = {}): PuncherOptions {
  return {
    role: "initiator",
    local: [candidate(US, 4000)],
    remote: [candidate(PEER, 4000)],
    localProfile: profile("ei apd random"),
    remoteProfile: profile("ei apd random"),
    startAt: START,
    round: 1,
    sockets: [
      { via: 0, group: 0, family: 4 },
      { via: 1, group: 0, family: 6 },
    ],
    attestedRemoteHosts: [PEER],
    isConfirmed: true,
    random: new Rng(1).random,
    budget: new PunchBudget().invite()!,
    ...more,
  };
}

/** A ladder and all that it has asked for, with the time of each. */
export class Run {
  readonly puncher: Puncher;
  readonly actions: (PunchAction & { readonly at: number })[] = [];
  #now = START;
  #lastSocket = 100;

  constructor(more: Partial<PuncherOptions> = {}) {
    this.puncher = new Puncher(options(more), START);
  }

  /** Lets time pass, and opens the sockets that are asked for. */
  until(end: number): this {
    for (;;) {
      for (let action = this.puncher.pollAction(this.#now); action !== undefined; ) {
        this.actions.push({ ...action, at: this.#now - START });
        if (action.type === "open-sockets") {
          const vias = Array.from({ length: action.count }, () => ++this.#lastSocket);
          this.puncher.onSockets(action.requestId, vias, this.#now);
        }
        action = this.puncher.pollAction(this.#now);
      }
      const next = this.puncher.nextTimeout();
      if (next !== undefined) expect(next).toBeGreaterThan(this.#now);
      if (next === undefined || next > START + end) break;
      this.#now = next;
    }
    this.#now = Math.max(this.#now, START + end) as Instant;
    return this;
  }

  get now(): Instant {
    return this.#now;
  }

  get shots(): (PunchAction & { type: "opener" | "probe"; at: number })[] {
    return this.actions.flatMap((action) => (action.type === "opener" || action.type === "probe" ? [action] : []));
  }

  get bytes(): number {
    return this.shots.reduce((sum, { size }) => sum + size, 0);
  }

  /** Actions that are no datagrams, by name. */
  get others(): string[] {
    return this.actions
      .filter(({ type }) => type !== "opener" && type !== "probe")
      .map((action) => (action.type === "exhausted" ? action.reason : action.type));
  }
}

/** We know our port, the peer does not know its own. */
export const HARD = { localProfile: profile("ei apd random"), remoteProfile: profile("apd apd random") };
