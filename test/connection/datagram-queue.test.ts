import { expect, test } from "vitest";
import { DatagramQueue } from "../../src/connection/datagram-queue.ts";
import { Pair } from "./pair.ts";

test("CONN-23: datagrams keep their order, and the queue is bounded in number and in bytes", () => {
  const queue = new DatagramQueue();
  for (let i = 0; i < 1_024; i++) expect(queue.push(new Uint8Array([i & 255]))).toBe(true);
  expect(queue.push(new Uint8Array(1))).toBe(false);
  for (let i = 0; i < 1_024; i++) expect(queue.shift()).toEqual(new Uint8Array([i & 255]));
  expect(queue.shift()).toBeUndefined();
  for (let i = 0; i < 4; i++) expect(queue.push(new Uint8Array(65_000))).toBe(true);
  expect(queue.push(new Uint8Array(65_000))).toBe(false);
  expect(queue.length).toBe(4);
});

test("a queued datagram does not change with the caller's buffer", () => {
  const queue = new DatagramQueue();
  const data = new Uint8Array([1]);
  queue.push(data);
  data[0] = 2;
  expect(queue.peek()).toEqual(new Uint8Array([1]));
});

test("a datagram is at most as long as one packet carries (RFC 9221 §3)", () => {
  const pair = new Pair();
  const { initiator } = pair.connect();
  expect(initiator.maxDatagramLength).toBe(1_200 - 31 - 3);
  expect(() => initiator.sendDatagram(new Uint8Array(1_167))).toThrow(RangeError);
  expect(initiator.sendDatagram(new Uint8Array(1_166))).toBe(true);
});
