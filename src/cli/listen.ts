/**
 * `punchline listen`: waits for one peer, pipes both ways, exits.
 *
 * @module
 */
import { basename } from "node:path";
import { Command } from "commander";
import { type CongestionName, type Listener, type ListenOptions, listen, type PeerStream } from "../index.ts";
import { serveBench } from "./bench/server.ts";
import { type CommandContext, payloadOptions, runCommand } from "./command.ts";
import { FailCode } from "./control-codec.ts";
import { addressText, pathReport } from "./describe.ts";
import { usageFailure } from "./failure.ts";
import {
  collect,
  congestionOption,
  hostOption,
  identityOption,
  jsonOption,
  lanOption,
  lingerOption,
  parseCount,
  parseLifetime,
  parsePort,
  pathOption,
  portMappingOption,
  qlogOption,
  type ReachFlags,
  reachOptions,
  stunOption,
} from "./options.ts";
import { answerByHand, checkAnswerChoice } from "./paste.ts";
import { Session } from "./session.ts";
import { type Input, openInput, openOutput } from "./stdio.ts";
import { writeTicketFile } from "./ticket-files.ts";

interface ListenFlags extends ReachFlags {
  readonly server?: readonly string[];
  readonly paste?: true;
  readonly stun?: readonly string[];
  readonly answerFrom?: string;
  readonly host?: readonly string[];
  readonly port?: number;
  readonly address?: readonly string[];
  readonly ticketFile?: string;
  readonly identity?: string;
  readonly allow?: readonly string[];
  readonly expires?: number;
  readonly uses?: number;
  readonly linger: number;
  readonly congestion?: CongestionName;
  readonly qlog?: string;
  readonly bench?: true;
  readonly json?: true;
}

/** The command as the command line offers it. */
export function listenCommand(): Command {
  return new Command("listen")
    .summary("wait for one peer; pipe standard input and output to it")
    .description(
      "Waits for one peer that holds the ticket, sends it our standard input, writes what it sends to standard output, and exits.",
    )
    .addOption(hostOption())
    .option(
      "--server <address>",
      "server by which the other side finds us, as `punchline server` printed it; repeatable",
      collect,
    )
    .option("--paste", "find the other side without a server: it prints a string that is to be pasted here")
    .addOption(stunOption())
    .option("--answer-from <file>", "take that string from a file or FIFO instead of the terminal")
    .addOption(pathOption())
    .addOption(lanOption())
    .addOption(portMappingOption())
    .option("--port <number>", "local UDP port (default: any free one)", parsePort)
    .option("--address <address>", "address to put in the ticket instead of this machine's own; repeatable", collect)
    .option("--ticket-file <path>", "write the ticket there, once we can be reached")
    .addOption(identityOption())
    .option(
      "--allow <key>",
      "public key of a peer that may connect; repeatable (default: whoever has the ticket)",
      collect,
    )
    .option("--expires <seconds>", "how long the ticket is valid, or never (default: a day)", parseLifetime)
    .option(
      "--uses <count>",
      "how often the ticket can be used (default: once; without limit with --identity)",
      parseCount,
    )
    .addOption(lingerOption())
    .addOption(congestionOption())
    .addOption(qlogOption())
    .option("--bench", "measure the connection instead: the other side runs `punchline bench`")
    .addOption(jsonOption("stderr"))
    .action((flags: ListenFlags) => runCommand(payloadOptions(flags), (context) => run(flags, context)));
}

async function run(flags: ListenFlags, context: CommandContext): Promise<void> {
  const { reporter, signal } = context;
  // Whatever is wrong with our own end is said before anybody uses up a ticket.
  const ends = flags.bench === true ? undefined : { input: openInput(), output: openOutput() };
  if (flags.paste === true) checkPaste(flags, ends?.input);
  const startedAt = performance.now();
  const listener = await listen({ ...listenOptions(flags), signal });
  try {
    if (flags.ticketFile !== undefined) await writeTicketFile(flags.ticketFile, listener.ticket);
    const ticket = String(listener.ticket);
    const addresses = listener.ticket.addresses.map(addressText);
    const command = commandLine(flags, ticket);
    const servers = listener.ticket.servers.map(addressText);
    reporter.report({ event: "listening", ticket, addresses, servers, command });
    const byHand =
      flags.paste === true && ends !== undefined
        ? [answerByHand({ listener, from: flags.answerFrom, input: ends.input, reporter, signal })]
        : [];
    const stream = await Promise.race([firstPeer(listener, signal), ...byHand]);
    void turnAwayOthers(listener);
    reporter.report({
      event: "connected",
      ms: Math.round(performance.now() - startedAt),
      peer: stream.connection.peerKey,
      ...pathReport(stream.connection),
    });
    reporter.note(`The other side's public key is ${stream.connection.peerKey}.`);
    if (ends === undefined) await serveBench(stream, context);
    else await new Session({ stream, ...ends, reporter, signal }).run();
  } finally {
    ends?.input.stream.destroy();
    ends?.output.destroy();
    void listener.close();
  }
}

/** Options that make no sense together, before anybody is told anything. */
function checkPaste({ answerFrom: from }: ListenFlags, input: Input | undefined): void {
  if (input === undefined) throw usageFailure("--bench and --paste do not go together");
  checkAnswerChoice({ from, input });
}

function listenOptions(flags: ListenFlags): ListenOptions {
  // A ticket for one peer, as we serve only one; but one that outlives us if we have an identity to come back with.
  const uses = flags.uses ?? (flags.identity === undefined ? 1 : undefined);
  return {
    linger: flags.linger,
    ...(flags.congestion !== undefined && { congestion: flags.congestion }),
    ...(flags.qlog !== undefined && { qlog: flags.qlog }),
    ...reachOptions(flags),
    ...(flags.server === undefined ? {} : { server: flags.server }),
    ...(flags.paste === true && { paste: true }),
    ...(flags.stun === undefined ? {} : { stun: flags.stun }),
    ...(flags.port === undefined ? {} : { port: flags.port }),
    ...(flags.host === undefined ? {} : { host: flags.host }),
    ...(flags.address === undefined ? {} : { addresses: flags.address }),
    ...(flags.identity === undefined ? {} : { identity: flags.identity }),
    ...(flags.allow === undefined ? {} : { allow: flags.allow }),
    ...(flags.expires === undefined ? {} : { expiresAt: Date.now() + flags.expires }),
    ...(uses === undefined ? {} : { uses }),
  };
}

/** The first peer that connects. Leaves the listener open, so that later ones are refused rather than ignored. */
async function firstPeer(listener: Listener, signal: AbortSignal): Promise<PeerStream> {
  const next = await listener[Symbol.asyncIterator]().next();
  signal.throwIfAborted();
  if (next.done === true) throw usageFailure("the listener was closed");
  return next.value;
}

/** Whoever else holds a ticket that is good for several connections learns that we serve one peer only. */
async function turnAwayOthers(listener: Listener): Promise<void> {
  for await (const { connection } of listener) void connection.close(FailCode.BUSY, "it serves another peer already");
}

/** What to run on the other machine: as we were called ourselves, with `npx` unless we are installed. */
function commandLine({ bench, paste, stun = [] }: ListenFlags, ticket: string): string {
  const command = bench === true ? "bench" : "connect";
  const options = paste === true ? ["--paste", ...stun.map((host) => `--stun ${host}`)] : [];
  const isInstalled = process.env.npm_command !== "exec" && basename(process.argv[1] ?? "") === "punchline";
  return `${isInstalled ? "" : "npx "}punchline ${[command, ...options, ticket].join(" ")}`;
}
