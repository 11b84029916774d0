/**
 * `listen --paste` and `connect --paste`, on loopback, with `punchline server` for STUN.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { freePort } from "../free-port.ts";
import { folder, type Process, PUNCHLINE, pause, run, Process as Started, start } from "./processes.ts";

/** `script` of util-linux makes a terminal; other systems have another one, or none. */
const hasScript = (() => {
  try {
    return /util-linux/.test(execFileSync("script", ["--version"]).toString());
  } catch {
    return false;
  }
})();

const HERE = ["--host", "127.0.0.1"];

/** A STUN server on loopback, as `--stun` names it. */
async function stun(): Promise<readonly string[]> {
  const port = await freePort();
  const file = join(folder(), "address");
  start(["server", ...HERE, "--port", `${port}`, "--address-file", file]);
  while (!existsSync(file)) await pause(20);
  return ["--stun", `127.0.0.1:${port}`];
}

function listenByHand(servers: readonly string[], answerFrom: string): Process {
  const options = ["listen", "--json", "--paste", ...HERE, ...servers, "--answer-from", answerFrom];
  return start(options, { stdin: "from the listener" });
}

describe("two strings by hand (CLI-37)", () => {
  test("connect a listener and a caller; the file grows later, and in pieces", async () => {
    const servers = await stun();
    const file = join(folder(), "answer");
    const listener = listenByHand(servers, file);
    const { ticket, command } = await listener.event("listening");
    expect(command).toContain(`connect --paste ${servers.join(" ")} ${ticket}`);
    const caller = start(["connect", "--json", "--paste", ...HERE, ...servers, String(ticket)], {
      stdin: "from the caller",
    });
    const { text, changed } = await caller.event("invitation");
    expect([String(text).slice(0, 3), changed]).toEqual(["pa1", false]);
    writeFileSync(file, String(text).slice(0, 50));
    await pause(500);
    appendFileSync(file, `${String(text).slice(50)}\n`);
    expect(await caller.ended).toMatchObject({ code: 0, stdout: "from the listener" });
    expect(await listener.ended).toMatchObject({ code: 0, stdout: "from the caller" });
  });

  test("a FIFO serves as well; people read what to do on standard error", async () => {
    const servers = await stun();
    const fifo = join(folder(), "answer");
    execFileSync("mkfifo", [fifo]);
    const listener = listenByHand(servers, fifo);
    const caller = start(["connect", "--paste", ...HERE, ...servers, await listener.ticket()]);
    let text: string | undefined;
    for (; text === undefined; await pause(20)) text = /^pa1\w+$/m.exec(caller.said)?.[0];
    expect(caller.said).toMatch(/Let the other side paste this:\n\npa1\w+\n\nWaiting/);
    execFileSync("sh", ["-c", `printf '%s\\n' ${text} > ${fifo}`]);
    expect((await caller.ended).code).toBe(0);
    expect((await listener.ended).code).toBe(0);
  });

  test.skipIf(!hasScript)(
    "a terminal is asked, and asked again after a string that cannot be used; then it is payload",
    async () => {
      const servers = await stun();
      const dir = folder();
      const line = `${process.execPath} ${PUNCHLINE} listen --paste ${HERE.join(" ")} ${servers.join(" ")} --ticket-file T`;
      const listener = new Started("script", ["-qec", line, "/dev/null"], { stdin: "open", cwd: dir });
      while (!/Paste what/.test(listener.text)) await pause(20);
      const ticket = readFileSync(join(dir, "T"), "utf8").trim();
      const caller = start(["connect", "--json", "--paste", ...HERE, ...servers, ticket], { stdin: "open" });
      const { text } = await caller.event("invitation");
      listener.child.stdin!.write(`${String(text).slice(0, 60)}\n`);
      while (listener.text.split("Paste what").length < 3) await pause(20);
      expect(listener.text).toMatch(/warning: not a valid string/);
      listener.child.stdin!.write(`${text}\n`);
      await caller.event("connected");
      listener.child.stdin!.write("typed\n\x04");
      await caller.received(6);
      caller.child.stdin!.end();
      expect(await caller.ended).toMatchObject({ code: 0, stdout: "typed\n" });
    },
  );
});

describe("what cannot work is said before (CLI-37)", () => {
  test("nobody can paste, no STUN server, --bench: exit code 2", async () => {
    const cases = [
      ["listen", "--paste", "--stun", "127.0.0.1"],
      ["listen", "--paste", "--answer-from", "x"],
      ["listen", "--paste", "--bench", "--stun", "127.0.0.1"],
    ];
    for (const args of cases) expect((await run([...args, ...HERE])).code).toBe(2);
  });

  test("a ticket for pasting without --paste, and the reverse: exit code 2", async () => {
    const servers = await stun();
    const listener = listenByHand(servers, join(folder(), "answer"));
    const end = await run(["connect", ...HERE, await listener.ticket()]);
    expect([end.code, /run connect with --paste/.test(end.stderr)]).toEqual([2, true]);
    const plain = start(["listen", "--json", ...HERE]);
    expect((await run(["connect", "--paste", ...HERE, ...servers, await plain.ticket()])).code).toBe(2);
  });

  test("a string in a file that cannot be used: exit code 2, with a hint", async () => {
    const file = join(folder(), "answer");
    writeFileSync(file, "pa1nonsense\n");
    const end = await listenByHand(await stun(), file).ended;
    expect(end.code).toBe(2);
    expect(end.events.find(({ event }) => event === "error")).toMatchObject({ code: "ERR_PASTED" });
  });
});
