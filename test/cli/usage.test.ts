/**
 * Calls that cannot succeed: each ends with its own exit code and says what to do.
 *
 * @module
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { connect, folder, listen, pause, run, start, startShell } from "./processes.ts";

describe("wrong usage (CLI-2, CLI-4)", () => {
  test.each([
    { args: ["lisen"], says: /unknown command 'lisen'\n {2}hint: Did you mean listen\?/ },
    { args: ["listen", "--prot", "1"], says: /unknown option '--prot'\n {2}hint: Did you mean --port\?/ },
    { args: ["listen", "--port", "70000"], says: /'70000' is invalid.*0 to 65535/ },
    { args: ["connect", "--timeout", "-1"], says: /seconds/ },
    { args: ["connect", "--timeout", ""], says: /seconds/ },
    { args: ["connect", "--linger", "soon"], says: /seconds/ },
    { args: ["connect", "a", "b"], says: /too many arguments/ },
    { args: ["connect"], says: /no ticket was given\n {2}hint: .*PUNCHLINE_TICKET/ },
    { args: ["connect", "x", "--ticket-from", "y"], says: /two tickets were given/ },
    { args: ["listen", "--allow", "nobody"], says: /punchline: .*\n {2}hint: / },
    { args: ["listen", "--host", "not.an.address"], says: /punchline: .*\n {2}hint: / },
    { args: ["demo", "--size", "much"], says: /256MiB/ },
    { args: ["ticket", "inspect", "--colour"], says: /unknown option '--colour'/ },
  ])("$args", async ({ args, says }) => {
    const end = await run(args);
    expect(end.stderr).toMatch(says);
    expect(end.stderr).not.toMatch(/\n\s+at /);
    expect([end.code, end.stdout]).toEqual([2, ""]);
  });

  test("with --json it is an event", async () => {
    const end = await run(["listen", "--json", "--port", "x"]);
    expect(end.code).toBe(2);
    expect(end.events).toMatchObject([{ v: 1, event: "error", code: "ERR_USAGE", exit: 2 }]);
  });

  test.each([[["--help"]], [["listen", "--help"]], [["--version"]]])("%s is no failure", async (args) => {
    const end = await run(args);
    expect([end.code, end.stderr]).toEqual([0, ""]);
    expect(end.stdout).not.toBe("");
  });

  test.each([[[]], [["ticket"]]])("an incomplete command %s gets the help, on standard error", async (args) => {
    const end = await run(args);
    expect([end.code, end.stdout]).toEqual([2, ""]);
    expect(end.stderr).toMatch(/Usage: punchline/);
  });
});

describe("tickets that do not work", () => {
  test("a malformed one: exit 2, with a hint", async () => {
    for (const text of ["pl1abc", "not a ticket", "pl2abcdef"]) {
      const end = await run(["connect", text]);
      expect([end.code, end.stdout]).toEqual([2, ""]);
      expect(end.stderr).toMatch(/punchline: .*\n {2}hint: /);
    }
  });

  test("one with a changed letter: exit 2", async () => {
    const listener = listen();
    const ticket = await listener.ticket();
    const changed = `${ticket.slice(0, 20)}${ticket[20] === "a" ? "b" : "a"}${ticket.slice(21)}`;
    expect((await run(["connect", changed])).code).toBe(2);
  });

  test("one that says itself that it has expired: exit 2", async () => {
    const listener = listen(["--expires", "1"]);
    const ticket = await listener.ticket();
    await pause(2_100);
    const end = await run(["connect", ticket]);
    expect(end.code).toBe(2);
    expect(end.stderr).toMatch(/expired/);
  });

  test("one that is used up: exit 4 (CLI-17)", async () => {
    const listener = listen([], { stdin: "open" });
    await (await connect(listener, [], { stdin: "open" })).event("connected");
    const second = await connect(listener);
    const end = await second.ended;
    expect(end.code).toBe(4);
    expect(end.events.find((event) => event.event === "error")).toMatchObject({ code: "ERR_REFUSED", exit: 4 });
  });

  test("a key that is not allowed: exit 4", async () => {
    const listener = listen(["--allow", "ab".repeat(32)]);
    const end = await (await connect(listener)).ended;
    expect(end.code).toBe(4);
    expect(end.stderr).toMatch(/not allowed/);
  });

  test("a key in a file is told, so that the listener can allow it (CLI-28)", async () => {
    const file = join(folder(), "key");
    const strict = listen(["--allow", "ab".repeat(32)]);
    const refused = await run(["connect", await strict.ticket(), "--identity", file]);
    expect(refused.code).toBe(4);
    const key = /^Our public key is ([0-9a-f]{64})\.\nConnecting to /.exec(refused.stderr)?.[1];
    const friendly = listen(["--allow", String(key)]);
    const letIn = await run(["connect", await friendly.ticket(), "--identity", file, "--json"]);
    expect(letIn.code).toBe(0);
    expect(letIn.events.find((event) => event.event === "connecting")).toMatchObject({ key });
  });

  test("one whose listener is gone: exit 3, after the timeout, with what was tried", async () => {
    const listener = listen();
    const ticket = await listener.ticket();
    listener.kill("SIGKILL");
    const end = await run(["connect", ticket, "--json", "--timeout", "1.5"]);
    expect(end.code).toBe(3);
    expect(end.after).toBeLessThan(3_500);
    const error = end.events.find((event) => event.event === "error");
    expect(error).toMatchObject({ code: "ERR_UNREACHABLE", exit: 3 });
    expect(error?.hint).toBeTruthy();
    const [attempt] = (error?.attempts ?? []) as Record<string, unknown>[];
    expect(attempt).toMatchObject({ received: 0, outcome: "no-answer" });
    expect(attempt?.address).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(attempt?.sent).toBeGreaterThan(1);
  });
});

describe("where the ticket comes from (CLI-15)", () => {
  test("a file, the environment, or the first line of standard input, whose rest is payload", async () => {
    const dir = folder();
    const byFile = listen(["--ticket-file", join(dir, "T")]);
    await byFile.ticket();
    const a = await run(["connect", "--ticket-from", join(dir, "T")], { stdin: "1" });
    const byEnvironment = listen();
    const b = await run(["connect"], { stdin: "2", env: { PUNCHLINE_TICKET: await byEnvironment.ticket() } });
    const byInput = listen();
    const c = await run(["connect", "--ticket-from", "-"], { stdin: `${await byInput.ticket()}\n3\n4` });
    expect([a.code, b.code, c.code]).toEqual([0, 0, 0]);
    const ends = await Promise.all([byFile.ended, byEnvironment.ended, byInput.ended]);
    expect(ends.map((end) => end.stdout)).toEqual(["1", "2", "3\n4"]);
  });

  test("a file that is not there: exit 7", async () => {
    const end = await run(["connect", "--ticket-from", join(folder(), "none")]);
    expect(end.code).toBe(7);
    expect(end.stderr).toMatch(/there is no such file/);
  });
});

describe("where the ticket goes (CLI-16)", () => {
  test("to a file for this user only, whole, once the listener can be reached", async () => {
    const path = join(folder(), "T");
    writeFileSync(path, "old", { mode: 0o644 });
    const listener = start(["listen", "--host", "127.0.0.1", "--ticket-file", path]);
    while (readFileSync(path, "utf8") === "old") await pause(5);
    const ticket = readFileSync(path, "utf8");
    expect(ticket).toMatch(/^pl1\w+\n$/);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect((await run(["connect", ticket.trim()])).code).toBe(0);
    expect((await listener.ended).code).toBe(0);
  });

  test("into a pipe, without replacing it", async () => {
    const dir = folder();
    const end = startShell(
      `mkfifo T && ($PUNCHLINE listen --host 127.0.0.1 --ticket-file T > out & $PUNCHLINE connect $(cat T) < <(echo hi); wait; test -p T)`,
      { cwd: dir },
    );
    expect((await end.ended).code).toBe(0);
    expect(readFileSync(join(dir, "out"), "utf8")).toBe("hi\n");
  });

  test("nowhere, if it cannot be written: exit 7, and nothing is left behind", async () => {
    const dir = folder();
    mkdirSync(join(dir, "T"));
    const end = await run(["listen", "--host", "127.0.0.1", "--ticket-file", join(dir, "T")]);
    expect(end.code).toBe(7);
    expect((await run(["listen", "--ticket-file", join(dir, "no/such/folder/T")])).code).toBe(7);
  });

  test("the command for the other side is as we were called (CLI-17)", async () => {
    const checkout = listen();
    const { command, ticket } = await checkout.event("listening");
    expect(command).toBe(`npx punchline connect ${ticket}`);
    const dir = folder();
    symlinkSync(join(import.meta.dirname, "../../bin/punchline.js"), join(dir, "punchline"));
    const installed = startShell(`${join(dir, "punchline")} listen --json --host 127.0.0.1`, {
      env: { npm_command: "" },
    });
    expect((await installed.event("listening")).command).toMatch(/^punchline connect pl1\w+$/);
  });
});

describe("local trouble", () => {
  test("a port in use: exit 7", async () => {
    const socket = createSocket("udp4");
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    const end = await run(["listen", "--host", "127.0.0.1", "--port", String(socket.address().port)]);
    socket.close();
    expect(end.code).toBe(7);
    expect(end.stderr).toMatch(/punchline: .*(in use|EADDRINUSE).*\n {2}hint: /);
  });

  test("an identity file that is none: exit 7", async () => {
    const path = join(folder(), "key");
    writeFileSync(path, "hello", { mode: 0o600 });
    const end = await run(["listen", "--identity", path]);
    expect(end.code).toBe(7);
    expect(readFileSync(path, "utf8")).toBe("hello");
  });

  test("a listener that comes back with its identity honours what it gave out (CLI-17)", async () => {
    const key = join(folder(), "key");
    const first = listen(["--identity", key]);
    const ticket = await first.ticket();
    const port = /:(\d+)$/.exec((await first.event("listening")).addresses![0 as never])?.[1] ?? "";
    expect((await run(["connect", ticket])).code).toBe(0);
    await first.ended;
    const second = listen(["--identity", key, "--port", port]);
    expect(await second.ticket()).toBe(ticket);
    expect((await run(["connect", ticket], { stdin: "again" })).code).toBe(0);
    expect((await second.ended).stdout).toBe("again");
  });

  test("PUNCHLINE_DEBUG=1 shows where a failure arose, nothing else does (CLI-2)", async () => {
    const plain = await run(["connect", "pl1abc"]);
    const debug = await run(["connect", "pl1abc"], { env: { PUNCHLINE_DEBUG: "1" } });
    expect(plain.stderr).not.toMatch(/\n\s+at /);
    expect(debug.stderr).toMatch(/\n\s+at /);
  });
});
