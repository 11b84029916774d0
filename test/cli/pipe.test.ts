/**
 * Two processes, a pipe both ways: ends and verdicts when all goes well.
 *
 * @module
 */
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { connect, folder, listen, pause, sampleBytes, sha256, start, startShell } from "./processes.ts";

const BIG = 8 * 1024 * 1024;

describe("payload", () => {
  test("both directions at once arrive byte by byte, and both sides exit 0 (CLI-1, CLI-10)", async () => {
    const [there, back] = [sampleBytes(BIG, 1), sampleBytes(BIG + 12_345, 2)];
    const listener = listen([], { stdin: back });
    const dialler = await connect(listener, [], { stdin: there });
    const [a, b] = await Promise.all([listener.ended, dialler.ended]);
    expect([a.code, b.code]).toEqual([0, 0]);
    expect(listener.sha256).toBe(sha256(there));
    expect(dialler.sha256).toBe(sha256(back));
  });

  test("nothing in either direction is delivered, too", async () => {
    const listener = listen();
    const dialler = await connect(listener);
    const [a, b] = await Promise.all([listener.ended, dialler.ended]);
    expect([a.code, b.code, a.stdout, b.stdout]).toEqual([0, 0, "", ""]);
  });

  test("a file goes to a file", async () => {
    const dir = folder();
    const data = sampleBytes(BIG, 3);
    writeFileSync(join(dir, "in"), data);
    const [source, target] = [openSync(join(dir, "in"), "r"), openSync(join(dir, "out"), "w")];
    const listener = listen([], { stdout: target });
    const dialler = await connect(listener, [], { stdin: source });
    const ends = await Promise.all([listener.ended, dialler.ended]);
    closeSync(source);
    closeSync(target);
    expect(ends.map((end) => end.code)).toEqual([0, 0]);
    expect(sha256(readFileSync(join(dir, "out")))).toBe(sha256(data));
  });

  test("the listener may speak first, and alone", async () => {
    const data = sampleBytes(BIG, 4);
    const listener = listen([], { stdin: data });
    const dialler = await connect(listener);
    const [a, b] = await Promise.all([listener.ended, dialler.ended]);
    expect([a.code, b.code]).toEqual([0, 0]);
    expect(dialler.sha256).toBe(sha256(data));
  });

  test("pipes of a shell work at all four ends", async () => {
    const dir = folder();
    const listener = startShell(
      `head -c ${BIG} /dev/zero | tr '\\0' 'a' | $PUNCHLINE listen --json --host 127.0.0.1 | sha256sum > sum; exit \${PIPESTATUS[2]}`,
      { cwd: dir },
    );
    const dialler = startShell(`head -c ${BIG} /dev/zero | $PUNCHLINE connect ${await listener.ticket()} | sha256sum`);
    const [a, b] = await Promise.all([listener.ended, dialler.ended]);
    expect(a.code).toBe(0);
    expect(b.stdout.slice(0, 64)).toBe(sha256(Buffer.alloc(BIG, "a")));
    expect(readFileSync(join(dir, "sum"), "utf8").slice(0, 64)).toBe(sha256(Buffer.alloc(BIG)));
  });
});

describe("ends", () => {
  test("each direction ends on its own: the other goes on (CLI-6)", async () => {
    const listener = listen([], { stdin: "open" });
    const dialler = await connect(listener, [], { stdin: "all I have" });
    await listener.received(10);
    await pause(300);
    listener.child.stdin!.end("an answer, after the question has ended");
    const [a, b] = await Promise.all([listener.ended, dialler.ended]);
    expect([a.code, b.code]).toEqual([0, 0]);
    expect([a.stdout, b.stdout]).toEqual(["all I have", "an answer, after the question has ended"]);
  });

  test("and the other way round", async () => {
    const listener = listen([], { stdin: "greeting" });
    const dialler = await connect(listener, [], { stdin: "open" });
    await dialler.received(8);
    await pause(300);
    dialler.child.stdin!.end("late");
    const [a, b] = await Promise.all([listener.ended, dialler.ended]);
    expect([a.code, b.code, a.stdout, b.stdout]).toEqual([0, 0, "late", "greeting"]);
  });

  test("what reads our output sees the end while our own input goes on", async () => {
    const dir = folder();
    const listener = startShell(
      `(sleep 2; echo late) | $PUNCHLINE listen --json --host 127.0.0.1 | (cat > got; date +%s%N > ended)`,
      { cwd: dir },
    );
    const dialler = await connect(listener, [], { stdin: "early" });
    const [, b] = await Promise.all([listener.ended, dialler.ended]);
    const endedAt = Number(readFileSync(join(dir, "ended"), "utf8")) / 1e6;
    expect(Number(b.events.at(-1)?.time) - endedAt).toBeGreaterThan(1_000);
    expect(b.stdout).toBe("late\n");
  });

  test("someone who waits for input that never ends is told why (CLI-2)", async () => {
    const listener = start(["listen", "--host", "127.0.0.1"], { stdin: "open" });
    while (!/connect pl1\w+/.test(listener.stderr)) await pause(20);
    const ticket = /connect (pl1\w+)/.exec(listener.stderr)?.[1] ?? "";
    const dialler = start(["connect", ticket], { stdin: "done" });
    await listener.received(4);
    await pause(4_000);
    expect(listener.stderr).toMatch(/Everything from the other side has arrived/);
    listener.child.stdin!.end();
    expect((await dialler.ended).code).toBe(0);
  });

  test("standard input that is closed counts as empty (CLI-6)", async () => {
    const listener = startShell("$PUNCHLINE listen --json --host 127.0.0.1 <&-");
    const dialler = startShell(`$PUNCHLINE connect ${await listener.ticket()} <&-`);
    const [a, b] = await Promise.all([listener.ended, dialler.ended]);
    expect([a.code, b.code]).toEqual([0, 0]);
  });

  test("a slow reader gets everything, and its sender waits for it (CLI-9)", async () => {
    const size = 600_000;
    const listener = startShell(`$PUNCHLINE listen --json --host 127.0.0.1 | (sleep 2; wc -c); exit \${PIPESTATUS[0]}`);
    const dialler = await connect(listener, [], { stdin: sampleBytes(size) });
    const b = await dialler.ended;
    const a = await listener.ended;
    expect([a.code, b.code, a.stdout.trim()]).toEqual([0, 0, String(size)]);
    expect(b.after).toBeGreaterThan(1_500);
  });

  test("nobody reads our messages: the payload goes on", async () => {
    const dir = folder();
    const listener = startShell("$PUNCHLINE listen --host 127.0.0.1 --ticket-file T 2> >(head -c 1)", { cwd: dir });
    while (!existsSync(join(dir, "T"))) await pause(20);
    const ticket = readFileSync(join(dir, "T"), "utf8").trim();
    const dialler = startShell(`(echo one; sleep 1; echo two) | $PUNCHLINE connect ${ticket} 2> >(head -c 1)`);
    const [a, b] = await Promise.all([listener.ended, dialler.ended]);
    expect([a.code, b.code]).toEqual([0, 0]);
    expect(a.stdout).toContain("one\ntwo\n");
  });

  test("both sides exit within a second of the end", async () => {
    const listener = listen();
    const dialler = await connect(listener, [], { stdin: sampleBytes(100_000) });
    const [a, b] = await Promise.all([listener.ended, dialler.ended]);
    const lastByteAt = Number(a.events.find((event) => event.event === "summary")?.lastByteAt);
    expect(Date.now() - lastByteAt).toBeLessThan(1_500);
    expect([a.code, b.code]).toEqual([0, 0]);
  });
});
