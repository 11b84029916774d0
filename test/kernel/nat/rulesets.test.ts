/**
 * Each ruleset does what it was made to do, seen by plain datagrams.
 *
 * @module
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { RULESETS } from "./kinds.ts";
import { NatLab } from "./lab.ts";
import { classify, Reflector } from "./probe.ts";
import { Station } from "./station.ts";

let lab: NatLab;
let inner: Station;
let server: Station;
let reflector: Reflector;

beforeAll(async () => {
  lab = await NatLab.create();
  [inner, server] = await Promise.all([Station.start(lab.host("ha")), Station.start(lab.host("srv"))]);
  reflector = await Reflector.open(server);
});

afterAll(async () => {
  await Promise.all([inner?.stop(), server?.stop()]);
  await lab?.close();
});

test.each(RULESETS)("$name is seen as configured", async ({ rules, seenMapping }) => {
  await lab.install("na", rules);
  expect(await classify(inner, reflector)).toMatchObject({
    mapping: seenMapping,
    filtering: rules.filtering,
    allocator: rules.allocator.kind,
    hairpin: rules.hairpin,
  });
});
