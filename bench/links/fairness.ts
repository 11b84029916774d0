/**
 * How flows share a bottleneck between two hosts of this machine's kernel: ours beside TCP's, beside another of ours, and
 * beside one that comes later. Needs root, and iperf3 for TCP.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Workplace } from "../../scripts/accept/row.ts";
import { startPair } from "../../scripts/accept/tools/pair.ts";
import type { LinkSpec } from "./rows.ts";
import { jainIndex } from "./statistics.ts";
import { createTestbed, type Testbed } from "./testbed.ts";

/** A bottleneck of a home connection: its queue holds the bandwidth-delay product one and a half times. */
export const SHARED_LINK: LinkSpec = { rate: 20, delay: 15, queue: 75 };

/** How a flow of TCP and one of ours share. Rates are MB/s of payload. */
export interface ShareWithTcp {
  readonly ours: number;
  readonly tcp: number;
  /** Ours of both. */
  readonly share: number;
  readonly tailDrops: number;
}

/** How two of ours share. */
export interface ShareOfTwo {
  /** MB/s of payload: of the one that was first, and of the other. */
  readonly rates: readonly [number, number];
  /** 1 for equal rates. */
  readonly jain: number;
  /** The second's part of both. */
  readonly share: number;
  readonly tailDrops: number;
}

// Implementation

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Between two reports of iperf3, in seconds. */
const REPORT_INTERVAL = 0.5;

/** TCP's start before ours, and the part of our life that counts, in seconds. */
const TCP_LEAD = 2;
const AGAINST_TCP = { from: 5, until: 30 } as const;

/** Two of ours, and what counts of their life together. */
const TWO = { from: 20, until: 40 } as const;

/** When the late one comes, and what counts of its own life. */
const LATE_BY = 10;
const LATE = { from: 10, until: 20 } as const;

/** Payload bytes that had arrived, by time in ms. */
class Curve {
  readonly #points: { readonly at: number; readonly bytes: number }[] = [];

  add(at: number, bytes: number): void {
    this.#points.push({ at, bytes });
  }

  /** When the first bytes were seen. */
  get startedAt(): number {
    return this.#points.find(({ bytes }) => bytes > 0)?.at ?? Number.NaN;
  }

