/**
 * `punchline doctor`: what this network does with UDP, in plain words, and what two of them come to (spec/cli.md#doctor).
 *
 * @module
 */
import { Command } from "commander";
import {
  decodeReport,
  diagnose,
  diagnosePeer,
  encodeReport,
  type NetworkReport,
  type PairVerdict,
  verdictOf,
  wordsOf,
} from "../index.ts";
import { type CommandContext, runCommand } from "./command.ts";
import { ExitCode, Failure, usageFailure } from "./failure.ts";
import { collect, jsonOption } from "./options.ts";

interface DoctorFlags {
  readonly stun?: readonly string[];
  readonly server?: readonly string[];
  readonly portMapping: boolean;
  readonly json?: true;
}

// Implementation

/** What a line on a terminal holds. */
const LINE_WIDTH = 78;

/** Begins a ticket; anything else is taken for a report. */
const TICKET_PREFIX = "pl1";

/** The command as the command line offers it. */
export function doctorCommand(): Command {
  return new Command("doctor")
    .summary("say what this network does, and whether two networks can connect directly")
    .description(
      "Says in plain words what NATs and firewalls do between this machine and the internet, and prints a report as one word. " +
        "With one report of another network, or two, it says what to expect of the pair; nothing is sent to anybody then " +
        "but to the servers named. With a ticket it asks the listener by its servers, and uses nothing up.",
    )
    .argument("[reports...]", "one or two reports that doctor printed elsewhere, or the ticket of a listener")
    .option("--stun <host>", "STUN server to ask, with port if it is not 3478; repeatable", collect)
    .option("--server <address>", "punchline server to ask, by the address that it prints; repeatable", collect)
    .option("--no-port-mapping", "leave the router alone")
    .addOption(jsonOption("stdout"))
    .action((reports: readonly string[], flags: DoctorFlags) => doctor(reports, flags));
}

async function doctor(texts: readonly string[], flags: DoctorFlags): Promise<void> {
  const json = flags.json === true;
  // Errors for people go to stderr; what was asked for, to stdout.
  const sink = json ? process.stdout : process.stderr;
  await runCommand({ json, sink, live: false, announcesEnd: false }, async (context) => {
    if (texts.length > 2) throw usageFailure("there are more than two reports", "give one or two of them");
    const tickets = texts.filter((text) => text.startsWith(TICKET_PREFIX));
    if (tickets.length > 1) throw usageFailure("there is more than one ticket", "give one, and perhaps a report");
    const reports = texts.filter((text) => !tickets.includes(text)).map(readReport);
    const [ticket] = tickets;
    // First of all, since the rest takes seconds, and is of no use without it.
    const listener = ticket === undefined ? undefined : await diagnosePeer(ticket, { signal: context.signal });
    const others: readonly Side[] = [
      ...reports.map((report, index) => ({ report, name: reports.length === 2 ? NAMES[index]! : OTHER_NAME })),
      ...(listener === undefined ? [] : [{ report: listener, name: LISTENER_NAME }]),
    ];
    const own = others.length === 2 ? undefined : await examine(flags, ticket, context);
    const [a, b] = own === undefined ? others : [{ report: own, name: OWN_NAME }, ...others];
    if (b === undefined) tell(context, json, a!.report);
    else tellPair(context, json, verdictOf(a!.report, b.report, { a: a!.name, b: b.name }));
    if (own !== undefined) checkServers(own, flags.server?.length ?? 0, context);
  });
}

/** One of the two networks of a verdict, and how people call it. */
interface Side {
  readonly report: NetworkReport;
  readonly name: string;
}

const NAMES = ["the first network", "the second network"];
const OWN_NAME = "this network";
const OTHER_NAME = "the other network";
const LISTENER_NAME = "the listener's network";

async function examine(
  { stun, server, portMapping }: DoctorFlags,
  ticket: string | undefined,
  { signal }: CommandContext,
): Promise<NetworkReport> {
  if (stun === undefined && server === undefined && ticket === undefined) {
    throw usageFailure(
      "there is no server to ask",
      "name a punchline server with --server, or a STUN server with --stun; one with two addresses tells most",
    );
  }
  return diagnose({
    portMapping,
    signal,
    ...(stun === undefined ? {} : { stun }),
    ...(server === undefined ? {} : { servers: server }),
    ...(ticket === undefined ? {} : { ticket }),
  });
}

/**
 * Tells of servers that do not answer, once all that is known has been told. The first ones are those that the user named.
 *
 * @throws Failure if one of those is down while others show that UDP works.
 */
function checkServers({ udp, servers = [] }: NetworkReport, named: number, { reporter }: CommandContext): void {
  const silent = servers.filter(({ session }) => session === "no");
  if (silent.length === 0) return;
  const places = silent.map(({ address }) => address).join(", ");
  if (udp !== "open") {
    reporter.report({ event: "warning", message: `nobody answers: UDP is blocked here, or ${places} is down` });
    return;
  }
  const what = silent.every(({ stun }) => stun === "yes") ? "answers STUN, but opens no session" : "does not answer";
  const message = `the server at ${places} ${what}`;
  if (!silent.some((server) => servers.indexOf(server) < named)) {
    reporter.report({ event: "warning", message });
    return;
  }
  const working = servers.filter(({ session }) => session === "yes").map(({ address }) => address);
  const others = working.length === 0 ? "by STUN" : `by ${working.join(", ")}`;
  throw new Failure(`${message}; UDP works here, as far as that was found out ${others}`, {
    code: "ERR_SERVER",
    exit: ExitCode.UNREACHABLE,
    hint: "see whether it runs, and whether its address is the one that it prints now",
  });
}

function readReport(text: string): NetworkReport {
  const report = decodeReport(text);
  if ("hint" in report) throw usageFailure("this is no report", report.hint);
  return report;
}

function tell({ reporter }: CommandContext, json: boolean, report: NetworkReport): void {
  const word = encodeReport(report);
  if (json) {
    reporter.report({ event: "report", ...report, report: word });
    return;
  }
  const tail = [
    "",
    "To see whether this network can connect with another one directly, run there:",
    "",
    `  punchline doctor ${word}`,
  ];
  process.stdout.write(`${[...wrapped(wordsOf(report)), ...tail].join("\n")}\n`);
}

function tellPair({ reporter }: CommandContext, json: boolean, verdict: PairVerdict): void {
  if (json) reporter.report({ event: "verdict", ...verdict });
  else process.stdout.write(`${wrapped(verdict.words).join("\n")}\n`);
}

/** A paragraph as lines of a terminal. */
function wrapped(paragraph: string): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of paragraph.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > LINE_WIDTH) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
