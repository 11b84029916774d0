/**
 * Options that several commands share, and how their values are read.
 *
 * @module
 */
import { InvalidArgumentError, Option } from "commander";
import { CONGESTION_NAMES } from "../index.ts";
import { parseSize } from "./format.ts";

// Implementation

/** A day: nobody waits longer for a peer, and timers overflow after 24 days. */
const MAX_SECONDS = 86_400;

/** Ten years, in seconds. */
const MAX_LIFETIME = 315_360_000;

/** `--json`. */
export function jsonOption(where: "stderr" | "stdout"): Option {
  return new Option("--json", `write events to ${where}, one JSON object a line`);
}

/** `--linger S`, in milliseconds. */
export function lingerOption(): Option {
  return new Option("--linger <seconds>", "how long a silent peer keeps the connection alive")
    .default(30_000, "30")
    .argParser(parseSeconds);
}

/** `--path POLICY`. */
export function pathOption(): Option {
  return new Option("--path <policy>", "what may carry the connection: direct never sends by way of a server")
    .choices(["auto", "direct"])
    .default("auto");
}

/** `--lan`. */
export function lanOption(): Option {
  return new Option("--lan", "tell the other side the addresses of this machine, although a server tells the way");
}

/** `--no-port-mapping`. */
export function portMappingOption(): Option {
  return new Option("--no-port-mapping", "do not ask the router for a port");
}

/** What {@link pathOption}, {@link lanOption} and {@link portMappingOption} give. */
export interface ReachFlags {
  readonly path: "auto" | "direct";
  readonly lan?: true;
  readonly portMapping: boolean;
}

/** The same, as the library takes it. */
export function reachOptions({ path, lan, portMapping }: ReachFlags): {
  readonly path: "auto" | "direct";
  readonly lan: boolean;
  readonly portMapping: boolean;
} {
  return { path, lan: lan === true, portMapping };
}

/** `--stun HOST`, repeatable, of commands with paste mode. */
export function stunOption(): Option {
  return new Option("--stun <host>", "STUN server for --paste, with port if it is not 3478; repeatable").argParser(
    collect,
  );
}

/** `--congestion NAME`. */
export function congestionOption(): Option {
  return new Option("--congestion <name>", "who decides how fast we send").choices(CONGESTION_NAMES);
}

/** `--qlog DIR`. */
export function qlogOption(): Option {
  return new Option("--qlog <directory>", "write a trace of the connection there, for qvis and the like");
}

/** `--timeout S`, in milliseconds. */
export function timeoutOption(): Option {
  return new Option("--timeout <seconds>", "how long to try to connect").default(20_000, "20").argParser(parseSeconds);
}

/** `--host ADDRESS`, repeatable. */
export function hostOption(): Option {
  return new Option("--host <address>", "local address to use; repeatable (default: all)").argParser(collect);
}

/** `--identity FILE`. */
export function identityOption(): Option {
  return new Option("--identity <file>", "key file that says who we are; made if there is none");
}

/** Reads seconds, with fractions, as milliseconds. */
export function parseSeconds(text: string): number {
  const seconds = text.trim() === "" ? Number.NaN : Number(text);
  if (!(seconds > 0 && seconds <= MAX_SECONDS)) {
    throw new InvalidArgumentError(`Give a number of seconds above 0, at most ${MAX_SECONDS}.`);
  }
  return Math.round(seconds * 1000);
}

/** Reads the life of a ticket: seconds, as milliseconds, or `never`. */
export function parseLifetime(text: string): number {
  if (text === "never") return Number.POSITIVE_INFINITY;
  const seconds = text.trim() === "" ? Number.NaN : Number(text);
  if (!(seconds > 0 && seconds <= MAX_LIFETIME)) {
    throw new InvalidArgumentError(`Give a number of seconds above 0, at most ${MAX_LIFETIME}, or never.`);
  }
  return Math.round(seconds * 1000);
}

/** Reads a UDP port; 0 leaves the choice to the system. */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new InvalidArgumentError("Give a whole number from 0 to 65535.");
  return port;
}

/** Reads a whole number from 1. */
export function parseCount(text: string): number {
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (count < 1) throw new InvalidArgumentError("Give a whole number from 1.");
  return count;
}

/** Reads a size in bytes, with or without a suffix. */
export function parseBytes(text: string): number {
  const size = parseSize(text);
  if (size === undefined) throw new InvalidArgumentError("Give a size such as 1000000, 64k or 256MiB.");
  return size;
}

/** Gathers the values of a repeatable option. */
export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}
