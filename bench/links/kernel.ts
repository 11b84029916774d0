/**
 * One bulk flow over a row's link between two hosts of this machine's kernel: punchline by its built command, or another
 * stack beside it.
 *
 * @module
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Workplace } from "../../scripts/accept/row.ts";
import { type Flow, startFlow } from "../../scripts/accept/tools/pair.ts";
import type { Measurement, Ready, StackName } from "../bulk/peer.ts";
import type { LinkRow } from "./rows.ts";
import { percentile } from "./statistics.ts";
import { createTestbed, type Passage, type Testbed } from "./testbed.ts";

/** What can carry the flow. */
export const KERNEL_STACKS = ["punchline", "tcp-cubic", "tcp-bbr", "udx"] as const;
export type KernelStack = (typeof KERNEL_STACKS)[number];

/** How a row is run. */
export interface KernelOptions {
  readonly stack: KernelStack;
  /** Determines which packets the link's faults hit. */
  readonly seed: number;
  /** Punchline's controller; its default unless given. */
  readonly congestion?: string;
  /** Ms after which the flow is given up; {@link PATIENCE} unless given. */
  readonly patience?: number;
}

/** What a flow came to. */
export interface KernelFigures {
  /** False if the flow was given up, with what it had reached. */
  readonly isComplete: boolean;
  /** MB/s from the first to the last payload byte at the receiver. */
  readonly goodput: number;
  /** Of the queue that the data waits in. */
  readonly tailDrops: number;
  /** Packets of data that the link lost in front of the queue. */
  readonly lost: number;
  /** Packets that the receiver sent. */
  readonly ackPackets: number;
  /** Only of punchline: stream bytes sent again, in percent of the flow. */
  readonly retransmitted: number | undefined;
  /** Only of punchline: the sender's round-trip times while the flow ran, in ms. */
  readonly rtt: { readonly p50: number; readonly p95: number } | undefined;
}

// Implementation

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const PEER = fileURLToPath(new URL("../bulk/peer.ts", import.meta.url));

/** Several times what the slowest row takes, in ms. */
const PATIENCE = 60_000;

/** The congestion controls of TCP in this kernel. */
export function tcpControls(): readonly string[] {
  return execFileSync("sysctl", ["-n", "net.ipv4.tcp_available_congestion_control"], { encoding: "utf8" })
    .trim()
    .split(" ");
}

/** Runs one flow from A to B on a testbed of its own. */
export async function runOnKernel(row: LinkRow, options: KernelOptions): Promise<KernelFigures> {
  const testbed = await createTestbed(row.link, options.seed);
  let flow: Omit<KernelFigures, "tailDrops" | "lost" | "ackPackets">;
  let passages: { readonly fromA: Passage; readonly fromB: Passage };
  try {
    flow =
      options.stack === "punchline" ? await runPunchline(row, options, testbed) : await runPeers(row, options, testbed);
  } finally {
    passages = await testbed.close();
  }
  const { tailDrops, lost } = passages.fromA;
  return { ...flow, tailDrops, lost, ackPackets: passages.fromB.packets };
}

async function runPunchline(row: LinkRow, options: KernelOptions, { a, b }: Testbed) {
  const folder = await mkdtemp(join(tmpdir(), "punchline-links-"));
  const place: Workplace = { root: ROOT, folder, log: () => {} };
  const args = options.congestion === undefined ? "" : `--congestion ${options.congestion}`;
  let flow: Flow | undefined;
  try {
    flow = await startFlow(place, "to-listener", {
      host: b.address,
      sender: { before: `head -c ${row.bytes} /dev/zero`, args, prefix: a.prefix },
      receiver: { prefix: b.prefix },
    });
    const exits = Promise.all([flow.sender.exit, flow.receiver.exit]);
    await Promise.race([exits, sleep(options.patience ?? PATIENCE, undefined, { ref: false })]);
    return figuresOf(flow, row);
  } finally {
    flow?.sender.stop();
    flow?.receiver.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

function figuresOf({ sender, receiver }: Flow, row: LinkRow) {
  const summary = receiver.latest("summary");
  const rtts = sender.events.filter((event) => event.event === "progress").map((event) => Number(event.rtt));
  const rtt = { p50: percentile(rtts, 0.5), p95: percentile(rtts, 0.95) };
  if (summary === undefined) {
    const progress = receiver.events.filter((event) => event.event === "progress" && Number(event.received) > 0);
    const [first, last] = [progress[0], progress.at(-1)];
    if (first === undefined || last === undefined) throw new Error(`nothing arrived: ${receiver.summary()}`);
    const goodput = Number(last.received) / 1e3 / (last.time - first.time);
    return { isComplete: false, goodput, retransmitted: undefined, rtt };
  }
  if (summary.received !== row.bytes) throw new Error(`${summary.received} bytes arrived: ${receiver.summary()}`);
  return {
    isComplete: true,
    goodput: row.bytes / 1e3 / (Number(summary.lastByteAt) - Number(summary.firstByteAt)),
    retransmitted: (Number(sender.latest("summary")?.retransmitted ?? Number.NaN) / row.bytes) * 100,
    rtt,
  };
}

async function runPeers(row: LinkRow, { stack, patience = PATIENCE }: KernelOptions, testbed: Testbed) {
  const { a, b } = testbed;
  const name: StackName = stack === "udx" ? "udx-native" : "node:net";
  if (stack !== "udx") chooseTcpControl(testbed, stack.slice("tcp-".length));
  const receiving = startPeer(b.prefix, [name, "receive", b.address], a.address);
  const { target } = await receiving.next<Ready>();
  const megabytes = row.bytes / 1e6;
  const sending = startPeer(a.prefix, [name, "send", a.address, `${megabytes}`, target], a.address);
  try {
    const timer = setTimeout(() => receiving.child.kill("SIGTERM"), patience);
    const measured = await receiving.next<Measurement>();
    clearTimeout(timer);
    return {
      isComplete: measured.bytes === row.bytes,
      goodput: measured.bytes / 1e6 / measured.seconds,
      retransmitted: undefined,
      rtt: undefined,
    };
  } finally {
    await Promise.all([receiving, sending].map(end));
  }
}

/** By a route of its own: a container may not be allowed to write to `/proc/sys`. */
function chooseTcpControl({ a, b }: Testbed, control: string): void {
  const ip = (...words: readonly string[]): string => {
    const [command = "", ...rest] = [...a.prefix, "ip", ...words];
    return execFileSync(command, rest, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  };
  const device = / dev (\S+)/.exec(ip("route", "get", b.address))?.[1] ?? "";
  ip("route", "replace", `${b.address}/32`, "dev", device, "congctl", control);
}

/** One end of a transfer by another stack; `next` reads one line of what it says. */
function startPeer(prefix: readonly string[], words: readonly string[], sender: string) {
  const [command = "", ...rest] = [...prefix, process.execPath, "--import", "tsx", PEER, ...words];
  const child = spawn(command, rest, {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, BENCH_SENDER: sender },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async <Line>(): Promise<Line> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${words.slice(0, 2).join(" ")} ended without a result`);
    return JSON.parse(value);
  };
  return { child, next };
}

async function end({ child }: { readonly child: ChildProcess }): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}
