import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { MAX_BODY_BYTES } from "../../../src/io/portmap/http.ts";
import { UpnpClient } from "../../../src/io/portmap/upnp-client.ts";
import { type FakeIgd, type IgdOptions, startIgd } from "./fake-igd.ts";

const HOST = "127.0.0.1";
/** Long enough for the loopback. */
const SEARCH_LIMIT = 500;
let igd: FakeIgd | undefined;
let client: UpnpClient | undefined;

afterEach(async () => {
  client?.close();
  await igd?.close();
  igd = undefined;
});

async function connect(options: IgdOptions = {}): Promise<UpnpClient> {
  igd = await startIgd(options);
  client = new UpnpClient({ gatewayHost: HOST, localHost: HOST, ssdpPort: igd.ssdpPort, searchLimit: SEARCH_LIMIT });
  return client;
}

const ADD = { kind: "add", id: 2, internalPort: 4242, externalPort: 50_000, lifetime: 7200 } as const;

test("MAP-12: on version 1 AddPortMapping, and the mapping is removed by its port", async () => {
  const upnp = await connect();
  expect(await upnp.work({ kind: "discover", id: 1 })).toEqual({ kind: "found", id: 1, externalHost: "5.6.7.8" });
  expect(await upnp.work(ADD)).toEqual({ kind: "added", id: 2, externalHost: "5.6.7.8", externalPort: 50_000 });
  expect(await upnp.work({ kind: "remove", id: 3, externalPort: 50_000 })).toEqual({ kind: "removed", id: 3 });
  const actions = igd!.calls.map(({ action }) => action);
  expect(actions).toEqual(["GetExternalIPAddress", "AddPortMapping", "GetExternalIPAddress", "DeletePortMapping"]);
  for (const part of [
    "<NewExternalPort>50000<",
    "<NewInternalPort>4242<",
    `<NewInternalClient>${HOST}<`,
    "<NewProtocol>UDP<",
    "<NewLeaseDuration>7200<",
  ]) {
    expect(igd!.calls[1]!.body).toContain(part);
  }
});

test("MAP-12: on version 2 AddAnyPortMapping, and AddPortMapping where that is unknown", async () => {
  const upnp = await connect({ version: 2 });
  await upnp.work({ kind: "discover", id: 1 });
  expect(await upnp.work(ADD)).toMatchObject({ kind: "added", externalPort: 50_000 });
  expect(igd!.calls.map(({ action }) => action)).not.toContain("AddPortMapping");
  await igd!.close();
  const old = await connect({ version: 2, errors: { AddAnyPortMapping: 401 } });
  await old.work({ kind: "discover", id: 1 });
  expect(await old.work(ADD)).toMatchObject({ kind: "added", externalPort: 50_000 });
  expect(igd!.calls.map(({ action }) => action)).toContain("AddPortMapping");
});

test("MAP-12: the service's errors are told by their numbers", async () => {
  const upnp = await connect({ errors: { AddPortMapping: 718 } });
  await upnp.work({ kind: "discover", id: 1 });
  expect(await upnp.work(ADD)).toEqual({ kind: "failed", id: 2, code: 718, reason: "error 718 (no)" });
});

describe("MAP-11: a hostile gateway", () => {
  test("a place that is not on the gateway is never asked", async () => {
    let visits = 0;
    const elsewhere = createServer((socket) => {
      visits += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.2", resolve));
    const { port } = elsewhere.address() as AddressInfo;
    const upnp = await connect({ location: `http://127.0.0.2:${port}/desc.xml` });
    expect(await upnp.work({ kind: "discover", id: 1 })).toMatchObject({ kind: "failed", reason: "no gateway found" });
    expect(visits).toBe(0);
    await new Promise((resolve) => elsewhere.close(resolve));
  });

  test("answers to the search from another address do not count", async () => {
    igd = await startIgd();
    // The gateway is said to be elsewhere; what answers is not it.
    const { ssdpPort } = igd;
    client = new UpnpClient({ gatewayHost: "127.0.0.3", localHost: HOST, ssdpPort, searchLimit: SEARCH_LIMIT });
    expect(await client.work({ kind: "discover", id: 1 })).toMatchObject({ kind: "failed" });
    expect(igd.requests).toEqual([]);
  });

  test("redirects are not followed", async () => {
    const upnp = await connect({
      describe: (response) => void response.writeHead(302, { location: "/other.xml" }).end(),
    });
    expect(await upnp.work({ kind: "discover", id: 1 })).toMatchObject({ kind: "failed" });
    expect(new Set(igd!.requests)).toEqual(new Set(["/desc.xml"]));
  });

  test("a description without an end is cut off", async () => {
    let sent = 0;
    const upnp = await connect({
      describe(response) {
        const timer = setInterval(() => {
          sent += 16_384;
          response.write("<a>".repeat(5_461));
        }, 1);
        response.on("close", () => clearInterval(timer));
      },
    });
    expect(await upnp.work({ kind: "discover", id: 1 })).toMatchObject({ kind: "failed" });
    expect(sent).toBeLessThan(40 * MAX_BODY_BYTES);
  });

  test("a description that never comes ends with the search", async () => {
    const upnp = await connect({ describe: () => {} });
    const before = performance.now();
    expect(await upnp.work({ kind: "discover", id: 1 })).toMatchObject({ kind: "failed" });
    expect(performance.now() - before).toBeLessThan(1_500);
  });

  test("no external address is no gateway", async () => {
    const upnp = await connect({ externalHost: "0.0.0.0" });
    const result = await upnp.work({ kind: "discover", id: 1 });
    expect(result).toMatchObject({ kind: "failed", reason: "the gateway has no usable external address" });
  });
});

test("closing ends a search at once", async () => {
  const upnp = new UpnpClient({ gatewayHost: "127.0.0.3", localHost: HOST, ssdpPort: 9 });
  const before = performance.now();
  const work = upnp.work({ kind: "discover", id: 1 });
  setTimeout(() => upnp.close(), 20);
  expect(await work).toMatchObject({ kind: "failed", reason: "closed" });
  expect(performance.now() - before).toBeLessThan(1_000);
  expect(await upnp.work({ kind: "discover", id: 2 })).toMatchObject({ kind: "failed", reason: "closed" });
});
