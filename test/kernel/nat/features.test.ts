/**
 * What routers of the laboratory do beside mapping and filtering: allocators, blacklists, traps, timers, restarts.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kind, rulesOf } from "./kinds.ts";
import { OUTER_ADDRESSES } from "./lab.ts";
import { classify } from "./probe.ts";
import type { Allocator, Rules, Translation } from "./ruleset.ts";
import type { StationSocket } from "./station.ts";
import { Testbed } from "./testbed.ts";

/** Without delay on the links: datagrams that come at all have come after this many ms. */
const LONG_ENOUGH = 100;

let bed: Testbed;

beforeAll(async () => {
  bed = await Testbed.create(["ha", "ha2", "pub"]);
});

afterAll(() => bed?.close());

function nat(name: string, more: Partial<Translation> = {}): Translation {
  return { ...rulesOf(kind(name))!, ...more };
}

/** Outer ports of fresh sockets. */
async function portsOf(count: number): Promise<number[]> {
  const sockets: StationSocket[] = [];
  for (let index = 0; index < count; index++) sockets.push(await bed.at("ha").open());
  const ports: number[] = [];
  for (const socket of sockets) ports.push((await bed.reflector.mapped(socket)).port);
  for (const socket of sockets) socket.close();
  return ports;
}

describe("allocators", () => {
  const withAllocator = (allocator: Allocator): Translation => nat("APDM/APDF", { allocator });

  test("a sequence may skip ports", async () => {
    await bed.lab.install("na", withAllocator({ kind: "sequential", step: 2 }));
    expect(await classify(bed.at("ha"), bed.reflector)).toMatchObject({ allocator: "sequential", step: 2 });
  });

  test("random ports stay within their block, and fill it", async () => {
    await bed.lab.install("na", withAllocator({ kind: "random", first: 40_000, size: 1024 }));
    const ports = await portsOf(40);
    expect(Math.min(...ports)).toBeGreaterThanOrEqual(40_000);
    expect(Math.max(...ports)).toBeLessThan(41_024);
    // 40 ports all in one half of the block have a chance of 1 in 5 * 10^11.
    expect(Math.max(...ports) - Math.min(...ports)).toBeGreaterThan(512);
  });

  test("another host's flows take ports of a sequence", async () => {
    await bed.lab.install("na", withAllocator({ kind: "sequential" }));
    const [before = 0] = await portsOf(1);
    bed.at("ha2").makeFlows(100);
    await sleep(1000);
    bed.at("ha2").makeFlows(0);
    await sleep(LONG_ENOUGH);
    const [after = 0] = await portsOf(1);
    // 100 expected, with a deviation of 10.
    expect(after - before).toBeGreaterThan(50);
    expect(after - before).toBeLessThan(160);
  });
});

describe("filtering by address", () => {
  test.each([
    { scope: "endpoint", isAdmitted: true },
    { scope: "mapping", isAdmitted: false },
  ] as const)("kept for each $scope: what another mapping has contacted, admitted: $isAdmitted", async (row) => {
    await bed.lab.install("na", nat("ADM/ADF", { filterScope: row.scope }));
    const socket = await bed.at("ha").open();
    const mapped = await bed.reflector.mapped(socket, 0, 0);
    const otherMapping = await bed.reflector.mapped(socket, 1, 0);
    expect(otherMapping.port).not.toBe(mapped.port);
    const admitted = await bed.reflector.admitted(socket, mapped);
    expect(admitted[1]).toEqual([row.isAdmitted, row.isAdmitted]);
    expect(admitted[0]).toEqual([true, true]);
  });
});

/** A datagram comes to a mapping from a stranger, whom the inner host then contacts; returns both ends. */
async function surprise(rules: Rules): Promise<{
  readonly socket: StationSocket;
  readonly stranger: StationSocket;
  readonly port: number;
}> {
  await bed.lab.install("na", rules);
  const socket = await bed.at("ha").open();
  const stranger = await bed.at("pub").open();
  const mapped = await bed.reflector.mapped(socket);
  stranger.send("unasked", mapped);
  await sleep(LONG_ENOUGH);
  socket.send("hello", stranger.address);
  return { socket, stranger, port: mapped.port };
}

