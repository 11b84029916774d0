/**
 * `punchline demo`: the whole way once, on one machine: two processes, a file, a ticket, a transfer, two hashes.
 *
 * @module
 */
import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { type CommandContext, runCommand } from "./command.ts";
import { DemoChild } from "./demo-child.ts";
import type { Summary } from "./events.ts";
import { ExitCode, Failure, localFailure, toFailure, usageFailure } from "./failure.ts";
import { formatBytes, formatDuration } from "./format.ts";
import { jsonOption, parseBytes } from "./options.ts";
import { hashFile, writeSampleFile } from "./sample-file.ts";

// Implementation

/** Large enough to show a steady rate, small enough for any temporary folder. */
const DEFAULT_SIZE = 256 * 1024 * 1024;

/** On loopback a silent process is a dead one, in seconds. */
const LINGER = "10";

interface DemoFlags {
  readonly size: number;
  readonly json?: true;
}

/** The command as the command line offers it. */
export function demoCommand(): Command {
  return new Command("demo")
    .summary("send a file between two processes of this machine and compare both ends")
    .description(
      "Starts a listener and a sender on this machine, sends a file from one to the other over UDP on loopback, and compares the SHA-256 of both ends.",
    )
    .argument("[file]", "what to send (default: pseudo-random bytes, made on the spot)")
    .option("--size <bytes>", "how much to make, as 64k or 1GiB (default: 256MiB)", parseBytes, DEFAULT_SIZE)
    .addOption(jsonOption("stdout"))
    .action((file: string | undefined, flags: DemoFlags) =>
      runCommand(
        { json: flags.json === true, sink: process.stdout, live: process.stdout.isTTY, announcesEnd: true },
        (context) => run(file, flags, context),
      ),
    );
}

async function run(file: string | undefined, flags: DemoFlags, context: CommandContext): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "punchline-demo-")).catch((error) => {
    throw localFailure(`make a folder in ${tmpdir()}`, "ERR_FILE", error);
  });
  try {
    const places = {
      source: file ?? join(folder, "sent"),
      target: join(folder, "received"),
      ticket: join(folder, "ticket"),
    };
    if (file === undefined) await makeFile(places.source, flags.size, context);
    const summary = await transfer(places, context);
    await compare(places, summary, context);
  } catch (error) {
    // An interrupted step fails in its own words; what matters is that it was interrupted.
    throw context.signal.aborted ? toFailure(context.signal.reason) : error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function makeFile(path: string, size: number, { reporter, signal }: CommandContext): Promise<void> {
  const startedAt = performance.now();
  await writeSampleFile(path, size, signal).catch((error) => {
    throw localFailure(`make a file of ${formatBytes(size)} in ${tmpdir()}`, "ERR_FILE", error);
  });
  const took = formatDuration(performance.now() - startedAt);
  reporter.note(`File      ${formatBytes(size)} of pseudo-random bytes, made in ${took}`);
}

interface Places {
  readonly source: string;
  readonly target: string;
  readonly ticket: string;
}

/** Sends the file from one process to another; returns the sender's summary. */
async function transfer(places: Places, { reporter, signal }: CommandContext): Promise<Summary> {
  const source = await openSource(places.source);
  const target = await open(places.target, "wx", 0o600);
  const children: DemoChild[] = [];
  const start = (args: readonly string[], ends: { stdin: number | "ignore"; stdout: number | "ignore" }) => {
    signal.throwIfAborted();
    const child = new DemoChild({ args: [...args, "--linger", LINGER], ...ends });
    children.push(child);
    return child;
  };
  const stop = () => Promise.all(children.map((child) => child.stop()));
  signal.addEventListener("abort", stop, { once: true });
  try {
    const listenerArgs = ["listen", "--host", "127.0.0.1", "--ticket-file", places.ticket];
    const listener = start(listenerArgs, { stdin: "ignore", stdout: target.fd });
    const { ticket } = await listener.next("listening");
    reporter.note(`Ticket    ${ticket}`);
    listener.on("progress", (event) => reporter.report(event));
    const sender = start(["connect", "--ticket-from", places.ticket], { stdin: source.fd, stdout: "ignore" });
    sender.on("connected", (event) => reporter.report(event));
    const [summary] = await allOrBestReason([sender.next("summary"), sender.succeeded(), listener.succeeded()]);
    return summary;
  } finally {
    signal.removeEventListener("abort", stop);
    await stop();
    await source.close();
    await target.close();
  }
}

async function openSource(path: string): Promise<FileHandle> {
  try {
    const file = await open(path);
    if ((await file.stat()).isFile()) return file;
    await file.close();
  } catch (error) {
    throw localFailure(`read ${path}`, "ERR_FILE", error);
  }
  throw usageFailure(`${path} is not a regular file`, "the file is read twice, so that it can be compared");
}

/** Compares both ends and reports the result. */
async function compare(places: Places, summary: Summary, { reporter, signal }: CommandContext): Promise<void> {
  const [sent, received] = await Promise.all([hashFile(places.source, signal), hashFile(places.target, signal)]);
  const isEqual = sent === received;
  reporter.report({ ...summary, event: "demo", sha256: { sent, received, isEqual } });
  if (isEqual) return;
  throw new Failure("the two ends differ", { code: "ERR_INTEGRITY", exit: ExitCode.INTEGRITY });
}

/** All results; or the failure that says most, since a process whose peer failed only knows that. */
async function allOrBestReason<T extends readonly unknown[]>(
  promises: readonly [...{ [K in keyof T]: Promise<T[K]> }],
): Promise<T> {
  const results = await Promise.allSettled(promises);
  const failures = results.flatMap((result) => (result.status === "rejected" ? [toFailure(result.reason)] : []));
  const best = failures.find((failure) => failure.exit !== ExitCode.CUT) ?? failures[0];
  if (best !== undefined) throw best;
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value) as unknown as T;
}
