/**
 * The server under load, from programs on another processor.
 *
 * @module
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { compile } from "../../../test/kernel/compile.ts";
import { CROWD, type NatLab, SERVER_ADDRESSES } from "../../../test/kernel/nat/lab.ts";
import { must, type Row } from "../row.ts";
import { throughNats } from "./calls.ts";
import { startCoturn } from "./doctor.ts";
import type { CallReport } from "./programs/crowd.ts";

const SERVER_CORE = ["taskset", "-c", "0"];
const LOAD_CORE = ["taskset", "-c", "1"];

/** Half of the crowd's addresses are for listeners, half for callers: nobody meets a limit per source. */
const LISTENER_ADDRESS = (index: number): string => `${CROWD.prefix}.${index >> 8}.${index & 0xff}`;
const CALLER_ADDRESS = `${CROWD.prefix}.128.0`;

const LISTENERS = 10_000;
const MEMORY_LIMIT = 400 * 2 ** 20;

/** Calls a second, and for how many seconds. */
const CALL_RATE = 200;
const CALL_SECONDS = 10;

/** How long a crowd may take to register, in ms. */
const REGISTER_TIMEOUT = 240_000;

/** Starts a crowd's process on `pub`, on the core for load: with connections between peers, or with sessions alone. */
function startCrowd(lab: NatLab, program: "crowd" | "sessions", words: readonly (string | number)[]): ChildProcess {
  const path = fileURLToPath(new URL(`programs/${program}.ts`, import.meta.url));
  const node = [process.execPath, "--import", "tsx", path, ...words.map(String)];
  const [command = "", ...rest] = [...lab.host("pub").prefix, ...LOAD_CORE, ...node];
  return spawn(command, rest, { stdio: ["pipe", "pipe", "inherit"] });
}

/** The line of JSON that a process prints; fails if it ends without one, or takes longer than `patience` ms. */
async function answerOf<Answer>(child: ChildProcess, patience: number): Promise<Answer> {
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const timer = setTimeout(() => child.kill("SIGKILL"), patience);
  const { value } = await lines.next();
  clearTimeout(timer);
  must(typeof value === "string", "a program of the crowd has ended, or was too slow");
  return JSON.parse(value);
}

/** Registers listeners, and returns their tickets; they end with the laboratory. */
async function registerAll(lab: NatLab, server: string, count: number): Promise<readonly string[]> {
  const child = startCrowd(lab, "crowd", ["listen", server, count, LISTENER_ADDRESS(0)]);
  return (await answerOf<{ readonly tickets: readonly string[] }>(child, REGISTER_TIMEOUT)).tickets;
}

/** Calls each ticket once. */
async function callEach(lab: NatLab, tickets: readonly string[], perSecond: number): Promise<CallReport> {
  return outcomeOf(startCrowd(lab, "crowd", ["call", perSecond, CALLER_ADDRESS]), tickets, perSecond);
}

/** Gives a crowd of callers whom to call. */
function outcomeOf(callers: ChildProcess, words: readonly string[], perSecond: number): Promise<CallReport> {
  callers.stdin!.end(words.map((word) => `${word}\n`).join(""));
  return answerOf<CallReport>(callers, (words.length / perSecond) * 1000 + 60_000);
}

function describe({ connected, failed, seconds }: CallReport): string {
  const failures = Object.entries(failed).map(([code, count]) => `${count} ${code}`);
  return `${connected} connected in ${seconds.toFixed(1)} s, ${failures.join(", ") || "none failed"}`;
}

