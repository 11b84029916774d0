/**
 * @module
 */
import { describe, expect, test } from "vitest";
import { isAllowedTarget, scopeOf, targetRules } from "../../../src/path/punch/address-rules.ts";
import { address } from "../../../src/testing/index.ts";
import type { Candidate } from "../../../src/wire/candidate.ts";

function reflexive(...hosts: readonly string[]): Candidate[] {
  return hosts.map((host) => ({ kind: "reflexive", address: address(host, 4000), group: 0 }));
}

function rules(options: { local?: string; remote?: string; attested?: string; allowsLowPorts?: boolean } = {}) {
  const { local = "203.0.113.1", remote = "203.0.113.2", attested = remote, allowsLowPorts = false } = options;
  const hosts = { local: reflexive(local), remote: reflexive(remote), attestedRemoteHosts: [attested] };
  return targetRules({ ...hosts, allowsLowPorts });
}

test.each([
  ["none", ["0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"]],
  ["none", ["::", "ff02::1", "fe80::1", "::ffff:192.0.2.1", "::192.0.2.1", "no address", "example.org", ""]],
  ["none", ["64:ff9b::e000:1", "64:ff9b::ffff:ffff"]],
  ["loopback", ["127.0.0.1", "127.255.0.1", "::1", "64:ff9b::7f00:1"]],
  ["private", ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.0.1", "169.254.1.1"]],
  ["private", ["fc00::1", "fd12::1"]],
  [
    "global",
    ["1.1.1.1", "100.128.0.1", "172.32.0.1", "192.169.0.1", "223.255.255.255", "2001:db8::1", "64:ff9b::101:101"],
  ],
])("%s: %j (PATH-15)", (scope, hosts) => {
  expect(hosts.map(scopeOf)).toEqual(hosts.map(() => scope));
});

describe("targets (PATH-15)", () => {
  test("port 0 is never one, ports below 1024 only on request", () => {
    const at = (port: number, allowsLowPorts: boolean) =>
      isAllowedTarget(address("192.0.2.1", port), rules({ allowsLowPorts }));
    expect([0, 1, 1023, 1024, 65_535].map((port) => at(port, false))).toEqual([false, false, false, true, true]);
    expect([0, 1, 1023].map((port) => at(port, true))).toEqual([false, true, true]);
  });

  test("private addresses are one if both sides appear at the same address", () => {
    const home = address("192.168.1.7", 5000);
    expect(isAllowedTarget(home, rules())).toBe(false);
    expect(isAllowedTarget(home, rules({ remote: "203.0.113.1" }))).toBe(true);
  });

  test("private addresses are one if the server itself sees both sides at private ones", () => {
    const office = address("10.2.0.7", 5000);
    expect(isAllowedTarget(office, rules({ local: "10.1.0.1", remote: "10.2.0.7" }))).toBe(true);
    expect(isAllowedTarget(office, rules({ local: "10.1.0.1", remote: "10.2.0.7", attested: "203.0.113.2" }))).toBe(
      false,
    );
    expect(isAllowedTarget(office, rules({ remote: "10.2.0.7" }))).toBe(false);
  });

  test("loopback addresses are one if both sides appear at one", () => {
    const here = address("127.0.0.1", 5000);
    expect(isAllowedTarget(here, rules({ remote: "127.0.0.1" }))).toBe(false);
    expect(isAllowedTarget(here, rules({ remote: "203.0.113.1" }))).toBe(false);
    expect(isAllowedTarget(here, rules({ local: "127.0.0.1", remote: "127.0.0.1" }))).toBe(true);
  });
});
