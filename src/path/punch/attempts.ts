/**
 * What was tried, for errors and for people who ask why.
 *
 * @module
 */
import { type Address, formatAddress } from "../../util/machine.ts";
import type { Duration, Instant } from "../../util/time.ts";
import type { ProbeKind, Shot } from "./rung.ts";

/** How it went at one address. */
export type AttemptOutcome =
  /** The peer answered a probe. */
  | "answered"
  /** A packet of the peer came from there, but no answer. */
  | "heard"
  /** Nothing came. */
  | "silent"
  /** It must not be probed. */
  | "refused";

/** One address, or, with port 0, all guessed ports of one host. */
export interface Attempt {
  readonly address: Address;
  readonly kind: ProbeKind;
  /** Datagrams sent there. */
  readonly sent: number;
  /** Authentic packets from there that were noticed. */
  readonly received: number;
  /** From the first datagram to the answer, or to now, in ms. */
  readonly ms: Duration;
  readonly outcome: AttemptOutcome;
}

interface Row {
  readonly address: Address;
  readonly kind: ProbeKind;
  sent: number;
  received: number;
  startedAt: Instant | undefined;
  answeredAt: Instant | undefined;
  isRefused: boolean;
}

// Implementation

/** Rows: all candidates that a peer may announce, in two generations, contacts, and some sprays. */
const MAX_ROWS = 48;

/** See the module. */
export class AttemptLog {
  readonly #rows = new Map<string, Row>();

  /** Input: a candidate that must not be probed. */
  onRefused(address: Address, kind: ProbeKind): void {
    const row = this.#row(formatAddress(address), address, kind);
    if (row !== undefined) row.isRefused = true;
  }

  /** Input: something was sent. */
  onSent({ to, kind }: Shot, now: Instant): void {
    const row = kind === "spray" || kind === "predicted" ? this.#guesses(to, kind) : this.#at(to, kind);
    if (row === undefined) return;
    row.sent += 1;
    row.startedAt ??= now;
  }

  /** Input: an authentic packet came from there. */
  onHeard(from: Address, now: Instant): void {
    const row = this.#at(from, "peer-reflexive");
    if (row === undefined) return;
    row.received += 1;
    row.startedAt ??= now;
  }

  /** Input: a probe to there was answered. */
  onAnswered(from: Address, now: Instant): void {
    this.onHeard(from, now);
    const row = this.#at(from, "peer-reflexive");
    if (row !== undefined) row.answeredAt ??= now;
  }

  /** All rows, in the order in which they began. */
  rows(now: Instant): readonly Attempt[] {
    return [...this.#rows.values()].map((row) => {
      const { address, kind, sent, received, startedAt, answeredAt } = row;
      const ms = startedAt === undefined ? 0 : (answeredAt ?? now) - startedAt;
      return { address, kind, sent, received, ms, outcome: outcomeOf(row) };
    });
  }

  #at(address: Address, kind: ProbeKind): Row | undefined {
    return this.#row(formatAddress(address), address, kind);
  }

  /** All guesses at one host share a row. */
  #guesses(address: Address, kind: ProbeKind): Row | undefined {
    return this.#row(`${kind} ${address.host}`, { ...address, port: 0 }, kind);
  }

  #row(key: string, address: Address, kind: ProbeKind): Row | undefined {
    const known = this.#rows.get(key);
    if (known !== undefined || this.#rows.size >= MAX_ROWS) return known;
    const times = { startedAt: undefined, answeredAt: undefined };
    const row: Row = { address, kind, sent: 0, received: 0, ...times, isRefused: false };
    this.#rows.set(key, row);
    return row;
  }
}

function outcomeOf(row: Row): AttemptOutcome {
  if (row.answeredAt !== undefined) return "answered";
  if (row.received > 0) return "heard";
  return row.isRefused ? "refused" : "silent";
}
