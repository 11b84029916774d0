/**
 * What the doctor says: of each ruleset, and of each pair of kinds.
 *
 * @module
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  FILTER_SCOPES,
  type FilterScope,
  KINDS,
  type Kind,
  type NamedRules,
  PAIRS,
  RULESETS,
} from "../../../test/kernel/nat/kinds.ts";
import { type HostName, type NatLab, SERVER_ADDRESSES } from "../../../test/kernel/nat/lab.ts";
import { installPair } from "../../../test/kernel/nat/pairs.ts";
import { must, type Row, type Workplace } from "../row.ts";
import { exitOf } from "../tools/pair.ts";
import { Side } from "../tools/side.ts";
import { throughNats } from "./calls.ts";
import { DELAY } from "./matrix.ts";
import { didConnect } from "./outcomes.ts";

/** From the start of the command to its end, in ms. */
const DOCTOR_TIMEOUT = 5000;

const STUN_PORT = 3478;

/** Verdicts that agree with what happened, of all. */
const AGREEMENT = 0.95;

/** What one line of the doctor's `--json` may hold; see spec/doctor.md. */
interface DoctorAnswer {
  readonly nat?: {
    readonly ipv4?: {
      readonly mapping: string;
      readonly filtering: string;
      readonly allocator: string;
      readonly hairpin: string;
    };
  };
  readonly direct?: string;
}

/** Runs the doctor on a host; returns what it says and the words of it. */
async function consult(
  place: Workplace,
  { lab, host, args }: { readonly lab: NatLab; readonly host: HostName; readonly args: string },
): Promise<{ readonly answer: DoctorAnswer; readonly text: string; readonly ms: number }> {
  const startedAt = Date.now();
  const { prefix } = lab.host(host);
  const side = new Side("doctor", { args: `doctor --json ${args}`, redirect: "> doctor-answer", prefix }, place);
  const { code, at } = await exitOf(side, 30);
  must(code === 0, `the doctor: exit ${code}, ${side.summary()}`);
  const text = await readFile(join(place.folder, "doctor-answer"), "utf8");
  const answer = JSON.parse(text.trim().split("\n").at(-1) ?? "");
  return { answer, text, ms: at - startedAt };
}

/** Installs every ruleset and asks the doctor about each. */
async function classifyAll(place: Workplace, lab: NatLab, whom: string): Promise<string> {
  const wrong: string[] = [];
  let slowest = 0;
  for (const { name, rules, seenMapping } of RULESETS) {
    await lab.install("na", rules);
    const { answer, ms } = await consult(place, { lab, host: "ha", args: whom });
    slowest = Math.max(slowest, ms);
    const seen = describeSeen(answer);
    const expected = describeRules({ name, rules, seenMapping });
    place.log(`${name}: ${seen}, ${ms} ms`);
    if (seen !== expected) wrong.push(`${name} is seen as ${seen}`);
  }
  const figure = `${RULESETS.length - wrong.length} of ${RULESETS.length}, ${slowest} ms at most`;
  must(wrong.length === 0, `${figure}: ${wrong.slice(0, 5).join("; ")}`);
  must(slowest <= DOCTOR_TIMEOUT, `slower than ${DOCTOR_TIMEOUT} ms: ${figure}`);
  return figure;
}

function describeRules({ rules, seenMapping }: NamedRules): string {
  return [seenMapping, rules.filtering, rules.allocator.kind, rules.hairpin ? "hairpin" : "no hairpin"].join(", ");
}

function describeSeen({ nat }: DoctorAnswer): string {
  if (nat?.ipv4 === undefined) return "nothing";
  const { mapping, filtering, allocator, hairpin } = nat.ipv4;
  const words: Readonly<Record<string, string>> = { yes: "hairpin", no: "no hairpin" };
  return [mapping, filtering, allocator, words[hairpin] ?? `hairpin ${hairpin}`].join(", ");
}

const besideCoturn: Row = {
  name: "doctor-coturn",
  claim: `the doctor classifies ${RULESETS.length} rulesets by coturn, each within ${DOCTOR_TIMEOUT / 1000} s`,
  minutes: 3,
  run: (place) =>
    throughNats(place, { links: { delay: DELAY } }, async (_, lab) => {
      const coturn = await startCoturn(place, lab);
      try {
        return await classifyAll(place, lab, `--stun ${SERVER_ADDRESSES[0]}:${STUN_PORT}`);
      } finally {
        coturn.kill("SIGKILL");
      }
    }),
};

