/**
 * What callers may choose, checked once.
 *
 * @module
 */
import { isIP } from "node:net";
import { CONGESTION_NAMES, type CongestionName } from "./congestion/create.ts";
import { type Config, DEFAULT_CONFIG } from "./connection/config.ts";
import { parseAddress } from "./io/addresses.ts";
import type { Reach } from "./io/endpoint.ts";
import { PunchlineError } from "./io/errors.ts";
import { Identity } from "./io/identity.ts";
import { type OpenQlog, qlogInto, qlogTo } from "./io/qlog.ts";
import { parseServerName, type ServerName } from "./io/server-names.ts";
import { serverRecords } from "./io/servers.ts";
import {
  type CheckedTicket,
  checkPasteTicket,
  checkTicket,
  type PeerRequest,
  type TicketOptions,
} from "./io/ticket-options.ts";
import type { Signalling } from "./signal/carrier.ts";
import type { ServerRecord } from "./ticket/records.ts";
import type { OpenTrace } from "./trace/sink.ts";
import { toHex } from "./util/bytes.ts";
import type { Address } from "./util/machine.ts";
import type { Duration } from "./util/time.ts";

/** What {@link connect} and {@link listen} have in common. */
export interface CommonOptions {
  /**
   * Local addresses to bind, literal IPv4 or IPv6. Default: all, `["0.0.0.0", "::"]`; a machine without IPv6 is fine.
   * At most one address of each family for `connect`, 8 addresses for `listen`.
   */
  readonly host?: string | readonly string[];
  /**
   * Who we are: an {@link Identity}, or the path of an identity file, which is made with mode 0600 if there is none.
   * Default: a fresh identity for each call, so that nothing links one connection to another.
   */
  readonly identity?: string | Identity;
  /**
   * What may carry the connection: `auto`, the default, takes the best that there is; `direct` never sends by way of a
   * server, and says so in the tickets of a listener. Nothing is relayed yet.
   */
  readonly path?: PathPolicy;
  /**
   * Tells the peer the addresses of this machine's interfaces, and puts them into the tickets of a listener; default false:
   * with a server only peers that appear behind the same NAT are told, and tickets name servers alone.
   */
  readonly lan?: boolean;
  /**
   * STUN servers that tell where we are, at most 3, for paste mode and `signalling`: `stun.example.net`, `192.0.2.1:3478`,
   * `[2001:db8::1]:3478`. The default port is 3478.
   */
  readonly stun?: string | readonly string[];
  /**
   * A channel of the program's own over which peers find each other without a rendezvous server; both sides name theirs, and
   * `stun`. It belongs to this call alone, may lose, repeat, delay and reorder messages, may reach others as well, and needs no
   * protection: all that goes over it is sealed between the peers. Tickets of such a listener hold no addresses unless `lan`
   * or `addresses` asks for some.
   */
  readonly signalling?: Signalling;
  /** Asks the router for a port, by NAT-PMP, PCP or UPnP, if a server is used that is not on this machine; default true. */
  readonly portMapping?: boolean;
  /** How long a silent peer keeps the connection alive, in ms, 1,000 to 86,400,000; default 30,000. The smaller of both sides' holds. */
  readonly linger?: Duration;
  /** Outbound silence after which a sign of life is sent, in ms, 100 to 3,600,000; default 15,000. */
  readonly keepalive?: Duration;
  /** Who decides how much may be in flight; see {@link CongestionName}. Each side chooses for what it sends. */
  readonly congestion?: CongestionName;
  /**
   * Whether to send to a peer that this process was connected with in the last hour, at the same IP address, soon at half
   * of the rate that the path had then, instead of searching for it from nothing (RFC 9959 §3); default false. Pays on
   * paths with long round trips. Each side chooses for what it sends; peers are known by their identities.
   */
  readonly carefulResume?: boolean;
  /**
   * Writes a trace of each connection, for qvis and other tools that read qlog: files in this directory, which is made if
   * there is none, or wherever the function says. Traces hold addresses, sizes and times, but neither keys nor payload.
   */
  readonly qlog?: string | OpenQlog;
}

/** What may carry a connection. */
export type PathPolicy = "auto" | "direct";

