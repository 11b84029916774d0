/**
 * What this machine's network does with UDP, and what that means for two of them: the functions behind `punchline doctor`.
 *
 * @module
 */
import { type NetworkReport, reportOf } from "./doctor/report.ts";
import { PunchlineError } from "./io/errors.ts";
import { examineNetwork } from "./io/examination.ts";
import { parseServerName } from "./io/server-names.ts";

/** Options of {@link diagnose}. */
export interface DiagnoseOptions {
  /** STUN servers, 1 to 8: `stun.example.net`, `192.0.2.1:3478`, `[2001:db8::1]:3478`. The default port is 3478. */
  readonly stun: readonly string[];
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
 * @throws {@link PunchlineError} `ERR_OPTION` if an option is out of its range, or no server's name leads anywhere.
 */
export async function diagnose(options: DiagnoseOptions): Promise<NetworkReport> {
  const { stun, portMapping = true, signal } = options;
  if (!Array.isArray(stun) || stun.length < 1 || stun.length > MAX_SERVERS) {
    throw new PunchlineError("ERR_OPTION", `stun names 1 to ${MAX_SERVERS} servers`);
  }
  return reportOf(await examineNetwork({ stun: stun.map(parseServerName), portMapping, signal }));
}