const crowd: Row = {
  name: "server-crowd",
  claim: `${LISTENERS} registered listeners in less than ${MEMORY_LIMIT / 2 ** 20} MiB, and ${CALL_RATE} callers a second among them, each with a session of its own, answered`,
  minutes: 2,
  run: (place) =>
    throughNats(place, {}, async (calls, lab) => {
      const { side, address } = await calls.startServer("", SERVER_CORE);
      try {
        const listeners = startCrowd(lab, "sessions", ["listen", address, LISTENERS, LISTENER_ADDRESS(0)]);
        const { slots } = await answerOf<{ readonly slots: readonly string[] }>(listeners, REGISTER_TIMEOUT);
        must(slots.length === LISTENERS, `${slots.length} have registered`);
        const atRest = side.residentBytes();
        const wanted = CALL_RATE * CALL_SECONDS;
        const callers = startCrowd(lab, "sessions", ["call", address, CALL_RATE, CALLER_ADDRESS]);
        const report = await outcomeOf(callers, slots.slice(0, wanted), CALL_RATE);
        const most = Math.max(atRest, side.residentBytes());
        const figure = `${(atRest / 2 ** 20).toFixed(0)} MiB, with calls ${(most / 2 ** 20).toFixed(0)} MiB; ${describe(report)}`;
        place.log(figure);
        must(!side.hasExited, `the server has ended: ${side.summary()}`);
        must(most <= MEMORY_LIMIT && atRest > 0, `too much memory: ${figure}`);
        must(report.connected === wanted, `not all have connected: ${figure}`);
        // The last call begins a moment before the time is over, and takes another moment.
        must(report.seconds <= CALL_SECONDS + 2, `fewer than ${CALL_RATE} a second: ${figure}`);
        return figure;
      } finally {
        side.stop();
      }
    }),
};

/** Answers a second in relation to coturn's, at least. */
const STUN_SHARE = 0.3;
const STUN_SECONDS = 5;

/** Answers a second of the server at the first address. */
async function stunRate(lab: NatLab): Promise<number> {
  const program = compile(new URL("programs/stun-load.c", import.meta.url));
  const words = [SERVER_ADDRESSES[0], "3478", STUN_SECONDS, LISTENER_ADDRESS(0), 2 ** (32 - CROWD.bits)].map(String);
  const [command = "", ...rest] = [...lab.host("pub").prefix, ...LOAD_CORE, program, ...words];
  const { stdout } = await promisify(execFile)(command, rest);
  const { answered } = JSON.parse(stdout);
  return answered / STUN_SECONDS;
}

const stun: Row = {
  name: "server-stun",
  claim: `STUN answers a second, from ${2 ** (32 - CROWD.bits)} sources: ≥ ${STUN_SHARE} of coturn's on the same processor`,
  minutes: 1,
  run: (place) =>
    throughNats(place, {}, async (calls, lab) => {
      const coturn = await startCoturn(place, lab, SERVER_CORE);
      const theirs = await stunRate(lab).finally(() => coturn.kill("SIGKILL"));
      const { side } = await calls.startServer("", SERVER_CORE);
      const ours = await stunRate(lab).finally(() => side.stop());
      const figure = `${ours.toFixed(0)} a second, coturn ${theirs.toFixed(0)}: ${(ours / theirs).toFixed(2)}`;
      must(ours >= STUN_SHARE * theirs, figure);
      return figure;
    }),
};

const RESTART_CALLS = 100;
const RESTART_RATE = 10;

/** One keepalive interval, at its longest, and 5 s: then all listeners are back. In ms. */
const BACK_AFTER = 6000 + 5000;

const restart: Row = {
  name: "server-restart",
  claim: `killed and started again during ${RESTART_CALLS} calls: each succeeds or fails with a code, listeners are back in ${BACK_AFTER / 1000} s`,
  minutes: 1,
  run: (place) =>
    throughNats(place, {}, async (calls, lab) => {
      const key = "--key server-key";
      const first = await calls.startServer(key, SERVER_CORE);
      const tickets = await registerAll(lab, first.address, RESTART_CALLS);
      const calling = callEach(lab, tickets, RESTART_RATE);
      await sleep((RESTART_CALLS / RESTART_RATE) * 500);
      await first.side.kill("SIGKILL");
      await first.side.exit;
      const second = await calls.startServer(key, SERVER_CORE);
      try {
        must(second.address === first.address, "the server has another address now");
        const back = sleep(BACK_AFTER);
        const during = await calling;
        const unclear = (during.failed.none ?? 0) + (during.failed.ERR_INTERNAL ?? 0);
        must(unclear === 0, `calls failed without a clear code: ${describe(during)}`);
        await back;
        const after = await callEach(lab, tickets, RESTART_RATE * 2);
        const figure = `during: ${describe(during)}; after ${BACK_AFTER / 1000} s: ${describe(after)}`;
        must(after.connected === RESTART_CALLS, figure);
        return figure;
      } finally {
        second.side.stop();
      }
    }),
};

/** Rows about the server. */
export const loadRows: readonly Row[] = [stun, crowd, restart];
