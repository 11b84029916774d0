/**
 * One end of one bulk transfer, in a process of its own: `peer.ts STACK receive HOST` or
 * `peer.ts STACK send HOST MEGABYTES TARGET`. Says what it has to say on stdout, one JSON object a line.
 *
 * @module
 */
import { once } from "node:events";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type { Stack } from "./stack.ts";
import { punchline, traced } from "./stacks/punchline.ts";
import { tcp } from "./stacks/tcp.ts";
import { udx } from "./stacks/udx.ts";

/** All that can be measured, by name. */
export const STACKS = { punchline, "with qlog": traced, "node:net": tcp, "udx-native": udx } as const satisfies Record<
  string,
  Stack
>;
export type StackName = keyof typeof STACKS;

/** First line of a receiver. */
export interface Ready {
  readonly target: string;
}

/** Last line of both ends. */
export interface Measurement {
  readonly bytes: number;
  /** From the first byte to the end of the stream. */
  readonly seconds: number;
  /** Processor time of this process in that span, all threads. */
  readonly cpuSeconds: number;
}

/** What file streams hand over at once. */
const CHUNK_SIZE = 65_536;

/** Time for the last acknowledgements to leave before the process ends, in ms. */
const PARTING = 300;

class Stopwatch {
  readonly #startedAt = performance.now();
  readonly #cpu = process.cpuUsage();

  read(bytes: number): Measurement {
    const { user, system } = process.cpuUsage(this.#cpu);
    return { bytes, seconds: (performance.now() - this.#startedAt) / 1e3, cpuSeconds: (user + system) / 1e6 };
  }
}

async function receive(stack: Stack, host: string): Promise<void> {
  const receiver = await stack.receive(host);
  say<Ready>({ target: receiver.target });
  const stream = await receiver.stream;
  let bytes = 0;
  let stopwatch: Stopwatch | undefined;
  stream.on("data", (chunk: Uint8Array) => {
    stopwatch ??= new Stopwatch();
    bytes += chunk.length;
  });
  const tell = (): void => say<Measurement>((stopwatch ?? new Stopwatch()).read(bytes));
  // Whoever loses patience gets what there is.
  process.once("SIGTERM", () => {
    tell();
    process.exit(0);
  });
  await once(stream, "end");
  tell();
  if ("end" in stream) (stream as unknown as Writable).end();
  receiver.close();
}

async function send(stack: Stack, host: string, megabytes: number, target: string): Promise<void> {
  const stream = await stack.send(target, host);
  const stopwatch = new Stopwatch();
  const chunk = new Uint8Array(CHUNK_SIZE).fill(0x2e);
  const total = megabytes * 1e6;
  for (let left = total; left > 0; left -= CHUNK_SIZE)
    if (!stream.write(left < CHUNK_SIZE ? chunk.subarray(0, left) : chunk)) await once(stream, "drain");
  stream.end();
  await finished(stream, { readable: false });
  say<Measurement>(stopwatch.read(total));
}

function say<Line>(line: Line): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function main([name, role, host, megabytes, target]: readonly (string | undefined)[]): Promise<void> {
  const stack = STACKS[name as StackName];
  if (role === "receive") await receive(stack, host!);
  else await send(stack, host!, Number(megabytes), target!);
  setTimeout(() => process.exit(0), PARTING);
}

if (process.argv[1]?.endsWith("peer.ts")) await main(process.argv.slice(2));
