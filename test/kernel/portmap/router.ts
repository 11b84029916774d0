/**
 * A home network in namespaces: a host, a router with Debian's miniupnpd, and a host outside.
 *
 * Linux, as root, with `ip`, `nft` and `miniupnpd` (package miniupnpd-nftables).
 *
 * @module
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Namespaces, shell } from "../namespaces.ts";
import { whyNoNetworks } from "../network.ts";

/** What the router speaks. */
export interface RouterOptions {
  readonly speaks: readonly ("pcp" | "nat-pmp" | "upnp")[];
  /** Version of the UPnP device; 2 if absent. */
  readonly igd?: 1 | 2;
  /** The router's address outside; {@link EXTERNAL_HOST} if absent. */
  readonly externalHost?: string;
}

/** A line that the client has said; see client.ts. */
export type ClientLine = { readonly type: string } & Readonly<Record<string, unknown>>;

/** A public address: miniupnpd maps nothing where its own is a reserved one. */
export const EXTERNAL_HOST = "5.9.9.2";

/** How long anything here may take, in ms. */
const PATIENCE = 15_000;

const RULES = `table inet filter {
  chain input { type filter hook input priority 0; SILENCED }
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    iifname "lan" accept
    jump miniupnpd
  }
  chain miniupnpd { }
  chain prerouting { type nat hook prerouting priority -100; jump prerouting_miniupnpd; }
  chain postrouting { type nat hook postrouting priority 100; jump postrouting_miniupnpd; oifname "wan" masquerade; }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
}`;

/** See the module. */
export class HomeNetwork {
  readonly #options: RouterOptions;
  readonly #folder = mkdtempSync(join(tmpdir(), "punchline-portmap-"));
  readonly #spaces = new Namespaces(["client", "router", "outside"]);
  readonly #clients: ChildProcess[] = [];
  #daemon: ChildProcess | undefined;

  static async create(options: RouterOptions): Promise<HomeNetwork> {
    const reason = whyNoNetworks() ?? whyNoDaemon();
    if (reason !== undefined) throw new Error(reason);
    const network = new HomeNetwork(options);
    await network.startDaemon();
    return network;
  }

  private constructor(options: RouterOptions) {
    this.#options = options;
    const ns = (name: string): string => this.#spaces.full(name);
    const { externalHost = EXTERNAL_HOST } = options;
    const link = (name: string, host: string, addresses: readonly [router: string, host: string]): string[] => [
      `ip link add ${name} netns ${ns("router")} type veth peer name eth0 netns ${ns(host)}`,
      `ip -n ${ns("router")} addr add ${addresses[0]}/24 dev ${name}`,
      `ip -n ${ns("router")} link set ${name} up`,
      `ip -n ${ns(host)} addr add ${addresses[1]}/24 dev eth0`,
      `ip -n ${ns(host)} link set eth0 up`,
    ];
    shell([
      ...link("lan", "client", ["192.168.77.1", "192.168.77.2"]),
      ...link("wan", "outside", [externalHost, externalHost.replace(/\d+$/, "1")]),
      `ip -n ${ns("client")} route add default via 192.168.77.1`,
      `ip netns exec ${ns("router")} sysctl -qw net.ipv4.ip_forward=1`,
    ]);
    // The daemon speaks PCP and NAT-PMP, or neither; the first byte of a request tells them apart.
    const silenced = (["nat-pmp", "pcp"] as const)
      .filter((protocol) => !options.speaks.includes(protocol))
      .map((protocol) => `udp dport 5351 @th,64,8 ${protocol === "pcp" ? 2 : 0} drop;`);
    execFileSync("ip", ["netns", "exec", ns("router"), "nft", "-f", "-"], {
      input: RULES.replace("SILENCED", silenced.join(" ")),
    });
  }

