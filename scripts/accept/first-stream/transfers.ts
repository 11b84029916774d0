/**
 * Whole files from one command to the other: a large one, to slow readers, over a bad link.
 *
 * @module
 */
import { createBadNetwork } from "../../../test/kernel/network.ts";
import { must, type Row, type Workplace } from "../row.ts";
import { hashOf, makeFile } from "../tools/files.ts";
import { bothSucceed, DIRECTIONS, type Flow, startFlow } from "../tools/pair.ts";
import type { Side } from "../tools/side.ts";

const GIBIBYTE = 2 ** 30;

/** How long after the last byte both sides may still run, in ms. */
const PROMPT = 1000;

/** When the last byte of payload moved, in ms since 1970. */
function lastByteAt({ sender, receiver }: Flow): number {
  return Math.max(...[sender, receiver].map((side: Side) => Number(side.latest("summary")?.lastByteAt)));
}

function megabytesPerSecond(bytes: number, side: Side): string {
  return `${(bytes / 1e6 / Number(side.latest("summary")?.seconds)).toFixed(1)} MB/s`;
}

async function mustBeEqual(place: Workplace, hash: string): Promise<void> {
  must((await hashOf(place.folder, "out")) === hash, "the two ends differ");
}

export const transfer: Row = {
  name: "transfer-1g",
  claim: "1 GiB in both directions: equal hashes, both exit 0 within a second of the end",
  minutes: 2,
  async run(place) {
    const hash = await makeFile(place.folder, "in", GIBIBYTE);
    const figures: string[] = [];
    for (const direction of DIRECTIONS) {
      const flow = await startFlow(place, direction, { sender: { redirect: "< in" }, receiver: { redirect: "> out" } });
      const exits = await bothSucceed(flow, 300);
      await mustBeEqual(place, hash);
      const ends = exits.map((exit) => exit.at - lastByteAt(flow));
      must(Math.max(...ends) < PROMPT, `exits came ${ends.map(Math.round).join(" and ")} ms after the last byte`);
      figures.push(
        `${direction} ${megabytesPerSecond(GIBIBYTE, flow.receiver)}, exits ${ends.map(Math.round).join(" and ")} ms after`,
      );
    }
    return figures.join("; ");
  },
};

const SLOW_RATE = 1_000_000;
const SLOW_SIZE = 40_000_000;

export const slowReader: Row = {
  name: "slow-reader",
  claim: "a receiver that reads 1 MB/s gets everything",
  minutes: 2,
  async run(place) {
    const hash = await makeFile(place.folder, "in", SLOW_SIZE);
    const reader = `node "${place.root}/scripts/accept/tools/reader.mjs" rate ${SLOW_RATE} > out`;
    const seconds: number[] = [];
    for (const direction of DIRECTIONS) {
      const flow = await startFlow(place, direction, { sender: { redirect: "< in" }, receiver: { after: reader } });
      await bothSucceed(flow, 120);
      await mustBeEqual(place, hash);
      const took = Number(flow.receiver.latest("summary")?.seconds);
      // Windows and pipes hold the rest when the reader is still reading.
      must(took > 10, `it took only ${took} s: the reader was not slow`);
      seconds.push(took);
    }
    return `40 MB in ${seconds.map((each) => each.toFixed(1)).join(" and ")} s`;
  },
};

const SLEEP = 40;

export const sleeper: Row = {
  name: "sleeper",
  claim: "a receiver that sleeps for 40 s, longer than linger, gets everything",
  minutes: 2,
  async run(place) {
    const size = 200_000_000;
    const hash = await makeFile(place.folder, "in", size);
    const reader = `node "${place.root}/scripts/accept/tools/reader.mjs" sleep ${SLEEP} 1000000 > out`;
    const pauses: number[] = [];
    for (const direction of DIRECTIONS) {
      const flow = await startFlow(place, direction, { sender: { redirect: "< in" }, receiver: { after: reader } });
      await bothSucceed(flow, 120);
      await mustBeEqual(place, hash);
      const pause = Number(flow.receiver.latest("summary")?.longestPause) / 1000;
      must(pause > SLEEP - 5, `the longest pause was ${pause} s`);
      pauses.push(pause);
    }
    return `200 MB with a pause of ${pauses.map((pause) => pause.toFixed(1)).join(" and ")} s`;
  },
};

const BAD_LINK = { rate: 50, delay: 20, loss: 1, late: 2, "late-by": 15, duplicate: 1, corrupt: 0.2 };
const BAD_LINK_SIZE = 5_000_000;
const BAD_LINK_RUNS = 20;

export const badLink: Row = {
  name: "bad-link",
  claim: "5 MB over 50 Mbit/s, 20 ms, 1 % loss, 2 % late by 15 ms, 1 % twice, 0.2 % corrupt: 20 of 20",
  minutes: 10,
  async run(place) {
    const hash = await makeFile(place.folder, "in", BAD_LINK_SIZE);
    const seconds: number[] = [];
    const network = await createBadNetwork({ ...BAD_LINK, seed: 1 });
    try {
      for (let run = 1; run <= BAD_LINK_RUNS; run++) {
        const flow = await startFlow(place, "to-listener", {
          host: network.b.address,
          sender: { redirect: "< in", prefix: network.a.prefix },
          receiver: { redirect: "> out", prefix: network.b.prefix },
        });
        await bothSucceed(flow, 180);
        await mustBeEqual(place, hash);
        seconds.push(Number(flow.receiver.latest("summary")?.seconds));
        place.log(`run ${run}: ${seconds.at(-1)?.toFixed(1)} s`);
      }
    } finally {
      place.log(JSON.stringify(await network.close()));
    }
    seconds.sort((a, b) => a - b);
    return `${seconds.length} of ${BAD_LINK_RUNS}, ${seconds[0]?.toFixed(1)} to ${seconds.at(-1)?.toFixed(1)} s`;
  },
};
