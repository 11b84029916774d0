/**
 * The ten kinds of NAT against each other, with random ports.
 *
 * @module
 */
import {
  type Difficulty,
  difficulty,
  FILTER_SCOPES,
  type FilterScope,
  type Kind,
  PAIRS,
} from "../../../test/kernel/nat/kinds.ts";
import type { NatLab } from "../../../test/kernel/nat/lab.ts";
import { installPair } from "../../../test/kernel/nat/pairs.ts";
import { must, type Row, type Workplace } from "../row.ts";
import { type Calls, type Failed, type Outcome, throughNats } from "./calls.ts";
import { keepOutcomes } from "./outcomes.ts";
import { lineOf, Tally } from "./tally.ts";

/** One way on each WAN link, in ms: 40 ms round trip between a home and the server. */
export const DELAY = 20;

/** Runs of each pair, half of them with the kinds the other way round. */
const RUNS: Readonly<Record<Difficulty, number>> = { simple: 2, guess: 5, hopeless: 2 };

/** Times to the first byte, in ms. */
const SIMPLE_LIMITS = { median: 330, p95: 1000 };
const GUESS_LIMITS = { median: 2000 };
const GUESS_TIMEOUT = 10_000;

/** Share of hard pairs' calls that connect in time. */
const GUESS_SHARE = 0.95;

/** After this many ms a hopeless call has failed. */
const HOPELESS_TIMEOUT = 12_000;

/** Pairs that simply connect, by where filters keep what was contacted. */
const simpleRows = FILTER_SCOPES.map(
  (scope): Row => ({
    name: `simple-${scope}`,
    claim: `pairs for which simultaneous sending is enough, filters kept for each ${scope}: all connect, median ≤ ${SIMPLE_LIMITS.median} ms, p95 ≤ ${SIMPLE_LIMITS.p95} ms`,
    minutes: 2,
    async run(place) {
      const tally = await callAll(place, pairsOf("simple", scope), scope);
      tally.mustAllConnect();
      tally.mustBeFast(SIMPLE_LIMITS);
      return tally.figure;
    },
  }),
);

/** Pairs of which one port must be guessed. */
const guessRows = FILTER_SCOPES.map(
  (scope): Row => ({
    name: `guess-${scope}`,
    claim: `pairs of which a port must be guessed, filters kept for each ${scope}: ≥ ${GUESS_SHARE * 100} % within ${GUESS_TIMEOUT / 1000} s, median ≤ ${GUESS_LIMITS.median / 1000} s`,
    minutes: scope === "endpoint" ? 1 : 4,
    async run(place) {
      const tally = await callAll(place, pairsOf("guess", scope), scope);
      tally.mustConnectWithin(GUESS_TIMEOUT, GUESS_SHARE);
      tally.mustBeFast(GUESS_LIMITS);
      return tally.figure;
    },
  }),
);

/** Pairs of which both ports would have to be guessed at once. */
const hopeless: Row = {
  name: "hopeless",
  claim: `both mappings dependent, both filters by port, both random: fails with a code of its own within ${HOPELESS_TIMEOUT / 1000} s`,
  minutes: 3,
  async run(place) {
    const failures: Failed[] = [];
    const tally = new Tally();
    for (const scope of FILTER_SCOPES)
      await throughNats(place, { links: { delay: DELAY } }, async (calls, lab) => {
        for (const pair of pairsOf("hopeless", scope))
          await callPair(place, { calls, lab, pair, scope }, (name, outcome) => {
            tally.add(name, outcome);
            if (!outcome.isConnected) failures.push(outcome);
          });
      });
    must(failures.length === tally.total, `hopeless pairs have connected: ${tally.figure}`);
    const codes = new Set(failures.map(({ code }) => code));
    must(codes.size === 1 && !codes.has("ERR_UNREACHABLE"), `the codes are ${[...codes].join(", ")}`);
    const slowest = Math.max(...failures.map(({ ms }) => ms));
    must(slowest <= HOPELESS_TIMEOUT, `the slowest took ${slowest.toFixed(0)} ms: ${tally.figure}`);
    return `${failures.length} of ${tally.total} fail with ${[...codes]}, after ${slowest.toFixed(0)} ms at most`;
  },
};

/** All rows of the matrix. */
export const matrixRows: readonly Row[] = [...simpleRows, ...guessRows, hopeless];

function pairsOf(wanted: Difficulty, scope: FilterScope): readonly (readonly [Kind, Kind])[] {
  return PAIRS.filter((pair) => difficulty(pair, scope) === wanted);
}

async function callAll(
  place: Workplace,
  pairs: readonly (readonly [Kind, Kind])[],
  scope: FilterScope,
): Promise<Tally> {
  const tally = new Tally();
  await throughNats(place, { links: { delay: DELAY } }, async (calls, lab) => {
    for (const pair of pairs)
      await callPair(place, { calls, lab, pair, scope }, (name, outcome) => tally.add(name, outcome));
  });
  return tally;
}

/** All runs of a pair, with fresh routers each. */
async function callPair(
  place: Workplace,
  {
    calls,
    lab,
    pair,
    scope,
  }: {
    readonly calls: Calls;
    readonly lab: NatLab;
    readonly pair: readonly [Kind, Kind];
    readonly scope: FilterScope;
  },
  onOutcome: (name: string, outcome: Outcome) => void,
): Promise<void> {
  const connected: boolean[] = [];
  for (let run = 0; run < RUNS[difficulty(pair, scope)]; run++) {
    const kinds = run % 2 === 0 ? pair : ([pair[1], pair[0]] as const);
    const { a: connector, b: listener } = await installPair(lab, kinds, scope);
    const name = `${kinds[0].name} calls ${kinds[1].name}`;
    const outcome = await calls.call({ connector, listener });
    place.log(lineOf(name, outcome));
    connected.push(outcome.isConnected);
    onOutcome(name, outcome);
  }
  keepOutcomes(place, pair, scope, connected);
}
