/**
 * The command between two hosts: the kernel's own sockets, routes and errors, in place of the simulator's.
 *
 * @module
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Workplace } from "../../scripts/accept/row.ts";
import { hashOf, makeFile } from "../../scripts/accept/tools/files.ts";
import { bothSucceed, DIRECTIONS, exitOf, startFlow } from "../../scripts/accept/tools/pair.ts";
import { Side } from "../../scripts/accept/tools/side.ts";
import { createBadNetwork, createVethNetwork, type Network } from "./network.ts";

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

test.each(["address", "address6"] as const)("50 MB cross a veth pair in both directions by %s", async (family) => {
  network = await createVethNetwork({ mtu: 1500 });
  const hash = await makeFile(place.folder, "in", 50_000_000);
  for (const direction of DIRECTIONS) {
    const [sending, receiving] = direction === "to-listener" ? [network.a, network.b] : [network.b, network.a];
    const flow = await startFlow(place, direction, {
      host: network.b[family],
      sender: { redirect: "< in", prefix: sending.prefix },
      receiver: { redirect: "> out", prefix: receiving.prefix },
    });
    await bothSucceed(flow, 60);
    expect(await hashOf(place.folder, "out"), direction).toBe(hash);
  }
});

test("2 MB cross a link that loses, delays, repeats and damages packets", async () => {
  network = await createBadNetwork({
    rate: 50,
    delay: 20,
    loss: 1,
    late: 2,
    "late-by": 15,
    duplicate: 1,
    corrupt: 1,
    seed: 3,
  });
  const hash = await makeFile(place.folder, "in", 2_000_000);
  const flow = await startFlow(place, "to-listener", {
    host: network.b.address,
    sender: { redirect: "< in", prefix: network.a.prefix },
    receiver: { redirect: "> out", prefix: network.b.prefix },
  });
  await bothSucceed(flow, 90);
  expect(await hashOf(place.folder, "out")).toBe(hash);
});

test("a listener that is bound to all addresses is reached by the addresses in its ticket", async () => {
  network = await createVethNetwork({ mtu: 1500 });
  const listener = new Side("listener", { args: "listen --json", redirect: "> out", prefix: network.b.prefix }, place);
  const { ticket, addresses } = await listener.next("listening");
  expect(JSON.stringify(addresses)).toContain(network.b.address);
  const hash = await makeFile(place.folder, "in", 100_000);
  const args = `connect --json ${ticket}`;
  const connector = new Side("connector", { args, redirect: "< in", prefix: network.a.prefix }, place);
  await bothSucceed({ listener, connector }, 30);
  expect(await hashOf(place.folder, "out")).toBe(hash);
});

test("a host that answers with ICMP errors only is unreachable: exit 3, not a crash", async () => {
  network = await createVethNetwork({ mtu: 1500 });
  const args = `listen --json --host ${network.b.address}`;
  const listener = new Side("listener", { args, prefix: network.b.prefix }, place);
  const { ticket } = await listener.next("listening");
  await listener.kill("SIGKILL");
  await listener.exit;
  const retry = `connect --json --timeout 2 ${ticket}`;
  const connector = new Side("connector", { args: retry, prefix: network.a.prefix }, place);
  expect((await exitOf(connector, 10)).code).toBe(3);
  expect(connector.showsStackTrace).toBe(false);
});