/** Options of {@link connect}. */
export interface ConnectOptions extends CommonOptions {
  /** Gives up connecting; has no effect once the stream is there. The promise rejects with `signal.reason`. */
  readonly signal?: AbortSignal;
  /** How long to try, in ms, 1 to 3,600,000; default 20,000. */
  readonly timeout?: Duration;
  /**
   * For a ticket in paste mode, with `stun`: takes the string that has to reach the listener by hand, and another one if our
   * address has changed meanwhile. `timeout` is ten minutes then, unless given.
   */
  readonly onInvitation?: (text: string) => void;
  /** Bytes for the listener's `accept` hook, at most 256. Readable by whoever has the ticket and the listener's key. */
  readonly metadata?: Uint8Array;
}

/** Options of {@link listen}. */
export interface ListenOptions extends CommonOptions, TicketOptions {
  /**
   * Servers through which peers find this listener, by the address strings that `punchline server` prints; at most 4. They
   * go into the tickets. Default: none, and tickets hold the addresses of this machine.
   */
  readonly server?: string | readonly string[];
  /**
   * Paste mode: peers are found without a rendezvous server, by the ticket and a string that `connect` makes of it and that
   * has to reach {@link Listener.answer} by hand. Needs `stun`; default false. A ticket has one use then, and by default ten
   * minutes.
   */
  readonly paste?: boolean;
  /** Local UDP port, 0 to 65,535; default 0: any free one, the same for all addresses if possible. */
  readonly port?: number;
  /** Peers that may connect, by public key (64 hexadecimal digits or 32 bytes). Default: whoever has a ticket. */
  readonly allow?: readonly (string | Uint8Array)[];
  /** Decides on each peer within 15 s, after `allow`; `false`, an error and silence refuse it. */
  readonly accept?: (peer: PeerRequest) => boolean | Promise<boolean>;
  /** Closes the listener, as {@link Listener.close} does; while binding, the promise rejects with `signal.reason`. */
  readonly signal?: AbortSignal;
  /** Addresses for the tickets instead of those of this machine: `192.0.2.1:443`, `[2001:db8::1]:443`, or without a port for ours. At most 8. */
  readonly addresses?: readonly string[];
}

// Implementation

const HOUR: Duration = 60 * 60 * 1000;
const DEFAULT_TIMEOUT: Duration = 20_000;
const DEFAULT_HOSTS: readonly string[] = ["0.0.0.0", "::"];
const MAX_HOSTS = 8;
const MAX_ADDRESSES = 8;
const MAX_METADATA = 256;
/** As many as addresses of one socket are told. */
const MAX_STUN_SERVERS = 3;
const KEY_SIZE = 32;

/** {@link CommonOptions} without gaps. */
export interface CheckedCommon {
  readonly hosts: readonly string[];
  /** Whether the caller named the hosts: then each must work, else one is enough. */
  readonly hostsAreExplicit: boolean;
  readonly identity: string | Identity | undefined;
  readonly config: Config;
  readonly openTrace: OpenTrace | undefined;
  readonly reach: Reach;
  readonly directOnly: boolean;
  readonly stun: readonly ServerName[];
  readonly signalling: Signalling | undefined;
}

/** {@link ConnectOptions} without gaps. */
export interface CheckedConnect extends CheckedCommon {
  readonly signal: AbortSignal | undefined;
  readonly timeout: Duration;
  readonly metadata: Uint8Array | undefined;
  readonly onInvitation: ConnectOptions["onInvitation"];
}

/** {@link ListenOptions} without gaps. */
export interface CheckedListen extends CheckedCommon {
  readonly port: number;
  /** Public keys in hexadecimal. */
  readonly allow: ReadonlySet<string> | undefined;
  readonly accept: ListenOptions["accept"];
  readonly signal: AbortSignal | undefined;
  readonly servers: readonly ServerRecord[];
  readonly paste: boolean;
  /** Addresses for tickets; a port of 0 stands for the listener's own. */
  readonly addresses: readonly Address[] | undefined;
  /** `undefined` if the caller left both to us: a ticket that was kept may then serve again. */
  readonly ticket: CheckedTicket | undefined;
}

/**
 * Checks the options of `connect`.
 *
 * @throws {@link PunchlineError} `ERR_OPTION`.
 */
