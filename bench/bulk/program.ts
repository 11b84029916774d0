/**
 * A stack that is no part of this project, as a program of its own, so that nothing has to be installed here for it:
 * `node FILE rx HOST MEGABYTES OTHER_HOST` receives at HOST, `node FILE tx HOST MEGABYTES OTHER_HOST` sends there.
 * Each ends with a line of JSON: the receiver's has `bytes` and `sec`, both have `cpu`, in seconds since their start.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Measurement } from "./peer.ts";

/** Another stack. */
export interface Program {
  readonly name: string;
  readonly file: string;
}

/** Where an end runs: its address, and what to put before its command. */
export interface End {
  readonly host: string;
  readonly prefix: readonly string[];
}

/** Time that a receiver gets to listen, in ms: these programs do not say when they do. */
const START: number = 1_500;

/** A transfer that takes longer than this is stuck, in ms. */
const PATIENCE = 60_000;

/** `NAME=FILE` */
export function parseProgram(text: string): Program {
  const [name = "", file = ""] = text.split("=", 2);
  if (name === "" || file === "") throw new RangeError(`a program is NAME=FILE, not ${text}`);
  return { name, file };
}

/** Sends so many megabytes from one end to the other. */
export async function runProgram(
  program: Program,
  { receiver, sender }: { readonly receiver: End; readonly sender: End },
  megabytes: number,
): Promise<{ readonly received: Measurement; readonly sent: Measurement }> {
  const receiving = run(receiver, [program.file, "rx", receiver.host, `${megabytes}`, sender.host]);
  await sleep(START);
  const sending = run(sender, [program.file, "tx", receiver.host, `${megabytes}`, receiver.host]);
  const [received, sent] = await Promise.all([receiving, sending]);
  return { received, sent: { ...sent, seconds: received.seconds, bytes: received.bytes } };
}

async function run({ prefix }: End, words: readonly string[]): Promise<Measurement> {
  const [command = "", ...rest] = [...prefix, process.execPath, "--no-deprecation", ...words];
  const child = spawn(command, rest, { stdio: ["ignore", "pipe", "ignore"], timeout: PATIENCE });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  await once(child, "close");
  const line = output.trim().split("\n").at(-1) ?? "";
  if (!line.startsWith("{")) throw new Error(`${words.join(" ")} ended without a result`);
  const { bytes = 0, sec = 0, cpu = 0 } = JSON.parse(line);
  return { bytes, seconds: sec, cpuSeconds: cpu };
}
