/**
 * Which addresses go into a ticket.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { parseAddress, reachableAddresses } from "../../src/io/addresses.ts";

const any4 = { host: "0.0.0.0", port: 7000, family: 4 } as const;
const any6 = { host: "::", port: 7001, family: 6 } as const;

function own(...addresses: string[]) {
  return addresses.map((address) => ({
    address,
    family: address.includes(":") ? "IPv6" : "IPv4",
    internal: address.startsWith("127.") || address === "::1",
  }));
}

describe("reachableAddresses", () => {
  test("a wildcard stands for every address of its family, with the port of its socket", () => {
    const found = reachableAddresses([any4, any6], own("127.0.0.1", "192.0.2.1", "::1", "2001:db8::1"));
    expect(found).toEqual([
      { host: "192.0.2.1", port: 7000, family: 4 },
      { host: "2001:db8::1", port: 7001, family: 6 },
    ]);
  });

  test("unique local addresses count, link-local ones never do", () => {
    const found = reachableAddresses([any4, any6], own("169.254.1.1", "fe80::1", "febf::2", "fd00::3", "10.0.0.4"));
    expect(found.map((each) => each.host)).toEqual(["10.0.0.4", "fd00::3"]);
  });

  test("loopback counts only where there is nothing else", () => {
    expect(reachableAddresses([any4], own("127.0.0.1", "::1")).map((each) => each.host)).toEqual(["127.0.0.1"]);
    expect(reachableAddresses([{ host: "127.0.0.1", port: 1, family: 4 }], own("10.0.0.1"))).toHaveLength(1);
  });

  test("at most 8 addresses, with room for both families", () => {
    const many = own(...Array.from({ length: 9 }, (_, i) => `10.0.0.${i + 1}`), "2001:db8::1", "2001:db8::2");
    const found = reachableAddresses([any4, any6], many);
    expect(found).toHaveLength(8);
    expect(found.filter((each) => each.family === 6)).toHaveLength(2);
  });

  test("the addresses of this machine can be asked", () => {
    for (const each of reachableAddresses([any4, any6])) expect(each.host).not.toMatch(/^(0\.0\.0\.0|::)$/);
  });
});

describe("parseAddress", () => {
  test.each([
    ["192.0.2.1:443", "192.0.2.1", 443, 4],
    ["192.0.2.1", "192.0.2.1", 0, 4],
    ["[2001:db8::1]:443", "2001:db8::1", 443, 6],
    ["[2001:db8::1]", "2001:db8::1", 0, 6],
    ["2001:db8::1", "2001:db8::1", 0, 6],
  ])("reads %s", (text, host, port, family) => {
    expect(parseAddress(text)).toEqual({ host, port, family });
  });

  test.each([
    "",
    "localhost:1",
    "192.0.2.1:65536",
    "192.0.2.1:",
    "192.0.2:1",
    "[192.0.2.1]:1",
    "2001:db8::1]:1",
    "1.2.3.4:-1",
  ])("refuses %j", (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  test("a megabyte of nonsense costs nothing", () => {
    const startedAt = performance.now();
    expect(parseAddress("1".repeat(1_000_000))).toBeUndefined();
    expect(parseAddress(`[${":".repeat(1_000_000)}`)).toBeUndefined();
    expect(performance.now() - startedAt).toBeLessThan(50);
  });
});
