/**
 * A server by which peers find each other: STUN and rendezvous on one UDP port.
 *
 * @module
 */
import { isIP } from "node:net";
import { PunchlineError } from "./io/errors.ts";
import type { Identity } from "./io/identity.ts";
import { identityFor } from "./io/identity-file.ts";
import { Server } from "./io/server.ts";
import { type LimitName, type LimitOptions, limitsFrom, SERVER_LIMITS } from "./server/limit-options.ts";

/** Options of {@link serve}. */
export interface ServeOptions {
  /**
   * Local addresses to bind, literal IPv4 or IPv6, at most two of each family; default `["0.0.0.0", "::"]`. With two of one
   * family the next port is bound as well, and clients can find out what their NAT does.
   */
  readonly host?: string | readonly string[];
  /** UDP port, 1 to 65,534; default 3478. */
  readonly port?: number;
  /** The server's key, which clients pin: an identity, or the path of an identity file; default a fresh one. */
  readonly identity?: string | Identity;
  /** Names or addresses under which clients find the server, with port unless it is that of `port`; at most 4. Default: where it is bound. */
  readonly addresses?: readonly string[];
  /** Whether strangers may ask for answers from the other port and address (RFC 5780 §7); needs two addresses; default false. */
  readonly diagnostics?: boolean;
  /** What clients may hold and do; defaults are in spec/rendezvous.md#limits. */
  readonly limits?: LimitOptions;
}

// Specification

const DEFAULT_PORT = 3478;

// Implementation

const DEFAULT_HOSTS: readonly string[] = ["0.0.0.0"];
const MAX_HOSTS_OF_FAMILY = 2;
const MAX_ADDRESSES = 4;

/**
 * Starts a server. Its `address` is the word that clients need.
 *
 * @throws {@link PunchlineError} `ERR_OPTION`, `ERR_IDENTITY` or `ERR_BIND`.
 */
export async function serve(options: ServeOptions = {}): Promise<Server> {
  const { port = DEFAULT_PORT, diagnostics = false, addresses, limits = {} } = options;
  if (!Number.isInteger(port) || port < 1 || port > 65_534)
    throw bad(`port is a whole number from 1 to 65534, not ${String(port)}`);
  const hosts = checkHosts(options.host);
  const hasTwo = [4, 6].some((family) => hosts.filter((host) => isIP(host) === family).length > 1);
  if (diagnostics && !hasTwo) throw bad("diagnostics need two addresses of one family");
  const names = addresses?.map((text) => parseName(text, port));
  if (names !== undefined && (names.length < 1 || names.length > MAX_ADDRESSES)) {
    throw bad(`addresses names 1 to ${MAX_ADDRESSES} places`);
  }
  checkLimits(limits);
  return Server.open({
    hosts,
    port,
    names,
    identity: identityFor(options.identity),
    diagnostics,
    limits: limitsFrom(limits),
  });
}

function checkLimits(limits: LimitOptions): void {
  for (const [name, value] of Object.entries(limits) as [LimitName, number | undefined][]) {
    if (!Object.hasOwn(SERVER_LIMITS, name)) throw bad(`no limit is called ${name}`);
    const { max } = SERVER_LIMITS[name];
    const isFine = value === undefined || (Number.isInteger(value) && value >= 1 && value <= max);
    if (!isFine) throw bad(`limit ${name} is a whole number from 1 to ${max}, not ${String(value)}`);
  }
}

function checkHosts(host: ServeOptions["host"]): readonly string[] {
  const hosts = host === undefined ? DEFAULT_HOSTS : typeof host === "string" ? [host] : [...new Set(host)];
  for (const each of hosts) if (isIP(each) === 0) throw bad(`host is a literal IP address, not ${String(each)}`);
  for (const family of [4, 6]) {
    if (hosts.filter((each) => isIP(each) === family).length > MAX_HOSTS_OF_FAMILY) {
      throw bad(`host names at most ${MAX_HOSTS_OF_FAMILY} addresses of each family`);
    }
  }
  if (hosts.length === 0) throw bad("host names at least one address");
  return hosts;
}

function parseName(text: string, port: number): { readonly host: string; readonly port: number } {
  if (isIP(text) !== 0) return { host: text, port };
  const [, bracketed, name, digits] =
    /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+))(?::(\d{1,5}))?$/.exec(String(text)) ?? [];
  const host = bracketed ?? name?.toLowerCase();
  const own = digits === undefined ? port : Number(digits);
  if (host === undefined || own < 1 || own > 65_534) throw bad(`not an address: ${String(text)}`);
  return { host, port: own };
}

function bad(message: string): PunchlineError {
  return new PunchlineError("ERR_OPTION", message);
}
