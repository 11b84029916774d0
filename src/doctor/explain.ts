/**
 * What was tried to reach a peer, as a timeline that people can read and paste (spec/doctor.md#explanation).
 *
 * Pure: whoever connects keeps the facts, this only writes them down. With `redact` every address becomes a label.
 *
 * @module
 */
import type { Attempt } from "../connection/events.ts";
import { type Address, formatAddress } from "../util/machine.ts";
import type { Duration } from "../util/time.ts";
import { type AddressOwner, Redaction } from "./redaction.ts";

/** Something that happened on the way. `at` counts milliseconds from the call. */
export type ExplainedEvent = { readonly at: Duration } & (
  | { readonly type: "server"; readonly address: Address; readonly state: "asked" | "answered" | "silent" | "refused" }
  /** A server told how it sees this side. */
  | { readonly type: "observed"; readonly server: Address; readonly address: Address }
  | {
      readonly type: "candidate";
      readonly side: "own" | "peer";
      readonly kind: Attempt["kind"];
      readonly address: Address;
    }
  /** A round of punching begins; `techniques` beyond opening. */
  | { readonly type: "round"; readonly round: number; readonly techniques: readonly string[] }
  | { readonly type: "path"; readonly kind: "direct" | "relay"; readonly address: Address; readonly rtt: Duration }
  | { readonly type: "failed"; readonly code: string }
  /** Anything else; addresses in it are hidden as well, as far as they can be recognised. */
  | { readonly type: "note"; readonly text: string }
);

/** What there is to tell. */
export interface Explained {
  readonly attempts: readonly Attempt[];
  readonly events: readonly ExplainedEvent[];
  /** What to do about it. */
  readonly hint?: string;
}

/** How it is told. */
export interface ExplainOptions {
  /** Hides addresses and keeps what they were: owner, family, kind, and which of them are equal. */
  readonly redact?: boolean;
}

// Implementation

/** Lines of events: the beginning explains how it began, the end how it ended. */
const MAX_FIRST_EVENTS = 64;
const MAX_LAST_EVENTS = 64;

/** Lines of attempts. */
const MAX_ATTEMPTS = 64;

/** Characters of a text that somebody else may have written. */
const MAX_TEXT = 300;

const TIME_WIDTH = 8;

const OUTCOMES: Readonly<Record<Attempt["outcome"], string>> = {
  connected: "connected",
  heard: "heard, but no answer",
  "no-answer": "no answer",
  refused: "refused",
  unsent: "not sent: no socket of this family",
  "not-tried": "not tried: nobody may make us send there",
};

/** The timeline, then a table of what was tried, then the hint. Every line ends what it says; the last has no line break. */
export function explain(explained: Explained, options: ExplainOptions = {}): string {
  const { attempts, events, hint } = explained;
  const redaction = options.redact === true ? new Redaction() : undefined;
  const show: Show = {
    address: (address, owner) => redaction?.label(address, owner) ?? shown(address),
    text: (text) => printable(redaction?.scrub(text) ?? text),
  };
  const inOrder = events.toSorted((a, b) => a.at - b.at);
  // What is known of an address comes before what a text only mentions.
  for (const event of inOrder) if (event.type !== "note") eventText(event, show);
  for (const { address } of attempts) show.address(address, "peer");
  return [
    ...eventLines(inOrder, show),
    ...attemptLines(attempts, show),
    ...(hint === undefined ? [] : [`hint: ${show.text(hint)}`]),
  ].join("\n");
}

function shown(address: Address): string {
  const text = formatAddress(address);
  return address.port === 0 ? `${text.slice(0, -1)}*` : text;
}

interface Show {
  address(address: Address, owner: AddressOwner): string;
  text(text: string): string;
}

function eventLines(events: readonly ExplainedEvent[], show: Show): string[] {
  const line = (event: ExplainedEvent) => `${time(event.at)}  ${eventText(event, show)}`;
  const dropped = events.length - MAX_FIRST_EVENTS - MAX_LAST_EVENTS;
  if (dropped <= 0) return events.map(line);
  return [
    ...events.slice(0, MAX_FIRST_EVENTS).map(line),
    `${"".padStart(TIME_WIDTH + 5)}${dropped} more`,
    ...events.slice(-MAX_LAST_EVENTS).map(line),
  ];
}

function eventText(event: ExplainedEvent, show: Show): string {
  switch (event.type) {
    case "server":
      return serverText(show.address(event.address, "server"), event.state);
    case "observed":
      return `server ${show.address(event.server, "server")} sees this side at ${show.address(event.address, "own")}`;
    case "candidate": {
      const whose = event.side === "own" ? "own" : "peer's";
      return `${whose} candidate ${show.address(event.address, event.side)} (${event.kind})`;
    }
    case "round": {
      const more = event.techniques.length === 0 ? "" : `, with ${event.techniques.map(show.text).join(" and ")}`;
      return `round ${event.round} begins${more}`;
    }
    case "path":
      return `${event.kind} path to ${show.address(event.address, "peer")}, rtt ${event.rtt.toFixed(1)} ms`;
    case "failed":
      return `failed: ${show.text(event.code)}`;
    case "note":
      return show.text(event.text);
  }
}

function serverText(server: string, state: "asked" | "answered" | "silent" | "refused"): string {
  switch (state) {
    case "asked":
      return `server ${server} is asked`;
    case "answered":
      return `server ${server} answers`;
    case "silent":
      return `server ${server} does not answer`;
    case "refused":
      return `server ${server} refuses`;
  }
}

/** A table, those that answered first, then by how much was sent. */
function attemptLines(attempts: readonly Attempt[], show: Show): string[] {
  if (attempts.length === 0) return [];
  const inOrder = attempts.toSorted((a, b) => b.received - a.received || b.sent - a.sent);
  const rows = inOrder
    .slice(0, MAX_ATTEMPTS)
    .map(({ address, kind, sent, received, elapsed, outcome }) => [
      show.address(address, "peer"),
      kind,
      `${sent} sent`,
      `${received} received`,
      `${elapsed.toFixed(0)} ms`,
      OUTCOMES[outcome],
    ]);
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) => `  ${row.map((cell, column) => aligned(cell, column, widths)).join("  ")}`.trimEnd());
  const dropped = attempts.length - rows.length;
  return ["tried:", ...lines, ...(dropped > 0 ? [`  ${dropped} more`] : [])];
}

/** Words to the left, numbers to the right. */
function aligned(cell: string, column: number, widths: readonly number[]): string {
  const width = widths[column] ?? 0;
  return /^\d+ /.test(cell) ? cell.padStart(width) : cell.padEnd(width);
}

function time(at: Duration): string {
  return `${at.toFixed(0).padStart(TIME_WIDTH)} ms`;
}

/** Control characters could move a terminal's cursor, or forge a line. */
function printable(text: string): string {
  return text.slice(0, MAX_TEXT).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, " ");
}
