/**
 * The ledger and the loss detector against a naive model, over lists of operations: packets of all kinds, honest and
 * dishonest acknowledgements, timers on time and late.
 *
 * Operations are plain data in an array, not `fc.commands`, so that a seed and a path alone repeat a failure.
 *
 * @module
 */
import fc from "fast-check";
import { record } from "../arbitraries.ts";
import { type Content, LedgerModel } from "../ledger-model.ts";
import type { FuzzTarget } from "../target.ts";

type Operation =
  | { readonly type: "send"; readonly content: Content; readonly count: number }
  | { readonly type: "skip" }
  | { readonly type: "wait"; readonly ms: number }
  | { readonly type: "ack"; readonly offsets: readonly number[]; readonly isHonest: boolean; readonly delayUs: number }
  | { readonly type: "ack-through"; readonly from: number; readonly to: number }
  | { readonly type: "ack-unsent"; readonly ahead: number }
  | { readonly type: "expire"; readonly lateness: number }
  | { readonly type: "timeout" };

const kind = <Type extends string>(type: Type): fc.Arbitrary<Type> => fc.constant(type);

const streamRange = fc.tuple(fc.nat(20), fc.maxSafeNat(), fc.nat(1400), fc.nat(1));

const content: fc.Arbitrary<Content> = record({
  size: fc.integer({ min: 40, max: 1472 }),
  // Data, only acknowledging, or in flight without asking for an acknowledgement.
  flags: fc.constantFrom(3, 3, 3, 3, 0, 2),
  ranges: fc.array(streamRange, { maxLength: 3 }).map((ranges) => ranges.flat()),
  tokens: fc.array(fc.nat(9), { maxLength: 2 }),
  ackLargest: fc.integer({ min: -1, max: 100 }),
});

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 5, arbitrary: record({ type: kind("send"), content, count: fc.constantFrom(1, 1, 2, 9, 40) }) },
  { weight: 1, arbitrary: record({ type: kind("skip") }) },
  { weight: 3, arbitrary: record({ type: kind("wait"), ms: fc.double({ min: 0, max: 400, noNaN: true }) }) },
  {
    weight: 4,
    arbitrary: record({
      type: kind("ack"),
      offsets: fc.array(fc.nat(30), { minLength: 1, maxLength: 20 }),
      isHonest: fc.constantFrom(true, true, true, false),
      delayUs: fc.nat(100_000),
    }),
  },
  { weight: 2, arbitrary: record({ type: kind("ack-through"), from: fc.nat(100), to: fc.nat(100) }) },
  { weight: 1, arbitrary: record({ type: kind("ack-unsent"), ahead: fc.nat(2 ** 40) }) },
  { weight: 3, arbitrary: record({ type: kind("expire"), lateness: fc.constantFrom(0, 0, 0, 0.3, 17, 100_000) }) },
  { weight: 1, arbitrary: record({ type: kind("timeout") }) },
);

function apply(model: LedgerModel, step: Operation): void {
  switch (step.type) {
    case "send":
      for (let i = 0; i < step.count; i++) model.send(step.content);
      break;
    case "skip":
      model.skip();
      break;
    case "wait":
      model.wait(step.ms);
      break;
    case "ack":
      model.acknowledge(step.offsets, step);
      break;
    case "ack-through": {
      const low = Math.min(step.from, step.to);
      const offsets = Array.from({ length: Math.abs(step.to - step.from) + 1 }, (_, i) => low + i);
      model.acknowledge(offsets, { isHonest: true, delayUs: 0 });
      break;
    }
    case "ack-unsent":
      model.acknowledgeUnsent(step.ahead);
      break;
    case "expire":
      model.expire(step.lateness);
      break;
    case "timeout":
      model.timeout();
      break;
  }
}

/** The first number: where 16, 31 and 32 bits end, rows must still be found. */
const first = fc.constantFrom(0, 0, 0, 2 ** 16 - 20, 2 ** 31 - 20, 2 ** 32 - 20, 2 ** 48);

export const target: FuzzTarget = {
  name: "ledger",
  property: () =>
    fc.property(first, fc.array(operation, { maxLength: 80, size: "max" }), (start, operations) => {
      const model = new LedgerModel(start);
      for (const step of operations) {
        apply(model, step);
        model.check();
      }
      // In the end the timer alone settles what can be settled, and all memory is given back.
      for (let i = 0; i < 5; i++) {
        model.expire(0);
        model.check();
      }
    }),
};
