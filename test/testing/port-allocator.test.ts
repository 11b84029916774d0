/**
 * @module
 */
import { describe, expect, test } from "vitest";
import { type PortAllocation, PortAllocator } from "../../src/testing/port-allocator.ts";
import { Rng } from "../../src/testing/rng.ts";

/** The first ports that are allocated for one internal port, none of which is given back. */
function ports(rule: PortAllocation, { internalPort = 5000, count = 5, taken = [] as number[] } = {}) {
  const allocator = new PortAllocator(rule, new Rng(1));
  const used = new Set(taken);
  return Array.from({ length: count }, () => {
    const port = allocator.allocate(internalPort, (candidate) => !used.has(candidate));
    if (port !== undefined) used.add(port);
    return port;
  });
}

describe("PortAllocator", () => {
  test("preserving keeps the internal port while it is free (RFC 4787 §4.2.1)", () => {
    const [first, second] = ports({ kind: "preserving" }, { count: 2 });
    expect(first).toBe(5000);
    expect(second).not.toBe(5000);
    expect(ports({ kind: "preserving", fallback: "sequential" }, { count: 3 })).toEqual([5000, 5001, 5002]);
  });

  test("sequential counts by its step, skips what is taken, and wraps around", () => {
    expect(ports({ kind: "sequential", first: 40_000, step: 2 }, { count: 3 })).toEqual([40_000, 40_002, 40_004]);
    expect(ports({ kind: "sequential", low: 100, high: 103 }, { taken: [101], count: 3 })).toEqual([
      100,
      102,
      undefined,
    ]);
    expect(ports({ kind: "sequential", first: 65_535, low: 2000 }, { count: 2 })).toEqual([65_535, 2000]);
    expect(ports({ kind: "sequential", first: 2001, step: -1, low: 2000, high: 2010 }, { count: 3 })).toEqual([
      2001, 2000, 2009,
    ]);
  });

  test("random draws from its range until that is used up", () => {
    const drawn = ports({ kind: "random", low: 2000, high: 2064 }, { count: 65 });
    expect(drawn[64]).toBeUndefined();
    const sorted = drawn.slice(0, 64).sort((a, b) => a! - b!);
    expect(sorted).toEqual(Array.from({ length: 64 }, (_, index) => 2000 + index));
    expect(drawn.slice(0, 64)).not.toEqual(sorted);
    for (const port of ports({ kind: "random" }, { count: 500 })) expect(port).toBeGreaterThanOrEqual(1024);
  });

  test("a block belongs to one subscriber, and no other gets a port of it (RFC 7422 §2)", () => {
    const allocator = new PortAllocator({ kind: "block", size: 64, low: 2000, high: 2192 }, new Rng(1));
    const free = () => true;
    const drawn = ["a", "b", "c"].map((subscriber) => {
      const ports = Array.from({ length: 200 }, () => allocator.allocate(1, free, subscriber)!);
      return new Set(ports.map((port) => (port - 2000) >> 6));
    });
    expect(drawn.map((blocks) => blocks.size)).toEqual([1, 1, 1]);
    expect(new Set(drawn.flatMap((blocks) => [...blocks])).size).toBe(3);
    expect(allocator.allocate(1, free, "d")).toBeUndefined();
  });

  test("a block that is used up gives nothing more", () => {
    const drawn = ports({ kind: "block", size: 8 }, { count: 9 });
    expect(new Set(drawn.slice(0, 8)).size).toBe(8);
    expect(drawn[8]).toBeUndefined();
  });

  test("a skipped port moves only those that count on", () => {
    const allocator = new PortAllocator({ kind: "sequential", first: 7000, step: 2 }, new Rng(1));
    allocator.skip();
    expect(allocator.allocate(1, () => true)).toBe(7002);
    const preserving = new PortAllocator({ kind: "preserving" }, new Rng(1));
    preserving.skip();
    expect(preserving.allocate(5, () => true)).toBe(5);
  });

  test("after a restart, counting begins anew", () => {
    const allocator = new PortAllocator({ kind: "sequential", first: 7000 }, new Rng(1));
    const free = () => true;
    expect([allocator.allocate(1, free), allocator.allocate(1, free)]).toEqual([7000, 7001]);
    allocator.restart();
    expect(allocator.allocate(1, free)).toBe(7000);
  });

  test("an impossible range is refused", () => {
    expect(() => ports({ kind: "random", low: 10, high: 10 })).toThrow(RangeError);
    expect(() => ports({ kind: "random", low: 0, high: 10 })).toThrow(RangeError);
    expect(() => ports({ kind: "block", size: 11, low: 10, high: 20 })).toThrow(RangeError);
    expect(() => ports({ kind: "random", low: 10, high: 70_000 })).toThrow(RangeError);
  });
});
