/**
 * The size of datagrams, packet by packet; whole searches are in test/sim.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { DatagramQueue } from "../../src/connection/datagram-queue.ts";
import type { Address } from "../../src/util/machine.ts";
import { Adversary, type AdversaryOptions } from "./adversary.ts";

const elsewhere: Address = { host: "203.0.113.66", port: 666, family: 4 };

/** The sizes of the datagrams that the victim sends until it falls silent, acknowledged. */
function sizes(adversary: Adversary): number[] {
  return adversary.settle().map(({ size }) => size);
}

/** A connection whose victim has found datagrams of 1472 bytes to pass. */
function grown(options: AdversaryOptions = {}): Adversary {
  const adversary = Adversary.open("initiator", options);
  const id = adversary.connection.openStream("uni")!;
  adversary.connection.write(id, new Uint8Array(100_000));
  sizes(adversary);
  return adversary;
}

describe("the size of datagrams", () => {
  test("is 1200 bytes until the probe is acknowledged, and the probe's from then on (MTU-1, MTU-3, MTU-7)", () => {
    const adversary = Adversary.open("initiator");
    const { connection } = adversary;
    connection.write(connection.openStream("uni")!, new Uint8Array(100_000));
    const seen = adversary.settle();
    const probe = seen.findIndex(({ size }) => size > 1_200);
    expect(seen.slice(0, probe).every(({ size }) => size <= 1_200)).toBe(true);
    expect(seen[probe]).toMatchObject({ size: 1_472, space: "data" });
    expect(seen[probe]!.frames.map(({ type }) => type).filter((type) => type !== "padding")).toEqual(["ping"]);
    // What left together with the probe did not wait for its fate.
    expect(seen[probe + 1]!.size).toBe(1_200);
    expect(seen.slice(probe + 1).filter(({ size }) => size === 1_472).length).toBeGreaterThan(20);
    expect(connection.stats()).toMatchObject({ datagramSize: 1_472, mtuProbesSent: 1, mtuProbesLost: 0 });
    expect(connection.maxDatagramLength).toBe(1_472 - 31 - 3);
  });

  test("is never more than the peer takes (MTU-5)", () => {
    const adversary = grown({ parameters: { maxDatagramSize: 1_300 } });
    expect(adversary.connection.stats()).toMatchObject({ datagramSize: 1_300, mtuProbesSent: 1 });
  });

  test("stays at 1200 bytes if the configuration says so (MTU-5)", () => {
    const adversary = grown({ config: { maxDatagramSize: 1_200 } });
    expect(adversary.connection.stats()).toMatchObject({ datagramSize: 1_200, mtuProbesSent: 0 });
  });

  test("belongs to the path: another one starts from 1200, and the old one is found as it was left (MTU-1)", () => {
    const adversary = Adversary.dialFrom([elsewhere]);
    adversary.deliver("probe", [{ type: "path-response", token: adversary.token }]);
    adversary.deliver("data", [{ type: "ping" }]);
    adversary.settle();
    const { connection } = adversary;
    const id = connection.openStream("uni")!;
    connection.write(id, new Uint8Array(100_000));
    sizes(adversary);
    expect(connection.stats().datagramSize).toBe(1_472);
    adversary.say("data", [{ type: "ping" }], { from: elsewhere });
    expect(connection.stats().datagramSize).toBe(1_200);
    connection.write(id, new Uint8Array(20_000));
    for (const { size } of adversary.take()) expect(size).toBeLessThanOrEqual(1_200);
    adversary.say("data", [{ type: "ping" }]);
    expect(connection.stats().datagramSize).toBe(1_472);
  });
});

describe("a probe timeout", () => {
  test("ends with a packet of at most 1200 bytes (MTU-12)", () => {
    const adversary = grown();
    const { connection } = adversary;
    connection.write(connection.openStream("uni")!, new Uint8Array(10_000));
    const lost = adversary.take().filter(({ space }) => space === "data");
    expect(lost.some(({ size }) => size === 1_472)).toBe(true);
    adversary.wait(1_000);
    const probes = adversary.takeHeld().filter(({ space }) => space === "data");
    expect(probes.length).toBeGreaterThanOrEqual(2);
    expect(probes.some(({ size }) => size <= 1_200)).toBe(true);
    expect(probes.at(-1)!.size).toBeLessThanOrEqual(1_200);
  });
});

test("datagrams that are too long leave the queue, the others keep their order (MTU-13)", () => {
  const queue = new DatagramQueue();
  for (const length of [10, 2_000, 30, 1_001, 1_000]) queue.push(new Uint8Array(length));
  expect(queue.dropLonger(1_000)).toBe(2);
  expect([queue.shift(), queue.shift(), queue.shift(), queue.shift()].map((data) => data?.length)).toEqual([
    10,
    30,
    1_000,
    undefined,
  ]);
  // The room is free again.
  for (let i = 0; i < 4; i++) expect(queue.push(new Uint8Array(65_000))).toBe(true);
});
