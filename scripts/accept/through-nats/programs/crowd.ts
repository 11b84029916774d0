/**
 * Many listeners or many callers in one process, each at an address of its own.
 *
 * `crowd.ts listen SERVER COUNT FIRST` registers COUNT listeners at the address FIRST and those behind it, prints
 * `{ "tickets": […] }`, and serves whoever calls until it is ended.
 *
 * `crowd.ts call PER_SECOND FIRST` reads such tickets, a line each, calls each of them once at this rate, and prints a
 * {@link CallReport}.
 *
 * @module
 */
import { createInterface } from "node:readline";
import { finished } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { importBuilt } from "../../../../bench/built.ts";
import type { Listener } from "../../../../src/index.ts";
import { addressAfter } from "./addresses.ts";

/** What came of the calls. */
export interface CallReport {
  readonly connected: number;
  /** Failed calls by their code; a failure without one is "none". */
  readonly failed: Readonly<Record<string, number>>;
  /** From the first call to the end of the last, in s. */
  readonly seconds: number;
}

const { connect, listen } = await importBuilt();

/** Registrations under way at once: each takes milliseconds of a processor that all processes share, and none may take long. */
const AT_ONCE = 8;

const CALL_TIMEOUT = 10_000;

async function listenAll(server: string, count: number, first: string): Promise<void> {
  const tickets: string[] = [];
  let next = 0;
  const register = async (): Promise<void> => {
    while (next < count) {
      const options = { host: addressAfter(first, next++), server, path: "direct" } as const;
      const listener = await listen(options);
      if (listener.ticket.addresses.length > 0)
        throw new Error("callers do not need the server: the ticket has addresses");
      tickets.push(String(listener.ticket));
      void serve(listener);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, register));
  console.log(JSON.stringify({ tickets }));
}

async function serve(listener: Listener): Promise<void> {
  for await (const stream of listener) {
    // What becomes of it, the caller says.
    stream.on("error", () => {});
    stream.resume().end();
  }
}

async function callAll(perSecond: number, first: string): Promise<void> {
  const failed: Record<string, number> = {};
  const calls: Promise<void>[] = [];
  let connected = 0;
  const startedAt = performance.now();
  for await (const ticket of createInterface({ input: process.stdin })) {
    const host = addressAfter(first, calls.length);
    await sleep(startedAt + (calls.length * 1000) / perSecond - performance.now());
    calls.push(
      call(ticket, host).then(
        () => {
          connected += 1;
        },
        ({ code = "none" }: { readonly code?: string }) => {
          failed[code] = (failed[code] ?? 0) + 1;
        },
      ),
    );
  }
  await Promise.all(calls);
  const report: CallReport = { connected, failed, seconds: (performance.now() - startedAt) / 1000 };
  console.log(JSON.stringify(report));
}

async function call(ticket: string, host: string): Promise<void> {
  const options = { host, path: "direct", timeout: CALL_TIMEOUT } as const;
  const stream = await connect(ticket, options);
  stream.resume().end("hello");
  await finished(stream);
}

const [role, ...words] = process.argv.slice(2);
if (role === "listen") await listenAll(words[0] ?? "", Number(words[1]), words[2] ?? "");
else {
  await callAll(Number(words[0]), words[1] ?? "");
  process.exit();
}
