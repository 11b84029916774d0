/**
 * The default gateway of this machine, and our own address towards it; IPv4.
 *
 * Linux shows its routes in `/proc/net/route`. macOS, the BSDs and Windows are asked with their own `route` command; its output is
 * read as far as it has the usual form. Anywhere else, or when there is no default route through a router (a VPN often has
 * none), nothing is found, and the reason says so.
 *
 * @module
 */
import { execFile } from "node:child_process";
import { createSocket } from "node:dgram";
import { isIPv4 } from "node:net";
import { readSmallFile } from "../interface-mtu.ts";

/** The gateway, or why there is none. */
export type GatewayLookup =
  | { readonly kind: "found"; readonly host: string }
  | { readonly kind: "none"; readonly reason: string };

/** What can be asked of this machine. */
export interface RoutingView {
  readonly platform: string;
  /** The text of a file, `undefined` if it cannot be read. */
  read(path: string): string | undefined;
  /** What a program prints, `undefined` if it fails. */
  run(program: string, words: readonly string[]): Promise<string | undefined>;
}

// Implementation

/** Bits of a route in `/proc/net/route`: in use; through a gateway; refuses. */
const ROUTE_UP = 0x0001;
const ROUTE_GATEWAY = 0x0002;
const ROUTE_REJECT = 0x0200;

/** The routing command answers within a few ms. */
const COMMAND_TIMEOUT = 1_000;

/** Longest output of the routing command that is read, in bytes. */
const MAX_OUTPUT = 256 * 1024;

const BSDS: ReadonlySet<string> = new Set(["darwin", "freebsd", "openbsd", "netbsd"]);

/** Finds the default gateway. */
export async function findGateway(view: RoutingView = system): Promise<GatewayLookup> {
  const { platform } = view;
  if (platform === "linux" || platform === "android") {
    const routes = view.read("/proc/net/route");
    if (routes === undefined) return none("/proc/net/route cannot be read");
    return toLookup(linuxGateway(routes));
  }
  if (BSDS.has(platform)) {
    const output = await view.run("/sbin/route", ["-n", "get", "default"]);
    return toLookup(/^\s*gateway:\s+([\d.]+)\s*$/m.exec(output ?? "")?.[1]);
  }
  if (platform === "win32") {
    const output = await view.run("route.exe", ["print", "-4", "0.0.0.0"]);
    return toLookup(/^\s*0\.0\.0\.0\s+0\.0\.0\.0\s+([\d.]+)\s/m.exec(output ?? "")?.[1]);
  }
  return none(`the gateway cannot be found on ${platform}`);
}

/** Our address on datagrams to `host`, `undefined` if there is no way there. Nothing is sent. */
export function localHostTowards(host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    const finish = (local: string | undefined): void => {
      socket.close();
      resolve(local);
    };
    socket.once("error", () => finish(undefined));
    socket.connect(1, host, () => finish(socket.address().address));
  });
}

/** Interface, destination, gateway, flags, …, metric, mask: addresses as this machine reads them from memory. */
function linuxGateway(routes: string): string | undefined {
  let best: { readonly host: string; readonly metric: number } | undefined;
  for (const line of routes.split("\n").slice(1)) {
    const [, destination, gateway, flags, , , metric, mask] = line.trim().split(/\s+/);
    if (gateway === undefined || flags === undefined || mask === undefined) continue;
    const bits = Number.parseInt(flags, 16);
    const isUsable = (bits & ROUTE_UP) !== 0 && (bits & ROUTE_GATEWAY) !== 0 && (bits & ROUTE_REJECT) === 0;
    if (!isUsable || Number.parseInt(destination ?? "1", 16) !== 0 || Number.parseInt(mask, 16) !== 0) continue;
    const host = new Uint8Array(Uint32Array.of(Number.parseInt(gateway, 16)).buffer).join(".");
    if (best === undefined || Number(metric) < best.metric) best = { host, metric: Number(metric) };
  }
  return best?.host;
}

function toLookup(host: string | undefined): GatewayLookup {
  const isHost = host !== undefined && isIPv4(host) && host !== "0.0.0.0";
  return isHost ? { kind: "found", host } : none("there is no IPv4 default route through a gateway");
}

function none(reason: string): GatewayLookup {
  return { kind: "none", reason };
}

/** This machine. */
const system: RoutingView = {
  platform: process.platform,
  read: readSmallFile,
  run: (program, words) =>
    new Promise((resolve) => {
      const options = { timeout: COMMAND_TIMEOUT, maxBuffer: MAX_OUTPUT, windowsHide: true };
      execFile(program, words, options, (error, stdout) => resolve(error === null ? stdout : undefined));
    }),
};
