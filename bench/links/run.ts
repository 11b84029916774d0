/**
 * One bulk flow over each link of `rows.ts`.
 *
 * `npm run bench -- links --sim [--row NAME]… [--congestion NAME]… [--seeds N] [--seed S] [--sender dialer|listener]
 * [--qlog DIR] [--json]`: in the simulator, with N seeds from S on; traces of both ends go into a folder for each flow.
 *
 * `npm run bench -- links --kernel [--row NAME]… [--congestion NAME]… [--runs N] [--seed S] [--stacks NAME,…] [--json]`:
 * between two hosts of this machine's kernel, as root, with other stacks beside ours.
 *
 * @module
 */
import { loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CONGESTION_NAMES, type CongestionName } from "../../src/congestion/create.ts";
import { DEFAULT_CONFIG } from "../../src/connection/config.ts";
import { tracesInto } from "../../test/sim/qlog.ts";
import { KERNEL_STACKS, type KernelFigures, type KernelStack, runOnKernel, tcpControls } from "./kernel.ts";
import { type LinkRow, rowsNamed } from "./rows.ts";
import { type FlowFigures, simulateRow } from "./simulate.ts";
import { KERNEL_HEAD, kernelLine, SIMULATION_HEAD, simulationLine } from "./tables.ts";
import { emulatorName, whyNoTestbed } from "./testbed.ts";

/** Runs the benchmark with the arguments after its name. */
export async function links(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      sim: { type: "boolean", default: false },
      kernel: { type: "boolean", default: false },
      row: { type: "string", multiple: true },
      congestion: { type: "string", multiple: true, default: [DEFAULT_CONFIG.congestion] },
      seeds: { type: "string", default: "1" },
      runs: { type: "string", default: "5" },
      seed: { type: "string", default: "1" },
      sender: { type: "string", default: "dialer" },
      stacks: { type: "string", default: KERNEL_STACKS.join(",") },
      qlog: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  const rows = rowsNamed(values.row);
  const congestion = values.congestion.map(checkedCongestion);
  const seed = Number(values.seed);
  const { json, qlog } = values;
  if (!values.sim && !values.kernel) throw new RangeError("say --sim or --kernel");
  if (values.sim) {
    const sender = values.sender === "listener" ? "listener" : "dialer";
    for (const name of congestion) simulateAll(rows, name, { seed, count: Number(values.seeds), sender, qlog, json });
  }
  if (values.kernel) {
    const stacks = values.stacks.split(",").map(checkedStack);
    await runAll(rows, { congestion, stacks, seed, count: Number(values.runs), json });
  }
}

function checkedCongestion(name: string): CongestionName {
  const known = CONGESTION_NAMES.find((each) => each === name);
  if (known !== undefined) return known;
  throw new RangeError(`no controller is called ${name}; there are ${CONGESTION_NAMES.join(", ")}`);
}

function checkedStack(name: string): KernelStack {
  const known = KERNEL_STACKS.find((each) => each === name);
  if (known !== undefined) return known;
  throw new RangeError(`no stack is called ${name}; there are ${KERNEL_STACKS.join(", ")}`);
}

interface SimulationPlan {
  readonly seed: number;
  readonly count: number;
  readonly sender: "dialer" | "listener";
  readonly qlog: string | undefined;
  readonly json: boolean;
}

function simulateAll(rows: readonly LinkRow[], congestion: CongestionName, plan: SimulationPlan): void {
  const { seed: first, count, sender, qlog, json } = plan;
  if (!json) console.log(`\nsimulated, ${congestion}, ${count} seeds from ${first}\n${SIMULATION_HEAD}`);
  for (const row of rows) {
    const flows: FlowFigures[] = [];
    const startedAt = process.cpuUsage();
    for (let seed = first; seed < first + count; seed++) {
      const openTrace = qlog === undefined ? undefined : tracesInto(join(qlog, `${row.name}-${congestion}-${seed}`));
      const flow = simulateRow(row, { seed, sender, config: { congestion }, openTrace });
      flows.push(flow);
      if (json) console.log(JSON.stringify({ row: row.name, congestion, seed, ...flow }));
    }
    const { user, system } = process.cpuUsage(startedAt);
    if (!json) console.log(simulationLine(row, flows, (user + system) / 1e6 / count));
  }
}

interface KernelPlan {
  readonly congestion: readonly CongestionName[];
  readonly stacks: readonly KernelStack[];
  readonly seed: number;
  readonly count: number;
  readonly json: boolean;
}

/** The contenders take turns within each run, so that whatever else the machine does falls on all of them alike. */
async function runAll(rows: readonly LinkRow[], plan: KernelPlan): Promise<void> {
  const reason = whyNoTestbed();
  if (reason !== undefined) throw new Error(`--kernel: ${reason}`);
  const contenders = contendersOf(plan);
  if (!plan.json) console.log(`\nkernel, by ${emulatorName()}, medians of ${plan.count}\n${KERNEL_HEAD}`);
  for (const row of rows) {
    const flows = new Map<string, KernelFigures[]>(contenders.map(({ name }) => [name, []]));
    for (let seed = plan.seed; seed < plan.seed + plan.count; seed++) {
      for (const { name, ...contender } of contenders) {
        const flow = await runOnKernel(row, { ...contender, seed });
        flows.get(name)!.push(flow);
        if (plan.json) console.log(JSON.stringify({ row: row.name, stack: name, seed, load: loadavg()[0], ...flow }));
      }
    }
    if (!plan.json) for (const [name, each] of flows) console.log(kernelLine(row, name, each));
  }
}

function contendersOf({ stacks, congestion }: KernelPlan) {
  const controls = tcpControls();
  return stacks.flatMap((stack): readonly { name: string; stack: KernelStack; congestion?: string }[] => {
    if (stack === "punchline") return congestion.map((name) => ({ name: `ours, ${name}`, stack, congestion: name }));
    const control = stack.startsWith("tcp-") ? stack.slice("tcp-".length) : undefined;
    if (control === undefined || controls.includes(control)) return [{ name: stack, stack }];
    console.error(`${stack} left out: this kernel's TCP has ${controls.join(", ")} only`);
    return [];
  });
}

if (process.argv[1]?.endsWith("links/run.ts")) await links(process.argv.slice(2));
