/**
 * `punchline connect TICKET`: connects to a listener, pipes both ways, exits.
 *
 * @module
 */
import { Command } from "commander";
import {
  type CongestionName,
  type Connection,
  type ConnectOptions,
  connect,
  type Identity,
  loadIdentity,
  PunchlineError,
  type Ticket,
} from "../index.ts";
import { type CommandContext, payloadOptions, runCommand } from "./command.ts";
import { addressText, pathReport } from "./describe.ts";
import type { CliEvent, Reporter } from "./events.ts";
import { usageFailure } from "./failure.ts";
import {
  congestionOption,
  hostOption,
  identityOption,
  jsonOption,
  lanOption,
  lingerOption,
  pathOption,
  portMappingOption,
  qlogOption,
  type ReachFlags,
  reachOptions,
  stunOption,
  timeoutOption,
} from "./options.ts";
import { Session } from "./session.ts";
import { openInput, openOutput } from "./stdio.ts";
import { findTicket } from "./ticket-files.ts";

interface ConnectFlags extends ReachFlags {
  readonly host?: readonly string[];
  readonly ticketFrom?: string;
  readonly paste?: true;
  readonly stun?: readonly string[];
  readonly identity?: string;
  readonly timeout: number;
  readonly linger: number;
  readonly congestion?: CongestionName;
  readonly qlog?: string;
  readonly explain?: true;
  readonly redact?: true;
  readonly json?: true;
}

// Implementation

/** How long a string may take from hand to hand, in ms, unless the user says otherwise: as long as its ticket lives. */
const PASTE_TIMEOUT = 10 * 60 * 1000;

/** The command as the command line offers it. */
export function connectCommand(): Command {
  return new Command("connect")
    .summary("connect to a listener; pipe standard input and output to it")
    .description(
      "Connects to the listener that made the ticket, sends it our standard input, writes what it sends to standard output, and exits.",
    )
    .argument("[ticket]", "what the listener printed (default: PUNCHLINE_TICKET)")
    .option("--ticket-from <file>", "read the ticket from a file; - takes the first line of standard input")
    .option("--paste", "print a string that is to be pasted where the listener runs: its ticket says so")
    .addOption(stunOption())
    .addOption(hostOption())
    .addOption(identityOption())
    .addOption(pathOption())
    .addOption(lanOption())
    .addOption(portMappingOption())
    .addOption(timeoutOption())
    .addOption(lingerOption())
    .addOption(congestionOption())
    .addOption(qlogOption())
    .option("--explain", "tell what was tried to reach the other side, and when")
    .option("--redact", "hide addresses in all that is said")
    .addOption(jsonOption("stderr"))
    .action((ticket: string | undefined, flags: ConnectFlags, command: Command) => {
      const patient = flags.paste === true && command.getOptionValueSource("timeout") === "default";
      const all = patient ? { ...flags, timeout: PASTE_TIMEOUT } : flags;
      return runCommand(payloadOptions(all), (context) => run(ticket, all, context));
    });
}

async function run(argument: string | undefined, flags: ConnectFlags, context: CommandContext): Promise<void> {
  const { reporter, signal } = context;
  const input = openInput();
  const output = openOutput();
  try {
    const ticket = await findTicket({ argument, from: flags.ticketFrom, input: () => input, reporter });
    const startedAt = performance.now();
    const options = { ...connectOptions(flags, signal), ...pasteOptions(flags, ticket, reporter) };
    reporter.report(connectingEvent(ticket, options));
    const stream = await connect(ticket, options).catch((error) => {
      if (flags.explain === true && error instanceof PunchlineError) tellStory(error, flags, reporter);
      throw error;
    });
    reporter.report({
      event: "connected",
      ms: Math.round(performance.now() - startedAt),
      peer: stream.connection.peerKey,
      ...pathReport(stream.connection),
    });
    if (flags.explain === true) tellStory(stream.connection, flags, reporter);
    await new Session({ stream, input, output, reporter, signal }).run();
  } finally {
    input.stream.destroy();
    output.destroy();
  }
}

/** What `--paste` says to the library. */
function pasteOptions(
  { paste, stun }: ConnectFlags,
  ticket: Ticket,
  reporter: Reporter,
): Pick<ConnectOptions, "stun" | "onInvitation"> {
  if (paste !== true) return {};
  if (!ticket.paste) throw usageFailure("the ticket is not one for pasting", "connect without --paste");
  let changed = false;
  const onInvitation = (text: string): void => {
    reporter.report({ event: "invitation", text, changed });
    changed = true;
  };
  return { onInvitation, ...(stun !== undefined && { stun }) };
}

/** What `--explain` asks for. */
function tellStory(
  teller: Connection | PunchlineError,
  { redact }: Pick<ConnectFlags, "redact">,
  reporter: Reporter,
): void {
  reporter.report({ event: "explanation", lines: teller.explain({ redact: redact === true }).split("\n") });
}

/** {@link ConnectOptions} of a command: the identity is known, so that its key can be told. */
type CommandConnectOptions = ConnectOptions & { readonly identity?: Identity; readonly timeout: number };

/**
 * What the options of the command say to the library.
 *
 * @throws PunchlineError if the identity file cannot be used.
 */
export function connectOptions(
  flags: Pick<ConnectFlags, keyof ReachFlags | "host" | "identity" | "timeout" | "linger" | "congestion" | "qlog">,
  signal: AbortSignal,
): CommandConnectOptions {
  return {
    signal,
    timeout: flags.timeout,
    linger: flags.linger,
    ...reachOptions(flags),
    ...(flags.congestion !== undefined && { congestion: flags.congestion }),
    ...(flags.qlog !== undefined && { qlog: flags.qlog }),
    ...(flags.host === undefined ? {} : { host: flags.host }),
    ...(flags.identity === undefined ? {} : { identity: loadIdentity(flags.identity) }),
  };
}

/** What is said before a listener is called. */
export function connectingEvent(ticket: Ticket, { timeout, identity }: CommandConnectOptions): CliEvent {
  const addresses = ticket.addresses.map(addressText);
  const servers = ticket.servers.map(addressText);
  return { event: "connecting", addresses, servers, timeout, ...(identity !== undefined && { key: identity.key }) };
}
