/**
 * What the other side's program says about its own end.
 *
 * @module
 */
import type { PunchlineError } from "../index.ts";
import { FailCode } from "./control-codec.ts";
import { ExitCode, Failure, toFailure } from "./failure.ts";
import { printable } from "./format.ts";

/** A peer that could not say FAILED on its control stream says it when it closes. */
export function closedFailure(error: PunchlineError): Failure {
  const { code, peerCode, message } = error;
  const isVerdict = code === "ERR_CLOSED_BY_PEER" && peerCode !== undefined && peerCode >= FailCode.INTERRUPTED;
  return isVerdict ? peerFailure(peerCode, message) : toFailure(error);
}

/** A peer that gave up, in its own words. */
export function peerFailure(code: number, reason: string): Failure {
  const words = printable(reason) || `code 0x${code.toString(16)}`;
  return new Failure(`the other side stopped: ${words}`, { code: "ERR_PEER_FAILED", exit: ExitCode.CUT });
}
