/**
 * One bulk stream, sender and receiver in processes of their own, on loopback and between two hosts on a veth pair.
 *
 * `npm run bench -- bulk [--mb N] [--runs N] [--stack NAME]… [--program NAME=FILE]… [--link loopback|veth]…`
 *
 * The stacks take turns within each run, so that whatever else the machine does falls on all of them alike. The table
 * shows medians; the line of JSON below it has every run.
 *
 * @module
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { cpus } from "node:os";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createVethNetwork, type Network, whyNoNetworks } from "../../test/kernel/network.ts";
import { type Measurement, type Ready, STACKS, type StackName } from "./peer.ts";
import { type End, type Program, parseProgram, runProgram } from "./program.ts";

const PEER = fileURLToPath(new URL("peer.ts", import.meta.url));

/** Ethernet's, which is also what the Internet carries at best. */
const MTU = 1500;

/** A transfer that takes longer than this is stuck. */
const PATIENCE = 300_000;

/** Where a stream runs: what to put before each end's command, and the addresses. */
interface Place {
  readonly name: string;
  readonly receiver: End;
  readonly sender: End;
}

interface Row {
  readonly link: string;
  readonly stack: string;
  readonly run: number;
  readonly megabytesPerSecond: number;
  readonly sendCpuPerGigabyte: number;
  readonly receiveCpuPerGigabyte: number;
}

/** Runs the benchmark with the arguments after its name. */
export async function bulk(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      mb: { type: "string", default: "256" },
      runs: { type: "string", default: "5" },
      stack: { type: "string", multiple: true, default: Object.keys(STACKS) },
      program: { type: "string", multiple: true, default: [] },
      link: { type: "string", multiple: true, default: ["loopback", "veth"] },
    },
  });
  const stacks = [...values.stack.map(checkedStack), ...values.program.map(parseProgram)];
  const rows: Row[] = [];
  let network: Network | undefined;
  try {
    const places: Place[] = [];
    if (values.link.includes("loopback")) places.push(LOOPBACK);
    if (values.link.includes("veth")) {
      const reason = whyNoNetworks();
      if (reason === undefined) {
        network = await createVethNetwork({ mtu: MTU });
        places.push(vethPlace(network));
      } else console.error(`veth pair left out: ${reason}`);
    }
    for (let run = 1; run <= Number(values.runs); run++)
      for (const place of places)
        for (const stack of stacks) rows.push(await transfer({ place, stack, run, megabytes: Number(values.mb) }));
  } finally {
    await network?.close();
  }
  printTable(rows, Number(values.mb));
  console.log(
    JSON.stringify({
      benchmark: "bulk",
      node: process.version,
      cpu: cpus()[0]?.model,
      megabytes: Number(values.mb),
      rows,
    }),
  );
}

const LOOPBACK: Place = {
  name: "loopback",
  receiver: { host: "127.0.0.1", prefix: [] },
  sender: { host: "127.0.0.1", prefix: [] },
};

function vethPlace({ a, b }: Network): Place {
  return {
    name: "veth",
    receiver: { host: b.address, prefix: b.prefix },
    sender: { host: a.address, prefix: a.prefix },
  };
}

function checkedStack(name: string): StackName {
  if (name in STACKS) return name as StackName;
  throw new RangeError(`no stack is called ${name}; there are ${Object.keys(STACKS).join(", ")}`);
}

interface Transfer {
  readonly place: Place;
  readonly stack: StackName | Program;
  readonly run: number;
  readonly megabytes: number;
}

async function transfer({ place, stack, run, megabytes }: Transfer): Promise<Row> {
  const isProgram = typeof stack !== "string";
  const { received, sent } = isProgram
    ? await runProgram(stack, place, megabytes)
    : await runStack(stack, place, megabytes);
  const name = isProgram ? stack.name : stack;
  // Programs may send whole chunks only.
  if (received.bytes < megabytes * 1e6) throw new Error(`${name} delivered ${received.bytes} bytes`);
  const gigabytes = received.bytes / 1e9;
  const row = {
    link: place.name,
    stack: name,
    run,
    megabytesPerSecond: received.bytes / 1e6 / received.seconds,
    sendCpuPerGigabyte: sent.cpuSeconds / gigabytes,
    receiveCpuPerGigabyte: received.cpuSeconds / gigabytes,
  };
  console.error(`${place.name} ${name} run ${run}: ${row.megabytesPerSecond.toFixed(1)} MB/s`);
  return row;
}

async function runStack(stack: StackName, { receiver, sender }: Place, megabytes: number) {
  const receiving = startPeer(receiver.prefix, [stack, "receive", receiver.host], { BENCH_SENDER: sender.host });
  const { target } = await receiving.next<Ready>();
  const sending = startPeer(sender.prefix, [stack, "send", sender.host, `${megabytes}`, target], {});
  const [received, sent] = await Promise.all([receiving.next<Measurement>(), sending.next<Measurement>()]);
  await Promise.all([receiving.ended, sending.ended]);
  return { received, sent };
}

/** A process of {@link PEER}; `next` reads one line of what it says. */
function startPeer(prefix: readonly string[], words: readonly string[], env: Readonly<Record<string, string>>) {
  const [command = "", ...rest] = [...prefix, process.execPath, "--import", "tsx", PEER, ...words];
  const child: ChildProcessByStdio<null, Readable, null> = spawn(command, rest, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
    timeout: PATIENCE,
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async <Line>(): Promise<Line> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${words.slice(0, 2).join(" ")} ended without a result`);
    return JSON.parse(value);
  };
  return { next, ended };
}

function printTable(rows: readonly Row[], megabytes: number): void {
  console.log(`\none stream of ${megabytes} MB; medians; CPU in seconds per GB\n`);
  console.log("link      stack        encrypted    MB/s   CPU send   CPU receive   runs");
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = `${row.link} ${row.stack}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  for (const group of [...groups.values()].sort((a, b) => a[0]!.link.localeCompare(b[0]!.link))) {
    const { link, stack } = group[0]!;
    const cells = [
      link.padEnd(9),
      stack.padEnd(12),
      isEncrypted(stack).padEnd(9),
      median(group, "megabytesPerSecond").toFixed(1).padStart(7),
      median(group, "sendCpuPerGigabyte").toFixed(2).padStart(10),
      median(group, "receiveCpuPerGigabyte").toFixed(2).padStart(13),
      `${group.length}`.padStart(6),
    ];
    console.log(cells.join(" "));
  }
  console.log();
}

function isEncrypted(stack: string): string {
  if (!(stack in STACKS)) return "?";
  return STACKS[stack as StackName].isEncrypted ? "yes" : "no";
}

function median(
  rows: readonly Row[],
  field: "megabytesPerSecond" | "sendCpuPerGigabyte" | "receiveCpuPerGigabyte",
): number {
  const values = rows.map((row) => row[field]).sort((a, b) => a - b);
  const middle = values.length >> 1;
  return values.length % 2 === 1 ? values[middle]! : (values[middle - 1]! + values[middle]!) / 2;
}
