/**
 * A small internet in network namespaces: two homes behind routers, servers, public hosts, and delay between them.
 *
 * ```
 *   ha, ha2 ── na ─┐ WAN links with delay  ┌─ [cb ──] nb ── hb, hb2
 *                  └────────── inet ───────┘
 *                               ├─ srv     two addresses
 *                               └─ pub, pub2
 * ```
 *
 * `na`, `nb` and the carrier's router `cb`, which is there on request, begin without rules; {@link NatLab.install} gives them
 * some. The delay is on the link between `na` and `inet`, and on the one between `nb` (or `cb`) and `inet`. What comes to
 * `inet` with a small TTL vanishes, as on a path of many hops, so that openers die before they reach the other home.
 *
 * The addresses are from networks that are in use on the real internet, so that they pass for public. They are not routed
 * out of the namespaces.
 *
 * Linux, as root, with `ip`, `nft` and `cc`.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { compile } from "../compile.ts";
import { Namespaces, runToEnd, shell } from "../namespaces.ts";
import type { LinkOptions } from "../network.ts";
import { whyNoNetworks } from "../network.ts";
import { firewall6, INNER, OUTER, type RouterPlace, type Rules, rulesetOf } from "./ruleset.ts";

/** What a laboratory is made like. */
export interface LabOptions {
  /** What each of the two WAN links does to packets; `delay` is one way, in ms. Default: nothing. */
  readonly links?: LinkOptions;
  /** Whether a carrier's router stands between `nb` and the internet. */
  readonly carrier?: boolean;
  /** Whether there is IPv6, which no router translates. Without it programs find no address of that family. */
  readonly ipv6?: boolean;
}

export type HostName = "ha" | "ha2" | "hb" | "hb2" | "srv" | "pub" | "pub2";
export type RouterName = "na" | "nb" | "cb";

/** Which of the two homes. */
export type Home = "a" | "b";

/** A place where programs run. */
export interface LabHost {
  readonly name: HostName;
  readonly address: string;
  readonly address6: string;
  /** What to put in front of a command so that it runs on this host. */
  readonly prefix: readonly string[];
}

/** Times after which routers forget, in seconds. */
export interface Timers {
  /** Without any answer so far. */
  readonly unreplied: number;
  /** Once there was traffic both ways for 2 s, which is when Linux calls it a stream. */
  readonly stream: number;
}

/** What is installed beside the rules for IPv4. */
export interface InstallOptions {
  readonly timers?: Timers;
  /** Whether inner hosts get only what they have asked for over IPv6, too; default no. */
  readonly firewall6?: boolean;
}

/** Linux's own. */
const DEFAULT_TIMERS: Timers = { unreplied: 30, stream: 120 };

/** Addresses of the server, IPv4 and IPv6. */
export const SERVER_ADDRESSES = ["11.20.0.10", "11.20.0.11"] as const;
export const SERVER_ADDRESSES6 = ["2a00:20::10", "2a00:20::11"] as const;

/** All of these addresses are those of `pub`, too: programs there may bind any of them, and so come from many sources. */
export const CROWD = { prefix: "11.32", bits: 16 } as const;

/** What is sent there vanishes without an answer. */
export const BLACK_HOLE = "11.99.0.1";

/** Below this TTL packets do not cross `inet`: what an inner host sends with less than 11 has passed its router only. */
const HOPS = 10;

const HOSTS: Readonly<Record<HostName, { readonly address: string; readonly address6: string }>> = {
  ha: { address: "10.1.0.2", address6: "2a00:1::2" },
  ha2: { address: "10.1.0.3", address6: "2a00:1::3" },
  hb: { address: "10.2.0.2", address6: "2a00:2::2" },
  hb2: { address: "10.2.0.3", address6: "2a00:2::3" },
  srv: { address: SERVER_ADDRESSES[0], address6: SERVER_ADDRESSES6[0] },
  pub: { address: "11.30.0.10", address6: "2a00:30::10" },
  pub2: { address: "11.31.0.10", address6: "2a00:31::10" },
};

