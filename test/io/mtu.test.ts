/**
 * The search for the path's MTU on real sockets.
 *
 * @module
 */
import { expect, test } from "vitest";
import { interfaceMtu } from "../../src/io/interface-mtu.ts";
import type { Address } from "../../src/util/machine.ts";
import { hashOf, pair, sample } from "./pair.ts";

const loopback: Address = { host: "127.0.0.1", port: 1, family: 4 };

test.runIf((interfaceMtu(loopback, loopback) ?? 0) > 16_500)(
  "loopback carries datagrams of 16 KiB or more, each way, and every byte arrives (MTU-5)",
  async () => {
    await using ends = await pair();
    for (const [from, to] of [
      [ends.near, ends.far],
      [ends.far, ends.near],
    ] as const) {
      const { chunks, hash } = sample(256, 64 * 1024);
      const arrived = hashOf(to);
      for (const chunk of chunks) if (!from.write(chunk)) await new Promise((resolve) => from.once("drain", resolve));
      from.end();
      expect(await arrived).toBe(hash);
      expect(from.connection.stats().datagramSize).toBeGreaterThanOrEqual(16 * 1024);
      expect(from.connection.stats().mtuProbesSent).toBeLessThanOrEqual(8);
      expect(from.connection.maxDatagramSize).toBeGreaterThan(16_000);
    }
  },
);
