/**
 * `punchline doctor`: what this network does with UDP, in plain words, and what two of them come to (spec/cli.md#doctor).
 *
 * @module
 */
import { Command } from "commander";
import {
  decodeReport,
  diagnose,
  encodeReport,
  type NetworkReport,
  type PairVerdict,
  verdictOf,
  wordsOf,
} from "../index.ts";
import { type CommandContext, runCommand } from "./command.ts";
import { usageFailure } from "./failure.ts";
import { collect, jsonOption } from "./options.ts";

interface DoctorFlags {
  readonly stun?: readonly string[];
  readonly portMapping: boolean;
  readonly json?: true;
}

// Implementation

/** What a line on a terminal holds. */
const LINE_WIDTH = 78;

/** The command as the command line offers it. */
export function doctorCommand(): Command {
  return new Command("doctor")
    .summary("say what this network does, and whether two networks can connect directly")
    .description(
      "Says in plain words what NATs and firewalls do between this machine and the internet, and prints a report as one word. " +
        "With one report of another network, or two, it says what to expect of the pair; nothing is sent to anybody then " +
        "but to the servers named.",
    )
    .argument("[reports...]", "one or two reports that doctor printed elsewhere")
    .option("--stun <host>", "STUN server to ask, with port if it is not 3478; repeatable", collect)
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
    const others = texts.map(readReport);
    const [a, b] = others.length === 2 ? others : [await examine(flags, context), others[0]];
    if (b === undefined) {
      tell(context, json, a!);
      return;
    }
    const names = others.length === 2 ? NAMES_OF_TWO : NAMES_OF_OTHER;
    tellPair(context, json, verdictOf(a!, b, names));
  });
}

const NAMES_OF_TWO = { a: "the first network", b: "the second network" };
const NAMES_OF_OTHER = { a: "this network", b: "the other network" };

async function examine({ stun, portMapping }: DoctorFlags, { signal }: CommandContext): Promise<NetworkReport> {
  if (stun === undefined) {
    throw usageFailure(
      "there is no server to ask",
      "name a STUN server with --stun; one with two addresses tells most",
    );
  }
  return diagnose({ stun, portMapping, signal });
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
