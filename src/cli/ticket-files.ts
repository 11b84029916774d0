/**
 * Where `connect` takes its ticket from, and where `listen` leaves one.
 *
 * @module
 */
import { createReadStream } from "node:fs";
import { open, rename, rm, stat, writeFile } from "node:fs/promises";
import type { Readable } from "node:stream";
import { Ticket } from "../index.ts";
import type { Reporter } from "./events.ts";
import { localFailure, usageFailure } from "./failure.ts";
import type { Input } from "./stdio.ts";

// Implementation

/** Longest line that is looked at for a ticket, in bytes: several times the longest ticket. */
const MAX_LINE = 4096;

/** Where the user says that the ticket is. */
export interface TicketChoice {
  readonly argument: string | undefined;
  /** `--ticket-from`: a path, or `-` for the first line of standard input. */
  readonly from: string | undefined;
  /** Opens standard input. */
  readonly input: () => Input;
  readonly reporter: Reporter;
}

/**
 * Finds and reads the ticket: argument, `--ticket-from`, PUNCHLINE_TICKET. With `-`, what follows the first line stays in
 * standard input as payload.
 *
 * @throws Failure if there is none, or if it is malformed.
 */
export async function findTicket(choice: TicketChoice): Promise<Ticket> {
  const { argument, from } = choice;
  if (argument !== undefined && from !== undefined) {
    throw usageFailure("two tickets were given", "use either the argument or --ticket-from, not both");
  }
  if (argument !== undefined) return Ticket.parse(argument);
  if (from === "-") {
    const { stream, isTerminal } = choice.input();
    if (isTerminal) choice.reporter.note("Paste the ticket, then press Enter:");
    return Ticket.parse(await firstLine(stream));
  }
  if (from !== undefined) return Ticket.parse(await firstLineOfFile(from));
  const inherited = process.env.PUNCHLINE_TICKET ?? "";
  if (inherited !== "") return Ticket.parse(inherited);
  throw usageFailure("no ticket was given", "give it as argument, in PUNCHLINE_TICKET, or with --ticket-from FILE");
}

/**
 * Writes a ticket where others can pick it up: whole or not at all, readable for this user only (CLI-16).
 *
 * @throws Failure if that is impossible.
 */
export function writeTicketFile(path: string, ticket: Ticket): Promise<void> {
  return writeWordFile(path, String(ticket), "ticket");
}

/**
 * The same for any word; `what` names it.
 *
 * @throws Failure if that is impossible.
 */
export async function writeWordFile(path: string, word: string, what: "ticket" | "address"): Promise<void> {
  const content = `${word}\n`;
  try {
    if (await isSpecialFile(path)) {
      await writeFile(path, content);
      return;
    }
    const temporary = `${path}.${process.pid}.tmp`;
    try {
      await rm(temporary, { force: true });
      const file = await open(temporary, "wx", 0o600);
      try {
        await file.writeFile(content);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  } catch (error) {
    throw localFailure(`write the ${what} to ${path}`, "ERR_FILE", error);
  }
}

/** Pipes and devices cannot be replaced by renaming; they are written to. */
async function isSpecialFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && !found.isFile() && !found.isDirectory();
}

async function firstLineOfFile(path: string): Promise<string> {
  const file = createReadStream(path);
  try {
    return await firstLine(file);
  } catch (error) {
    throw localFailure(`read a ticket from ${path}`, "ERR_FILE", error);
  } finally {
    file.destroy();
  }
}

/** Takes the first line off a stream and leaves the rest in it. */
export async function firstLine(stream: Readable): Promise<string> {
  let line = Buffer.alloc(0);
  for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    line = Buffer.concat([line, chunk]);
    const end = line.indexOf("\n");
    if (end === -1 && line.length <= MAX_LINE) continue;
    const cut = end === -1 ? MAX_LINE : end + 1;
    if (cut < line.length) stream.unshift(line.subarray(cut));
    return line.toString("utf8", 0, cut).trim();
  }
  return line.toString("utf8").trim();
}