/** Inner networks of the homes, IPv4 and IPv6. */
const HOMES = [
  { home: "a", router: "na", hosts: ["ha", "ha2"], number: 1 },
  { home: "b", router: "nb", hosts: ["hb", "hb2"], number: 2 },
] as const;

/** Network between the carrier's router and its subscriber's (RFC 6598 §7). */
const CARRIER_NETWORK = "100.64.0.0/10";
const CARRIER_INNER = "100.64.0.1";
const CARRIER_SUBSCRIBER = "100.64.0.2";

/** The outer address of each home. */
export const OUTER_ADDRESSES: Readonly<Record<Home, string>> = { a: "5.10.1.2", b: "5.10.2.2" };

/** See the module. */
export class NatLab {
  readonly #namespaces: Namespaces;
  readonly #hasCarrier: boolean;
  readonly #links: Readonly<Record<Home, ChildProcess>>;
  readonly #installed = new Map<RouterName, string>();

  /** Makes a laboratory; it takes about half a second. Removes what killed predecessors have left. */
  static async create(options: LabOptions = {}): Promise<NatLab> {
    const reason = whyNoNetworks();
    if (reason !== undefined) throw new Error(reason);
    const { links = {}, carrier = false, ipv6 = false } = options;
    const routers = carrier ? ["na", "nb", "cb"] : ["na", "nb"];
    const namespaces = new Namespaces(["inet", ...routers, ...Object.keys(HOSTS)]);
    try {
      prepare(namespaces, { routers, ipv6 });
      const a = await startLink(namespaces, "na", "a", links);
      const b = await startLink(namespaces, carrier ? "cb" : "nb", "b", links);
      connectPlaces(namespaces, { carrier, ipv6 });
      awaitCarriers([...routers, ...Object.keys(HOSTS)].map((name) => namespaces.full(name)));
      return new NatLab(namespaces, carrier, { a, b });
    } catch (error) {
      namespaces.remove();
      throw error;
    }
  }

  private constructor(namespaces: Namespaces, hasCarrier: boolean, links: Readonly<Record<Home, ChildProcess>>) {
    this.#namespaces = namespaces;
    this.#hasCarrier = hasCarrier;
    this.#links = links;
  }

  /** One of the hosts. */
  host(name: HostName): LabHost {
    return { name, ...HOSTS[name], prefix: this.#namespaces.prefix(name) };
  }

  /** What to put in front of a command so that it runs on a router. */
  routerPrefix(name: RouterName): readonly string[] {
    return this.#namespaces.prefix(name);
  }

  /** Gives a router new rules in place of those that it had, and makes it forget. `undefined`: it only forwards. */
  async install(router: RouterName, rules: Rules | undefined, options: InstallOptions = {}): Promise<void> {
    const { timers = DEFAULT_TIMERS } = options;
    const text = [
      "flush ruleset",
      rules === undefined ? "" : rulesetOf(rules, this.#place(router, timers)),
      options.firewall6 ? firewall6() : "",
    ].join("\n");
    await this.#namespaces.run(router, [
      "sysctl",
      "-qw",
      `net.netfilter.nf_conntrack_udp_timeout=${timers.unreplied}`,
      `net.netfilter.nf_conntrack_udp_timeout_stream=${timers.stream}`,
    ]);
    await this.#load(router, text);
  }

  /** Restarts a router: it keeps its rules and forgets everything else. */
  async reboot(router: RouterName): Promise<void> {
    const text = this.#installed.get(router);
    if (text === undefined) throw new Error(`${router} has no rules`);
    await this.#load(router, text);
  }

  /** Changes what the WAN link of a home does to the packets to come. */
  change(home: Home, options: LinkOptions): void {
    this.#links[home].stdin!.write(`${wordsOf(options).join(" ")}\n`);
  }

