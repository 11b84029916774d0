import { endianness } from "node:os";
import { describe, expect, test } from "vitest";
import { fragmentsMade } from "../../src/io/fragments.ts";
import { interfaceMtu, type NetworkView, readSmallFile } from "../../src/io/interface-mtu.ts";
import type { Address } from "../../src/util/machine.ts";

const to = (host: string): Address => ({ host, port: 1, family: host.includes(":") ? 6 : 4 });
const ANY4 = to("0.0.0.0");
const ANY6 = to("::");

/** An address as /proc/net/route prints it: the four bytes as a number of this machine. */
function printed(address: string): string {
  const bytes = address.split(".").map((part) => Number(part).toString(16).padStart(2, "0"));
  return (endianness() === "LE" ? bytes.reverse() : bytes).join("").toUpperCase();
}

const route = (name: string, destination: string, mask: string, { flags = "0003", metric = 0, mtu = 0 } = {}): string =>
  [name, printed(destination), printed("0.0.0.0"), flags, 0, 0, metric, printed(mask), mtu, 0, 0].join("\t");

const ROUTES = [
  "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT",
  route("wlan0", "0.0.0.0", "0.0.0.0", { metric: 600 }),
  route("eth0", "0.0.0.0", "0.0.0.0", { metric: 100 }),
  route("eth0", "192.0.2.0", "255.255.255.0"),
  route("wg0", "10.0.0.0", "255.0.0.0"),
  route("jumbo0", "10.9.0.0", "255.255.128.0"),
  route("eth0", "198.51.100.0", "255.255.255.128", { mtu: 1_300 }),
  route("down0", "203.0.113.0", "255.255.255.0", { flags: "0002" }),
  route("none0", "203.0.113.0", "255.255.255.0", { flags: "0201" }),
  "",
].join("\n");

const ROUTES6 = [
  "20010db8000000000000000000000000 20 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 1 0 00000003     eth0",
  "20010db8000100000000000000000000 30 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 1 0 00000001   jumbo0",
  "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 1 0 00000003      wg0",
  "00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 1 0 00200200       lo",
].join("\n");

const FILES: Record<string, string> = {
  "/proc/net/route": ROUTES,
  "/proc/net/ipv6_route": ROUTES6,
  "/sys/class/net/lo/mtu": "65536\n",
  "/sys/class/net/eth0/mtu": "1500\n",
  "/sys/class/net/wlan0/mtu": "1492\n",
  "/sys/class/net/wg0/mtu": "1420\n",
  "/sys/class/net/jumbo0/mtu": "9000\n",
};

const view: NetworkView = {
  addresses: () => [
    { name: "lo", address: "127.0.0.1", internal: true },
    { name: "lo", address: "::1", internal: true },
    { name: "eth0", address: "192.0.2.7", internal: false },
    { name: "wlan0", address: "198.51.100.200", internal: false },
    { name: "eth0", address: "2001:db8::7", internal: false },
  ],
  read: (path) => FILES[path],
};

