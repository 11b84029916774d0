/**
 * `punchline server` on loopback.
 *
 * @module
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sha256 } from "../../src/crypto/primitives.ts";
import { decodeServerString } from "../../src/ticket/server-string.ts";
import { connect, folder, pause, run, start } from "./processes.ts";

/** As long as a listener may take to come back to a server that was away, in ms: its longest pause so far, and an attempt. */
const BACK_AFTER = 6_000;

const HOSTS = ["--host", "127.0.0.1", "--host", "127.0.0.2"];

/** A port that was free a moment ago, and the one after it. */
async function freePort(): Promise<number> {
  for (;;) {
    const socket = createSocket("udp4");
    socket.bind({ address: "127.0.0.1", port: 0 });
    await once(socket, "listening");
    const { port } = socket.address();
    socket.close();
    if (port < 65_000) return port;
  }
}

/** A server that can be reached; its address is in `file`. */
async function serving(args: readonly string[]) {
  const file = join(folder(), "address");
  const process = start(["server", ...args, "--address-file", file]);
  while (!existsSync(file)) await pause(20);
  return { process, word: readFileSync(file, "utf8") };
}

describe("server (CLI-32, CLI-33)", () => {
  test("writes its address, tells strangers what their NAT does if asked to, and ends with the signal", async () => {
    const port = await freePort();
    const { process, word } = await serving([...HOSTS, "--port", `${port}`, "--diagnostics"]);
    expect(decodeServerString(word.trim(), sha256)).toMatchObject({
      places: [
        { host: "127.0.0.1", port },
        { host: "127.0.0.2", port },
      ],
      hasNextPort: true,
    });
    const doctor = await run(["doctor", "--no-port-mapping", "--json", "--stun", `127.0.0.1:${port}`]);
    expect(JSON.parse(doctor.stdout)).toMatchObject({
      nat: { ipv4: { mapping: "endpoint-independent", filtering: "endpoint-independent" } },
    });
    process.kill("SIGTERM");
    const end = await process.ended;
    expect(end.code).toBe(143);
    expect(end.stdout).toBe(word);
    expect(end.stderr).toMatch(/Serving on 127\.0\.0\.1:\d+.*\n.*0 sessions, 0 slots, 0 calls; \d+ STUN answers/s);
  });

  test("keeps its key, so that the address stays the same", async () => {
    const args = ["--host", "127.0.0.1", "--port", `${await freePort()}`, "--key", join(folder(), "key")];
    const words: string[] = [];
    for (let i = 0; i < 2; i++) {
      const { process, word } = await serving(args);
      words.push(word);
      process.kill("SIGINT");
      expect((await process.ended).code).toBe(130);
    }
    expect(words[1]).toBe(words[0]);
  });

  test("names where clients find it, if told so", async () => {
    const names = ["--address", "Punch.example.net", "--address", "[2001:db8::1]:99"];
    const port = await freePort();
    const { process, word } = await serving(["--host", "127.0.0.1", "--port", `${port}`, ...names]);
    process.kill("SIGTERM");
    await process.ended;
    expect(decodeServerString(word.trim(), sha256)).toMatchObject({
      places: [
        { host: "punch.example.net", port },
        { host: "2001:db8::1", port: 99 },
      ],
      hasNextPort: false,
    });
  });

  test("with --json everything is an event", async () => {
    const { process } = await serving(["--host", "127.0.0.1", "--port", `${await freePort()}`, "--json"]);
    process.kill("SIGTERM");
    const { stdout } = await process.ended;
    const events = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events.map(({ event }) => event)).toEqual(["serving", "health", "error", "closed"]);
    expect(events[0]).toMatchObject({ v: 1, address: expect.stringMatching(/^ps1/) });
    expect(events[1]).toMatchObject({
      sessions: 0,
      slots: 0,
      calls: 0,
      rss: expect.any(Number),
      stun: { answered: 0 },
      rejected: {},
    });
    expect(events[1].rss).toBeGreaterThan(2 ** 20);
    expect(events[3]).toMatchObject({ exit: 143 });
  });

  test("a port that is in use: exit 7", async () => {
    const socket = createSocket("udp4");
    socket.bind({ address: "127.0.0.1", port: 0 });
    await once(socket, "listening");
    const end = await run(["server", "--host", "127.0.0.1", "--port", `${socket.address().port}`]);
    socket.close();
    expect([end.code, end.stdout]).toEqual([7, ""]);
    expect(end.stderr).toMatch(/the port is in use/);
  });

  test.each([
    { args: ["--diagnostics", "--host", "127.0.0.1"], says: /two addresses of one family/ },
    { args: ["--host", "nowhere"], says: /literal IP address/ },
    { args: ["--host", "127.0.0.1", "--port", "0"], says: /1 to 65534/ },
    { args: ["--host", "127.0.0.1", "--address", "a b"], says: /not an address/ },
    { args: [...HOSTS, "--host", "127.0.0.3"], says: /at most 2 addresses/ },
    { args: ["--limit", "session=1"], says: /no limit is called session\n.*hint: limits are sessions, .*stun-total/ },
    { args: ["--limit", "sessions"], says: /not a limit: sessions;.*\n.*hint: limits are/ },
    { args: ["--limit", "slots=0"], says: /limit slots is from 1 to 1048576, not 0\n.*hint/ },
    { args: ["--limit", "slots=9999999"], says: /limit slots is from 1/ },
    { args: ["--health-interval", "0"], says: /number of seconds above 0/ },
  ])("$args: exit 2", async ({ args, says }) => {
    const end = await run(["server", ...args]);
    expect([end.code, end.stdout]).toEqual([2, ""]);
    expect(end.stderr).toMatch(says);
  });

  test("limits are what --limit says, and --help lists them (CLI-40)", async () => {
    const args = ["--host", "127.0.0.1", "--port", `${await freePort()}`, "--json", "--health-interval", "0.2"];
    const { process, word } = await serving([...args, "--limit", "sessions=1", "--limit", "slots-per-session=4"]);
    const first = start(["listen", "--json", "--host", "127.0.0.1", "--server", word.trim()]);
    await first.event("listening");
    const second = await run(["listen", "--json", "--host", "127.0.0.1", "--server", word.trim()]);
    expect([second.code, second.events.at(-2)?.code]).toEqual([3, "ERR_SERVER"]);
    process.kill("SIGTERM");
    const { stdout } = await process.ended;
    const health = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
      .filter(({ event }) => event === "health");
    expect(health.length).toBeGreaterThan(10);
    expect(Math.max(...health.map(({ sessions }) => sessions))).toBe(1);
    expect(health.at(-1).counters.sessionsRefused).toBeGreaterThan(0);
    const help = (await run(["server", "--help"])).stdout;
    expect(help).toMatch(/sessions-per-source +256\n/);
  }, 30_000);

  test("a listener outlives its server's leave, and is found by the next one (CLI-33)", async () => {
    const key = join(folder(), "key");
    const args = ["--host", "127.0.0.1", "--port", `${await freePort()}`, "--key", key];
    const { process, word } = await serving(args);
    const listener = start(["listen", "--json", "--host", "127.0.0.1", "--server", word.trim()], { stdin: "hello" });
    await listener.event("listening");
    const leftAt = performance.now();
    process.kill("SIGTERM");
    const end = await process.ended;
    expect(end.code).toBe(143);
    // 2 s, and half a second for the process itself.
    expect(performance.now() - leftAt).toBeLessThan(3_500);
    await serving(args);
    await pause(BACK_AFTER);
    const connector = await connect(listener);
    expect((await connector.ended).code).toBe(0);
    expect((await listener.ended).code).toBe(0);
  }, 40_000);

  test("a second signal ends it at once (CLI-33)", async () => {
    const { process, word } = await serving(["--host", "127.0.0.1", "--port", `${await freePort()}`]);
    const listener = start(["listen", "--json", "--host", "127.0.0.1", "--server", word.trim()]);
    await listener.event("listening");
    // A client that says nothing more keeps the server waiting.
    listener.kill("SIGSTOP");
    process.kill("SIGTERM");
    await pause(400);
    const secondAt = performance.now();
    process.kill("SIGTERM");
    expect((await process.ended).code).toBe(143);
    expect(performance.now() - secondAt).toBeLessThan(1_000);
  });
});
