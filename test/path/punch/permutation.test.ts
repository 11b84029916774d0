/**
 * @module
 */
import { expect, test } from "vitest";
import { PortPermutation } from "../../../src/path/punch/permutation.ts";
import { Rng } from "../../../src/testing/index.ts";

function drawAll(first: number, size: number, seed = 1): number[] {
  const permutation = new PortPermutation({ first, size }, new Rng(seed).random);
  const ports: number[] = [];
  for (let port = permutation.next(); port !== undefined; port = permutation.next()) ports.push(port);
  return ports;
}

test("every port of the pool is drawn once, in no order (PATH-22)", () => {
  const ports = drawAll(2000, 512);
  const sorted = [...ports].sort((a, b) => a - b);
  expect(sorted).toEqual(Array.from({ length: 512 }, (_, index) => 2000 + index));
  expect(ports).not.toEqual(sorted);
  expect(drawAll(2000, 512, 2)).not.toEqual(ports);
  expect(drawAll(7, 1)).toEqual([7]);
});

test("all orders are equally likely", () => {
  const counts = new Map<string, number>();
  for (let seed = 0; seed < 6000; seed++) {
    const order = drawAll(0, 3, seed).join();
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  expect(counts.size).toBe(6);
  // 1,000 each; five standard deviations are 144.
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(144);
});
