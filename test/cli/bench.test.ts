/**
 * `punchline bench` against `punchline listen --bench`, and against peers of other kinds.
 *
 * @module
 */
import { once } from "node:events";
import { connect as connectTcp, createServer } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { listen as answer, connect as dial, type PeerStream } from "../../src/index.ts";
import { type Event, listen, type Process, pause, run, start } from "./processes.ts";

/** A listener that measures, on loopback. */
function benchListener(args: readonly string[] = []): Process {
  return listen(["--bench", ...args]);
}

/** The events that a command wrote to standard output. */
function eventsOf(stdout: string): readonly Event[] {
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Event);
}

function eventNamed(stdout: string, name: string): Event {
  return eventsOf(stdout).find((event) => event.event === name)!;
}

/** A TCP port that is free, or was a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const ROUND_TRIPS = {
  min: expect.any(Number),
  p50: expect.any(Number),
  p99: expect.any(Number),
  answered: expect.any(Number),
  lost: expect.any(Number),
};

const DIRECTION = {
  bytes: expect.any(Number),
  seconds: expect.any(Number),
  goodput: expect.any(Number),
  rtt: ROUND_TRIPS,
  cpuPerGB: { local: expect.any(Number), remote: expect.any(Number) },
};

const OURS = {
  ...DIRECTION,
  packetsSent: expect.any(Number),
  packetsLost: expect.any(Number),
  loss: expect.any(Number),
  retransmittedBytes: expect.any(Number),
  retransmitted: expect.any(Number),
};

describe("a measurement", () => {
  test("reports both directions, the idle line and plain TCP (CLI-21, CLI-24, CLI-25)", async () => {
    const listener = benchListener();
    const { command, ticket } = await listener.event("listening");
    expect(command).toBe(`npx punchline bench ${ticket}`);
    const port = await freePort();
    const end = await run(["bench", String(ticket), "--seconds", "0.4", "--tcp", String(port), "--json"]);
    expect([end.code, end.stderr]).toEqual([0, ""]);
    const { v, time, event, ...report } = eventNamed(end.stdout, "bench");
    expect([v, typeof time, event]).toEqual([1, "number", "bench"]);
    const system = process.platform === "linux" ? expect.any(String) : undefined;
    expect(report).toEqual({
      path: "direct",
      remote: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      rtt: expect.any(Number),
      seconds: 0.4,
      datagramSize: expect.any(Number),
      congestion: { local: expect.any(String), remote: expect.any(String) },
      idle: { rtt: ROUND_TRIPS },
      up: OURS,
      down: OURS,
      tcp: { port, congestion: { local: system, remote: system }, up: DIRECTION, down: DIRECTION },
    });
    for (const { bytes, seconds, goodput } of [report.up, report.down] as (typeof DIRECTION)[]) {
      expect(seconds).toBeGreaterThan(0.1);
      expect(seconds).toBeLessThanOrEqual(0.4);
      expect(bytes).toBeGreaterThan(1_000_000);
      expect(goodput / (bytes / seconds)).toBeCloseTo(1, 1);
    }
    expect(eventsOf(end.stdout).at(-1)).toMatchObject({ event: "closed", exit: 0 });
    const served = await listener.ended;
    expect([served.code, served.stdout]).toEqual([0, ""]);
    expect(served.events.find((each) => each.event === "measured")).toMatchObject({
      sent: expect.any(Number),
      received: expect.any(Number),
      seconds: expect.any(Number),
      path: "direct",
    });
    // The port is closed again.
    const late = connectTcp({ host: "127.0.0.1", port });
    expect(((await once(late, "error")) as Error[])[0]).toMatchObject({ code: "ECONNREFUSED" });
  });

  test("prints a table on standard output and nothing else there (CLI-24)", async () => {
    const listener = benchListener();
    const end = await run(["bench", "--seconds", "0.2"], { env: { PUNCHLINE_TICKET: await listener.ticket() } });
    expect(end.code).toBe(0);
    expect(end.stdout).toMatch(/^Path {14}direct to 127\.0\.0\.1:\d+, datagrams of \d+ bytes\nCongestion /);
    expect(end.stdout).toMatch(/^Goodput +[\d.]+ [kMG]?B\/s +[\d.]+ [kMG]?B\/s /m);
    expect(end.stdout).toMatch(/^Processor there +[\d.e+]+ s\/GB +[\d.e+]+ s\/GB\n$/m);
    expect(end.stderr).toMatch(/^Connecting to .*\nConnected after .*\nMeasuring for 400 ms \.\.\.\n$/);
  });

  test("that cannot have its TCP port says so, and succeeds (CLI-25)", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => void taken.close());
    await once(taken, "listening");
    const { port } = taken.address() as { port: number };
    const listener = benchListener();
    const end = await run(["bench", await listener.ticket(), "--seconds", "0.1", "--json", "--tcp", String(port)]);
    expect(end.code).toBe(0);
    expect(eventNamed(end.stdout, "bench").tcp).toEqual({ port, error: "the port is in use there" });
    expect((await listener.ended).code).toBe(0);
  });

  test("keeps strangers from its TCP port (CLI-25)", async () => {
    const port = await freePort();
    const listener = benchListener();
    const bench = start(["bench", await listener.ticket(), "--seconds", "0.5", "--json", "--tcp", String(port)]);
    // Strangers come all the time, with a wrong token or none.
    const knocking = setInterval(() => {
      const stranger = connectTcp({ host: "127.0.0.1", port });
      stranger.on("error", () => {}).write(Buffer.alloc(16));
    }, 20);
    const end = await bench.ended;
    clearInterval(knocking);
    expect(end.code).toBe(0);
    expect(eventNamed(end.stdout, "bench").tcp).toMatchObject({ port, up: DIRECTION, down: DIRECTION });
  });
});

describe("an end before the end (CLI-26)", () => {
  /** A pair in the middle of a long measurement. */
  async function busyPair(): Promise<{ listener: Process; bench: Process }> {
    const listener = benchListener(["--linger", "2"]);
    const bench = start(["bench", await listener.ticket(), "--seconds", "30", "--json", "--linger", "2"]);
    await listener.event("connected");
    while (!bench.text.includes('"received":0,"rate":') || !/"sent":[1-9]/.test(bench.text)) await pause(20);
    return { listener, bench };
  }

  test("by Ctrl-C on either side: 130, and the other side exits 5", async () => {
    for (const who of ["bench", "listener"] as const) {
      const pair = await busyPair();
      pair[who].kill("SIGINT");
      const [mine, theirs] = await Promise.all([pair[who].ended, pair[who === "bench" ? "listener" : "bench"].ended]);
      expect([mine.code, theirs.code]).toEqual([130, 5]);
      const events = who === "bench" ? theirs.events : eventsOf(theirs.stdout);
      expect(events.find((event) => event.event === "error")).toMatchObject({
        code: "ERR_PEER_FAILED",
        message: expect.stringMatching(/interrupted by SIGINT/),
      });
      expect(eventsOf(mine.stdout || '{"event":"-"}').some((event) => event.event === "bench")).toBe(false);
    }
  });

  test("by a peer that is killed: exit 5 after the linger time", async () => {
    const { listener, bench } = await busyPair();
    listener.kill("SIGKILL");
    const end = await bench.ended;
    expect(end.code).toBe(5);
    expect(eventNamed(end.stdout, "error")).toMatchObject({ code: "ERR_PEER_LOST", exit: 5 });
  });
});