const besideServer: Row = {
  name: "doctor-server",
  claim: `the doctor classifies ${RULESETS.length} rulesets by our own server, each within ${DOCTOR_TIMEOUT / 1000} s`,
  minutes: 3,
  run: (place) =>
    throughNats(place, { links: { delay: DELAY } }, async (calls, lab) => {
      const { side, address } = await calls.startServer();
      try {
        return await classifyAll(place, lab, `--server ${address}`);
      } finally {
        side.stop();
      }
    }),
};

const verdicts: Row = {
  name: "doctor-verdicts",
  claim: `the doctor's verdict on two reports agrees with what came of ≥ ${AGREEMENT * 100} % of the matrix`,
  minutes: 4,
  run: (place) =>
    throughNats(place, { links: { delay: DELAY } }, async (calls, lab) => {
      const { side, address } = await calls.startServer();
      const wrong: string[] = [];
      try {
        for (const scope of FILTER_SCOPES) {
          const reports = await reportsOf(place, { lab, scope, args: `--server ${address}` });
          for (const pair of PAIRS) {
            const { a, b } = { a: reports.a.get(pair[0])!, b: reports.b.get(pair[1])! };
            const { answer } = await consult(place, { lab, host: "pub", args: `${a} ${b}` });
            const did = didConnect(place, pair, scope);
            // What is only possible is no verdict.
            const agrees = did ? ["yes", "likely"].includes(answer.direct ?? "") : answer.direct === "no";
            const name = `${pair[0].name} and ${pair[1].name}, ${scope}`;
            if (!agrees) wrong.push(`${name}: ${answer.direct}, and they ${did ? "connect" : "do not"}`);
          }
        }
      } finally {
        side.stop();
      }
      const total = PAIRS.length * FILTER_SCOPES.length;
      const figure = `${total - wrong.length} of ${total} verdicts agree`;
      must(total - wrong.length >= AGREEMENT * total, `${figure}: ${wrong.slice(0, 5).join("; ")}`);
      return figure;
    }),
};

/** A report of each kind, in each of the homes. */
async function reportsOf(
  place: Workplace,
  { lab, scope, args }: { readonly lab: NatLab; readonly scope: FilterScope; readonly args: string },
): Promise<Readonly<Record<"a" | "b", ReadonlyMap<Kind, string>>>> {
  const reports = { a: new Map<Kind, string>(), b: new Map<Kind, string>() };
  for (const kind of KINDS) {
    const ends = await installPair(lab, [kind, kind], scope);
    for (const home of ["a", "b"] as const) {
      const { text } = await consult(place, { lab, host: ends[home], args });
      const report = /\bpr1[0-9A-Za-z]+/.exec(text)?.[0];
      must(report !== undefined, `no report to paste: ${text.slice(0, 300)}`);
      reports[home].set(kind, report);
      place.log(`${kind.name} in ${home}: ${report}`);
    }
  }
  return reports;
}

/** Options with which coturn answers as RFC 5780 §3 has it, from two addresses with two ports each. */
const COTURN_OPTIONS = [
  "-n",
  ...SERVER_ADDRESSES.map((address) => `--listening-ip=${address}`),
  `--listening-port=${STUN_PORT}`,
  `--alt-listening-port=${STUN_PORT + 1}`,
  "--stun-only",
  "--no-tls",
  "--no-dtls",
  "--no-tcp",
  "--no-cli",
  "--relay-threads=1",
  "--log-file=stdout",
  "--simple-log",
];

/** Starts coturn on the server's host, and waits until it listens. */
export async function startCoturn(
  place: Workplace,
  lab: NatLab,
  prefix: readonly string[] = [],
): Promise<ChildProcess> {
  const files = [`--pidfile=${place.folder}/coturn.pid`, `--userdb=${place.folder}/coturn.db`];
  const entry = lab.host("srv").prefix;
  const [command = "", ...words] = [...entry, ...prefix, "turnserver", ...COTURN_OPTIONS, ...files];
  const coturn = spawn(command, words, { stdio: "ignore" });
  await Promise.race([listens(entry), once(coturn, "error").then(([error]) => Promise.reject(error))]);
  must(coturn.exitCode === null, `coturn has ended with exit code ${coturn.exitCode}; is it installed?`);
  return coturn;
}

/** Waits until something is bound to the STUN port, for 5 s at most. */
async function listens([command = "", ...words]: readonly string[]): Promise<void> {
  const port = `:${STUN_PORT.toString(16).toUpperCase().padStart(4, "0")} `;
  for (let turn = 0; turn < 100; turn++) {
    if (execFileSync(command, [...words, "cat", "/proc/net/udp"], { encoding: "utf8" }).includes(port)) return;
    await sleep(50);
  }
  throw new Error("coturn does not listen; is it installed?");
}

/** Rows about the doctor. */
export const doctorRows: readonly Row[] = [besideCoturn, besideServer, verdicts];
