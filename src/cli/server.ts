/**
 * `punchline server`: the server by which peers find each other (spec/cli.md#server).
 *
 * @module
 */
import { Command } from "commander";
import { type Server, serve } from "../index.ts";
import { type CommandContext, runCommand } from "./command.ts";
import { addressText } from "./describe.ts";
import { collect, hostOption, jsonOption, parsePort } from "./options.ts";
import { writeWordFile } from "./ticket-files.ts";

interface ServerFlags {
  readonly host?: readonly string[];
  readonly port?: number;
  readonly address?: readonly string[];
  readonly key?: string;
  readonly addressFile?: string;
  readonly diagnostics?: true;
  readonly json?: true;
}

// Implementation

/** Between two `health` events, in milliseconds. */
const HEALTH_INTERVAL = 60_000;

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
    .addOption(jsonOption("stdout"))
    .action((flags: ServerFlags) => {
      const json = flags.json === true;
      const sink = json ? process.stdout : process.stderr;
      return runCommand({ json, sink, live: false, announcesEnd: true }, (context) => run(flags, context));
    });
}

async function run(flags: ServerFlags, { reporter, signal }: CommandContext): Promise<void> {
  const { host, port, address, key, diagnostics, addressFile } = flags;
  const server = await serve({
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(address === undefined ? {} : { addresses: address }),
    ...(key === undefined ? {} : { identity: key }),
    diagnostics: diagnostics === true,
  });
  try {
    if (addressFile !== undefined) await writeWordFile(addressFile, server.address, "address");
    const addresses = server.addresses.map(addressText);
    reporter.report({ event: "serving", address: server.address, addresses });
    if (flags.json !== true) process.stdout.write(`${server.address}\n`);
    await untilAborted(server, { reporter, signal });
  } finally {
    await server.close(DRAIN);
  }
  signal.throwIfAborted();
}

/** Tells how the server is now and then, and at the end. */
async function untilAborted(server: Server, { reporter, signal }: CommandContext): Promise<void> {
  const tell = (): void => {
    const { stun, counters, ...state } = server.health;
    reporter.report({ event: "health", ...state, stun, counters });
  };
  const timer = setInterval(tell, HEALTH_INTERVAL);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  clearInterval(timer);
  tell();
}
