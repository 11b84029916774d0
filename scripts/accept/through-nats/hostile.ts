/**
 * Calls amid garbage, and the attacks of which the tests are made in the simulator, where an attacker can be anywhere.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { kind, rulesOf } from "../../../test/kernel/nat/kinds.ts";
import { type NatLab, OUTER_ADDRESSES, SERVER_ADDRESSES } from "../../../test/kernel/nat/lab.ts";
import { installRules } from "../../../test/kernel/nat/pairs.ts";
import { must, type Row, type Workplace } from "../row.ts";
import { run } from "../tools/npm.ts";
import { throughNats } from "./calls.ts";
import { DELAY } from "./matrix.ts";
import { lineOf, Tally } from "./tally.ts";

const PROGRAM = fileURLToPath(new URL("programs/garbage.mjs", import.meta.url));

interface Garbage {
  readonly host: string;
  readonly ports: readonly [number, number];
  readonly bytes: number;
  readonly perSecond: number;
}

/** Throws garbage from `pub`; the function that it returns ends that. */
function throwGarbage(lab: NatLab, { host, ports, bytes, perSecond }: Garbage): { ended: Promise<void>; stop(): void } {
  const words = [host, ...ports, bytes, perSecond].map(String);
  const [command = "", ...rest] = [...lab.host("pub").prefix, process.execPath, PROGRAM, ...words];
  const child = spawn(command, rest, { stdio: ["ignore", "ignore", "inherit"] });
  return { ended: once(child, "close").then(() => {}), stop: () => void child.kill("SIGKILL") };
}

const SERVER_GARBAGE = 16 * 2 ** 20;
const SERVER_PORTS = [3478, 3479] as const;

/** Six seconds of garbage. */
const GARBAGE_RATE = 4000;

/** What a server may grow by, in bytes. */
const GROWTH_LIMIT = 64 * 2 ** 20;

const atServer: Row = {
  name: "garbage-at-server",
  claim: `${SERVER_GARBAGE / 2 ** 20} MiB of garbage at the server's ports: calls go on, and the server grows by ≤ ${GROWTH_LIMIT / 2 ** 20} MiB`,
  minutes: 1,
  run: (place) =>
    throughNats(place, { links: { delay: DELAY } }, async (calls, lab) => {
      const { side, address } = await calls.startServer();
      const tally = new Tally();
      try {
        const before = side.residentBytes();
        const garbage = throwGarbage(lab, {
          host: SERVER_ADDRESSES[0],
          ports: SERVER_PORTS,
          bytes: SERVER_GARBAGE,
          perSecond: GARBAGE_RATE,
        });
        let isOver = false;
        void garbage.ended.then(() => {
          isOver = true;
        });
        while (!isOver) {
          const { a: connector, b: listener } = await installRules(
            lab,
            rulesOf(kind("EIM/APDF")),
            rulesOf(kind("EIM/APDF")),
          );
          const outcome = await calls.call({ connector, listener, meeting: { server: address } });
          place.log(lineOf("amid garbage", outcome));
          tally.add("amid garbage", outcome);
        }
        must(!side.hasExited, `the server has ended: ${side.summary()}`);
        const growth = side.residentBytes() - before;
        const figure = `${tally.figure}; the server grew by ${(growth / 2 ** 20).toFixed(1)} MiB`;
        tally.mustAllConnect();
        must(growth <= GROWTH_LIMIT, figure);
        return figure;
      } finally {
        side.stop();
      }
    }),
};

/** Few enough ports that garbage comes to each of them often. */
const SMALL_POOL = { kind: "random", first: 40_000, size: 64 } as const;
const FORGED_CALLS = 5;

const atPeers: Row = {
  name: "garbage-at-peers",
  claim: `forged answers of STUN and forged packets at every port of NATs that let everything in: ${FORGED_CALLS} of ${FORGED_CALLS}`,
  minutes: 1,
  run: (place) =>
    throughNats(place, { links: { delay: DELAY } }, async (calls, lab) => {
      const open = { ...rulesOf(kind("EIM/EIF"))!, allocator: SMALL_POOL };
      const garbage = Object.values(OUTER_ADDRESSES).map((host) =>
        throwGarbage(lab, {
          host,
          ports: [SMALL_POOL.first, SMALL_POOL.first + SMALL_POOL.size - 1],
          bytes: Number.MAX_SAFE_INTEGER,
          perSecond: GARBAGE_RATE / 2,
        }),
      );
      const tally = new Tally();
      try {
        for (let count = 0; count < FORGED_CALLS; count++) {
          const { a: connector, b: listener } = await installRules(lab, open, open);
          const outcome = await calls.call({ connector, listener });
          place.log(lineOf("amid garbage", outcome));
          tally.add("amid garbage", outcome);
        }
      } finally {
        for (const each of garbage) each.stop();
      }
      tally.mustAllConnect();
      return tally.figure;
    }),
};

/** Runs test files; returns the line that counts them. Files that are not there fail the row. */
async function tests(place: Workplace, files: readonly string[]): Promise<string> {
  const { lines, seconds } = await run(place, ["npx", "vitest", "run", "--no-color", ...files]);
  const count = lines.find((line) => line.startsWith("Tests "));
  must(count !== undefined, `no tests in ${files.join(", ")}`);
  return `${count.replace(/ +/g, " ")}, ${seconds.toFixed(0)} s`;
}

const attacks: Row = {
  name: "attacks",
  claim:
    "in the simulator: forged answers and probes, offers that name a victim (≤ 10 KiB; a spray ≤ 128 KiB and only at an attested address), others' keys, replays, a server that lies",
  minutes: 2,
  run: (place) => tests(place, ["test/sim/attacks.test.ts"]),
};

const trips: Row = {
  name: "round-trips",
  claim:
    "in the simulator: the first byte after at most 4.5 round trips + 150 ms for all pairs that need no guess; and the others, allocators, loss and delay",
  minutes: 2,
  run: (place) => tests(place, ["test/sim/traversal.test.ts", "test/agent"]),
};

/** Rows about attackers, and those that only the simulator can count. */
export const hostileRows: readonly Row[] = [atServer, atPeers, attacks, trips];
