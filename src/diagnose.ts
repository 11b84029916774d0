/**
 * What this machine's network does with UDP, and what that means for two of them: the functions behind `punchline doctor`.
 *
 * @module
 */
import { isIP } from "node:net";
import { type NetworkReport, reportOf } from "./doctor/report.ts";
import { PunchlineError } from "./io/errors.ts";
import { examineNetwork } from "./io/examination.ts";
import type { ServerName } from "./io/server-names.ts";

/** Options of {@link diagnose}. */
export interface DiagnoseOptions {
  /** STUN servers, 1 to 8: `stun.example.net`, `192.0.2.1:3478`, `[2001:db8::1]:3478`. The default port is 3478. */
  readonly stun: readonly string[];
  /** Whether to ask the router which protocols for port mapping it speaks; default true. No mapping is made. */
  readonly portMapping?: boolean;
  /** Gives up; the promise rejects with `signal.reason`. */
  readonly signal?: AbortSignal;
}

// Specification

/** RFC 8489 §8. */
const STUN_PORT = 3478;

// Implementation

const MAX_SERVERS = 8;

/**
 * Finds out within 5 s what NATs and firewalls do between this machine and the internet. Leaves nothing behind.
 *
 * @throws {@link PunchlineError} `ERR_OPTION` if an option is out of its range, or no server's name leads anywhere.
 */
export async function diagnose(options: DiagnoseOptions): Promise<NetworkReport> {
  const { stun, portMapping = true, signal } = options;
  if (!Array.isArray(stun) || stun.length < 1 || stun.length > MAX_SERVERS) {
    throw new PunchlineError("ERR_OPTION", `stun names 1 to ${MAX_SERVERS} servers`);
  }
  return reportOf(await examineNetwork({ stun: stun.map(parseServer), portMapping, signal }));
}

function parseServer(text: string): ServerName {
  const [, bracketed, name, digits] = /^(?:\[([^\]]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/.exec(String(text)) ?? [];
  const host = isIP(text) === 6 ? text : (bracketed ?? name);
  const port = digits === undefined ? STUN_PORT : Number(digits);
  const isMisplaced = bracketed !== undefined && isIP(bracketed) !== 6;
  if (host === undefined || isMisplaced || port < 1 || port > 65_535) {
    throw new PunchlineError("ERR_OPTION", `not a server: ${String(text)}`, {
      hint: "write stun.example.net, 192.0.2.1:3478 or [2001:db8::1]:3478",
    });
  }
  return { host, port };
}
