import fc from "fast-check";
import { expect, test } from "vitest";
import { DeadlineHeap, type HasDeadline } from "../../src/util/deadline-heap.ts";
import type { Instant } from "../../src/util/time.ts";

interface Member extends HasDeadline {
  name: number;
}

function member(name: number): Member {
  return { name, deadline: 0 as Instant, heapIndex: -1 };
}

test("the first member is always the one with the earliest deadline", () => {
  const operation = fc.record({ name: fc.nat(20), at: fc.option(fc.nat(1000), { nil: undefined }) });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
      const heap = new DeadlineHeap<Member>();
      const members = Array.from({ length: 21 }, (_, name) => member(name));
      const model = new Map<number, number>();
      for (const { name, at } of operations) {
        heap.set(members[name]!, at as Instant | undefined);
        if (at === undefined) model.delete(name);
        else model.set(name, at);
        const earliest = model.size === 0 ? undefined : Math.min(...model.values());
        expect(heap.first()?.deadline).toBe(earliest);
        expect(heap.size).toBe(model.size);
      }
    }),
  );
});

test("a member that is removed can be added again", () => {
  const heap = new DeadlineHeap<Member>();
  const only = member(1);
  heap.set(only, 5 as Instant);
  heap.set(only, undefined);
  expect(only.heapIndex).toBe(-1);
  heap.set(only, undefined);
  heap.set(only, 7 as Instant);
  expect(heap.first()).toBe(only);
});
