/**
 * Each ruleset does what it was made to do, seen by plain datagrams.
 *
 * @module
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { RULESETS } from "./kinds.ts";
import { classify } from "./probe.ts";
import { Testbed } from "./testbed.ts";

let bed: Testbed;

beforeAll(async () => {
  bed = await Testbed.create(["ha"]);
});

afterAll(() => bed?.close());

test.each(RULESETS)("$name is seen as configured", async ({ rules, seenMapping }) => {
  await bed.lab.install("na", rules);
  expect(await classify(bed.at("ha"), bed.reflector)).toMatchObject({
    mapping: seenMapping,
    filtering: rules.filtering,
    allocator: rules.allocator.kind,
    hairpin: rules.hairpin,
  });
});
