/**
 * Two ways to report: sentences on stderr for people, with a live line on a terminal; or one JSON object a line.
 *
 * @module
 */
import type { PathReport } from "./describe.ts";
import { type CliEvent, epochNow, type Reporter, type Summary } from "./events.ts";
import { formatBytes, formatDuration, formatRate, printable } from "./format.ts";

// Specification

/** Version of the event format (CLI-19). */
const EVENT_VERSION = 1;

/** A place for text: stderr, stdout, or a test's. */
export interface TextSink {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Writes NDJSON (CLI-19). */
export class JsonReporter implements Reporter {
  readonly #sink: TextSink;

  constructor(sink: TextSink) {
    this.#sink = sink;
  }

  report(event: CliEvent): void {
    this.#sink.write(`${JSON.stringify({ v: EVENT_VERSION, time: epochNow(), ...event })}\n`);
  }

  note(): void {}

  yieldTerminal(): void {}
}

/** Writes sentences, and on a terminal one line that is kept up to date. */
export class TextReporter implements Reporter {
  readonly #sink: TextSink;
  #live: boolean;
  #liveShown = false;

  /** `live`: whether a line may be repainted, which takes a terminal that nothing else writes to. */
  constructor(sink: TextSink, options: { readonly live: boolean }) {
    this.#sink = sink;
    this.#live = options.live;
  }

  report(event: CliEvent): void {
    if (event.event === "progress") {
      this.#paint(progressLine(event));
      return;
    }
    for (const line of sentences(event)) this.note(line);
  }

  note(text: string): void {
    this.#clear();
    this.#sink.write(`${text}\n`);
  }

  yieldTerminal(): void {
    this.#clear();
    this.#live = false;
  }

  #clear(): void {
    if (!this.#liveShown) return;
    this.#sink.write("\r\x1b[K");
    this.#liveShown = false;
  }

  #paint(line: string): void {
    if (!this.#live) return;
    // The last column stays free: some terminals wrap as soon as it is used.
    const width = (this.#sink.columns || 80) - 1;
    this.#sink.write(`\r${line.slice(0, width)}\x1b[K`);
    this.#liveShown = true;
  }
}

function listeningLine({ addresses, servers }: Extract<CliEvent, { event: "listening" }>): string {
  if (servers.length === 0) return `Listening on ${addresses.join(", ")}.`;
  const own = addresses.length === 0 ? "" : `, or directly at ${addresses.join(", ")}`;
  return `Listening; the other side finds us through ${servers.join(", ")}${own}.`;
}

function connectingLine({ addresses, servers }: Extract<CliEvent, { event: "connecting" }>): string {
  const ways = [
    ...(addresses.length === 0 ? [] : [`to ${addresses.join(", ")}`]),
    ...(servers.length === 0 ? [] : [`through ${servers.join(", ")}`]),
  ];
  return `Connecting ${ways.join(" and ")} ...`;
}

/** What the live line says. */
export function progressLine(event: Extract<CliEvent, { event: "progress" }>): string {
  const parts = [];
  if (event.sent > 0 || event.received === 0) parts.push(`sent ${formatBytes(event.sent)}`);
  if (event.received > 0) parts.push(`received ${formatBytes(event.received)}`);
  parts.push(formatRate(event.rate), describePath(event));
  return parts.join("  ");
}

function sentences(event: Exclude<CliEvent, { event: "progress" }>): readonly string[] {
  switch (event.event) {
    case "listening":
      return [
        listeningLine(event),
        "On the other machine run:",
        "",
        `  ${event.command}`,
        "",
        "Whoever has this ticket can connect. Waiting for the other side ...",
      ];
    case "connecting":
      return [...(event.key === undefined ? [] : [`Our public key is ${event.key}.`]), connectingLine(event)];
    case "invitation":
      return [
        event.changed ? "Our address has changed. Give the other side this instead:" : "Let the other side paste this:",
        "",
        event.text,
        "",
        "Waiting for the other side ...",
      ];
    case "explanation":
      return event.lines;
    case "connected":
      return [`Connected after ${formatDuration(event.ms)}: ${describePath(event)}.`];
    case "path":
      return [`Path is now ${describePath(event)}.`];
    case "stalled":
      return ["Stalled: nothing comes from the other side; waiting for it."];
    case "resumed":
      return ["Resumed."];
    case "summary":
      return [summaryLine(event)];
    case "error":
      return errorLines(event);
    case "warning":
      return [`punchline: warning: ${printable(event.message, 500)}`];
    case "demo":
      return [
        `SHA-256   ${event.sha256.sent} sent`,
        `          ${event.sha256.received} received${event.sha256.isEqual ? ", equal" : ": NOT EQUAL"}`,
        summaryLine(event),
      ];
    case "measured":
      return [
        `Measured for ${formatDuration(event.seconds * 1000)}: ${formatBytes(event.sent)} sent, ${formatBytes(event.received)} received.`,
      ];
    case "serving":
      return [`Serving on ${event.addresses.join(", ")}. Clients need this address:`];
    case "health":
      return [healthLine(event)];
    // Printed by the commands that have them, or said by the exit code.
    case "ticket":
    case "bench":
    case "report":
    case "verdict":
    case "closed":
      return [];
  }
}

function healthLine({ sessions, slots, calls, stun, rejected, rss }: Extract<CliEvent, { event: "health" }>): string {
  const dropped = Object.values(rejected).reduce((sum, count) => sum + count, 0);
  return `${sessions} sessions, ${slots} slots, ${calls} calls; ${stun.answered} STUN answers, ${stun.limited} over the rate; ${dropped} datagrams rejected; ${formatBytes(rss)} of memory.`;
}

function summaryLine(summary: Summary): string {
  const moved = [];
  if (summary.sent > 0 || summary.received === 0) moved.push(`${formatBytes(summary.sent)} sent`);
  if (summary.received > 0) moved.push(`${formatBytes(summary.received)} received`);
  const rate = summary.seconds > 0 ? ` (${formatRate(summary.bytes / summary.seconds)})` : "";
  const repeated = summary.retransmitted > 0 ? `, ${formatBytes(summary.retransmitted)} sent again after loss` : "";
  const verdict = summary.confirmed ? "Done, every byte confirmed" : "Ended early";
  const span = formatDuration(summary.seconds * 1000);
  return `${verdict}: ${moved.join(", ")} in ${span}${rate}, ${describePath(summary)}${repeated}.`;
}

function errorLines(event: Extract<CliEvent, { event: "error" }>): readonly string[] {
  const lines = [`punchline: ${printable(event.message, 500)}`];
  if (event.hint !== undefined) lines.push(`  hint: ${event.hint}`);
  if (event.stack !== undefined) lines.push(event.stack);
  return lines;
}

function describePath(path: PathReport): string {
  // 0 stands for a round trip that was not measured yet.
  const roundTrip = path.rtt > 0 ? `, round trip ${formatDuration(path.rtt)}` : "";
  return `${path.path} to ${path.remote}${roundTrip}`;
}
