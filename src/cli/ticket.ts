/**
 * `punchline ticket inspect TICKET`: what a ticket says, without its secret.
 *
 * @module
 */
import { Command } from "commander";
import type { Ticket } from "../index.ts";
import { runCommand } from "./command.ts";
import { addressText } from "./describe.ts";
import type { TicketReport } from "./events.ts";
import { formatDuration } from "./format.ts";
import { jsonOption } from "./options.ts";
import { openInput } from "./stdio.ts";
import { findTicket } from "./ticket-files.ts";

interface InspectFlags {
  readonly ticketFrom?: string;
  readonly json?: true;
}

/** The command as the command line offers it. */
export function ticketCommand(): Command {
  return new Command("ticket")
    .summary("show what is in a ticket")
    .description("Shows what is in a ticket.")
    .addCommand(
      new Command("inspect")
        .description("Prints what a ticket says, in words, without its secret.")
        .argument("[ticket]", "the ticket (default: PUNCHLINE_TICKET)")
        .option("--ticket-from <file>", "read the ticket from a file; - takes the first line of standard input")
        .addOption(jsonOption("stdout"))
        .action((ticket: string | undefined, flags: InspectFlags) => inspect(ticket, flags)),
    );
}

async function inspect(argument: string | undefined, flags: InspectFlags): Promise<void> {
  const json = flags.json === true;
  // Errors for people go to stderr; what was asked for, to stdout.
  const sink = json ? process.stdout : process.stderr;
  await runCommand({ json, sink, live: false, announcesEnd: false }, async ({ reporter }) => {
    const ticket = await findTicket({ argument, from: flags.ticketFrom, input: openInput, reporter });
    if (json) reporter.report({ event: "ticket", ...ticketReport(ticket) });
    else process.stdout.write(`${inWords(ticketReport(ticket)).join("\n")}\n`);
  });
}

function ticketReport(ticket: Ticket): TicketReport {
  const { expiresAt } = ticket;
  return {
    id: ticket.id,
    key: ticket.key,
    addresses: ticket.addresses.map(addressText),
    servers: ticket.servers.map(addressText),
    ...(expiresAt === undefined ? {} : { expiresAt: expiresAt.toISOString() }),
    expired: expiresAt !== undefined && expiresAt.getTime() <= Date.now(),
    singleUse: ticket.singleUse,
  };
}

function inWords(report: TicketReport): readonly string[] {
  return [
    `ticket    ${report.id} (a name for it; the secret is not shown)`,
    `listener  has the public key ${report.key}`,
    `found at  ${report.addresses.length === 0 ? "no address" : report.addresses.join(", ")}`,
    `servers   ${report.servers.length === 0 ? "none: both sides must reach each other directly" : report.servers.join(", ")}`,
    `valid     ${validity(report)}`,
    `uses      ${report.singleUse ? "one connection" : "more than one connection, as the listener decides"}`,
  ];
}

function validity(report: TicketReport): string {
  if (report.expiresAt === undefined) return "without end";
  const span = formatDuration(Math.abs(Date.parse(report.expiresAt) - Date.now()));
  return report.expired ? `no more: it ended ${span} ago (${report.expiresAt})` : `for ${span} (${report.expiresAt})`;
}
