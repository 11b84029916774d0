/**
 * What users get wrong: each ends with its documented exit code, and a message that is no stack trace.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import { must, type Row, type Workplace } from "../row.ts";
import { exitOf, startPair } from "../tools/pair.ts";
import { Side } from "../tools/side.ts";

interface Case {
  readonly what: string;
  readonly exit: number;
  /** Runs it, and returns the side that must complain. */
  run(place: Workplace): Promise<Side>;
}

function alone(place: Workplace, args: string, redirect = ""): Side {
  return new Side("it", { args, redirect }, place);
}

/** A listener, its ticket, and the means to end it. */
async function withListener(place: Workplace, args: string, body: (ticket: string) => Promise<Side>): Promise<Side> {
  const listener = alone(place, `listen --json --host 127.0.0.1 ${args}`);
  const { ticket } = await listener.next("listening");
  try {
    const side = await body(String(ticket));
    await side.exit;
    return side;
  } finally {
    await listener.kill("SIGKILL");
    await listener.exit;
  }
}

/** The ticket with one character changed. */
function damaged(ticket: string): string {
  const middle = ticket.length >> 1;
  return `${ticket.slice(0, middle)}${ticket[middle] === "x" ? "y" : "x"}${ticket.slice(middle + 1)}`;
}

const CASES: readonly Case[] = [
  { what: "no ticket", exit: 2, run: async (place) => alone(place, "connect --json") },
  { what: "something else for a ticket", exit: 2, run: async (place) => alone(place, "connect --json hello") },
  {
    what: "a ticket with a changed character",
    exit: 2,
    run: (place) => withListener(place, "", async (ticket) => alone(place, `connect --json ${damaged(ticket)}`)),
  },
  {
    what: "a ticket that was cut",
    exit: 2,
    run: (place) => withListener(place, "", async (ticket) => alone(place, `connect --json ${ticket.slice(0, -3)}`)),
  },
  {
    what: "a ticket of another version",
    exit: 2,
    run: (place) =>
      withListener(place, "", async (ticket) => alone(place, `connect --json ${ticket.replace("pl1", "pl2")}`)),
  },
  {
    what: "an expired ticket",
    exit: 2,
    run: (place) =>
      withListener(place, "--expires 1", async (ticket) => {
        await sleep(2500);
        return alone(place, `connect --json ${ticket}`);
      }),
  },
  {
    what: "a key that is not allowed",
    exit: 4,
    run: (place) =>
      withListener(place, `--allow ${"ab".repeat(32)}`, async (ticket) => alone(place, `connect --json ${ticket}`)),
  },
  {
    what: "nobody there",
    exit: 3,
    async run(place) {
      const listener = alone(place, "listen --json --host 127.0.0.1");
      const { ticket } = await listener.next("listening");
      await listener.kill("SIGKILL");
      await listener.exit;
      return alone(place, `connect --json --timeout 2 ${ticket}`);
    },
  },
  {
    what: "a port in use",
    exit: 7,
    run: (place) =>
      withListener(place, "--port 47391", async () => alone(place, "listen --json --host 127.0.0.1 --port 47391")),
  },
  { what: "an unknown option", exit: 2, run: async (place) => alone(place, "listen --json --colour") },
  { what: "a directory for standard input", exit: 7, run: async (place) => alone(place, "listen --json", "< /") },
  {
    what: "a full disk behind standard output",
    exit: 7,
    async run(place) {
      const { listener, connector } = await startPair(place, {
        listener: { redirect: "> /dev/full" },
        connector: { before: "head -c 1000000 /dev/zero" },
      });
      const sender = await exitOf(connector, 30);
      must(sender.code === 5, `full disk: the sender exits ${sender.code} instead of 5`);
      return listener;
    },
  },
];

export const badInput: Row = {
  name: "bad-input",
  claim: "each mistake of a user: a clear message and its documented exit code",
  minutes: 1,
  async run(place) {
    const wrong: string[] = [];
    for (const { what, exit, run } of CASES) {
      const side = await run(place);
      const { code } = await exitOf(side, 30);
      const error = side.latest("error");
      place.log(`${what}: exit ${code}, ${error?.message}${error?.hint === undefined ? "" : ` (${error.hint})`}`);
      if (code !== exit) wrong.push(`${what}: exit ${code} instead of ${exit}`);
      if (error === undefined || side.showsStackTrace) wrong.push(`${what}: ${side.said}`);
    }
    must(wrong.length === 0, wrong.join("; "));
    return `${CASES.length} of ${CASES.length}`;
  },
};