describe("the MTU of the interface towards an address (MTU-5)", () => {
  test.each([
    { what: "this machine", local: ANY4, remote: "127.0.0.1", mtu: 65_536 },
    { what: "all of 127/8", local: ANY4, remote: "127.8.8.8", mtu: 65_536 },
    { what: "an address of an interface", local: ANY4, remote: "192.0.2.7", mtu: 65_536 },
    { what: "a neighbour", local: ANY4, remote: "192.0.2.8", mtu: 1_500 },
    { what: "the default route with the least metric", local: ANY4, remote: "8.8.8.8", mtu: 1_500 },
    { what: "a tunnel", local: ANY4, remote: "10.1.2.3", mtu: 1_420 },
    { what: "the longest prefix", local: ANY4, remote: "10.9.127.3", mtu: 9_000 },
    { what: "the same network, outside of it", local: ANY4, remote: "10.9.128.3", mtu: 1_420 },
    { what: "a route with an MTU of its own", local: ANY4, remote: "198.51.100.1", mtu: 1_300 },
    { what: "routes that are down or refuse", local: ANY4, remote: "203.0.113.1", mtu: 1_500 },
    { what: "a socket bound to a narrower interface", local: to("198.51.100.200"), remote: "8.8.8.8", mtu: 1_492 },
    { what: "a socket bound to a wider one than the route", local: to("192.0.2.7"), remote: "10.1.2.3", mtu: 1_420 },
    { what: "this machine over IPv6", local: ANY6, remote: "::1", mtu: 65_536 },
    { what: "an own IPv6 address", local: ANY6, remote: "2001:db8::7", mtu: 65_536 },
    { what: "a network", local: ANY6, remote: "2001:db8:2::1", mtu: 1_500 },
    { what: "a longer prefix", local: ANY6, remote: "2001:db8:1::1", mtu: 9_000 },
    { what: "the default route", local: ANY6, remote: "2606::1", mtu: 1_420 },
    { what: "a link-local address", local: ANY6, remote: "fe80::1%jumbo0", mtu: 9_000 },
  ])("$what: $mtu", ({ local, remote, mtu }) => {
    expect(interfaceMtu(local, to(remote), view)).toBe(mtu);
  });

  test("is unknown where the system shows nothing", () => {
    const blind: NetworkView = { addresses: () => [], read: () => undefined };
    expect(interfaceMtu(ANY4, to("8.8.8.8"), blind)).toBe(undefined);
    expect(interfaceMtu(ANY6, to("2606::1"), blind)).toBe(undefined);
    expect(interfaceMtu(ANY4, to("127.0.0.1"), blind)).toBe(undefined);
  });

  test.each([
    "",
    "head\n\n\n",
    "head\na b c\n",
    `head\n${route("../../etc", "0.0.0.0", "0.0.0.0")}`,
    "\0\0\0",
    "head\neth0 x y 3 0 0 0 z w",
  ])("is unknown where a file holds %j", (text) => {
    const odd: NetworkView = { addresses: () => [], read: (path) => (path.startsWith("/sys") ? "not a number" : text) };
    expect(interfaceMtu(ANY4, to("8.8.8.8"), odd)).toBe(undefined);
    expect(interfaceMtu(ANY6, to("2606::1"), odd)).toBe(undefined);
  });

  test.runIf(process.platform === "linux")("of the real loopback is what the kernel says", () => {
    const mtu = Number(readSmallFile("/sys/class/net/lo/mtu"));
    expect(mtu).toBeGreaterThan(1_000);
    expect(interfaceMtu(to("127.0.0.1"), to("127.0.0.1"))).toBe(mtu);
  });
});

describe("fragments that the kernel has made (MTU-9)", () => {
  const snmp = "Ip: Forwarding FragOKs FragFails FragCreates OutTransmits\nIp: 1 2 3 44 5\nIcmp: InMsgs\nIcmp: 9\n";

  test("are read from its counters", () => {
    expect(fragmentsMade(4, () => snmp)).toBe(44);
    expect(fragmentsMade(6, () => "Ip6FragFails   \t7\nIp6FragCreates                  \t8\n")).toBe(8);
  });

  test.each(["", "Ip: A B\n", "Ip: A B\nIp: 1 2\n", "Ip: FragCreates\nIp: x\n", "nothing"])(
    "are unknown in %j",
    (text) => {
      expect(fragmentsMade(4, () => text)).toBe(undefined);
      expect(fragmentsMade(6, () => text)).toBe(undefined);
    },
  );

  test.runIf(process.platform === "linux")("are counted on this machine", () => {
    expect(fragmentsMade(4)).toBeGreaterThanOrEqual(0);
  });

  test("no file that is missing or endless is read", () => {
    expect(readSmallFile("/proc/no/such/file")).toBe(undefined);
    if (process.platform === "linux") expect(readSmallFile("/dev/zero")).toBe(undefined);
  });
});
