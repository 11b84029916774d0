/**
 * How a NAT chooses external ports (RFC 4787 §4.2).
 *
 * @module
 */
import type { Rng } from "./rng.ts";

/**
 * The rule: keep the internal port if it is free, else fall back; count upwards; draw from the range; or give each
 * subscriber, which is an internal host, a block of `size` ports and draw from that (RFC 7422 §2). Ranges are [low, high).
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
  | { readonly kind: "random"; readonly low?: number; readonly high?: number }
  | { readonly kind: "block"; readonly size: number; readonly low?: number; readonly high?: number };

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
  /** First port of each subscriber's block. */
  readonly #blocks = new Map<string, number>();

  constructor(rule: PortAllocation, rng: Rng) {
    this.#rule = rule;
    this.#rng = rng;
    this.#low = rule.low ?? FIRST_PORT;
    this.#high = rule.high ?? PORTS_END;
    if (!(this.#low >= 1 && this.#low < this.#high && this.#high <= PORTS_END)) {
      throw new RangeError(`not a range of ports: [${this.#low}, ${this.#high})`);
    }
    if (rule.kind === "block" && !(rule.size >= 1 && rule.size <= this.#high - this.#low)) {
      throw new RangeError(`no block of ${rule.size} ports in [${this.#low}, ${this.#high})`);
    }
    this.#next = this.#first();
  }

  /** A port for a mapping of `internalPort` of the host `subscriber`; `undefined` if none is free. */
  allocate(internalPort: number, isFree: (port: number) => boolean, subscriber = ""): number | undefined {
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
      case "block": {
        const first = this.#blockOf(subscriber, this.#rule.size);
        return first === undefined ? undefined : this.#draw(isFree, first, first + this.#rule.size);
      }
    }
  }

  /** Command: somebody else took the next port. */
  skip(): void {
    if (this.#rule.kind === "sequential") this.#next += this.#rule.step ?? 1;
  }

  /** Command: starts over, as after a reboot. */
  restart(): void {
    this.#next = this.#first();
    this.#blocks.clear();
  }

  #first(): number {
    return this.#rule.kind === "sequential" ? (this.#rule.first ?? this.#low) : this.#low;
  }

  /** First port of the block of `subscriber`, a free one the first time; `undefined` if there is none. */
  #blockOf(subscriber: string, size: number): number | undefined {
    const known = this.#blocks.get(subscriber);
    if (known !== undefined) return known;
    const count = Math.floor((this.#high - this.#low) / size);
    const taken = new Set(this.#blocks.values());
    if (taken.size >= count) return undefined;
    const start = this.#rng.integer(0, count);
    for (let i = 0; i < count; i++) {
      const first = this.#low + ((start + i) % count) * size;
      if (taken.has(first)) continue;
      this.#blocks.set(subscriber, first);
      return first;
    }
    return undefined;
  }

  #draw(isFree: (port: number) => boolean, low = this.#low, high = this.#high): number | undefined {
    for (let i = 0; i < MAX_DRAWS; i++) {
      const port = this.#rng.integer(low, high);
      if (isFree(port)) return port;
    }
    return this.#search(this.#rng.integer(low, high), 1, isFree, low, high);
  }

  #search(
    start: number,
    step: number,
    isFree: (port: number) => boolean,
    low = this.#low,
    high = this.#high,
  ): number | undefined {
    const count = high - low;
    for (let i = 0; i < count; i++) {
      const offset = (start - low + i * step) % count;
      const port = low + (offset < 0 ? offset + count : offset);
      if (isFree(port)) return port;
    }
    return undefined;
  }
}
