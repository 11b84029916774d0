/**
 * The target's part of a birthday or of a prediction: fresh sockets, each with a mapping towards the sprayer.
 *
 * Theory of operation. Each socket sends an opener, one after the other, and a second one in case that was lost. Openers
 * die on the way, so the sprayer's router cannot be spoiled by 256 packets that it has not asked for. Only late, when half
 * of the spray has missed, does each send a probe that goes all the way: perhaps the outermost NAT on the own side lies
 * beyond the reach of openers.
 *
 * @module
 */
import type { Address, SocketId } from "../../util/machine.ts";
import { after, type Duration, type Instant } from "../../util/time.ts";
import { type DueShot, OPENER_SIZE, type Rung, SPRAY_SIZE } from "./rung.ts";

// Specification

/** Time in which 256 sockets are opened, in ms: routers see no flood. */
export const FAN_DURATION: Duration = 250;

/** Sockets of the largest fan; smaller ones keep its pace. */
const FAN_SOCKETS = 256;

/** Hop limit of the openers of a fan: it passes a home router and a carrier's NAT, and no more than two hops beyond. */
export const FAN_TTL = 4;

/** When each pass over the sockets begins, in ms, and whether it goes all the way. */
const FAN_PASSES: readonly { readonly at: Duration; readonly type: "opener" | "probe" }[] = [
  { at: 0, type: "opener" },
  { at: 300, type: "opener" },
  { at: 2500, type: "probe" },
];

/** See the module. */
export class SocketFan implements Rung {
  readonly #vias: readonly SocketId[];
  readonly #to: Address;
  readonly #account: "candidate" | "spray";
  readonly #startAt: Instant;
  #sent = 0;

  constructor(options: {
    readonly vias: readonly SocketId[];
    readonly to: Address;
    readonly account: "candidate" | "spray";
    readonly startAt: Instant;
  }) {
    this.#vias = options.vias;
    this.#to = options.to;
    this.#account = options.account;
    this.#startAt = options.startAt;
  }

  /** Command: part of {@link Rung}. */
  advance(): void {
    this.#sent += 1;
  }

  /** Part of {@link Rung}. */
  next(): DueShot | undefined {
    const count = this.#vias.length;
    const pass = count === 0 ? undefined : FAN_PASSES[Math.floor(this.#sent / count)];
    if (pass === undefined) return undefined;
    const index = this.#sent % count;
    const at = after(this.#startAt, pass.at + (index * FAN_DURATION) / FAN_SOCKETS);
    const common = { type: pass.type, via: this.#vias[index]!, to: this.#to, kind: "reflexive" } as const;
    const isOpener = pass.type === "opener";
    const shot = { ...common, ttl: isOpener ? FAN_TTL : undefined, size: isOpener ? OPENER_SIZE : SPRAY_SIZE };
    return { at, shot, account: this.#account };
  }
}
