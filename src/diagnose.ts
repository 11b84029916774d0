/**
 * What this machine's network does with UDP, and what that means for two of them: the functions behind `punchline doctor`.
 *
 * @module
 */
import { peerReport } from "./doctor/peer-report.ts";
import { type NetworkReport, reportOf } from "./doctor/report.ts";
import { PunchlineError } from "./io/errors.ts";
import { examineNetwork } from "./io/examination.ts";
import { askListener } from "./io/examination-of-peer.ts";
import { parseServerName } from "./io/server-names.ts";
import { serverRecords } from "./io/servers.ts";
import { Ticket } from "./io/ticket.ts";
import type { ServerRecord } from "./ticket/records.ts";
import { toHex } from "./util/bytes.ts";

/** Options of {@link diagnose}: whom to ask, 1 to 8 servers in all. */
export interface DiagnoseOptions {
  /** STUN servers: `stun.example.net`, `192.0.2.1:3478`, `[2001:db8::1]:3478`. The default port is 3478. */
  readonly stun?: readonly string[];
  /** Servers of ours, by the address strings that they print. They tell more than others do. */
  readonly servers?: readonly string[];
  /** The servers of this ticket, too. */
  readonly ticket?: string | Ticket;
  /** Whether to ask the router which protocols for port mapping it speaks; default true. No mapping is made. */
  readonly portMapping?: boolean;
  /** Gives up; the promise rejects with `signal.reason`. */
  readonly signal?: AbortSignal;
}

// Implementation

const MAX_SERVERS = 8;

/**
 * Finds out within 5 s what NATs and firewalls do between this machine and the internet. Leaves nothing behind.
 *
 * A server of ours that does not answer is named in the report; nothing is thrown.
 *
 * @throws {@link PunchlineError} `ERR_OPTION` if an option is out of its range, or no server's name leads anywhere;
 * `ERR_TICKET`.
 */
export async function diagnose(options: DiagnoseOptions): Promise<NetworkReport> {
  const { stun = [], servers: texts = [], ticket, portMapping = true, signal } = options;
  if (!Array.isArray(stun) || !Array.isArray(texts)) {
    throw new PunchlineError("ERR_OPTION", "stun and servers are lists of strings");
  }
  const named = texts.map((text) => serverRecords([text]));
  const servers = distinct([...named, ...(ticket === undefined ? [] : serversOf(ticket))]);
  const count = stun.length + servers.length;
  if (count < 1 || count > MAX_SERVERS) {
    throw new PunchlineError("ERR_OPTION", `1 to ${MAX_SERVERS} servers can be asked, not ${count}`);
  }
  return reportOf(await examineNetwork({ stun: stun.map(parseServerName), servers, portMapping, signal }));
}

/**
 * Asks the listener of a ticket, by one of the ticket's servers, what its network does. No connection is made, and no use of
 * the ticket is counted; a listener that decides on its peers is asked to. What the listener does not know is `unknown`.
 *
 * @throws {@link PunchlineError} `ERR_TICKET`, `ERR_TICKET_EXPIRED`, `ERR_OPTION` if the ticket names no server,
 * `ERR_SERVER`, `ERR_NOT_THERE`, `ERR_UDP_BLOCKED`, `ERR_UNREACHABLE` or `ERR_REFUSED`; on abort, `signal.reason`.
 */
export async function diagnosePeer(
  ticket: string | Ticket,
  options: { readonly signal?: AbortSignal } = {},
): Promise<NetworkReport> {
  return peerReport(await askListener(Ticket.usable(ticket), options.signal));
}

/** The places of each server of a ticket. */
function serversOf(ticket: string | Ticket): readonly (readonly ServerRecord[])[] {
  const { servers } = ticket instanceof Ticket ? ticket : Ticket.parse(ticket);
  const byPin = new Map<string, ServerRecord[]>();
  for (const record of servers) {
    const key = toHex(record.pin);
    byPin.set(key, [...(byPin.get(key) ?? []), record]);
  }
  return [...byPin.values()];
}

/** Each server once, by the places that were named first. */
function distinct(servers: readonly (readonly ServerRecord[])[]): readonly (readonly ServerRecord[])[] {
  const byPin = new Map<string, readonly ServerRecord[]>();
  for (const records of servers) {
    const key = toHex(records[0]!.pin);
    if (!byPin.has(key)) byPin.set(key, records);
  }
  return [...byPin.values()];
}
