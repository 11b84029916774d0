/**
 * With a terminal: it never keeps the process, shows progress, and is left alone in the background.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { folder, listen, type Process, PUNCHLINE, pause, Process as Started, sampleBytes } from "./processes.ts";

/** `script` of util-linux makes a terminal; other systems have another one, or none. */
const hasScript = (() => {
  try {
    return /util-linux/.test(execFileSync("script", ["--version"]).toString());
  } catch {
    return false;
  }
})();

/** Runs a shell line on a terminal of its own; its output, typed input included, is the process's standard output. */
function onTerminal(line: string, cwd: string): Process {
  const command = line.replaceAll("$PUNCHLINE", `${process.execPath} ${PUNCHLINE}`);
  return new Started("script", ["-qec", command, "/dev/null"], { stdin: "open", cwd, env: { TERM: "xterm" } });
}

describe.skipIf(!hasScript)("a terminal", () => {
  test("on standard input does not keep the listener once the peer has ended (CLI-7)", async () => {
    const dir = folder();
    const listener = onTerminal("$PUNCHLINE listen --host 127.0.0.1 --ticket-file T > out", dir);
    const ticket = await fileIn(dir, "T");
    const sender = new Started(process.execPath, [PUNCHLINE, "connect", ticket.trim()], {
      stdin: sampleBytes(100_000),
    });
    expect((await sender.ended).code).toBe(0);
    expect((await listener.ended).code).toBe(0);
    expect(readFileSync(join(dir, "out"))).toHaveLength(100_000);
  });

  test("ends our direction at Ctrl-D, and interrupts at Ctrl-C (CLI-5, CLI-6)", async () => {
    const listener = listen([], { stdin: "open" });
    const dialler = onTerminal(`$PUNCHLINE connect ${await listener.ticket()}`, folder());
    await listener.event("connected");
    dialler.child.stdin!.write("typed\n\x04");
    await listener.received(6);
    listener.child.stdin!.end();
    expect((await listener.ended).stdout).toBe("typed\n");
    expect((await dialler.ended).code).toBe(0);

    const other = listen([], { stdin: "open" });
    const interrupted = onTerminal(`$PUNCHLINE connect ${await other.ticket()}`, folder());
    await other.event("connected");
    interrupted.child.stdin!.write("\x03");
    expect([(await other.ended).code, (await interrupted.ended).code]).toEqual([5, 130]);
  });

  test("is asked for the ticket with --ticket-from -; what is typed after it is payload (CLI-15)", async () => {
    const listener = listen([], { stdin: "open" });
    const dialler = onTerminal("$PUNCHLINE connect --ticket-from -", folder());
    while (!dialler.text.includes("Paste the ticket")) await pause(20);
    dialler.child.stdin!.write(`${await listener.ticket()}\n`);
    await listener.event("connected");
    dialler.child.stdin!.write("typed\n\x04");
    await listener.received(6);
    listener.child.stdin!.end();
    expect((await listener.ended).stdout).toBe("typed\n");
    expect((await dialler.ended).code).toBe(0);
  });

  test("on standard error shows a line that is kept up to date, and takes it away (CLI-3)", async () => {
    const dir = folder();
    const listener = listen([], { stdin: "open" });
    const dialler = onTerminal(`sleep 1.2 | $PUNCHLINE connect ${await listener.ticket()} > out`, dir);
    await listener.event("connected");
    await pause(800);
    listener.child.stdin!.end();
    const end = await dialler.ended;
    expect(end.code).toBe(0);
    expect(end.stdout).toMatch(/\rsent 0 B {2}0 B\/s {2}direct to 127\.0\.0\.1:\d+, round trip [\d.]+ ms/);
    expect(end.stdout).toContain("\r\x1b[KDone, every byte confirmed");
  });

  test("that has everything on it shows the conversation only (CLI-3)", async () => {
    const listener = listen([], { stdin: "open" });
    const dialler = onTerminal(`$PUNCHLINE connect ${await listener.ticket()}`, folder());
    await listener.event("connected");
    await pause(800);
    listener.child.stdin!.end("hello\n");
    const end = await dialler.ended;
    expect(end.code).toBe(0);
    expect(end.stdout).toContain("hello\r\n");
    expect(end.stdout).not.toContain("\x1b[K");
  });

  test("is not read in the background, which would stop the process (CLI-7)", async () => {
    const dir = folder();
    const listener = onTerminal(`bash -mc '$PUNCHLINE listen --host 127.0.0.1 --ticket-file T > out & wait $!'`, dir);
    const ticket = await fileIn(dir, "T");
    const sender = new Started(process.execPath, [PUNCHLINE, "connect", ticket.trim()], { stdin: "in the dark" });
    expect((await sender.ended).code).toBe(0);
    expect((await listener.ended).code).toBe(0);
    expect(readFileSync(join(dir, "out"), "utf8")).toBe("in the dark");
  });
});

async function fileIn(dir: string, name: string): Promise<string> {
  for (;;) {
    try {
      return readFileSync(join(dir, name), "utf8");
    } catch {
      await pause(20);
    }
  }
}
