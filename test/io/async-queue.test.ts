/**
 * The queue behind every async iterator of the public API.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { AsyncQueue } from "../../src/io/async-queue.ts";

describe("AsyncQueue", () => {
  test("hands out values in order, whether they or the consumer come first", async () => {
    const queue = new AsyncQueue<number>(4);
    queue.push(1);
    const iterator = queue[Symbol.asyncIterator]();
    expect(await iterator.next()).toEqual({ done: false, value: 1 });
    const waiting = [iterator.next(), iterator.next()];
    queue.push(2);
    queue.push(3);
    expect(await Promise.all(waiting)).toEqual([
      { done: false, value: 2 },
      { done: false, value: 3 },
    ]);
  });

  test("refuses values beyond its capacity and after its end", () => {
    const queue = new AsyncQueue<number>(2);
    expect([queue.push(1), queue.push(2), queue.push(3)]).toEqual([true, true, false]);
    queue.shift();
    expect(queue.push(4)).toBe(true);
    queue.end();
    expect(queue.push(5)).toBe(false);
  });

  test("gives what is left after its end, and then ends every iteration", async () => {
    const queue = new AsyncQueue<string>(2);
    const early = queue[Symbol.asyncIterator]();
    const waiting = early.next();
    queue.push("a");
    queue.push("b");
    queue.end();
    expect(await waiting).toEqual({ done: false, value: "a" });
    const rest: string[] = [];
    for await (const value of queue) rest.push(value);
    expect(rest).toEqual(["b"]);
    expect(await early.next()).toEqual({ done: true, value: undefined });
  });

  test("an iteration that is left neither loses nor swallows a value", async () => {
    const queue = new AsyncQueue<number>(4);
    const left = queue[Symbol.asyncIterator]();
    const pending = left.next();
    await left.return?.();
    expect(await pending).toEqual({ done: true, value: undefined });
    queue.push(7);
    expect(await left.next()).toEqual({ done: true, value: undefined });
    expect(await queue[Symbol.asyncIterator]().next()).toEqual({ done: false, value: 7 });
  });

  test("tells of each value that a consumer takes, and of no other", async () => {
    const taken: number[] = [];
    const queue = new AsyncQueue<number>(4, (value) => taken.push(value));
    queue.push(1);
    queue.push(2);
    queue.remove(1);
    expect(taken).toEqual([]);
    await queue[Symbol.asyncIterator]().next();
    expect(taken).toEqual([2]);
    expect(queue.size).toBe(0);
  });
});