export function checkConnect(options: ConnectOptions): CheckedConnect {
  const common = checkCommon(options, 1);
  const timeout = duration("timeout", options.timeout, { least: 1, most: HOUR, fallback: DEFAULT_TIMEOUT });
  const { metadata } = options;
  if (metadata !== undefined && !(metadata instanceof Uint8Array)) throw bad("metadata is a Uint8Array");
  if (metadata !== undefined && metadata.length > MAX_METADATA) throw bad(`metadata has at most ${MAX_METADATA} bytes`);
  const { onInvitation } = options;
  if (onInvitation !== undefined && typeof onInvitation !== "function") throw bad("onInvitation is a function");
  return { ...common, timeout, metadata, onInvitation, signal: checkSignal(options.signal) };
}

/**
 * Checks the options of `listen`.
 *
 * @throws {@link PunchlineError} `ERR_OPTION`.
 */
export function checkListen(options: ListenOptions): CheckedListen {
  const common = checkCommon(options, MAX_HOSTS);
  const { port = 0, accept } = options;
  if (!isPort(port)) throw bad(`port is a whole number from 0 to 65535, not ${String(port)}`);
  if (accept !== undefined && typeof accept !== "function") throw bad("accept is a function");
  const paste = checkFlag("paste", options.paste);
  if (paste) checkPaste(options);
  if (common.signalling !== undefined && options.server !== undefined) {
    throw bad("a listener has either servers or a channel of its own");
  }
  const isDefaultTicket = options.expiresAt === undefined && options.uses === undefined && !paste;
  return {
    ...common,
    port,
    accept,
    paste,
    allow: options.allow === undefined ? undefined : new Set(options.allow.map(checkKey)),
    signal: checkSignal(options.signal),
    servers: checkServers(options.server),
    addresses: options.addresses === undefined ? undefined : checkAddresses(options.addresses),
    ticket: isDefaultTicket ? undefined : paste ? checkPasteTicket(options) : checkTicket(options),
  };
}

/** In paste mode STUN servers tell all that goes into a ticket. */
function checkPaste({ stun, server, addresses, signalling }: ListenOptions): void {
  if (signalling !== undefined) throw bad("a listener has either paste mode or a channel of its own");
  if (server !== undefined) throw bad("a listener has either servers or paste mode");
  if (addresses !== undefined) throw bad("in paste mode STUN servers tell the addresses for the ticket");
  if (stun === undefined) throw withoutStun();
}

/** Whoever is to be reached by hand has to know where it is. */
export function withoutStun(): PunchlineError {
  return new PunchlineError("ERR_OPTION", "paste mode needs a STUN server", { hint: "name one with the option stun" });
}

function checkCommon(options: CommonOptions, hostsOfOneFamily: number): CheckedCommon {
  if (typeof options !== "object" || options === null) throw bad("options are an object");
  const { identity } = options;
  if (identity !== undefined && typeof identity !== "string" && !(identity instanceof Identity)) {
    throw bad("identity is an Identity or the path of a file");
  }
  const linger = duration("linger", options.linger, { least: 1_000, most: 24 * HOUR, fallback: DEFAULT_CONFIG.linger });
  const keepalive = duration("keepalive", options.keepalive, {
    least: 100,
    most: HOUR,
    fallback: DEFAULT_CONFIG.keepalive,
  });
  return {
    hosts: checkHosts(options.host, hostsOfOneFamily),
    hostsAreExplicit: options.host !== undefined,
    identity,
    config: {
      ...DEFAULT_CONFIG,
      linger,
      keepalive,
      congestion: checkCongestion(options.congestion),
      carefulResume: checkFlag("carefulResume", options.carefulResume),
    },
    openTrace: checkQlog(options.qlog),
    reach: {
      tellsHosts: checkFlag("lan", options.lan),
      mapsPort: options.portMapping === undefined || checkFlag("portMapping", options.portMapping),
    },
    directOnly: checkPath(options.path) === "direct",
    stun: checkStun(options.stun),
    signalling: checkSignalling(options.signalling),
  };
}

function checkSignalling(signalling: Signalling | undefined): Signalling | undefined {
  if (signalling === undefined) return undefined;
  const isChannel = typeof signalling?.send === "function" && typeof signalling.onMessage === "function";
  if (!isChannel) throw bad("signalling is an object with the functions send and onMessage");
  return signalling;
}

