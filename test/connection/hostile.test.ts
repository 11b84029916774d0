/**
 * A short run of `npm run hostile`: every parser and live endpoints under random, cut and damaged datagrams.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { fireAtParser, fireAtTarget } from "../../fuzz/hostile/fire.ts";
import { liveTargets, realDatagrams } from "../../fuzz/hostile/live.ts";
import { parsers } from "../../fuzz/hostile/parsers.ts";
import { Rng } from "../../src/testing/rng.ts";

/** Datagrams for each; the million is the business of `npm run hostile`. */
const COUNT = 5_000;

const rng = new Rng(1);

describe("no parser throws, or takes damage for something whole", () => {
  for (const parser of parsers(realDatagrams(1), rng.fork("samples"))) {
    test(parser.name, () => {
      const { accepted } = fireAtParser(parser, COUNT, rng.fork(parser.name));
      // A part of the inputs has to get as far as the end.
      if (parser.name === "packet") expect(accepted).toBe(0);
      else expect(accepted).toBeGreaterThan(0);
    });
  }
});

describe("CONN-1: what does not authenticate is not answered and changes nothing", () => {
  for (const target of liveTargets(1)) {
    test(`${target.name}: state, timers and counters stay; then everything completes`, () => {
      fireAtTarget(target, COUNT, rng.fork(target.name));
      expect(Object.values(target.dropped()).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(COUNT / 2);
      target.complete();
    });
  }
});
