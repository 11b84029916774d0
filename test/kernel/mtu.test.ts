/**
 * The size of datagrams where the kernel has a say: interfaces, routers that complain, fragments.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Workplace } from "../../scripts/accept/row.ts";
import { hashOf, makeFile } from "../../scripts/accept/tools/files.ts";
import { bothSucceed, startFlow } from "../../scripts/accept/tools/pair.ts";
import { createRoutedNetwork, createVethNetwork, type Host, type Network } from "./network.ts";

/** Bytes of the header of Ethernet, which the counters of an interface include. */
const ETHERNET_HEADER = 14;

let place: Workplace;
let network: Network | undefined;

beforeEach(async () => {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  place = { root, folder: await mkdtemp(join(tmpdir(), "punchline-kernel-")), log: () => {} };
});

afterEach(async () => {
  await network?.close();
  network = undefined;
  await rm(place.folder, { recursive: true, force: true });
});

function read(host: Host, path: string): string {
  const [command = "", ...words] = [...host.prefix, "cat", path];
  return execFileSync(command, words, { encoding: "utf8" });
}

/** Mean size of the IP packets that a host has received. */
function meanSize(host: Host): number {
  const count = (name: string): number => Number(read(host, `/sys/class/net/wire0/statistics/rx_${name}`));
  return count("bytes") / count("packets") - ETHERNET_HEADER;
}

/** Fragments that a host has made. */
function fragmentsMade(host: Host): number {
  const [names, values] = read(host, "/proc/net/snmp").split("\n");
  return Number(values!.split(" ")[names!.split(" ").indexOf("FragCreates")]);
}

/** Sends 20 MB from host a to host b. */
async function transfer({ a, b }: Network): Promise<void> {
  const hash = await makeFile(place.folder, "in", 20_000_000);
  const flow = await startFlow(place, "to-listener", {
    host: b.address,
    sender: { redirect: "< in", prefix: a.prefix },
    receiver: { redirect: "> out", prefix: b.prefix },
  });
  await bothSucceed(flow, 60);
  expect(await hashOf(place.folder, "out")).toBe(hash);
}

test.each([1_300, 1_500, 9_000])("packets are as large as an interface of %d bytes takes (MTU-5)", async (mtu) => {
  network = await createVethNetwork({ mtu });
  await transfer(network);
  expect(meanSize(network.b)).toBeGreaterThan(mtu * 0.85);
  expect(fragmentsMade(network.a)).toBe(0);
});

test.each([
  { mtu: 1_500, narrow: 1_400 },
  { mtu: 9_000, narrow: 1_500 },
])("behind a router that takes $narrow bytes they have that size, in one piece (MTU-9)", async ({ mtu, narrow }) => {
  network = await createRoutedNetwork({ mtu, narrow });
  await transfer(network);
  expect(meanSize(network.b)).toBeGreaterThan(narrow * 0.85);
  expect(meanSize(network.b)).toBeLessThanOrEqual(narrow);
  // The router complains about the first probe, and from then on the kernel cuts what is too large: a few probes.
  expect(fragmentsMade(network.a)).toBeLessThan(100);
});
