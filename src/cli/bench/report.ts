/**
 * What a measurement has found: as the event of `--json`, and as a table for people.
 *
 * @module
 */
import type { PathReport } from "../describe.ts";
import { formatDuration, formatRate, printable } from "../format.ts";
import type { PhaseCounts } from "./codec.ts";
import type { RoundTrips } from "./ping.ts";

/** What both sides are called, for figures that each has. */
export interface BothSides<T> {
  readonly local: T;
  readonly remote: T;
}

/** One direction under load. */
export interface DirectionReport {
  /** Bytes that arrived in the time that counts, which is that in seconds. */
  readonly bytes: number;
  readonly seconds: number;
  /** Bytes per second. */
  readonly goodput: number;
  /** Absent if no ping came back. */
  readonly rtt?: RoundTrips;
  /** Processor seconds of each side for 10^9 bytes; absent if nothing arrived. */
  readonly cpuPerGB?: BothSides<number>;
}

/** One direction of our own transport. */
export interface TransportReport extends DirectionReport {
  /** Packets of the side that sends. */
  readonly packetsSent: number;
  readonly packetsLost: number;
  /** `packetsLost` of `packetsSent`, 0 to 1. */
  readonly loss: number;
  /** Stream bytes that were sent again, and their share of all that was sent, 0 to 1. */
  readonly retransmittedBytes: number;
  readonly retransmitted: number;
}

/** Plain TCP beside it, or why not. */
export type TcpReport =
  | { readonly port: number; readonly error: string }
  | {
      readonly port: number;
      /** Congestion controllers; absent where the system does not say. */
      readonly congestion: Partial<BothSides<string>>;
      readonly up: DirectionReport;
      readonly down: DirectionReport;
    };

/** The `bench` event (spec/cli.md#events). */
export interface BenchReport extends PathReport {
  /** How long each direction was measured. */
  readonly seconds: number;
  /** Bytes of the UDP payloads that we send. */
  readonly datagramSize: number;
  readonly congestion: BothSides<string>;
  readonly idle: { readonly rtt?: RoundTrips };
  /** From the side that ran `bench` to the listener. */
  readonly up: TransportReport;
  readonly down: TransportReport;
  readonly tcp?: TcpReport;
}

/** One phase as both sides saw it. */
export interface PhaseResult {
  readonly roundTrips: RoundTrips | undefined;
  readonly sender: PhaseCounts;
  readonly receiver: PhaseCounts;
  readonly cpu: BothSides<number>;
}

/** One direction, of whatever transport. */
export function directionReport({ receiver, roundTrips, cpu }: PhaseResult): DirectionReport {
  const { bytes, ms } = receiver;
  const perGB = (seconds: number): number => round((seconds * 1e9) / bytes, 3);
  return {
    bytes,
    seconds: round(ms / 1000, 3),
    goodput: ms === 0 ? 0 : Math.round((bytes * 1000) / ms),
    ...(roundTrips !== undefined && { rtt: roundTrips }),
    ...(bytes > 0 && { cpuPerGB: { local: perGB(cpu.local), remote: perGB(cpu.remote) } }),
  };
}

/** One direction of our own transport. */
export function transportReport(phase: PhaseResult): TransportReport {
  const { packetsSent, packetsLost, bytesSent, retransmittedBytes } = phase.sender;
  return {
    ...directionReport(phase),
    packetsSent,
    packetsLost,
    loss: share(packetsLost, packetsSent),
    retransmittedBytes,
    retransmitted: share(retransmittedBytes, bytesSent),
  };
}

// Implementation

const LABEL_WIDTH = 18;
const COLUMN_WIDTH = 15;

/** The report as lines of a table. */
export function benchTable(report: BenchReport): readonly string[] {
  const { up, down, idle, tcp } = report;
  const { local, remote } = report.congestion;
  const lines = [
    labelled("Path", `${report.path} to ${report.remote}, datagrams of ${report.datagramSize} bytes`),
    labelled("Congestion", `${local} here, ${remote} there`),
    labelled("Round trip, idle", roundTripLine(idle.rtt)),
    "",
    row("", ["up", "down"]),
    row(
      "Goodput",
      [up, down].map((each) => formatRate(each.goodput)),
      "from here to the other side, and back",
    ),
    row(
      "",
      [up, down].map((each) => `${((each.goodput * 8) / 1e6).toPrecision(3)} Mbit/s`),
    ),
    ...loadedRows([up, down]),
    row(
      "Packets lost",
      [up, down].map((each) => percent(each.loss)),
      "of those sent",
    ),
    row(
      "Sent again",
      [up, down].map((each) => percent(each.retransmitted)),
      "of the bytes sent",
    ),
    ...cpuRows([up, down]),
  ];
  if (tcp === undefined) return lines;
  if ("error" in tcp) return [...lines, "", labelled("Plain TCP", `not measured: ${printable(tcp.error)}`)];
  const names = `${tcp.congestion.local ?? "unknown"} here, ${tcp.congestion.remote ?? "unknown"} there`;
  return [
    ...lines,
    "",
    row(
      "Plain TCP",
      [tcp.up, tcp.down].map((each) => formatRate(each.goodput)),
      names,
    ),
    ...loadedRows([tcp.up, tcp.down], "of our pings beside it"),
    ...cpuRows([tcp.up, tcp.down]),
  ];
}

function loadedRows(directions: readonly DirectionReport[], which = "under load"): readonly string[] {
  const cell = (pick: (rtt: RoundTrips) => number) =>
    directions.map(({ rtt }) => (rtt === undefined ? "none came back" : formatDuration(pick(rtt))));
  return [
    row(
      "Round trip",
      cell((rtt) => rtt.p50),
      `median, ${which}`,
    ),
    row(
      "",
      cell((rtt) => rtt.p99),
      "99th percentile",
    ),
  ];
}

function cpuRows(directions: readonly DirectionReport[]): readonly string[] {
  const cells = (side: keyof BothSides<number>) =>
    directions.map(({ cpuPerGB }) => (cpuPerGB === undefined ? "-" : `${cpuPerGB[side].toPrecision(3)} s/GB`));
  return [row("Processor here", cells("local")), row("Processor there", cells("remote"))];
}

function roundTripLine(rtt: RoundTrips | undefined): string {
  if (rtt === undefined) return "no ping came back";
  const lost = rtt.lost === 0 ? "none lost" : `${rtt.lost} lost`;
  return `${formatDuration(rtt.p50)} median, ${formatDuration(rtt.p99)} 99th percentile (${rtt.answered + rtt.lost} pings, ${lost})`;
}

function labelled(label: string, text: string): string {
  return `${label.padEnd(LABEL_WIDTH)}${text}`;
}

function row(label: string, cells: readonly string[], note = ""): string {
  const columns = cells.map((cell) => cell.padStart(COLUMN_WIDTH)).join("");
  return `${labelled(label, columns)}${note === "" ? "" : `   ${note}`}`;
}

function percent(part: number): string {
  return `${(part * 100).toFixed(2)} %`;
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : round(Math.min(1, part / whole), 6);
}

function round(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}
