/**
 * The command line: what commands there are, and what happens when it was called wrongly.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { benchCommand } from "./bench/command.ts";
import { reportFailure } from "./command.ts";
import { connectCommand } from "./connect.ts";
import { demoCommand } from "./demo.ts";
import { doctorCommand } from "./doctor.ts";
import { type Failure, toFailure, usageFailure } from "./failure.ts";
import { listenCommand } from "./listen.ts";
import { JsonReporter, TextReporter } from "./reporter.ts";
import { serverCommand } from "./server.ts";
import { ticketCommand } from "./ticket.ts";

// Implementation

const AFTER_HELP = `
Exit codes: 0 delivered and confirmed, 1 internal fault, 2 usage or ticket, 3 unreachable, 4 refused, 5 cut,
6 integrity, 7 local input or output, 130 and 143 by signal.`;

/** Runs one command and sets the exit code of the process. Never rejects. */
export async function main(args: readonly string[]): Promise<void> {
  // That nobody reads our messages any more is no reason to stop a transfer.
  process.stderr.on("error", () => {});
  try {
    await buildProgram().parseAsync([...args], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return;
    const failure = error instanceof CommanderError ? callFailure(error, args) : toFailure(error);
    process.exitCode = failure.exit;
    // The help for an incomplete command was printed already.
    if (error instanceof CommanderError && error.code === "commander.help") return;
    const isJson = args.includes("--json");
    reportFailure(
      isJson ? new JsonReporter(process.stderr) : new TextReporter(process.stderr, { live: false }),
      failure,
    );
  }
}

function buildProgram(): Command {
  const program = new Command("punchline")
    .description("An encrypted, reliable stream between two programs that hold a ticket.")
    .version(packageVersion(), "-V, --version", "print the version")
    .addHelpText("after", AFTER_HELP);
  const commands = [
    listenCommand,
    connectCommand,
    benchCommand,
    doctorCommand,
    serverCommand,
    ticketCommand,
    demoCommand,
  ];
  for (const command of commands) program.addCommand(command());
  return reportErrorsOurselves(program);
}

/** Errors are reported in one style, and never end the process on the spot. */
function reportErrorsOurselves(command: Command): Command {
  command.exitOverride().configureOutput({ outputError: () => {} });
  for (const child of command.commands) reportErrorsOurselves(child);
  return command;
}

/** What commander found wrong with the call: a fact on the first line, perhaps a guess on the second. */
function callFailure(error: CommanderError, args: readonly string[]): Failure {
  const [fact = "", guess] = error.message.replace(/^error: /, "").split("\n");
  const topic = args.find((arg) => !arg.startsWith("-"));
  const isKnown = topic !== undefined && error.code !== "commander.unknownCommand";
  const help = `punchline ${isKnown ? `${topic} ` : ""}--help says what there is`;
  return usageFailure(fact, guess === undefined ? help : `${guess.replace(/^\(|\)$/g, "")} ${help}`);
}

function packageVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(text) as { readonly version: string };
  return version;
}
