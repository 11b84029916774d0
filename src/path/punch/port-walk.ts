/**
 * Probes to a short list of predicted ports of one host, one after the other.
 *
 * @module
 */
import type { SocketId } from "../../util/machine.ts";
import { after, type Duration, type Instant } from "../../util/time.ts";
import { type DueShot, type Rung, SPRAY_SIZE } from "./rung.ts";

// Specification

/** Between two probes, in ms: two walks at this pace meet in spite of 30 foreign flows a second. */
export const WALK_INTERVAL: Duration = 5;

/** Between the beginnings of two passes, in ms: the peer may have opened its sockets late. */
export const PASS_INTERVAL: Duration = 400;

/** See the module. */
export class PortWalk implements Rung {
  readonly #via: SocketId;
  readonly #host: string;
  readonly #ports: readonly number[];
  readonly #passes: number;
  readonly #startAt: Instant;
  #sent = 0;

  /** Tries `ports` of `host`, an IPv4 address, from the socket `via`, `passes` times over. */
  constructor(options: {
    readonly via: SocketId;
    readonly host: string;
    readonly ports: readonly number[];
    readonly passes: number;
    readonly startAt: Instant;
  }) {
    this.#via = options.via;
    this.#host = options.host;
    this.#ports = options.ports;
    this.#passes = options.passes;
    this.#startAt = options.startAt;
  }

  /** Command: part of {@link Rung}. */
  advance(): void {
    this.#sent += 1;
  }

  /** Part of {@link Rung}. */
  next(): DueShot | undefined {
    const count = this.#ports.length;
    if (this.#sent >= count * this.#passes) return undefined;
    const pass = Math.floor(this.#sent / count);
    const index = this.#sent % count;
    const to = { host: this.#host, port: this.#ports[index]!, family: 4 } as const;
    return {
      at: after(this.#startAt, pass * Math.max(PASS_INTERVAL, count * WALK_INTERVAL) + index * WALK_INTERVAL),
      shot: { type: "probe", via: this.#via, to, kind: "predicted", ttl: undefined, size: SPRAY_SIZE },
      account: "candidate",
    };
  }
}
