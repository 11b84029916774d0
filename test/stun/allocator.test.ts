/**
 * Rows of ports, and what they show.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { allocatorOf, BLOCK_SAMPLES, type PortSample } from "../../src/stun/discovery/allocator.ts";
import { mappingOf } from "../../src/stun/discovery/mapping.ts";
import { address, Rng } from "../../src/testing/index.ts";
import type { Instant } from "../../src/util/time.ts";

/** Samples 20 ms apart, from sockets with ports that no NAT gave. */
function row(ports: readonly number[], fields: Partial<PortSample> = {}): readonly PortSample[] {
  return ports.map((port, index) => ({
    localPort: 50 + index,
    mapped: address("203.0.113.1", port),
    askedAt: (20 * index) as Instant,
    isFirst: true,
    isPunctual: true,
    ...fields,
  }));
}

describe("allocator (RFC 4787 §4.2, STUN-13)", () => {
  test("kept ports are preserved ones, even if some are taken by others", () => {
    const kept = row([50, 51, 52, 40_000, 54]);
    expect(allocatorOf(kept)).toMatchObject({ allocator: "preserving", step: 0, open: "nothing" });
    expect(allocatorOf(kept.slice(0, 2)).allocator).toBe("preserving");
    const others = row([40_000, 40_100, 52, 9000, 1200, 30_000]);
    expect(allocatorOf(others).allocator).not.toBe("preserving");
  });

  test.each<[string, readonly number[], number, number]>([
    ["one after the other", [7000, 7001, 7002, 7003, 7004], 1, 0],
    ["by twos", [7000, 7002, 7004, 7006], 2, 0],
    ["downwards", [7010, 7009, 7008, 7007, 7006], -1, 0],
    ["with four of others in 80 ms", [7000, 7002, 7003, 7006, 7008], 1, 50],
    ["that start over", [65_534, 65_535, 1024, 1025, 1026], 1, 0],
    ["that start over downwards", [1026, 1024, 65_534, 65_532, 65_530], -2, 0],
  ])("ports %s are sequential", (_, ports, step, foreignFlows) => {
    expect(allocatorOf(row(ports))).toMatchObject({ allocator: "sequential", step, foreignFlows, open: "rate" });
  });

  test("samples of repeated requests, and those of another outer address, are not in order", () => {
    const [late] = row([9000], { isPunctual: false });
    const [elsewhere] = row([5], { mapped: address("203.0.113.9", 5) });
    const samples = row([7000, 7001, 7002, 7003]);
    expect(allocatorOf([...samples.slice(0, 2), late!, elsewhere!, ...samples.slice(2)])).toMatchObject({
      allocator: "sequential",
      step: 1,
    });
  });

  test("too few samples show nothing", () => {
    expect(allocatorOf([]).allocator).toBeUndefined();
    expect(allocatorOf(row([7000, 7001, 7002])).allocator).toBeUndefined();
  });

  test("random ports are never taken for anything else", () => {
    const rng = new Rng("random");
    for (let i = 0; i < 5000; i++) {
      const verdict = allocatorOf(row(Array.from({ length: 6 }, () => rng.integer(1024, 65_536))));
      expect(verdict).toMatchObject({ allocator: "random", step: 0, open: "nothing" });
    }
  });

  test("a pool of a quarter of all ports is recognised", () => {
    const rng = new Rng("quarter");
    const ports = [49_152, 65_535, ...Array.from({ length: 6 }, () => rng.integer(49_152, 65_536))];
    expect(allocatorOf(row(ports))).toMatchObject({ allocator: "random", poolFirst: 49_152, poolSize: 16_384 });
    expect(allocatorOf(row([1500, 60_000, 30_000, 2000]))).toMatchObject({ poolFirst: 1024, poolSize: 64_512 });
    expect(allocatorOf(row([500, 60_000, 30_000, 2000]))).toMatchObject({ poolFirst: 1, poolSize: 65_535 });
  });

  test.each([
    [40_000, 1024],
    [1024, 1024],
    [2048, 512],
    [8192, 4096],
    [1024 + 5 * 2048, 2048],
  ])("a block of ports from %i on, %i of them, takes 30 samples to prove (RFC 7422 §2)", (first, size) => {
    const rng = new Rng(`block ${first}`);
    let right = 0;
    for (let i = 0; i < 200; i++) {
      const ports = Array.from({ length: BLOCK_SAMPLES }, () => rng.integer(first, first + size));
      expect(allocatorOf(row(ports.slice(0, 6)))).toMatchObject({ allocator: undefined, open: "block" });
      const verdict = allocatorOf(row(ports));
      expect(verdict).toMatchObject({ allocator: "block", poolSize: size });
      // It can be off by what the samples leave open, a fifteenth of the block.
      expect(Math.abs(verdict.poolFirst - first)).toBeLessThan(size / 3);
      if (verdict.poolFirst === first) right += 1;
    }
    expect(right).toBeGreaterThan(120);
  });
});

describe("mapping (RFC 5780 §4.3, STUN-11)", () => {
  const [s1p1, s1p2] = [address("192.0.2.1", 1), address("192.0.2.1", 2)];
  const [s2p1, s2p2] = [address("192.0.2.2", 1), address("192.0.2.2", 2)];
  const seen = (server: ReturnType<typeof address>, port: number) => ({ server, mapped: address("203.0.113.1", port) });

  test("is unknown with one host that sees one thing", () => {
    expect(mappingOf([], true)).toBeUndefined();
    expect(mappingOf([seen(s1p1, 9)], true)).toBeUndefined();
    expect(mappingOf([seen(s1p1, 9), seen(s1p2, 9)], true)).toBeUndefined();
  });

  test("is independent if two hosts see the same", () => {
    expect(mappingOf([seen(s1p1, 9), seen(s2p1, 9)], false)).toBe("endpoint-independent");
  });

  test("depends on the port if one host sees two things, alone too", () => {
    expect(mappingOf([seen(s1p1, 9), seen(s1p2, 8)], false)).toBe("address-and-port-dependent");
    expect(mappingOf([seen(s1p1, 9), seen(s2p1, 8), seen(s2p2, 7)], false)).toBe("address-and-port-dependent");
  });

  test("depends on the address alone if the ports of one host see the same", () => {
    expect(mappingOf([seen(s1p1, 9), seen(s2p1, 8), seen(s2p2, 8)], false)).toBe("address-dependent");
  });

  test("counts as the worse if nobody can tell, once all have answered", () => {
    const two = [seen(s1p1, 9), seen(s2p1, 8)];
    expect(mappingOf(two, false)).toBeUndefined();
    expect(mappingOf(two, true)).toBe("address-and-port-dependent");
  });
});
