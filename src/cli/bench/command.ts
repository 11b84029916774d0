/**
 * `punchline bench TICKET`: measures the connection to a listener, prints a table, exits.
 *
 * @module
 */
import { isatty } from "node:tty";
import { Command, InvalidArgumentError, Option } from "commander";
import { type CongestionName, connect } from "../../index.ts";
import { type CommandContext, type CommandOptions, runCommand } from "../command.ts";
import { connectingEvent, connectOptions } from "../connect.ts";
import { pathReport } from "../describe.ts";
import { formatDuration } from "../format.ts";
import {
  congestionOption,
  hostOption,
  identityOption,
  jsonOption,
  lanOption,
  lingerOption,
  parsePort,
  parseSeconds,
  pathOption,
  portMappingOption,
  qlogOption,
  type ReachFlags,
  timeoutOption,
} from "../options.ts";
import { openInput } from "../stdio.ts";
import { findTicket } from "../ticket-files.ts";
import { measure } from "./client.ts";
import { MAX_PHASE } from "./codec.ts";
import { benchTable } from "./report.ts";

// Implementation

/** Long enough for most links to reach their rate, short enough to be waited for, in milliseconds. */
const DEFAULT_DURATION = 5_000;

const STDERR = 2;

interface BenchFlags extends ReachFlags {
  readonly seconds: number;
  readonly tcp?: number;
  readonly host?: readonly string[];
  readonly ticketFrom?: string;
  readonly identity?: string;
  readonly timeout: number;
  readonly linger: number;
  readonly congestion?: CongestionName;
  readonly qlog?: string;
  readonly json?: true;
}

const AFTER_HELP = `
On the other machine run \`punchline listen --bench\`, which prints the ticket. Nothing is read from standard input or
written to any file on either side. "up" is from here to the other side, "down" the way back.`;

/** The command as the command line offers it. */
export function benchCommand(): Command {
  return new Command("bench")
    .summary("measure how fast the connection to a listener is")
    .description(
      "Measures the connection to `punchline listen --bench`: goodput each way, round trips on the idle and on the busy line, losses, and processor time.",
    )
    .argument("[ticket]", "what the listener printed (default: PUNCHLINE_TICKET)")
    .addOption(secondsOption())
    .option("--tcp <port>", "measure plain TCP, too: the listener opens this port while it is measured", parseTcpPort)
    .option("--ticket-from <file>", "read the ticket from a file; - takes the first line of standard input")
    .addOption(hostOption())
    .addOption(identityOption())
    .addOption(pathOption())
    .addOption(lanOption())
    .addOption(portMappingOption())
    .addOption(timeoutOption())
    .addOption(lingerOption())
    .addOption(congestionOption())
    .addOption(qlogOption())
    .addOption(jsonOption("stdout"))
    .addHelpText("after", AFTER_HELP)
    .action((ticket: string | undefined, flags: BenchFlags) =>
      runCommand(commandOptions(flags), (context) => run(ticket, flags, context)),
    );
}

/** The table is what was asked for: all else goes to stderr, except that programs want one stream. */
function commandOptions(flags: BenchFlags): CommandOptions {
  const json = flags.json === true;
  return { json, sink: json ? process.stdout : process.stderr, live: isatty(STDERR), announcesEnd: true };
}

async function run(argument: string | undefined, flags: BenchFlags, context: CommandContext): Promise<void> {
  const { reporter, signal } = context;
  const ticket = await findTicket({ argument, from: flags.ticketFrom, input: openInput, reporter });
  const startedAt = performance.now();
  const options = connectOptions(flags, signal);
  reporter.report(connectingEvent(ticket, options));
  const stream = await connect(ticket, options);
  reporter.report({
    event: "connected",
    ms: Math.round(performance.now() - startedAt),
    peer: stream.connection.peerKey,
    ...pathReport(stream.connection),
  });
  const directions = flags.tcp === undefined ? 2 : 4;
  reporter.note(`Measuring for ${formatDuration(flags.seconds * directions)} ...`);
  const report = await measure(stream, context, { duration: flags.seconds, tcpPort: flags.tcp });
  reporter.report({ event: "bench", ...report });
  if (flags.json !== true) process.stdout.write(`${benchTable(report).join("\n")}\n`);
}

function secondsOption(): Option {
  return new Option("--seconds <number>", "how long to send in each direction")
    .default(DEFAULT_DURATION, String(DEFAULT_DURATION / 1000))
    .argParser(parseDuration);
}

function parseDuration(text: string): number {
  const ms = parseSeconds(text);
  if (ms < 1 || ms > MAX_PHASE) throw new InvalidArgumentError(`Give at most ${MAX_PHASE / 1000} seconds.`);
  return ms;
}

function parseTcpPort(text: string): number {
  const port = parsePort(text);
  if (port === 0) throw new InvalidArgumentError("Give a whole number from 1 to 65535.");
  return port;
}