  /** Ends what still runs and removes everything. */
  async close(): Promise<void> {
    const links = Object.values(this.#links);
    for (const link of links) link.kill("SIGTERM");
    await Promise.all(links.map((link) => (link.exitCode === null ? once(link, "close") : undefined)));
    this.#namespaces.remove();
  }

  /** The new rules come in one step with the end of the old ones; then nothing is left of what the old ones let in. */
  async #load(router: RouterName, text: string): Promise<void> {
    await this.#namespaces.run(router, ["nft", "-f", "-"], text);
    await runToEnd([compile(new URL("conntrack.c", import.meta.url)), this.#namespaces.full(router)]);
    this.#installed.set(router, text);
  }

  #place(router: RouterName, { stream: lifetime }: Timers): RouterPlace {
    switch (router) {
      case "na":
        return { outerAddress: OUTER_ADDRESSES.a, innerNetwork: "10.1.0.0/16", lifetime };
      case "nb": {
        const outerAddress = this.#hasCarrier ? CARRIER_SUBSCRIBER : OUTER_ADDRESSES.b;
        return { outerAddress, innerNetwork: "10.2.0.0/16", lifetime };
      }
      case "cb":
        return { outerAddress: OUTER_ADDRESSES.b, innerNetwork: CARRIER_NETWORK, lifetime };
    }
  }
}

/** Waits until every device works, for 5 s at most; it takes some 10 ms. */
function awaitCarriers(namespaces: readonly string[]): void {
  const isDown = (name: string): string => `ip -n ${name} -oneline link show up | grep -q NO-CARRIER`;
  shell([
    "turns=0",
    ...namespaces.map((name) => `while ${isDown(name)}; do test $((turns+=1)) -lt 500; sleep 0.01; done`),
  ]);
}

/** Which families exist, and who forwards. */
function prepare(
  namespaces: Namespaces,
  { routers, ipv6 }: { readonly routers: readonly string[]; readonly ipv6: boolean },
): void {
  const set = (name: string, ...values: readonly string[]): string =>
    `ip netns exec ${namespaces.full(name)} sysctl -qw ${values.join(" ")}`;
  const family = ["all", "default"].flatMap((scope) => [
    `net.ipv6.conf.${scope}.disable_ipv6=${ipv6 ? 0 : 1}`,
    // Or a new device's own address could not be used for a second.
    `net.ipv6.conf.${scope}.accept_dad=0`,
  ]);
  const forwarding = ["net.ipv4.ip_forward=1", ...(ipv6 ? ["net.ipv6.conf.all.forwarding=1"] : [])];
  shell([
    ...Object.keys(HOSTS).map((name) => set(name, ...family)),
    ...["inet", ...routers].map((name) => set(name, ...family, ...forwarding)),
    // Or the rules would see frames between neighbours, and translate them on the bridge. Absent if the module is.
    ...routers.map((name) => `${set(name, "-e", "net.bridge.bridge-nf-call-iptables=0")} || true`),
  ]);
}

/** The WAN link of a home: `wan` at the router, `wan-a` or `wan-b` in the middle. */
async function startLink(
  namespaces: Namespaces,
  router: string,
  home: Home,
  options: LinkOptions,
): Promise<ChildProcess> {
  const [near, far] = [namespaces.full(router), namespaces.full("inet")];
  const program = compile(new URL("../link.c", import.meta.url));
  const seed = home === "a" ? 1 : 2;
  const link = spawn(program, [near, far, ...wordsOf({ seed, ...options })], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: link.stdout });
  const [first] = await Promise.race([once(lines, "line"), once(link, "close")]);
  if (first !== "ready") throw new Error("the WAN link did not start");
  // What it says at its end is of no interest, but must not fill the pipe.
  lines.resume();
  shell([`ip -n ${near} link set wire0 name ${OUTER}`, `ip -n ${far} link set wire0 name wan-${home}`]);
  return link;
}

function wordsOf(options: LinkOptions): string[] {
  return Object.entries(options).map(([key, value]) => `${key}=${value}`);
}

