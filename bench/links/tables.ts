/**
 * The tables that the benchmark prints: one line for each row and contender.
 *
 * @module
 */
import type { KernelFigures } from "./kernel.ts";
import { type LinkRow, payloadLimit } from "./rows.ts";
import type { FlowFigures } from "./simulate.ts";
import { median } from "./statistics.ts";

/** A column: its heading, and how wide it is. Text stands left, numbers right. */
type Column = readonly [heading: string, width: number];

const COMMON: readonly Column[] = [
  ["row", -16],
  ["MB/s", 6],
  ["worst", 6],
  ["goal", 5],
  ["best", 5],
  ["share", 6],
  ["tail drops (most)", 18],
  ["goal", 5],
  ["lost", 6],
  ["again", 7],
];

const SIMULATION: readonly Column[] = [
  ...COMMON,
  ["spurious", 8],
  ["rtt p50", 7],
  ["p95", 6],
  ["queue p50", 9],
  ["p95", 6],
  ["acks", 6],
  ["CPU s", 6],
];

const KERNEL: readonly Column[] = [...COMMON, ["rtt p50", 7], ["p95", 6], ["acks", 6], ["  stack", -18]];

/** The headings above {@link simulationLine}. */
export const SIMULATION_HEAD = line(
  SIMULATION,
  SIMULATION.map(([heading]) => heading),
);

/** The headings above {@link kernelLine}. */
export const KERNEL_HEAD = line(
  KERNEL,
  KERNEL.map(([heading]) => heading),
);

/** Medians over the seeds, and the worst of what has a bound. `cpu` is seconds for one of them. */
export function simulationLine(row: LinkRow, flows: readonly FlowFigures[], cpu: number): string {
  const middle = (of: (flow: FlowFigures) => number): number => median(flows.map(of));
  return line(SIMULATION, [
    ...commonCells(row, flows),
    middle((flow) => flow.spuriousLosses).toFixed(0),
    middle((flow) => flow.rtt.p50).toFixed(1),
    middle((flow) => flow.rtt.p95).toFixed(1),
    middle((flow) => flow.queueDelay.p50).toFixed(1),
    middle((flow) => flow.queueDelay.p95).toFixed(1),
    middle((flow) => flow.ackPackets).toFixed(0),
    cpu.toFixed(1),
    verdict(row, flows),
  ]);
}

/** The same of one stack on the kernel. */
export function kernelLine(row: LinkRow, stack: string, flows: readonly KernelFigures[]): string {
  const rtt = (of: "p50" | "p95"): string => optional(flows.map((flow) => flow.rtt?.[of]));
  return line(KERNEL, [
    ...commonCells(row, flows),
    rtt("p50"),
    rtt("p95"),
    median(flows.map((flow) => flow.ackPackets)).toFixed(0),
    `  ${stack}`,
    verdict(row, flows),
  ]);
}

/** What both kinds of flows tell. */
interface Figures {
  readonly isComplete: boolean;
  readonly goodput: number;
  readonly tailDrops: number;
  readonly lost: number;
  readonly retransmitted: number | undefined;
  readonly rtt: { readonly p95: number } | undefined;
}

function commonCells(row: LinkRow, flows: readonly Figures[]): string[] {
  const goodput = median(flows.map((flow) => flow.goodput));
  const tailDrops = flows.map((flow) => flow.tailDrops);
  return [
    row.name,
    goodput.toFixed(2),
    Math.min(...flows.map((flow) => flow.goodput)).toFixed(2),
    `${row.goodputAtLeast}`,
    `${row.stretch}`,
    `${((goodput / payloadLimit(row.link)) * 100).toFixed(1)}%`,
    `${median(tailDrops)} (${Math.max(...tailDrops)})`,
    `${row.tailDropsAtMost ?? "–"}`,
    median(flows.map((flow) => flow.lost)).toFixed(0),
    optional(flows.map((flow) => flow.retransmitted)).concat("%"),
  ];
}

function optional(values: readonly (number | undefined)[]): string {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? "–" : median(known).toFixed(1);
}

/** Empty if the median of every figure is within its bound. */
function verdict({ goodputAtLeast, tailDropsAtMost, rttAtMost }: LinkRow, flows: readonly Figures[]): string {
  if (flows.some((flow) => !flow.isComplete)) return " given up";
  const misses: string[] = [];
  if (median(flows.map((flow) => flow.goodput)) < goodputAtLeast) misses.push("goodput");
  if (median(flows.map((flow) => flow.tailDrops)) > (tailDropsAtMost ?? Number.POSITIVE_INFINITY)) misses.push("drops");
  const rtts = flows.flatMap((flow) => (flow.rtt === undefined ? [] : [flow.rtt.p95]));
  if (median(rtts) > (rttAtMost ?? Number.POSITIVE_INFINITY)) misses.push("rtt");
  return misses.length === 0 ? "" : ` misses ${misses.join(", ")}`;
}

/** A cell beyond the columns stands as it is. */
function line(columns: readonly Column[], cells: readonly string[]): string {
  const padded = cells.map((cell, index) => {
    const width = columns[index]?.[1] ?? 0;
    return width < 0 ? cell.padEnd(-width) : cell.padStart(width);
  });
  return padded.join(" ").trimEnd();
}
