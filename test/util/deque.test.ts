/**
 * The deque against an array.
 *
 * @module
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Deque } from "../../src/util/deque.ts";

test("after any operations it holds what an array holds", () => {
  const operation = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom("push", "unshift") },
    { weight: 2, arbitrary: fc.constantFrom("shift", "pop") },
    { weight: 1, arbitrary: fc.constantFrom("drain", "clear") },
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 300, size: "max" }), (operations) => {
      const deque = new Deque<number>();
      let model: number[] = [];
      for (const [i, kind] of operations.entries()) {
        if (kind === "push") expect(deque.push(i)).toBe(void model.push(i));
        else if (kind === "unshift") expect(deque.unshift(i)).toBe(void model.unshift(i));
        else if (kind === "shift") expect(deque.shift()).toBe(model.shift());
        else if (kind === "pop") expect(deque.pop()).toBe(model.pop());
        else if (kind === "drain") while (model.length > 3) expect(deque.shift()).toBe(model.shift());
        else {
          deque.clear();
          model = [];
        }
        expect([deque.length, deque.first, deque.last]).toEqual([model.length, model[0], model.at(-1)]);
      }
      expect(Array.from({ length: deque.length }, (_, i) => deque.at(i))).toEqual(model);
      expect([deque.at(-1), deque.at(deque.length)]).toEqual([undefined, undefined]);
    }),
  );
});

test("a hundred thousand items pass through in order", () => {
  const deque = new Deque<number>();
  for (let i = 0; i < 100_000; i++) deque.push(i);
  for (let i = 0; i < 100_000; i++) if (deque.shift() !== i) throw new Error(`item ${i} is out of order`);
  expect(deque.length).toBe(0);
});
