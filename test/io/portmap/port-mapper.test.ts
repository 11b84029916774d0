import { createSocket, type Socket } from "node:dgram";
import { afterEach, expect, test } from "vitest";
import { monotonicNow } from "../../../src/io/clock.ts";
import { PortMapper, type PortMapperEvent, type PortMapperOptions } from "../../../src/io/portmap/port-mapper.ts";
import { FakeGateway, type GatewayOptions } from "../../portmap/fake-gateway.ts";
import { type FakeIgd, startIgd } from "./fake-igd.ts";

const HOST = "127.0.0.1";
let socket: Socket | undefined;
let igd: FakeIgd | undefined;
let mapper: PortMapper | undefined;

afterEach(async () => {
  await mapper?.close();
  await igd?.close();
  socket?.close();
  igd = undefined;
  socket = undefined;
});

/** A gateway on the loopback; `ports` are those that its clients came from. */
async function listen(options: GatewayOptions): Promise<{ gateway: FakeGateway; port: number; ports: Set<number> }> {
  const gateway = new FakeGateway(options);
  const ports = new Set<number>();
  const server = createSocket("udp4");
  socket = server;
  server.on("message", (payload, from) => {
    ports.add(from.port);
    const answer = gateway.answer(payload, monotonicNow());
    if (answer !== undefined) server.send(answer, from.port, from.address);
  });
  await new Promise<void>((resolve) => server.bind(0, HOST, resolve));
  return { gateway, port: server.address().port, ports };
}

function make(options: Partial<PortMapperOptions>): { mapper: PortMapper; next: () => Promise<PortMapperEvent> } {
  const events: PortMapperEvent[] = [];
  let wake = (): void => {};
  mapper = new PortMapper({
    internalPort: 4242,
    gatewayHost: HOST,
    localHost: HOST,
    ...options,
    onEvent(event) {
      events.push(event);
      wake();
    },
  });
  const next = async (): Promise<PortMapperEvent> => {
    while (events.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return events.shift()!;
  };
  return { mapper, next };
}

test.each(["pcp", "nat-pmp"] as const)("MAP-7: %s over sockets: mapped, and removed by closing", async (protocol) => {
  const { gateway, port, ports } = await listen({ speaks: [protocol] });
  const { mapper, next } = make({ gatewayPort: port, upnp: false });
  mapper.start();
  expect(await next()).toMatchObject({ type: "mapped", mapping: { protocol, external: { host: "5.6.7.8" } } });
  expect(gateway.mappings).toMatchObject([{ internalPort: 4242 }]);
  expect(mapper.mapping?.protocol).toBe(protocol);
  await mapper.close();
  expect(gateway.mappings).toEqual([]);
  // MAP-14: one socket, and not at the port of announcements.
  expect(ports.size).toBe(1);
  expect(ports.has(5350)).toBe(false);
});

test("MAP-7: UPnP over sockets: mapped, and removed by closing", async () => {
  const { port } = await listen({ speaks: [] });
  igd = await startIgd();
  const { mapper, next } = make({ gatewayPort: port, ssdpPort: igd.ssdpPort });
  mapper.start();
  let event = await next();
  if (event.type === "pending") event = await next();
  expect(event).toMatchObject({ type: "mapped", mapping: { protocol: "upnp", external: { host: "5.6.7.8" } } });
  await mapper.close();
  expect(igd.calls.map(({ action }) => action)).toEqual([
    "GetExternalIPAddress",
    "AddPortMapping",
    "GetExternalIPAddress",
    "DeletePortMapping",
  ]);
});

test("MAP-13: a probe over sockets makes no mapping", async () => {
  const { gateway, port } = await listen({});
  igd = await startIgd();
  const { mapper, next } = make({ gatewayPort: port, ssdpPort: igd.ssdpPort, internalPort: 0 });
  mapper.probe();
  const found = new Set<string>();
  while (found.size < 3) {
    const event = await next();
    if (event.type === "available") found.add(event.protocol);
  }
  await mapper.close();
  expect(found).toEqual(new Set(["pcp", "nat-pmp", "upnp"]));
  expect(gateway.mappings).toEqual([]);
  expect(igd.calls.map(({ action }) => action)).toEqual(["GetExternalIPAddress"]);
});

test("nobody to ask is an event, not an error", async () => {
  const { mapper, next } = make({ localHost: "192.0.2.1" });
  mapper.start();
  expect(await next()).toMatchObject({ type: "no-gateway", reason: expect.stringContaining("192.0.2.1") });
  await mapper.close();
});

test("closing works at any time, and no event follows", async () => {
  const { gateway, port } = await listen({ speaks: ["pcp"] });
  const events: PortMapperEvent[] = [];
  const options = { internalPort: 4242, gatewayHost: HOST, localHost: HOST, gatewayPort: port, upnp: false };
  const unused = new PortMapper({ ...options, onEvent: (event) => void events.push(event) });
  await unused.close();
  const early = new PortMapper({ ...options, onEvent: (event) => void events.push(event) });
  early.start();
  await early.close();
  await early.close();
  expect(events).toEqual([]);
  expect(gateway.mappings).toEqual([]);
});
