/**
 * Two hosts inside network namespaces of this machine, joined by a pair of virtual interfaces or by a bad link.
 *
 * Linux, as root, with `ip`; the bad link (link.c) is compiled with `cc` on first use. Everything that is made here goes
 * away with {@link Network.close}, at the latest with this process.
 *
 * @module
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { compile } from "./compile.ts";
import { Namespaces } from "./namespaces.ts";

/** What can be set of each direction of the bad link; the units and defaults stand at the top of link.c. */
type Setting =
  | "rate"
  | "queue"
  | "queue-packets"
  | "delay"
  | "jitter"
  | "loss"
  | "burst-enter"
  | "burst-leave"
  | "late"
  | "late-by"
  | "overtake"
  | "duplicate"
  | "corrupt"
  | "mtu"
  | "police"
  | "police-burst"
  | "down";

/** What the bad link does to packets, both ways alike, or with `@a` or `@b` to those of one host. */
export type LinkOptions = { readonly [setting in Setting | `${Setting}@${"a" | "b"}` | "seed"]?: number };

/** What one direction of a bad link has done, in packets unless the name says bytes. */
export interface LinkCounters {
  readonly packets: number;
  readonly bytes: number;
  readonly delivered: number;
  readonly lost: number;
  readonly overflowed: number;
  readonly oversized: number;
  readonly policed: number;
  readonly blackedOut: number;
  readonly late: number;
  readonly overtaking: number;
  readonly duplicated: number;
  readonly corrupted: number;
}

/** The counters of both directions, by sending host. */
export interface BothCounters {
  readonly fromA: LinkCounters;
  readonly fromB: LinkCounters;
}

/** One of the two hosts. */
export interface Host {
  readonly namespace: string;
  readonly address: string;
  readonly address6: string;
  /** What to put in front of a command so that it runs on this host. */
  readonly prefix: readonly string[];
}

/** Two hosts and what joins them. */
export interface Network {
  readonly a: Host;
  readonly b: Host;
  /** Removes the hosts. */
  close(): Promise<unknown>;
}

/** Two hosts on a bad link. */
export interface BadNetwork extends Network {
  /** Changes what the link does to the packets to come. */
  change(options: LinkOptions): void;
  /** What it has done so far. */
  counters(): Promise<BothCounters>;
  /** Removes the hosts; returns what the link has done. */
  close(): Promise<BothCounters>;
}

/** Why this process cannot make networks, or `undefined` if it can. */
export function whyNoNetworks(): string | undefined {
  if (process.platform !== "linux") return "network namespaces need Linux";
  if (process.getuid?.() !== 0) return "network namespaces need root";
  return undefined;
}

/** Two hosts on a pair of virtual Ethernet interfaces: fast, and faultless. */
export async function createVethNetwork(options: { readonly mtu: number }): Promise<Network> {
  const { namespaces, a, b } = createHosts();
  const end = (host: Host): string => `wire0 mtu ${options.mtu} netns ${host.namespace}`;
  ip(`link add ${end(a)} type veth peer name ${end(b)}`);
  configure(a, b);
  return {
    a,
    b,
    async close() {
      namespaces.remove();
    },
  };
}

/** Two hosts whose own links take `mtu` bytes, and between them a router with a link that takes `narrow` ones; IPv4 only. */
export async function createRoutedNetwork(options: {
  readonly mtu: number;
  readonly narrow: number;
}): Promise<Network> {
  const { namespaces, a, b: near } = createHosts("router");
  const b = { ...near, address: "198.18.1.2" };
  const router = namespaces.full("router");
  const { mtu, narrow } = options;
  ip(`link add wire0 mtu ${mtu} netns ${a.namespace} type veth peer name wire0 mtu ${mtu} netns ${router}`);
  ip(`link add wire0 mtu ${mtu} netns ${b.namespace} type veth peer name wire1 mtu ${narrow} netns ${router}`);
  for (const [index, host] of [a, b].entries()) {
    ip(`-n ${router} addr add 198.18.${index}.254/24 dev wire${index}`);
    ip(`-n ${router} link set wire${index} up`);
    ip(`-n ${host.namespace} addr add ${host.address}/24 dev wire0`);
    ip(`-n ${host.namespace} link set wire0 up`);
    ip(`-n ${host.namespace} route add default via 198.18.${index}.254`);
  }
  execFileSync("ip", ["netns", "exec", router, "sysctl", "-qw", "net.ipv4.ip_forward=1"], { stdio: "inherit" });
  return {
    a,
    b,
    async close() {
      namespaces.remove();
    },
  };
}

