/**
 * Counts what came of many calls.
 *
 * @module
 */
import { median, percentile } from "../../../bench/links/statistics.ts";
import { must } from "../row.ts";
import type { Failed, Outcome } from "./calls.ts";

/** Outcomes of calls that are judged together. */
export class Tally {
  readonly #connected: number[] = [];
  readonly #failed: { readonly name: string; readonly failure: Failed }[] = [];

  /** Notes what came of the call called `name`. */
  add(name: string, outcome: Outcome): void {
    if (outcome.isConnected) this.#connected.push(outcome.ms);
    else this.#failed.push({ name, failure: outcome });
  }

  /** Calls in all. */
  get total(): number {
    return this.#connected.length + this.#failed.length;
  }

  /** How many have connected within `ms`. */
  within(ms: number): number {
    return this.#connected.filter((each) => each <= ms).length;
  }

  /** Time to the first byte in the middle of the calls that have connected, in ms. */
  get median(): number {
    return median(this.#connected);
  }

  /** Time to the first byte that 95 % of the calls that have connected have kept, in ms. */
  get p95(): number {
    return percentile(this.#connected, 0.95);
  }

  /** How many have connected of how many, how fast, and what has failed. */
  get figure(): string {
    const count = `${this.#connected.length} of ${this.total} connected`;
    if (this.#connected.length === 0) return `${count}${this.#failures()}`;
    const [middle, p95, worst] = [this.median, this.p95, Math.max(...this.#connected)].map((ms) => ms.toFixed(0));
    return `${count}, median ${middle} ms, p95 ${p95} ms, worst ${worst} ms${this.#failures()}`;
  }

  /** Fails the row unless every call has connected. */
  mustAllConnect(): void {
    must(this.#failed.length === 0, this.figure);
  }

  /** Fails the row unless a share of all calls has connected within `ms`. */
  mustConnectWithin(ms: number, share: number): void {
    const count = this.within(ms);
    must(count >= share * this.total - 1e-9, `${count} of ${this.total} within ${ms} ms: ${this.figure}`);
  }

  /** Fails the row unless the times are as short as this, in ms. */
  mustBeFast(limits: { readonly median: number; readonly p95?: number }): void {
    must(this.median <= limits.median, `median above ${limits.median} ms: ${this.figure}`);
    if (limits.p95 !== undefined) must(this.p95 <= limits.p95, `p95 above ${limits.p95} ms: ${this.figure}`);
  }

  /** The first few calls that have failed. */
  #failures(): string {
    if (this.#failed.length === 0) return "";
    const few = this.#failed.slice(0, 5).map(({ name, failure }) => `${name}: ${failure.code} after ${failure.ms} ms`);
    return `; failed: ${few.join("; ")}${this.#failed.length > few.length ? "; …" : ""}`;
  }
}

/** One line about one call. */
export function lineOf(name: string, outcome: Outcome): string {
  if (outcome.isConnected) return `${name}: ${outcome.ms.toFixed(0)} ms`;
  return `${name}: ${outcome.code} after ${outcome.ms.toFixed(0)} ms (${outcome.message})`;
}
