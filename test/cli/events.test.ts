/**
 * The events of `--json`, and what `ticket inspect` says.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { connect, type End, type Event, listen, run, sampleBytes, start } from "./processes.ts";

const SIZE = 3_000_000;
const PATH = { path: "direct", remote: expect.stringMatching(/^127\.0\.0\.1:\d+$/), rtt: expect.any(Number) };

function one(end: End, name: string): Event {
  const found = end.events.filter((event) => event.event === name);
  expect(found, name).toHaveLength(1);
  return found[0]!;
}

describe("--json (CLI-19)", () => {
  test("one object a line on standard error, nothing else there, payload alone on standard output (CLI-1)", async () => {
    const listener = listen();
    const dialler = await connect(listener, [], { stdin: sampleBytes(SIZE) });
    const [a, b] = await Promise.all([listener.ended, dialler.ended]);
    for (const end of [a, b]) {
      const lines = end.stderr.trimEnd().split("\n");
      expect(lines).toHaveLength(end.events.length);
      for (const event of end.events) {
        expect(event.v).toBe(1);
        expect(Math.abs(event.time - Date.now())).toBeLessThan(60_000);
      }
      expect(end.events.at(-1)).toMatchObject({ event: "closed", exit: 0 });
    }
    expect(b.stdout).toBe("");
  });

  test("tell the whole course of a transfer", async () => {
    const listener = listen();
    const dialler = await connect(listener, [], { stdin: sampleBytes(SIZE) });
    const [a, b] = await Promise.all([listener.ended, dialler.ended]);
    const listening = one(a, "listening");
    expect(listening).toMatchObject({ addresses: [expect.stringMatching(/^127\.0\.0\.1:\d+$/)] });
    expect(one(b, "connecting")).toMatchObject({ addresses: listening.addresses, timeout: 20_000 });
    const [here, there] = [one(a, "connected"), one(b, "connected")];
    expect(here).toMatchObject({ ms: expect.any(Number), peer: expect.stringMatching(/^[0-9a-f]{64}$/), ...PATH });
    expect(there).toMatchObject({ ms: expect.any(Number), peer: expect.stringMatching(/^[0-9a-f]{64}$/), ...PATH });
    expect(here.peer).not.toBe(there.peer);
    expect(one(a, "summary")).toMatchObject({
      confirmed: true,
      bytes: SIZE,
      sent: 0,
      received: SIZE,
      seconds: expect.any(Number),
      longestPause: expect.any(Number),
      retransmitted: expect.any(Number),
      ...PATH,
    });
    const summary = one(b, "summary");
    expect(summary).toMatchObject({ confirmed: true, bytes: SIZE, sent: SIZE, received: 0 });
    const order = [there.time, summary.firstByteAt, summary.lastByteAt, summary.time].map(Number);
    expect(order).toEqual([...order].sort((x, y) => x - y));
  });

  test("progress comes four times a second while there is a connection", async () => {
    const listener = listen([], { stdin: "open" });
    const dialler = await connect(listener, [], { stdin: "12345" });
    await listener.received(5);
    await new Promise((resolve) => setTimeout(resolve, 1_600));
    listener.child.stdin!.end();
    const end = await dialler.ended;
    const progress = end.events.filter((event) => event.event === "progress");
    expect(progress.length).toBeGreaterThanOrEqual(4);
    expect(progress.length).toBeLessThanOrEqual(Number(one(end, "summary").seconds) * 4 + 1);
    expect(progress.at(-1)).toMatchObject({ sent: 5, received: 0, rate: 0, ...PATH });
  });

  test("a silent peer is reported as stalled, and its return as resumed", async () => {
    const listener = listen([], { stdin: "open" });
    const dialler = await connect(listener, [], { stdin: "open" });
    await Promise.all([listener.event("connected"), dialler.event("connected")]);
    listener.kill("SIGSTOP");
    dialler.child.stdin!.write("are you there?");
    await dialler.event("stalled");
    listener.kill("SIGCONT");
    await dialler.event("resumed");
    listener.child.stdin!.end();
    dialler.child.stdin!.end();
    expect((await dialler.ended).code).toBe(0);
  });
});

describe("text for people", () => {
  test("says where to connect, that it worked, and what was moved, without a progress line in a file (CLI-3)", async () => {
    const listener = start(["listen", "--host", "127.0.0.1"]);
    while (!/connect pl1\w+\n/.test(listener.stderr)) await new Promise((resolve) => setTimeout(resolve, 20));
    const ticket = /connect (pl1\w+)/.exec(listener.stderr)?.[1] ?? "";
    const sender = await run(["connect", ticket], { stdin: sampleBytes(SIZE) });
    const receiver = await listener.ended;
    expect(receiver.stderr).toMatch(
      /^Listening on 127\.0\.0\.1:\d+\.\nOn the other machine run:\n\n {2}npx punchline connect pl1/,
    );
    expect(sender.stderr).toMatch(/^Connecting to 127\.0\.0\.1:\d+ \.\.\.\nConnected after [\d.]+ ms: direct to 127/);
    expect(sender.stderr).toMatch(
      /\nDone, every byte confirmed: 3\.00 MB sent in [\d.]+ m?s \([\d.]+ [kM]B\/s\), direct to /,
    );
    expect(receiver.stderr).toMatch(/\nDone, every byte confirmed: 3\.00 MB received in /);
    for (const end of [sender, receiver]) for (const c of "\r\x1b") expect(end.stderr).not.toContain(c);
  });
});

describe("ticket inspect", () => {
  test("says in words what the ticket holds, never its secret (CLI-18)", async () => {
    const listener = listen(["--expires", "3600"]);
    const ticket = await listener.ticket();
    const end = await run(["ticket", "inspect", ticket]);
    expect([end.code, end.stderr]).toEqual([0, ""]);
    expect(end.stdout).toMatch(/^ticket +[0-9a-f]{16} /);
    expect(end.stdout).toMatch(/^listener +.*[0-9a-f]{64}$/m);
    expect(end.stdout).toMatch(/^found at +127\.0\.0\.1:\d+$/m);
    expect(end.stdout).toMatch(/^valid +for (1 h 0 min|59 min \d+ s) \(/m);
    expect(end.stdout).toMatch(/^uses +one connection$/m);
    expect(end.stdout).not.toContain(ticket.slice(3, 20));
    const endless = listen(["--expires", "never", "--uses", "2"]);
    const other = await run(["ticket", "inspect", await endless.ticket()]);
    expect(other.stdout).toMatch(/^valid +without end\nuses +more than one connection/m);
  });

  test("as an event on standard output with --json", async () => {
    const listener = listen(["--uses", "3"]);
    const end = await run(["ticket", "inspect", "--json"], { env: { PUNCHLINE_TICKET: await listener.ticket() } });
    expect([end.code, end.stderr]).toEqual([0, ""]);
    expect(JSON.parse(end.stdout)).toMatchObject({
      v: 1,
      event: "ticket",
      id: expect.stringMatching(/^[0-9a-f]{16}$/),
      key: expect.stringMatching(/^[0-9a-f]{64}$/),
      addresses: [expect.stringMatching(/^127\.0\.0\.1:\d+$/)],
      servers: [],
      expired: false,
      singleUse: false,
    });
    const bad = await run(["ticket", "inspect", "nonsense", "--json"]);
    expect([bad.code, bad.stderr]).toEqual([2, ""]);
    expect(JSON.parse(bad.stdout)).toMatchObject({ event: "error", code: "ERR_TICKET" });
  });
});