/** Two hosts on a link with the given faults. */
export async function createBadNetwork(options: LinkOptions): Promise<BadNetwork> {
  const program = compile(new URL("link.c", import.meta.url));
  const { namespaces, a, b } = createHosts();
  const link = spawn(program, [a.namespace, b.namespace, ...wordsOf(options)], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: link.stdout })[Symbol.asyncIterator]();
  const first = await lines.next();
  if (first.value !== "ready") {
    namespaces.remove();
    throw new Error("the link did not start");
  }
  configure(a, b);
  const nextCounters = async (): Promise<BothCounters> => JSON.parse((await lines.next()).value);
  return {
    a,
    b,
    change: (changed) => void link.stdin.write(`${wordsOf(changed).join(" ")}\n`),
    counters() {
      link.stdin.write("counters\n");
      return nextCounters();
    },
    async close() {
      link.kill("SIGTERM");
      const counters = await nextCounters();
      await ended(link);
      namespaces.remove();
      return counters;
    },
  };
}

function wordsOf(options: LinkOptions): string[] {
  return Object.entries(options).map(([key, value]) => `${key}=${value}`);
}

/** How long an interface may take until it is usable, in ms; it takes about 10. */
const CARRIER_TIMEOUT = 5000;

interface Hosts {
  readonly namespaces: Namespaces;
  readonly a: Host;
  readonly b: Host;
}

/** Two hosts that nothing joins yet, in namespaces of their own; `others` are made along with them. */
function createHosts(...others: readonly string[]): Hosts {
  const reason = whyNoNetworks();
  if (reason !== undefined) throw new Error(reason);
  const namespaces = new Namespaces(["a", "b", ...others]);
  const host = (name: "a" | "b"): Host => {
    const number = name === "a" ? 1 : 2;
    // RFC 2544 §C.2.2 sets this network aside for such tests, so it collides with no real one.
    const addresses = { address: `198.18.0.${number}`, address6: `fd00:18::${number}` };
    return { namespace: namespaces.full(name), ...addresses, prefix: namespaces.prefix(name) };
  };
  return { namespaces, a: host("a"), b: host("b") };
}

/** Gives both hosts their addresses, and waits until both ends of the link have a carrier. */
function configure(...hosts: readonly Host[]): void {
  for (const host of hosts) {
    ip(`-n ${host.namespace} addr add ${host.address}/24 dev wire0`);
    ip(`-n ${host.namespace} addr add ${host.address6}/64 dev wire0 nodad`);
    // The link's own queue is the one that counts; the device's must hold what comes while the link's program waits for a CPU.
    ip(`-n ${host.namespace} link set wire0 txqueuelen 10000 up`);
  }
  const deadline = performance.now() + CARRIER_TIMEOUT;
  while (!hosts.every(isRunning)) if (performance.now() > deadline) throw new Error("the link got no carrier");
}

/** Whether programs on the host see the interface as running. A TUN device is in the state UNKNOWN when it works. */
function isRunning(host: Host): boolean {
  const words = `-n ${host.namespace} -oneline link show dev wire0`.split(" ");
  const line = execFileSync("ip", words, { encoding: "utf8" });
  return line.includes("LOWER_UP") && / state (UP|UNKNOWN) /.test(line);
}

function ip(command: string): void {
  execFileSync("ip", command.split(" "), { stdio: ["ignore", "inherit", "inherit"] });
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once("exit", () => resolve());
  });
}
