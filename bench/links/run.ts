/**
 * One bulk flow over each link of `rows.ts`.
 *
 * `npx tsx bench/links/run.ts --sim [--row NAME]… [--congestion NAME]… [--seeds N] [--seed S] [--sender dialer|listener]
 * [--json]`: in the simulator, with N seeds from S on.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { CONGESTION_NAMES, type CongestionName } from "../../src/congestion/create.ts";
import { DEFAULT_CONFIG } from "../../src/connection/config.ts";
import { type LinkRow, rowsNamed } from "./rows.ts";
import { type FlowFigures, simulateRow } from "./simulate.ts";
import { median } from "./statistics.ts";

/** Runs the benchmark with the arguments after its name. */
export async function links(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      sim: { type: "boolean", default: false },
      row: { type: "string", multiple: true },
      congestion: { type: "string", multiple: true, default: [DEFAULT_CONFIG.congestion] },
      seeds: { type: "string", default: "1" },
      seed: { type: "string", default: "1" },
      sender: { type: "string", default: "dialer" },
      json: { type: "boolean", default: false },
    },
  });
  const rows = rowsNamed(values.row);
  for (const name of values.congestion) simulateAll(rows, checkedCongestion(name), values);
}

function checkedCongestion(name: string): CongestionName {
  const known = CONGESTION_NAMES.find((each) => each === name);
  if (known === undefined) {
    throw new RangeError(`no controller is called ${name}; there are ${CONGESTION_NAMES.join(", ")}`);
  }
  return known;
}

interface SimulationValues {
  readonly seeds: string;
  readonly seed: string;
  readonly sender: string;
  readonly json: boolean;
}

function simulateAll(rows: readonly LinkRow[], congestion: CongestionName, values: SimulationValues): void {
  const first = Number(values.seed);
  const sender = values.sender === "listener" ? "listener" : "dialer";
  if (!values.json) console.log(`\nsimulated, ${congestion}, ${values.seeds} seeds from ${first}\n${HEAD}`);
  for (const row of rows) {
    const flows: FlowFigures[] = [];
    const startedAt = process.cpuUsage();
    for (let seed = first; seed < first + Number(values.seeds); seed++) {
      const flow = simulateRow(row, { seed, sender, config: { congestion } });
      flows.push(flow);
      if (values.json) console.log(JSON.stringify({ row: row.name, congestion, seed, ...flow }));
    }
    const { user, system } = process.cpuUsage(startedAt);
    if (!values.json) console.log(lineOf(row, flows, (user + system) / 1e6 / flows.length));
  }
}

const HEAD = [
  "row".padEnd(16),
  "MB/s".padStart(6),
  "worst".padStart(6),
  "goal".padStart(5),
  "best".padStart(5),
  "share".padStart(6),
  "tail drops (worst)".padStart(19),
  "most".padStart(5),
  "lost".padStart(6),
  "again".padStart(7),
  "spurious".padStart(8),
  "rtt p50".padStart(7),
  "p95".padStart(6),
  "queue p50".padStart(9),
  "p95".padStart(6),
  "acks".padStart(6),
  "CPU s".padStart(6),
].join(" ");

/** Medians over the seeds, and the worst of what has a bound. */
function lineOf(row: LinkRow, flows: readonly FlowFigures[], cpu: number): string {
  const middle = (of: (flow: FlowFigures) => number): number => median(flows.map(of));
  const worstGoodput = Math.min(...flows.map((flow) => flow.goodput));
  const worstDrops = Math.max(...flows.map((flow) => flow.tailDrops));
  const { goodputAtLeast, tailDropsAtMost, rttAtMost } = row;
  const meets =
    worstGoodput >= goodputAtLeast &&
    worstDrops <= (tailDropsAtMost ?? Number.POSITIVE_INFINITY) &&
    flows.every((flow) => flow.isComplete && flow.rtt.p95 <= (rttAtMost ?? Number.POSITIVE_INFINITY));
  return [
    row.name.padEnd(16),
    middle((flow) => flow.goodput)
      .toFixed(2)
      .padStart(6),
    worstGoodput.toFixed(2).padStart(6),
    `${goodputAtLeast}`.padStart(5),
    `${row.stretch}`.padStart(5),
    `${(middle((flow) => flow.share) * 100).toFixed(1)}%`.padStart(6),
    `${middle((flow) => flow.tailDrops)} (${worstDrops})`.padStart(19),
    `${tailDropsAtMost ?? "–"}`.padStart(5),
    middle((flow) => flow.lost)
      .toFixed(0)
      .padStart(6),
    `${middle((flow) => flow.retransmitted).toFixed(1)}%`.padStart(7),
    middle((flow) => flow.spuriousLosses)
      .toFixed(0)
      .padStart(8),
    middle((flow) => flow.rtt.p50)
      .toFixed(1)
      .padStart(7),
    middle((flow) => flow.rtt.p95)
      .toFixed(1)
      .padStart(6),
    middle((flow) => flow.queueDelay.p50)
      .toFixed(1)
      .padStart(9),
    middle((flow) => flow.queueDelay.p95)
      .toFixed(1)
      .padStart(6),
    middle((flow) => flow.ackPackets)
      .toFixed(0)
      .padStart(6),
    cpu.toFixed(1).padStart(6),
    meets ? "" : flows.every((flow) => flow.isComplete) ? "misses" : "given up",
  ]
    .join(" ")
    .trimEnd();
}

if (process.argv[1]?.endsWith("run.ts") && process.argv[1].includes("links")) await links(process.argv.slice(2));