describe("unsolicited datagrams", () => {
  test("are dropped without a trace by default", async () => {
    const { socket, stranger, port } = await surprise(nat("EIM/APDF"));
    const arrival = await stranger.arrival("hello");
    expect(arrival?.from).toEqual({ host: OUTER_ADDRESSES.a, port });
    stranger.send("welcome", arrival!.from);
    expect(await socket.arrival("welcome")).toBeDefined();
    expect(socket.arrivals.map(({ text }) => text)).not.toContain("unasked");
  });

  test("make a blacklisting router drop what follows them", async () => {
    const { socket, stranger } = await surprise(nat("EIM/APDF", { unsolicited: "blacklist" }));
    const arrival = await stranger.arrival("hello");
    stranger.send("welcome", arrival!.from);
    expect(await socket.arrival("welcome", LONG_ENOUGH)).toBeUndefined();
  });

  test("are answered by a rejecting router, which remembers nothing of them", async () => {
    await bed.lab.install("na", nat("EIM/APDF", { unsolicited: "reject" }));
    const socket = await bed.at("ha").open();
    const mapped = await bed.reflector.mapped(socket);
    const stranger = await bed.at("pub").open();
    stranger.connect(mapped);
    stranger.send("unasked");
    await sleep(LONG_ENOUGH);
    expect(stranger.errors).toEqual(["ECONNREFUSED"]);
    socket.send("hello", stranger.address);
    expect((await stranger.arrival("hello"))?.from).toEqual(mapped);
  });

  test.each([
    { acceptsInput: true, keeps: false },
    { acceptsInput: false, keeps: true },
  ])("in a masquerading router, accepted: $acceptsInput, the port is kept: $keeps", async ({ acceptsInput, keeps }) => {
    const { stranger, port } = await surprise({ kind: "masquerade", acceptsInput });
    const arrival = await stranger.arrival("hello");
    expect(arrival?.from.port === port).toBe(keeps);
  });

  test("do no harm where an opener that died on its way was there first", async () => {
    await bed.lab.install("na", { kind: "masquerade", acceptsInput: true });
    const socket = await bed.at("ha").open();
    const stranger = await bed.at("pub").open();
    const mapped = await bed.reflector.mapped(socket);
    socket.send("opener", stranger.address, { ttl: 4 });
    await sleep(LONG_ENOUGH);
    stranger.send("asked", mapped);
    expect(await socket.arrival("asked")).toBeDefined();
    socket.send("hello", stranger.address);
    expect((await stranger.arrival("hello"))?.from).toEqual(mapped);
    expect(stranger.arrivals.map(({ text }) => text)).not.toContain("opener");
  });
});

test("a plain masquerading router is seen as preserving ports, its filter as depending on address and port", async () => {
  await bed.lab.install("na", { kind: "masquerade", acceptsInput: false });
  expect(await classify(bed.at("ha"), bed.reflector)).toMatchObject({
    mapping: "endpoint-independent",
    filtering: "address-and-port-dependent",
    allocator: "preserving",
  });
});

test("a router that blocks UDP lets none out", async () => {
  await bed.lab.install("na", { kind: "udp-blocked" });
  const socket = await bed.at("ha").open();
  expect(await bed.reflector.tryMapped(socket, 0, 0, LONG_ENOUGH)).toBeUndefined();
});

test("a router forgets idle mappings in time: at once those without an answer, later those that were in use", async () => {
  await bed.lab.install("na", nat("EIM/APDF"), { timers: { unreplied: 1, stream: 5 } });
  const [silent, busy] = [await bed.at("ha").open(), await bed.at("ha").open()];
  const server = bed.reflector.at(0, 0);
  const silentPort = await bed.reflector.mapped(silent);
  // Linux calls a flow a stream when it sees traffic 2 s after its beginning.
  let busyPort = await bed.reflector.mapped(busy);
  for (let turn = 0; turn < 6; turn++) {
    server.send(`answer ${turn}`, busyPort);
    await sleep(500);
    busyPort = await bed.reflector.mapped(busy);
  }
  server.send("too late", silentPort);
  await sleep(2500);
  server.send("in time", busyPort);
  expect(await busy.arrival("in time")).toBeDefined();
  expect(silent.arrivals).toEqual([]);
});

test("a router that restarts gives new ports and lets nothing in to the old ones", async () => {
  await bed.lab.install("na", nat("EIM/EIF"));
  const socket = await bed.at("ha").open();
  const before = await bed.reflector.mapped(socket);
  await bed.lab.reboot("na");
  bed.reflector.at(0, 0).send("to the old port", before);
  const after = await bed.reflector.mapped(socket);
  expect(after.port).not.toBe(before.port);
  bed.reflector.at(1, 1).send("to the new port", after);
  expect(await socket.arrival("to the new port")).toBeDefined();
  expect(socket.arrivals.map(({ text }) => text)).not.toContain("to the old port");
});
