import { expect, test } from "vitest";
import { findGateway, localHostTowards, type RoutingView } from "../../../src/io/portmap/gateway.ts";

function view(platform: string, output: string | undefined): RoutingView {
  return { platform, read: () => output, run: async () => output };
}

/** Addresses as a little-endian machine reads them; the test computes them for the machine that it runs on. */
function word(host: string): string {
  const bytes = Uint8Array.from(host.split(".").map(Number));
  return new Uint32Array(bytes.buffer)[0]!.toString(16).toUpperCase().padStart(8, "0");
}

function linux(
  ...routes: readonly (readonly [destination: string, gateway: string, flags: string, metric: number, mask: string])[]
): string {
  const rows = routes.map(([destination, gateway, flags, metric, mask]) =>
    ["eth0", word(destination), word(gateway), flags, 0, 0, metric, word(mask), 0, 0, 0].join("\t"),
  );
  return ["Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT", ...rows, ""].join(
    "\n",
  );
}

test("Linux: the default route with the smallest metric", async () => {
  const routes = linux(
    ["192.168.1.0", "0.0.0.0", "0001", 100, "255.255.255.0"],
    ["0.0.0.0", "192.168.1.254", "0003", 600, "0.0.0.0"],
    ["0.0.0.0", "192.168.1.1", "0003", 100, "0.0.0.0"],
    ["0.0.0.0", "10.0.0.1", "0003", 0, "128.0.0.0"],
    ["0.0.0.0", "10.0.0.2", "0203", 0, "0.0.0.0"],
    ["0.0.0.0", "10.0.0.3", "0002", 0, "0.0.0.0"],
  );
  expect(await findGateway(view("linux", routes))).toEqual({ kind: "found", host: "192.168.1.1" });
});

test("Linux: a route without a gateway, as a tunnel has it, is none", async () => {
  const routes = linux(["0.0.0.0", "0.0.0.0", "0001", 0, "0.0.0.0"]);
  expect(await findGateway(view("linux", routes))).toEqual({
    kind: "none",
    reason: expect.stringMatching(/default route/),
  });
  expect(await findGateway(view("linux", undefined))).toMatchObject({ kind: "none" });
  expect(await findGateway(view("linux", "\0garbage\n\n a b c d e f g h"))).toMatchObject({ kind: "none" });
});

test("macOS and Windows: what their route command prints", async () => {
  const mac =
    "   route to: default\ndestination: default\n       mask: default\n    gateway: 192.168.178.1\n  interface: en0\n";
  expect(await findGateway(view("darwin", mac))).toEqual({ kind: "found", host: "192.168.178.1" });
  const windows =
    "Active Routes:\r\nNetwork Destination  Netmask  Gateway  Interface  Metric\r\n          0.0.0.0          0.0.0.0      192.168.1.1     192.168.1.23     25\r\n";
  expect(await findGateway(view("win32", windows))).toEqual({ kind: "found", host: "192.168.1.1" });
  expect(await findGateway(view("darwin", undefined))).toMatchObject({ kind: "none" });
  expect(await findGateway(view("darwin", "    gateway: link#14\n"))).toMatchObject({ kind: "none" });
});

test("other systems say so", async () => {
  expect(await findGateway(view("aix", ""))).toEqual({ kind: "none", reason: expect.stringContaining("aix") });
});

test("the address towards a host of this machine is its own", async () => {
  expect(await localHostTowards("127.0.0.1")).toMatch(/^127\./);
});
