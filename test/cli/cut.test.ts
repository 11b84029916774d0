/**
 * What happens when something goes wrong at one side, at the other, or between them.
 *
 * @module
 */
import { closeSync, openSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { connect, folder, listen, pause, run, sampleBytes, start, startShell } from "./processes.ts";

/** Text that a stack trace would have. */
const TRACE = /\n\s+at |node:internal/;

describe("output that fails", () => {
  test("a reader that goes away: exit 7, and the sender exits 5 and knows why (CLI-4, CLI-12)", async () => {
    const listener = startShell(
      `$PUNCHLINE listen --json --host 127.0.0.1 | head -c 1 > /dev/null; exit \${PIPESTATUS[0]}`,
    );
    const dialler = startShell(`yes | $PUNCHLINE connect ${await listener.ticket()}; exit \${PIPESTATUS[1]}`);
    const [a, b] = await Promise.all([listener.ended, dialler.ended]);
    expect([a.code, b.code]).toEqual([7, 5]);
    expect(a.stderr).toMatch(/EPIPE/);
    expect(b.stderr).toMatch(/the other side stopped: .*EPIPE/);
    for (const end of [a, b]) expect(end.stderr).not.toMatch(TRACE);
  });

  test("a full disk: exit 7, and the sender exits 5", async () => {
    const full = openSync("/dev/full", "w");
    const listener = listen([], { stdout: full });
    const dialler = await connect(listener, [], { stdin: sampleBytes(300_000) });
    const [a, b] = await Promise.all([listener.ended, dialler.ended]);
    closeSync(full);
    expect([a.code, b.code]).toEqual([7, 5]);
    expect(a.events.find((event) => event.event === "error")).toMatchObject({ code: "ERR_OUTPUT", exit: 7 });
    expect(a.stderr).toMatch(/no space left/);
    expect(b.stderr).toMatch(/the other side stopped: .*no space left/);
  });

  test("the dialling side's output fails in the same way", async () => {
    const full = openSync("/dev/full", "w");
    const listener = listen([], { stdin: sampleBytes(300_000) });
    const dialler = await connect(listener, [], { stdout: full });
    const [a, b] = await Promise.all([listener.ended, dialler.ended]);
    closeSync(full);
    expect([a.code, b.code]).toEqual([5, 7]);
  });
});

describe("input that fails", () => {
  test("a directory: exit 7 before anybody is bothered (CLI-6)", async () => {
    const directory = openSync(folder(), "r");
    const end = await run(["listen"], { stdin: directory });
    closeSync(directory);
    expect(end.code).toBe(7);
    expect(end.stderr).toMatch(/cannot read standard input: it is a directory \(EISDIR\)\n {2}hint: /);
    expect(end.stderr).not.toMatch(/Listening/);
  });

  test("input that breaks midway: exit 7, and the other side exits 5", async () => {
    // Memory of another process: open to us, but unreadable where reading begins.
    const broken = openSync("/proc/self/mem", "r");
    const listener = listen();
    const dialler = await connect(listener, [], { stdin: broken });
    const [a, b] = await Promise.all([listener.ended, dialler.ended]);
    closeSync(broken);
    expect([a.code, b.code]).toEqual([5, 7]);
    expect(b.events.find((event) => event.event === "error")).toMatchObject({ code: "ERR_INPUT", exit: 7 });
    expect(a.stderr).toMatch(/the other side stopped: cannot read standard input/);
  });
});

describe("signals", () => {
  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("%s: exit %i, and the other side exits 5 within a second (CLI-5, CLI-12)", async (signal, code) => {
    const listener = listen([], { stdin: "open" });
    const dialler = await connect(listener, [], { stdin: "open" });
    await Promise.all([listener.event("connected"), dialler.event("connected")]);
    const killedAt = performance.now();
    dialler.kill(signal);
    const [a, b] = await Promise.all([listener.ended, dialler.ended]);
    expect(performance.now() - killedAt).toBeLessThan(1_000);
    expect([a.code, b.code]).toEqual([5, code]);
    expect(a.stderr).toMatch(`interrupted by ${signal}`);
    expect(b.events.find((event) => event.event === "error")).toMatchObject({ code: "ERR_INTERRUPTED", exit: code });
  });

  test("the listener's Ctrl-C in the middle of a bulk transfer", async () => {
    const listener = listen();
    const dialler = startShell(`yes | $PUNCHLINE connect ${await listener.ticket()}; exit \${PIPESTATUS[1]}`);
    await listener.received(2_000_000);
    const killedAt = performance.now();
    listener.kill("SIGINT");
    const [a, b] = await Promise.all([listener.ended, dialler.ended]);
    expect(performance.now() - killedAt).toBeLessThan(1_500);
    expect([a.code, b.code]).toEqual([130, 5]);
  });

  test("Ctrl-C before anybody came, and while connecting", async () => {
    const listener = listen();
    const ticket = await listener.ticket();
    listener.kill("SIGINT");
    expect((await listener.ended).code).toBe(130);
    const dialler = start(["connect", ticket, "--json"]);
    await dialler.event("connecting");
    await pause(200);
    dialler.kill("SIGINT");
    expect((await dialler.ended).code).toBe(130);
  });

  test("an echo of a Ctrl-C is not a second one: the other side is told (CLI-5)", async () => {
    const listener = listen([], { stdin: "open" });
    const dialler = await connect(listener, [], { stdin: "open" });
    await Promise.all([listener.event("connected"), dialler.event("connected")]);
    dialler.kill("SIGINT");
    // Of two signals that wait for a process the kernel may hand over the later one first.
    await pause(50);
    dialler.kill("SIGTERM");
    const [a, b] = await Promise.all([listener.ended, dialler.ended]);
    expect([a.code, b.code]).toEqual([5, 130]);
    expect(a.stderr).toMatch(/the other side stopped: interrupted/);
  });

  test("a second Ctrl-C ends at once (CLI-5)", async () => {
    const listener = listen([], { stdin: "open" });
    const dialler = await connect(listener, [], { stdin: "open" });
    await Promise.all([listener.event("connected"), dialler.event("connected")]);
    // Nobody acknowledges anything: ending politely would take a while.
    listener.kill("SIGSTOP");
    dialler.kill("SIGINT");
    await pause(300);
    const secondAt = performance.now();
    dialler.kill("SIGINT");
    expect((await dialler.ended).code).toBe(130);
    expect(performance.now() - secondAt).toBeLessThan(200);
    listener.kill("SIGCONT");
  });

  test("one Ctrl-C is enough even if the other side does not answer (CLI-5)", async () => {
    const listener = listen([], { stdin: "open" });
    const dialler = await connect(listener, [], { stdin: "open" });
    await Promise.all([listener.event("connected"), dialler.event("connected")]);
    listener.kill("SIGSTOP");
    const killedAt = performance.now();
    dialler.kill("SIGINT");
    expect((await dialler.ended).code).toBe(130);
    expect(performance.now() - killedAt).toBeLessThan(1_500);
    listener.kill("SIGCONT");
  });
});

describe("a peer that is lost", () => {
  test("a killed sender: the receiver exits 5 when linger is over, never 0 (CLI-13)", async () => {
    const listener = listen(["--linger", "2"]);
    const dialler = await connect(listener, [], { stdin: "open" });
    dialler.child.stdin!.write("half of it");
    await listener.received(10);
    const killedAt = performance.now();
    dialler.kill("SIGKILL");
    const end = await listener.ended;
    const after = performance.now() - killedAt;
    expect(end.code).toBe(5);
    expect(after).toBeGreaterThan(1_500);
    expect(after).toBeLessThan(4_000);
    expect(end.stderr).not.toMatch(TRACE);
  });

  test("a killed receiver: the sender exits 5 when linger is over", async () => {
    const listener = listen();
    const dialler = startShell(
      `yes | $PUNCHLINE connect ${await listener.ticket()} --linger 2; exit \${PIPESTATUS[1]}`,
    );
    await listener.received(1_000_000);
    const killedAt = performance.now();
    listener.kill("SIGKILL");
    expect((await dialler.ended).code).toBe(5);
    expect(performance.now() - killedAt).toBeLessThan(4_000);
  });
});

describe("a fault of our own", () => {
  /** Throws in the middle of the program's life, out of everybody's reach. */
  const FAULT = "--import=data:text/javascript,setTimeout(()=>{throw%20new%20Error('boom')},600)";

  test("with a peer: exit 1 with one clear line, and the peer exits 5 (CLI-2, CLI-4, CLI-12)", async () => {
    const listener = listen([], { stdin: "open" });
    const ticket = await listener.ticket();
    const dialler = start(["connect", ticket], { stdin: "open", env: { NODE_OPTIONS: FAULT } });
    const [a, b] = await Promise.all([listener.ended, dialler.ended]);
    expect([a.code, b.code]).toEqual([5, 1]);
    expect(b.stderr).toMatch(/\npunchline: internal fault: boom\n {2}hint: /);
    expect(b.stderr).not.toMatch(TRACE);
    expect(a.stderr).toMatch(/the other side stopped: internal fault"/);
  });

  test("without a peer: exit 1", async () => {
    const end = await start(["listen"], { stdin: "open", env: { NODE_OPTIONS: FAULT } }).ended;
    expect(end.code).toBe(1);
    expect(end.stderr).toMatch(/\npunchline: internal fault: boom\n/);
    expect(end.stderr).not.toMatch(TRACE);
  });
});