  /** Starts the daemon, which then knows no mappings, and waits until it answers. */
  async startDaemon(): Promise<void> {
    const { speaks, igd = 2 } = this.#options;
    const file = join(this.#folder, "conf");
    const lines = [
      "ext_ifname=wan",
      "listening_ip=lan",
      "ipv6_disable=yes",
      `enable_natpmp=${speaks.some((each) => each !== "upnp") ? "yes" : "no"}`,
      `enable_upnp=${speaks.includes("upnp") ? "yes" : "no"}`,
      `force_igd_desc_v1=${igd === 1 ? "yes" : "no"}`,
      "secure_mode=yes",
      `minissdpdsocket=${this.#folder}/ssdp`,
      "uuid=79b17e7c-016c-41c4-8124-72ef76276293",
      "allow 1024-65535 192.168.77.0/24 1024-65535",
      "deny 0-65535 0.0.0.0/0 0-65535",
    ];
    writeFileSync(file, `${lines.join("\n")}\n`);
    const [command = "", ...words] = this.#spaces.prefix("router");
    const daemon = spawn(command, [...words, "miniupnpd", "-d", "-f", file, "-P", join(this.#folder, "pid")], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#daemon = daemon;
    let said = "";
    daemon.stderr.on("data", (chunk) => (said += chunk));
    const deadline = performance.now() + PATIENCE;
    while (!this.#isListening(speaks)) {
      if (performance.now() > deadline || daemon.exitCode !== null) throw new Error(`miniupnpd did not start: ${said}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** What a router does that loses its power: the daemon ends, and its mappings are gone. */
  async stopDaemon(): Promise<void> {
    const daemon = this.#daemon;
    if (daemon === undefined || daemon.exitCode !== null) return;
    daemon.kill("SIGKILL");
    await once(daemon, "close");
    const router = this.#spaces.prefix("router");
    for (const chain of ["miniupnpd", "prerouting_miniupnpd", "postrouting_miniupnpd"])
      this.#execute([...router, "nft", "flush", "chain", "inet", "filter", chain]);
  }

  /** Starts client.ts on the inner host. */
  startClient(purpose: "map" | "probe"): Client {
    const path = fileURLToPath(new URL("client.ts", import.meta.url));
    const [command = "", ...words] = [
      ...this.#spaces.prefix("client"),
      process.execPath,
      "--import",
      "tsx",
      path,
      purpose,
    ];
    const program = spawn(command, words, { stdio: ["pipe", "pipe", "inherit"] });
    this.#clients.push(program);
    return new Client(program);
  }

  /** Sends a datagram from outside to a port of the router, from a port of its own. */
  sendFromOutside(port: number, text: string): void {
    const code = `const s = require("node:dgram").createSocket("udp4"); s.send(process.argv[1], ${port}, "${EXTERNAL_HOST}", () => s.close())`;
    this.#execute([...this.#spaces.prefix("outside"), process.execPath, "-e", code, text]);
  }

  /** Rules that forward ports at present. */
  forwards(): readonly string[] {
    const router = this.#spaces.prefix("router");
    const chain = this.#execute([...router, "nft", "list", "chain", "inet", "filter", "prerouting_miniupnpd"]);
    return chain.split("\n").filter((line) => line.includes("dnat"));
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.kill("SIGKILL");
    this.#daemon?.kill("SIGKILL");
    this.#spaces.remove();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #isListening(speaks: RouterOptions["speaks"]): boolean {
    const sockets = this.#execute([...this.#spaces.prefix("router"), "cat", "/proc/net/udp"]);
    const hasPort = (port: number): boolean =>
      sockets.includes(`:${port.toString(16).toUpperCase().padStart(4, "0")} `);
    return (!speaks.includes("upnp") || hasPort(1900)) && (speaks.every((each) => each === "upnp") || hasPort(5351));
  }

  #execute([command = "", ...words]: readonly string[]): string {
    return execFileSync(command, words, { encoding: "utf8" });
  }
}

function whyNoDaemon(): string | undefined {
  const { error } = spawnSync("miniupnpd", ["--version"]);
  return error === undefined ? undefined : "miniupnpd is not installed (package miniupnpd-nftables)";
}

/** The program on the inner host. */
export class Client {
  readonly #program: ChildProcess;
  readonly #lines: ClientLine[] = [];
  readonly #seen: ClientLine[] = [];
  #wake: () => void = () => {};

  constructor(program: ChildProcess) {
    this.#program = program;
    createInterface({ input: program.stdout! }).on("line", (line) => {
      this.#lines.push(JSON.parse(line));
      this.#wake();
    });
  }

  order(line: "renew" | "close"): void {
    this.#program.stdin!.write(`${line}\n`);
  }

  /** The next line of one of the types; others are passed over. */
  async next(...types: readonly string[]): Promise<ClientLine> {
    const deadline = performance.now() + PATIENCE;
    for (;;) {
      const line = this.#lines.shift();
      if (line !== undefined) this.#seen.push(line);
      if (line !== undefined && types.includes(line.type)) return line;
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`no ${types.join(" or ")}; so far ${JSON.stringify(this.#seen)}`);
      if (line === undefined) await this.#arrival(left);
    }
  }

  /** Lines of a type so far. */
  count(type: string): number {
    return [...this.#seen, ...this.#lines].filter((line) => line.type === type).length;
  }

  #arrival(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
