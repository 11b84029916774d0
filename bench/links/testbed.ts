/**
 * Two hosts joined by a row's link, on this machine's kernel.
 *
 * The emulator is the project's own (`test/kernel/link.c`, which the kernel tests and the acceptance rows use as well).
 * A second opinion can take its place: `PUNCHLINE_TWOHOSTS` names a script that understands `up "OPTIONS"`,
 * `exec a|b COMMAND…` and `down`, with the name of the pair in `LAB`.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { createBadNetwork, type LinkOptions, whyNoNetworks } from "../../test/kernel/network.ts";
import type { LinkSpec } from "./rows.ts";

/** One of the two hosts. */
export interface Station {
  readonly address: string;
  /** What to put in front of a command so that it runs there. */
  readonly prefix: readonly string[];
}

/** What happened to the packets of one direction. */
export interface Passage {
  readonly packets: number;
  /** Dropped because the queue was full. */
  readonly tailDrops: number;
  /** Lost in front of the queue. */
  readonly lost: number;
}

/** Two hosts and the link between them. */
export interface Testbed {
  readonly a: Station;
  readonly b: Station;
  /** Removes the hosts; returns what the link has done to what A sent, and to what B sent. */
  close(): Promise<{ readonly fromA: Passage; readonly fromB: Passage }>;
}

/** Why there can be no testbed here, or `undefined`. */
export function whyNoTestbed(): string | undefined {
  return whyNoNetworks();
}

/** Whose emulator {@link createTestbed} uses. */
export function emulatorName(): string {
  return process.env.PUNCHLINE_TWOHOSTS ?? "test/kernel/link.c";
}

/** Two hosts on this link; `seed` determines which packets the faults hit. */
export function createTestbed(link: LinkSpec, seed: number): Promise<Testbed> {
  const script = process.env.PUNCHLINE_TWOHOSTS;
  return script === undefined ? createOwn(link, seed) : Promise.resolve(createByScript(script, link, seed));
}

async function createOwn(link: LinkSpec, seed: number): Promise<Testbed> {
  const network = await createBadNetwork(ownOptions(link, seed));
  return {
    a: network.a,
    b: network.b,
    async close() {
      const { fromA, fromB } = await network.close();
      return { fromA: { ...fromA, tailDrops: fromA.overflowed }, fromB: { ...fromB, tailDrops: fromB.overflowed } };
    },
  };
}

/** The link in the terms of the project's emulator. */
function ownOptions(link: LinkSpec, seed: number): LinkOptions {
  const { rate, delay, queue, jitter = 0, loss = 0, burst, late, overtaking = 0, duplicate = 0, corrupt = 0 } = link;
  return {
    rate,
    delay,
    "queue-packets": queue,
    jitter,
    loss,
    overtake: overtaking,
    duplicate,
    corrupt,
    seed,
    ...(burst === undefined ? {} : { "burst-enter": burst.enter, "burst-leave": burst.leave }),
    ...(late === undefined ? {} : { late: late.share, "late-by": late.by }),
  };
}

/** Addresses that the script gives its hosts. */
const SCRIPT_ADDRESSES = ["10.88.0.1", "10.88.0.2"] as const;

/** Short, as names of network devices are made of it. */
const SCRIPT_PAIR = `pl${process.pid % 1_000_000}`;

function createByScript(script: string, link: LinkSpec, seed: number): Testbed {
  const reason = whyNoNetworks();
  if (reason !== undefined) throw new Error(reason);
  const env = { ...process.env, LAB: SCRIPT_PAIR };
  execFileSync(script, ["up", scriptOptions(link, seed)], { env, stdio: ["ignore", "ignore", "inherit"] });
  const station = (name: "a" | "b", address: string): Station => ({
    address,
    prefix: ["env", `LAB=${SCRIPT_PAIR}`, script, "exec", name],
  });
  return {
    a: station("a", SCRIPT_ADDRESSES[0]),
    b: station("b", SCRIPT_ADDRESSES[1]),
    async close() {
      const lines = execFileSync(script, ["down"], { env, encoding: "utf8" }).split("\n");
      const passage = (dir: "ab" | "ba"): Passage => {
        const counters = JSON.parse(lines.find((line) => line.includes(`"dir":"${dir}"`)) ?? "{}");
        return { packets: counters.in, tailDrops: counters.tail_drop, lost: counters.lost };
      };
      return { fromA: passage("ab"), fromB: passage("ba") };
    },
  };
}

/** The link in the terms of the script's emulator. */
function scriptOptions(link: LinkSpec, seed: number): string {
  const { rate, delay, queue, jitter, loss, burst, late, overtaking, duplicate, corrupt } = link;
  const words: (string | number)[] = ["--rate", rate, "--delay", delay, "--queue", queue, "--seed", seed];
  const add = (option: string, ...values: readonly (number | undefined)[]): void => {
    for (const value of values) if (value === undefined) return;
    words.push(option, ...(values as readonly number[]));
  };
  add("--jitter", jitter);
  add("--loss", loss);
  add("--burst", burst?.enter, burst?.leave);
  add("--late", late?.share, late?.by);
  add("--reorder", overtaking);
  add("--dup", duplicate);
  add("--corrupt", corrupt);
  return words.join(" ");
}
