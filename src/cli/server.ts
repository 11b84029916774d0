/**
 * `punchline server`: the server by which peers find each other (spec/cli.md#server).
 *
 * @module
 */
import { setFlagsFromString } from "node:v8";
import { Command, Option } from "commander";
import { type LimitName, type LimitOptions, SERVER_LIMITS, type Server, serve } from "../index.ts";
import { type CommandContext, runCommand } from "./command.ts";
import { addressText } from "./describe.ts";
import { usageFailure } from "./failure.ts";
import { collect, hostOption, jsonOption, parsePort, parseSeconds } from "./options.ts";
import { writeWordFile } from "./ticket-files.ts";

interface ServerFlags {
  readonly host?: readonly string[];
  readonly port?: number;
  readonly address?: readonly string[];
  readonly key?: string;
  readonly addressFile?: string;
  readonly diagnostics?: true;
  readonly limit?: readonly string[];
  readonly healthInterval: number;
  readonly json?: true;
}

// Implementation

/** Limits as the command line writes them. */
const LIMITS = new Map((Object.keys(SERVER_LIMITS) as LimitName[]).map((name) => [kebabCase(name), name]));

/**
 * How far the heap may grow beyond what is alive before it is swept, in percent. A server holds many small things for long;
 * left alone, V8 lets it grow by half again and more.
 */
const HEAP_GROWTH = 15;

/** How long clients get to go elsewhere when the server ends, in milliseconds. */
const DRAIN = 2_000;

/** The command as the command line offers it. */
export function serverCommand(): Command {
  return new Command("server")
    .summary("help peers to find each other: STUN and rendezvous on one UDP port")
    .description(
      "Runs a server that two peers can both reach: it tells them their addresses and introduces them. Prints its address, one word, for those who use it.",
    )
    .addOption(hostOption())
    .option("--port <number>", "UDP port (default: 3478); with two hosts the next one too", parsePort)
    .option("--address <name>", "name or address under which clients find the server; repeatable", collect)
    .option(
      "--key <file>",
      "key file of the server; made if there is none (default: a fresh key, another address each time)",
    )
    .option("--address-file <path>", "write the address there, once the server can be reached")
    .option("--diagnostics", "let strangers find out what their NAT does (RFC 5780 §7); needs two hosts")
    .option("--limit <name=value>", "what clients may hold and do (see below); repeatable", collect)
    .addOption(
      new Option("--health-interval <seconds>", "how often to tell how the server is")
        .default(60_000, "60")
        .argParser(parseSeconds),
    )
    .addOption(jsonOption("stdout"))
    .addHelpText("after", limitsHelp())
    .action((flags: ServerFlags) => {
      const json = flags.json === true;
      const sink = json ? process.stdout : process.stderr;
      return runCommand({ json, sink, live: false, announcesEnd: true }, (context) => run(flags, context));
    });
}

async function run(flags: ServerFlags, { reporter, signal }: CommandContext): Promise<void> {
  const { host, port, address, key, diagnostics, limit, addressFile, healthInterval } = flags;
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH}`);
  const server = await serve({
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(address === undefined ? {} : { addresses: address }),
    ...(key === undefined ? {} : { identity: key }),
    ...(limit === undefined ? {} : { limits: parseLimits(limit) }),
    diagnostics: diagnostics === true,
  });
  try {
    if (addressFile !== undefined) await writeWordFile(addressFile, server.address, "address");
    const addresses = server.addresses.map(addressText);
    reporter.report({ event: "serving", address: server.address, addresses });
    if (flags.json !== true) process.stdout.write(`${server.address}\n`);
    await untilAborted(server, healthInterval, { reporter, signal });
  } finally {
    await server.close(DRAIN);
  }
  signal.throwIfAborted();
}

/** Tells how the server is now and then, and at the end. */
async function untilAborted(server: Server, interval: number, { reporter, signal }: CommandContext): Promise<void> {
  const tell = (): void => {
    reporter.report({ event: "health", rss: process.memoryUsage.rss(), ...server.health });
  };
  const timer = setInterval(tell, interval);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  clearInterval(timer);
  tell();
}

/** Reads `name=value`, several times; the last of one name holds. */
function parseLimits(words: readonly string[]): LimitOptions {
  const limits: { -readonly [Name in LimitName]?: number } = {};
  const hint = `limits are ${[...LIMITS.keys()].join(", ")}`;
  for (const word of words) {
    const [, name = "", digits = ""] = /^([a-z-]+)=(\d{1,9})$/.exec(word) ?? [];
    if (name === "") throw usageFailure(`not a limit: ${word}; write NAME=VALUE with a whole number`, hint);
    const limit = LIMITS.get(name);
    if (limit === undefined) throw usageFailure(`no limit is called ${name}`, hint);
    const value = Number(digits);
    const { max } = SERVER_LIMITS[limit];
    if (value < 1 || value > max) throw usageFailure(`limit ${name} is from 1 to ${max}, not ${digits}`, hint);
    limits[limit] = value;
  }
  return limits;
}

/** The names of limits with their defaults, for `--help`. */
function limitsHelp(): string {
  const lines = [...LIMITS].map(([name, limit]) => `  ${name.padEnd(24)}${SERVER_LIMITS[limit].default}`);
  return `\nLimits, by default (rates are per second):\n${lines.join("\n")}`;
}

function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