describe("peers that do not measure (CLI-26)", () => {
  test("bench against a plain listener: both exit 5, and no payload appears", async () => {
    const listener = listen([], { stdin: "payload" });
    const end = await run(["bench", await listener.ticket()]);
    expect([end.code, end.stdout]).toEqual([5, ""]);
    expect(end.stderr).toMatch(/the other side does not measure\n {2}hint: run `punchline listen --bench` there/);
    const plain = await listener.ended;
    expect([plain.code, plain.stdout]).toEqual([5, ""]);
    expect(plain.stderr).toMatch(/code 262.*punchline bench/);
  });

  test("connect to a listener that measures: both exit 5", async () => {
    const listener = benchListener();
    const end = await run(["connect", await listener.ticket()], { stdin: "payload" });
    expect([end.code, end.stdout]).toEqual([5, ""]);
    expect(end.stderr).toMatch(/code 262.*punchline listen --bench/);
    const served = await listener.ended;
    expect([served.code, served.stdout]).toEqual([5, ""]);
    expect(served.events.find((event) => event.event === "error")).toMatchObject({
      code: "ERR_BENCH",
      message: "the other side wants to pipe, not to measure",
    });
  });

  test("a program that says nothing: exit 5 after a while, on either side", async () => {
    const silent = await answer({ host: "127.0.0.1" });
    onTestFinished(() => silent.close({ connections: true }));
    const listener = benchListener();
    const stream = await dial(await listener.ticket());
    onTestFinished(() => stream.connection.close());
    const [end, served] = await Promise.all([run(["bench", String(silent.ticket)]), listener.ended]);
    expect([end.code, served.code]).toEqual([5, 5]);
    expect(end.stderr).toMatch(/does not measure/);
    expect(served.stderr).toMatch(/does not ask for a measurement/);
  });
});