function checkPath(path: PathPolicy | undefined): PathPolicy {
  if (path === undefined || path === "auto" || path === "direct") return path ?? "auto";
  throw bad(`path is auto or direct, not ${String(path)}`);
}

function checkStun(stun: CommonOptions["stun"]): readonly ServerName[] {
  if (stun === undefined) return [];
  if (typeof stun !== "string" && !Array.isArray(stun)) throw bad("stun is a string, or a list of some");
  const names = typeof stun === "string" ? [stun] : [...new Set(stun)];
  if (names.length < 1 || names.length > MAX_STUN_SERVERS) throw bad(`stun names 1 to ${MAX_STUN_SERVERS} servers`);
  return names.map(parseServerName);
}

function checkServers(server: ListenOptions["server"]): readonly ServerRecord[] {
  if (server === undefined) return [];
  if (typeof server !== "string" && !Array.isArray(server)) throw bad("server is a string, or a list of some");
  return serverRecords(typeof server === "string" ? [server] : [...new Set(server)]);
}

function checkQlog(qlog: string | OpenQlog | undefined): OpenTrace | undefined {
  if (qlog === undefined) return undefined;
  if (typeof qlog === "function") return qlogTo(qlog);
  if (typeof qlog !== "string" || qlog === "") throw bad("qlog is the path of a directory, or a function");
  return qlogInto(qlog);
}

function checkCongestion(name: CongestionName | undefined): CongestionName {
  if (name === undefined) return DEFAULT_CONFIG.congestion;
  if (CONGESTION_NAMES.includes(name)) return name;
  throw bad(`congestion is one of ${CONGESTION_NAMES.join(", ")}, not ${String(name)}`);
}

function checkFlag(name: string, value: boolean | undefined): boolean {
  if (value === undefined || typeof value === "boolean") return value ?? false;
  throw bad(`${name} is true or false`);
}

function checkHosts(host: CommonOptions["host"], ofOneFamily: number): readonly string[] {
  if (host === undefined) return DEFAULT_HOSTS;
  const hosts = typeof host === "string" ? [host] : [...new Set(host)];
  if (hosts.length === 0) throw bad("host names at least one address");
  if (hosts.length > MAX_HOSTS) throw bad(`host names at most ${MAX_HOSTS} addresses`);
  for (const each of hosts) if (isIP(each) === 0) throw bad(`host is a literal IP address, not ${String(each)}`);
  for (const family of [4, 6]) {
    if (hosts.filter((each) => isIP(each) === family).length > ofOneFamily) {
      throw bad(`host names at most ${ofOneFamily} address of each family here`);
    }
  }
  return hosts;
}

function checkKey(key: string | Uint8Array): string {
  if (key instanceof Uint8Array && key.length === KEY_SIZE) return toHex(key);
  if (typeof key === "string" && key.length === 2 * KEY_SIZE && /^[0-9a-fA-F]+$/.test(key)) return key.toLowerCase();
  throw bad("allow lists public keys: 64 hexadecimal digits or 32 bytes each");
}

function checkAddresses(texts: readonly string[]): readonly Address[] {
  if (texts.length === 0 || texts.length > MAX_ADDRESSES) throw bad(`addresses names 1 to ${MAX_ADDRESSES} addresses`);
  return texts.map((text) => {
    const address = parseAddress(text);
    if (address === undefined) throw bad(`not an address: ${String(text)}; write 192.0.2.1:443 or [2001:db8::1]:443`);
    return address;
  });
}

function checkSignal(signal: AbortSignal | undefined): AbortSignal | undefined {
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw bad("signal is an AbortSignal");
  return signal;
}

function duration(
  name: string,
  value: Duration | undefined,
  range: { readonly least: Duration; readonly most: Duration; readonly fallback: Duration },
): Duration {
  if (value === undefined) return range.fallback;
  if (typeof value === "number" && value >= range.least && value <= range.most) return value;
  throw bad(`${name} is a time from ${range.least} to ${range.most} ms, not ${String(value)}`);
}

function isPort(port: unknown): boolean {
  return typeof port === "number" && Number.isInteger(port) && port >= 0 && port <= 65_535;
}

function bad(message: string): PunchlineError {
  return new PunchlineError("ERR_OPTION", message);
}
