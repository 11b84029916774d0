import fc from "fast-check";
import { expect, test } from "vitest";
import { target } from "../../fuzz/targets/ledger.ts";

test("ledger and loss detector agree with a naive model over random operations (REC-11, REC-13, REC-14, REC-16)", async () => {
  const property = target.property() as fc.IAsyncProperty<unknown>;
  const details = await fc.check(property, { seed: 20_260_726, numRuns: 300 });
  expect(details.failed ? fc.defaultReportMessage(details) : undefined).toBe(undefined);
});
