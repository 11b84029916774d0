/**
 * Port mapping at a real gateway: Debian's miniupnpd with the kernel's NAT.
 *
 * @module
 */
import { afterEach, expect, test } from "vitest";
import type { Mapping } from "../../src/portmap/mapping.ts";
import { type Client, type ClientLine, EXTERNAL_HOST, HomeNetwork } from "./portmap/router.ts";

let network: HomeNetwork | undefined;

afterEach(async () => {
  await network?.close();
  network = undefined;
});

/** How long a datagram within this machine takes at most, in ms. */
const PASSAGE = 300;

async function mapped(client: Client): Promise<Mapping> {
  return ((await client.next("mapped")) as ClientLine & { mapping: Mapping }).mapping;
}

async function passes(client: Client, port: number, text: string): Promise<void> {
  network!.sendFromOutside(port, text);
  expect(await client.next("datagram")).toEqual({ type: "datagram", text });
}

test.each([
  { speaks: ["pcp"], igd: 2 },
  { speaks: ["nat-pmp"], igd: 2 },
  { speaks: ["upnp"], igd: 1 },
  { speaks: ["upnp"], igd: 2 },
] as const)(
  "with $speaks (IGD:$igd) a datagram from outside comes through, and no more after closing (MAP-1, MAP-7)",
  async (options) => {
    network = await HomeNetwork.create(options);
    const client = network.startClient("map");
    const { protocol, external, reach } = await mapped(client);
    expect(protocol).toBe(options.speaks[0]);
    expect(external.host).toBe(EXTERNAL_HOST);
    expect(reach).toBe("public");
    expect(network.forwards()).toHaveLength(1);
    await passes(client, external.port, "hello");
    client.order("close");
    const { ms } = await client.next("closed");
    expect(ms).toBeLessThan(500);
    expect(network.forwards()).toEqual([]);
    network.sendFromOutside(external.port, "too late");
    await new Promise((resolve) => setTimeout(resolve, PASSAGE));
    expect(client.count("datagram")).toBe(1);
  },
);

test("a gateway that speaks all of them gets one mapping, soon (MAP-1, MAP-8)", async () => {
  network = await HomeNetwork.create({ speaks: ["pcp", "nat-pmp", "upnp"] });
  const client = network.startClient("map");
  const { external } = await mapped(client);
  // The other two would have made theirs by now.
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  expect(client.count("pending")).toBe(0);
  expect(client.count("mapped")).toBe(1);
  expect(network.forwards()).toHaveLength(1);
  await passes(client, external.port, "hello");
  client.order("close");
  await client.next("closed");
  expect(network.forwards()).toEqual([]);
});

test.each(["pcp", "nat-pmp", "upnp"] as const)(
  "%s: a gateway that has restarted gets the mapping again (MAP-5)",
  async (protocol) => {
    network = await HomeNetwork.create({ speaks: [protocol] });
    const client = network.startClient("map");
    const { external } = await mapped(client);
    await network.stopDaemon();
    expect(network.forwards()).toEqual([]);
    await network.startDaemon();
    client.order("renew");
    const deadline = performance.now() + 8_000;
    while (network.forwards().length === 0 && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 50));
    await passes(client, external.port, "again");
  },
);

test("a probe finds all three and leaves nothing behind (MAP-13)", async () => {
  network = await HomeNetwork.create({ speaks: ["pcp", "nat-pmp", "upnp"] });
  const client = network.startClient("probe");
  const found = new Set<unknown>();
  while (found.size < 3) found.add((await client.next("available")).protocol);
  expect(found).toEqual(new Set(["pcp", "nat-pmp", "upnp"]));
  client.order("close");
  await client.next("closed");
  expect(network.forwards()).toEqual([]);
});

test("a router that speaks none of them is unavailable after 2 s, and says so (MAP-8)", async () => {
  network = await HomeNetwork.create({ speaks: [] });
  const client = network.startClient("map");
  await client.next("pending");
  const { lanes } = await client.next("unavailable");
  expect(lanes).toMatchObject([
    { protocol: "pcp", reason: "no answer" },
    { protocol: "nat-pmp", reason: "no answer" },
    { protocol: "upnp", reason: "no gateway found" },
  ]);
});

test("a router behind another NAT refuses, and says so (MAP-8)", async () => {
  network = await HomeNetwork.create({ speaks: ["pcp", "nat-pmp", "upnp"], externalHost: "100.64.0.2" });
  const client = network.startClient("map");
  const { lanes } = await client.next("unavailable");
  expect(lanes).toEqual([
    { protocol: "pcp", state: "refused", reason: "no resources" },
    { protocol: "nat-pmp", state: "refused", reason: "network failure" },
    { protocol: "upnp", state: "refused", reason: "the gateway has no usable external address" },
  ]);
});