/** Devices, addresses and routes. */
function connectPlaces(
  namespaces: Namespaces,
  { carrier, ipv6 }: { readonly carrier: boolean; readonly ipv6: boolean },
): void {
  const ns = (name: string): string => namespaces.full(name);
  const lines: string[] = [];
  const up = (name: string, device: string, ...addresses: readonly string[]): void => {
    for (const address of addresses) {
      const isIpv6 = address.includes(":");
      if (!isIpv6 || ipv6) lines.push(`ip -n ${ns(name)} addr add ${address} dev ${device}${isIpv6 ? " nodad" : ""}`);
    }
    lines.push(`ip -n ${ns(name)} link set ${device} up`);
  };
  const cable = (name: string, device: string, peer: string, peerDevice: string): void => {
    lines.push(`ip link add ${device} netns ${ns(name)} type veth peer name ${peerDevice} netns ${ns(peer)}`);
  };
  const route = (name: string, to: string, via: string): void => {
    if (!(via.includes(":") || to.includes(":")) || ipv6) lines.push(`ip -n ${ns(name)} route add ${to} ${via}`);
  };

  for (const { home, router, hosts, number } of HOMES) {
    const gateway = number === 2 && carrier ? "cb" : router;
    lines.push(`ip -n ${ns(router)} link add ${INNER} type bridge mcast_snooping 0`);
    up(router, INNER, `10.${number}.0.1/24`, `2a00:${number}::1/64`);
    for (const host of hosts) {
      cable(host, "eth0", router, host);
      lines.push(`ip -n ${ns(router)} link set ${host} master ${INNER} up`);
      up(host, "eth0", `${HOSTS[host].address}/24`, `${HOSTS[host].address6}/64`);
      route(host, "default", `via 10.${number}.0.1`);
      route(host, "default", `via 2a00:${number}::1`);
    }
    // The link's own queue is the one that counts; the device's must hold what comes while the link's program waits for a CPU.
    lines.push(`ip -n ${ns(gateway)} link set ${OUTER} txqueuelen 10000`);
    lines.push(`ip -n ${ns("inet")} link set wan-${home} txqueuelen 10000`);
    up(gateway, OUTER, `5.10.${number}.2/30`, `2a00:ff:${number}::2/64`);
    up("inet", `wan-${home}`, `5.10.${number}.1/30`, `2a00:ff:${number}::1/64`);
    route(gateway, "default", `via 5.10.${number}.1`);
    route(gateway, "default", `via 2a00:ff:${number}::1`);
    route("inet", `2a00:${number}::/64`, `via 2a00:ff:${number}::2`);
  }
  if (carrier) {
    cable("nb", OUTER, "cb", INNER);
    up("cb", INNER, `${CARRIER_INNER}/10`, "2a00:cb::1/64");
    up("nb", OUTER, `${CARRIER_SUBSCRIBER}/10`, "2a00:cb::2/64");
    route("nb", "default", `via ${CARRIER_INNER}`);
    route("nb", "default", "via 2a00:cb::1");
    route("cb", "2a00:2::/64", "via 2a00:cb::2");
  }
  for (const [host, number] of [
    ["srv", "20"],
    ["pub", "30"],
    ["pub2", "31"],
  ] as const) {
    const further = host === "srv" ? [`${SERVER_ADDRESSES[1]}/24`, `${SERVER_ADDRESSES6[1]}/64`] : [];
    cable(host, "eth0", "inet", host);
    up(host, "eth0", `${HOSTS[host].address}/24`, `${HOSTS[host].address6}/64`, ...further);
    up("inet", host, `11.${number}.0.1/24`, `2a00:${number}::1/64`);
    route(host, "default", `via 11.${number}.0.1`);
    route(host, "default", `via 2a00:${number}::1`);
  }
  lines.push(`ip -n ${ns("pub")} route add local ${CROWD.prefix}.0.0/${CROWD.bits} dev lo`);
  route("inet", `${CROWD.prefix}.0.0/${CROWD.bits}`, `via ${HOSTS.pub.address}`);
  lines.push(`ip -n ${ns("inet")} route add blackhole ${BLACK_HOLE}/32`);
  const rules = `ip ttl < ${HOPS} drop; ip6 hoplimit < ${HOPS} drop;`;
  const table = `table inet hops { chain forward { type filter hook forward priority filter; policy accept; ${rules} }; }`;
  lines.push(`ip netns exec ${ns("inet")} nft '${table}'`);
  shell(lines);
}