/** `{"type":"ready"}` with its length. */
const READY = Buffer.from('\0\x10{"type":"ready"}', "latin1");

describe("peers that break the rules (CLI-26, CLI-27)", () => {
  const hello = { type: "hello", version: 1, congestion: "x" };

  /** Speaks to a listener that measures; returns how it ended. */
  async function speak(...messages: readonly (object | Uint8Array)[]) {
    const listener = benchListener();
    const stream: PeerStream = await dial(await listener.ticket());
    onTestFinished(() => stream.connection.close());
    const control = await stream.connection.openStream();
    control.resume();
    control.write(Uint8Array.of(0x42));
    for (const message of messages) {
      if (message instanceof Uint8Array) {
        control.write(message);
        continue;
      }
      const body = Buffer.from(JSON.stringify(message));
      control.write(Buffer.concat([Uint8Array.of(body.length >> 8, body.length & 0xff), body]));
    }
    const end = await listener.ended;
    expect(stream.connection.closeReason).toMatchObject({ code: 0x106 });
    return end;
  }

  test.each([
    { what: "a message out of turn", messages: [hello, { type: "ready" }] },
    { what: "the end of nothing", messages: [hello, { type: "end" }] },
    { what: "a message that is too long", messages: [hello, Uint8Array.of(0xff, 0xff)] },
    { what: "no greeting", messages: [{ type: "end" }] },
    { what: "another version", messages: [{ ...hello, version: 2 }] },
    {
      what: "two phases at once",
      messages: [hello, { type: "begin", phase: "up", ms: 10 }, { type: "begin", phase: "up", ms: 10 }],
    },
    { what: "more messages than anybody reads", messages: [Buffer.concat(Array(17).fill(READY))] },
  ])("$what: exit 5", async ({ messages }) => {
    const end = await speak(...messages);
    expect(end.code).toBe(5);
    expect(end.events.find((event) => event.event === "error")).toMatchObject({ code: "ERR_BENCH", exit: 5 });
  });
});

test.each([
  { args: ["bench"], says: /no ticket was given/ },
  { args: ["bench", "pl1abc"], says: /punchline: .*\n {2}hint: / },
  { args: ["bench", "x", "--seconds", "0"], says: /seconds above 0/ },
  { args: ["bench", "x", "--seconds", "4000"], says: /at most 3600/ },
  { args: ["bench", "x", "--tcp", "0"], says: /from 1 to 65535/ },
])("wrong usage: $args (CLI-2, CLI-4)", async ({ args, says }) => {
  const end = await run(args);
  expect([end.code, end.stdout]).toEqual([2, ""]);
  expect(end.stderr).toMatch(says);
});
