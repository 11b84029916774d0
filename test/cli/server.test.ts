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
import { folder, pause, run, start } from "./processes.ts";

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
    expect(events[1]).toMatchObject({ sessions: 0, stun: { answered: 0 } });
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
  ])("$args: exit 2", async ({ args, says }) => {
    const end = await run(["server", ...args]);
    expect([end.code, end.stdout]).toEqual([2, ""]);
    expect(end.stderr).toMatch(says);
  });
});
