/**
 * NATs whose next port can be told, more or less: sequences, with other hosts taking from them, and small blocks.
 *
 * @module
 */
import { kind, rulesOf } from "../../../test/kernel/nat/kinds.ts";
import { installRules } from "../../../test/kernel/nat/pairs.ts";
import type { Allocator, Rules } from "../../../test/kernel/nat/ruleset.ts";
import { Station } from "../../../test/kernel/nat/station.ts";
import type { Row } from "../row.ts";
import { throughNats } from "./calls.ts";
import { DELAY } from "./matrix.ts";
import { lineOf, Tally } from "./tally.ts";

const SEQUENTIAL_RUNS = 20;
const SEQUENTIAL_TIMEOUT = 3000;

/** What other hosts behind the same NAT do, in flows a second, and the share of calls that connects in time. */
const CELLS = [
  { sides: "one", perSecond: 0, share: 0.95 },
  { sides: "one", perSecond: 2, share: 0.95 },
  { sides: "one", perSecond: 10, share: 0.95 },
  { sides: "both", perSecond: 0, share: 0.95 },
  { sides: "both", perSecond: 2, share: 0.95 },
  { sides: "both", perSecond: 10, share: 0.8 },
] as const;

function symmetric(allocator: Allocator): Rules {
  return { ...rulesOf(kind("APDM/APDF"))!, allocator };
}

const sequentialRows = CELLS.map(
  ({ sides, perSecond, share }): Row => ({
    name: `sequential-${sides}-${perSecond}`,
    claim: `sequential ports on ${sides === "one" ? "one side, EIM/APDF on the other" : "both sides"}, ${perSecond} foreign flows a second there: ≥ ${share * 100} % of ${SEQUENTIAL_RUNS} within ${SEQUENTIAL_TIMEOUT / 1000} s`,
    minutes: 1,
    run: (place) =>
      throughNats(place, { links: { delay: DELAY } }, async (calls, lab) => {
        const neighbours = await Promise.all((["ha2", "hb2"] as const).map((name) => Station.start(lab.host(name))));
        const sequential = symmetric({ kind: "sequential" });
        const tally = new Tally();
        for (let run = 0; run < SEQUENTIAL_RUNS; run++) {
          // With one sequence only, the connector has it as often as the listener.
          const hasSequence = [sides === "both" || run % 2 === 0, sides === "both" || run % 2 === 1];
          const [a, b] = hasSequence.map((has) => (has ? sequential : rulesOf(kind("EIM/APDF"))));
          const { a: connector, b: listener } = await installRules(lab, a, b);
          for (const [index, neighbour] of neighbours.entries())
            neighbour.makeFlows(hasSequence[index] ? perSecond : 0);
          const name = sides === "both" ? "both" : `the ${hasSequence[0] ? "connector" : "listener"}`;
          const outcome = await calls.call({ connector, listener });
          place.log(lineOf(name, outcome));
          tally.add(name, outcome);
        }
        await Promise.all(neighbours.map((neighbour) => neighbour.stop()));
        tally.mustConnectWithin(SEQUENTIAL_TIMEOUT, share);
        return tally.figure;
      }),
  }),
);

const BLOCK: Allocator = { kind: "random", first: 40_960, size: 1024 };
const BLOCK_RUNS = 10;
const BLOCK_SHARE = 0.9;
const BLOCK_TIMEOUT = 10_000;

const portBlock: Row = {
  name: "port-block",
  claim: `random ports within a block of ${BLOCK.size} on both sides, both dependent, both filtering by port: ≥ ${BLOCK_SHARE * 100} % of ${BLOCK_RUNS} within ${BLOCK_TIMEOUT / 1000} s`,
  minutes: 2,
  run: (place) =>
    throughNats(place, { links: { delay: DELAY } }, async (calls, lab) => {
      const tally = new Tally();
      for (let run = 0; run < BLOCK_RUNS; run++) {
        const { a: connector, b: listener } = await installRules(lab, symmetric(BLOCK), symmetric(BLOCK));
        const outcome = await calls.call({ connector, listener });
        place.log(lineOf("block", outcome));
        tally.add("block", outcome);
      }
      tally.mustConnectWithin(BLOCK_TIMEOUT, BLOCK_SHARE);
      return tally.figure;
    }),
};

/** Rows about how ports are chosen. */
export const allocatorRows: readonly Row[] = [...sequentialRows, portBlock];
