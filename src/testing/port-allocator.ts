/**
 * How a NAT chooses external ports (RFC 4787 §4.2).
 *
 * @module
 */
import type { Rng } from "./rng.ts";

/**
 * The rule: keep the internal port if it is free, else fall back; count upwards; or draw from the range. Ranges are
 * [low, high).
 */
export type PortAllocation =
  | {
      readonly kind: "preserving";
      readonly fallback?: "sequential" | "random";
      readonly low?: number;
      readonly high?: number;
    }
  | {
      readonly kind: "sequential";
      readonly first?: number;
      readonly step?: number;
      readonly low?: number;
      readonly high?: number;
    }
  | { readonly kind: "random"; readonly low?: number; readonly high?: number };

// Specification

/** Ports that a NAT may use: all but the well-known ones (RFC 4787 §4.2.2). */
const FIRST_PORT = 1024;
const PORTS_END = 65_536;

// Implementation

/** Random draws before the whole range is searched: a range that is half full fails so often once in 65,536 times. */
const MAX_DRAWS = 16;

/** Chooses ports by one {@link PortAllocation}. */
export class PortAllocator {
  readonly #rule: PortAllocation;
  readonly #rng: Rng;
  readonly #low: number;
  readonly #high: number;
  #next: number;

  constructor(rule: PortAllocation, rng: Rng) {
    this.#rule = rule;
    this.#rng = rng;
    this.#low = rule.low ?? FIRST_PORT;
    this.#high = rule.high ?? PORTS_END;
    if (!(this.#low >= 1 && this.#low < this.#high && this.#high <= PORTS_END)) {
      throw new RangeError(`not a range of ports: [${this.#low}, ${this.#high})`);
    }
    this.#next = this.#first();
  }

  /** A port for a mapping of `internalPort`; `undefined` if none is free. */
  allocate(internalPort: number, isFree: (port: number) => boolean): number | undefined {
    switch (this.#rule.kind) {
      case "preserving":
        if (isFree(internalPort)) return internalPort;
        return this.#rule.fallback === "sequential" ? this.#search(internalPort + 1, 1, isFree) : this.#draw(isFree);
      case "sequential": {
        const step = this.#rule.step ?? 1;
        const port = this.#search(this.#next, step, isFree);
        if (port !== undefined) this.#next = port + step;
        return port;
      }
      case "random":
        return this.#draw(isFree);
    }
  }

  /** Command: starts over, as after a reboot. */
  restart(): void {
    this.#next = this.#first();
  }

  #first(): number {
    return this.#rule.kind === "sequential" ? (this.#rule.first ?? this.#low) : this.#low;
  }

  #draw(isFree: (port: number) => boolean): number | undefined {
    for (let i = 0; i < MAX_DRAWS; i++) {
      const port = this.#rng.integer(this.#low, this.#high);
      if (isFree(port)) return port;
    }
    return this.#search(this.#rng.integer(this.#low, this.#high), 1, isFree);
  }

  #search(start: number, step: number, isFree: (port: number) => boolean): number | undefined {
    const count = this.#high - this.#low;
    for (let i = 0; i < count; i++) {
      const offset = (start - this.#low + i * step) % count;
      const port = this.#low + (offset < 0 ? offset + count : offset);
      if (isFree(port)) return port;
    }
    return undefined;
  }
}
