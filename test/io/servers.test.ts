/**
 * Servers as tickets and callers name them.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { sha256 } from "../../src/crypto/primitives.ts";
import { serverPin } from "../../src/crypto/server-keys.ts";
import { areElsewhere, resolveServers, serverRecords } from "../../src/io/servers.ts";
import { encodeServerString } from "../../src/ticket/server-string.ts";

const KEYS = [1, 2, 3, 4, 5].map((byte) => new Uint8Array(32).fill(byte));

function word(key: number, ...hosts: readonly string[]): string {
  const places = hosts.map((host) => ({ host, port: 3_478 }));
  return encodeServerString({ places, hasNextPort: false, key: KEYS[key]! }, sha256);
}

describe("records for tickets", () => {
  test("name the main place of each server first, four in all (CLI-34)", () => {
    const records = serverRecords([
      word(0, "192.0.2.1", "192.0.2.2"),
      ` ${word(1, "198.51.100.1", "198.51.100.2", "198.51.100.3")}\n`,
    ]);
    expect(records.map(({ host }) => host)).toEqual(["192.0.2.1", "198.51.100.1", "192.0.2.2", "198.51.100.2"]);
    expect(records[1]?.pin).toEqual(serverPin(KEYS[1]!));
  });

  test("five servers are too many", () => {
    expect(() => serverRecords([0, 1, 2, 3, 4].map((key) => word(key, "192.0.2.1")))).toThrow(/at most 4/);
  });
});

describe("servers of a ticket", () => {
  test("with one key are one server, with all its addresses", async () => {
    const servers = await resolveServers(serverRecords([word(0, "192.0.2.1", "2001:db8::1"), word(1, "127.0.0.1")]));
    expect(servers.map(({ addresses }) => addresses.map(({ host }) => host))).toEqual([
      ["192.0.2.1", "2001:db8::1"],
      ["127.0.0.1"],
    ]);
  });

  test("whose names lead nowhere are left out", async () => {
    expect(await resolveServers(serverRecords([word(0, "nobody.invalid"), word(1, "192.0.2.1")]))).toHaveLength(1);
  });

  test("on this machine are no reason to ask the router for a port (CLI-36)", async () => {
    const [here] = await resolveServers(serverRecords([word(0, "127.0.0.1", "::1")]));
    const [there] = await resolveServers(serverRecords([word(1, "192.0.2.1")]));
    expect([areElsewhere([here!]), areElsewhere([here!, there!]), areElsewhere([])]).toEqual([false, true, false]);
  });
});
