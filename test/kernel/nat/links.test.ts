/**
 * The laboratory's WAN links and IPv6, by plain datagrams.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { StationSocket } from "./station.ts";
import type { HostPort } from "./station-program.ts";
import { Testbed } from "./testbed.ts";

/** What each WAN link takes one way, in ms. */
const DELAY = 20;

/** Beyond the delay, datagrams may wait for programs of a busy machine, in ms. */
const WAITING = 20;

const LONG_ENOUGH = 2 * DELAY + 100;

let bed: Testbed;
let [a, b, pub]: StationSocket[] = [];

beforeAll(async () => {
  bed = await Testbed.create(["ha", "hb", "pub"], { links: { delay: DELAY }, ipv6: true });
  [a, b, pub] = await Promise.all(
    (["ha", "hb", "pub"] as const).map((name) => bed.at(name).open({ host: bed.lab.host(name).address6 })),
  );
  // The first datagrams wait until neighbours have found each other.
  expect(await crosses(a!, b!.address, b!)).toBe(true);
  expect(await crosses(b!, pub!.address, pub!)).toBe(true);
});

afterAll(() => bed?.close());

let serial = 0;

/** Whether a datagram arrives. */
async function crosses(from: StationSocket, to: HostPort, at: StationSocket): Promise<boolean> {
  serial += 1;
  from.send(`crossing ${serial}`, to);
  return (await at.arrival(`crossing ${serial}`, 2000)) !== undefined;
}

test("the WAN links take their delay: one of them on the way to a public host, both to the other home", async () => {
  for (const { to, links } of [
    { to: pub!, links: 1 },
    { to: b!, links: 2 },
  ]) {
    const startedAt = performance.now();
    await crosses(a!, to.address, to);
    const took = performance.now() - startedAt;
    expect(took).toBeGreaterThanOrEqual(links * DELAY);
    expect(took).toBeLessThan(links * DELAY + WAITING);
  }
});

test("a WAN link loses what it is told to", async () => {
  bed.lab.change("a", { loss: 50 });
  for (let count = 0; count < 200; count++) a!.send("maybe", b!.address);
  await sleep(LONG_ENOUGH);
  bed.lab.change("a", { loss: 0 });
  const { length } = b!.arrivals.filter(({ text }) => text === "maybe");
  // 100 expected, with a deviation of 7.
  expect(length).toBeGreaterThan(60);
  expect(length).toBeLessThan(140);
});

test("IPv6 firewalls on both ends let in what was asked for, and nothing else", async () => {
  await Promise.all((["na", "nb"] as const).map((name) => bed.lab.install(name, undefined, { firewall6: true })));
  a!.send("unasked", b!.address);
  await sleep(LONG_ENOUGH);
  expect(b!.arrivals.map(({ text }) => text)).not.toContain("unasked");
  b!.send("opening", a!.address);
  await sleep(LONG_ENOUGH);
  expect(await crosses(a!, b!.address, b!)).toBe(true);
  expect(await crosses(b!, a!.address, a!)).toBe(true);
});

test("what is sent with a small TTL does not cross the internet, and opens the sender's firewall", async () => {
  await Promise.all((["na", "nb"] as const).map((name) => bed.lab.install(name, undefined, { firewall6: true })));
  b!.send("opener", a!.address, { ttl: 4 });
  await sleep(LONG_ENOUGH);
  expect(a!.arrivals.map(({ text }) => text)).not.toContain("opener");
  expect(await crosses(a!, b!.address, b!)).toBe(true);
});