  /** Bytes per ms between two instants. */
  rate(from: number, until: number): number {
    return (this.#bytesAt(until) - this.#bytesAt(from)) / (until - from);
  }

  /** On the straight line between the points around it. */
  #bytesAt(at: number): number {
    const next = this.#points.findIndex((point) => point.at >= at);
    const [before, after] = [this.#points[next - 1], this.#points[next]];
    if (after === undefined) throw new Error("the flow ended early");
    if (before === undefined) return 0;
    return before.bytes + ((after.bytes - before.bytes) * (at - before.at)) / (after.at - before.at);
  }
}

/** A flow that goes on until it is stopped. */
interface EndlessFlow {
  readonly curve: Curve;
  stop(): void;
}

/** One flow of TCP from A to B, and two seconds later one of ours; our share over seconds 5 to 30 of our own life. */
export async function shareWithTcp(
  control: string,
  options: { readonly seed: number; readonly congestion?: string },
): Promise<ShareWithTcp> {
  const { flows, tailDrops } = await onTestbed(options.seed, async (testbed, place) => {
    const tcp = await startTcp(testbed, control);
    await sleep(TCP_LEAD * 1000);
    const ours = await startOurs(testbed, place, options.congestion);
    await seconds(ours.curve, AGAINST_TCP.until);
    return [ours, tcp];
  });
  const [ours = 0, tcp = 0] = ratesOf(flows, flows[0]!.curve.startedAt, AGAINST_TCP);
  return { ours, tcp, share: ours / (ours + tcp), tailDrops };
}

/** Two of ours that begin together; their rates over the last 20 of 40 seconds. */
export function shareOfTwo(options: { readonly seed: number; readonly congestion?: string }): Promise<ShareOfTwo> {
  return shareOfOurs(options, { lag: 0, span: TWO });
}

/** One of ours, and 10 s later another; their rates over seconds 10 to 20 of the second one's life. */
export function shareOfLate(options: { readonly seed: number; readonly congestion?: string }): Promise<ShareOfTwo> {
  return shareOfOurs(options, { lag: LATE_BY, span: LATE });
}

async function shareOfOurs(
  options: { readonly seed: number; readonly congestion?: string },
  { lag, span }: { readonly lag: number; readonly span: Span },
): Promise<ShareOfTwo> {
  const { flows, tailDrops } = await onTestbed(options.seed, async (testbed, place) => {
    const first = startOurs(testbed, place, options.congestion);
    if (lag > 0) await seconds((await first).curve, lag);
    const second = await startOurs(testbed, place, options.congestion);
    await seconds(second.curve, span.until);
    return [await first, second];
  });
  const [first = 0, second = 0] = ratesOf(flows, flows[1]!.curve.startedAt, span);
  return {
    rates: [first, second],
    jain: jainIndex([first, second]),
    share: second / (first + second),
    tailDrops,
  };
}

interface Span {
  readonly from: number;
  readonly until: number;
}

/** MB/s of each flow in a span of seconds after `start`. */
function ratesOf(flows: readonly EndlessFlow[], start: number, { from, until }: Span): readonly number[] {
  return flows.map(({ curve }) => curve.rate(start + from * 1000, start + until * 1000) / 1000);
}

/** Runs flows on a testbed of their own, and stops them. */
async function onTestbed(
  seed: number,
  run: (testbed: Testbed, place: Workplace) => Promise<readonly EndlessFlow[]>,
): Promise<{ readonly flows: readonly EndlessFlow[]; readonly tailDrops: number }> {
  const testbed = await createTestbed(SHARED_LINK, seed);
  const folder = await mkdtemp(join(tmpdir(), "punchline-fairness-"));
  let flows: readonly EndlessFlow[] = [];
  let tailDrops = 0;
  try {
    flows = await run(testbed, { root: ROOT, folder, log: () => {} });
  } finally {
    for (const flow of flows) flow.stop();
    tailDrops = (await testbed.close()).fromA.tailDrops;
    await rm(folder, { recursive: true, force: true });
  }
  return { flows, tailDrops };
}

/** Waits until the flow is `span` seconds old and a report after that is in. */
async function seconds(curve: Curve, span: number): Promise<void> {
  while (Number.isNaN(curve.startedAt)) await sleep(10);
  await sleep(curve.startedAt + (span + 2 * REPORT_INTERVAL) * 1000 - Date.now());
}

async function startOurs({ a, b }: Testbed, place: Workplace, congestion: string | undefined): Promise<EndlessFlow> {
  const curve = new Curve();
  const pair = await startPair(place, {
    host: b.address,
    listener: { prefix: b.prefix },
    connector: {
      before: "cat /dev/zero",
      args: congestion === undefined ? "" : `--congestion ${congestion}`,
      prefix: a.prefix,
    },
  });
  pair.listener.onEvent((event) => {
    if (event.event === "progress") curve.add(event.time, Number(event.received));
  });
  return {
    curve,
    stop() {
      pair.connector.stop();
      pair.listener.stop();
    },
  };
}

/** A line of iperf3 such as `[  5]   0.50-1.00   sec   142 KBytes  2325 Kbits/sec`. */
const REPORT = /^\[ *\d+\] +[\d.]+-([\d.]+) +sec +([\d.]+) ([KMG]?)Bytes/;
const UNITS: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** TCP by iperf3; the receiver says what arrived. */
async function startTcp({ a, b }: Testbed, control: string): Promise<EndlessFlow> {
  const curve = new Curve();
  const words = ["iperf3", "-s", "-1", "-i", `${REPORT_INTERVAL}`, "--forceflush"];
  const server = start([...b.prefix, ...words], "pipe");
  let bytes = 0;
  let acceptedAt = 0;
  let said = "";
  let listen: () => void = () => {};
  const listening = new Promise<void>((resolve) => {
    listen = resolve;
  });
  server.stdout!.on("data", (chunk: Buffer) => {
    const lines = (said + chunk.toString()).split("\n");
    said = lines.pop() ?? "";
    for (const line of lines) {
      if (line.includes("listening")) listen();
      if (line.includes("connected to")) acceptedAt = Date.now();
      const report = REPORT.exec(line);
      if (report === null) continue;
      bytes += Number(report[2]) * UNITS[report[3]!]!;
      curve.add(acceptedAt + Number(report[1]) * 1000, bytes);
    }
  });
  await listening;
  const client = start([...a.prefix, "iperf3", "-C", control, "-c", b.address, "-t", "3600"], "ignore");
  return {
    curve,
    stop() {
      client.kill("SIGKILL");
      server.kill("SIGKILL");
    },
  };
}

function start([command = "", ...words]: readonly string[], output: "pipe" | "ignore") {
  const child = spawn(command, words, { stdio: ["ignore", output, "inherit"] });
  once(child, "error").then(([error]) => {
    throw new Error(`${command}: ${error}`);
  });
  return child;
}
