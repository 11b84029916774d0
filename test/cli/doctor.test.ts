/**
 * `punchline doctor` on loopback, where no NAT is.
 *
 * @module
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../free-port.ts";
import { folder, pause, run, start } from "./processes.ts";
import { type StunServer, startStunServer } from "./stun-server.ts";

let server: StunServer;
beforeAll(async () => {
  server = await startStunServer();
});
afterAll(() => server.close());

/** Nothing but loopback may hear of these tests. */
const ALONE = "--no-port-mapping";

describe("this network (CLI-29)", () => {
  test("in plain words, with a word to pass on", async () => {
    const end = await run(["doctor", ALONE, "--stun", server.address]);
    expect([end.code, end.stderr]).toEqual([0, ""]);
    expect(end.stdout).toMatch(/Nearly every other network can connect with this one directly/);
    expect(end.stdout).toMatch(/^ {2}punchline doctor pr1[0-9A-Za-z]+$/m);
  });

  test("as an event", async () => {
    const startedAt = performance.now();
    const end = await run(["doctor", ALONE, "--json", "--stun", server.address]);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(end.code).toBe(0);
    expect(JSON.parse(end.stdout)).toMatchObject({
      ...{ v: 1, event: "report", schema: 1, udp: "open", portMapping: { state: "not-asked" } },
      nat: {
        ipv4: {
          ...{ udp: "open", mapping: "endpoint-independent", filtering: "endpoint-independent" },
          ...{ allocator: "preserving", hairpin: "yes" },
        },
      },
      receiveBuffer: { asked: 4 * 1024 * 1024 },
      report: expect.stringMatching(/^pr1/),
    });
  });

  test("where nobody answers: that is a result", async () => {
    const silent = createSocket("udp4");
    silent.bind({ address: "127.0.0.1", port: 0 });
    await once(silent, "listening");
    const end = await run(["doctor", ALONE, "--json", "--stun", `127.0.0.1:${silent.address().port}`]);
    silent.close();
    expect(end.code).toBe(0);
    expect(JSON.parse(end.stdout)).toMatchObject({ udp: "blocked", nat: { ipv4: { udp: "blocked" } } });
  });
});

test("a pair: from two words nobody is asked, from one this network is examined (CLI-30)", async () => {
  const { report } = JSON.parse((await run(["doctor", ALONE, "--json", "--stun", server.address])).stdout);
  const pair = await run(["doctor", "--json", report, report]);
  expect(JSON.parse(pair.stdout)).toMatchObject({ v: 1, event: "verdict", direct: "yes" });
  const words = await run(["doctor", report, report]);
  expect([words.code, words.stdout]).toEqual([0, expect.stringMatching(/direct connection/)]);
  const one = await run(["doctor", ALONE, "--json", "--stun", server.address, report]);
  expect(JSON.parse(one.stdout)).toMatchObject({ event: "verdict", direct: "yes" });
});

/** A server of ours at two addresses of the loopback network, with two ports each. */
async function ownServer(): Promise<{ readonly word: string; readonly place: string; readonly kill: () => void }> {
  const file = join(folder(), "address");
  const port = await freePort();
  const hosts = ["--host", "127.0.0.1", "--host", "127.0.0.2"];
  const running = start(["server", ...hosts, "--port", `${port}`, "--address-file", file]);
  while (!existsSync(file)) await pause(20);
  const word = readFileSync(file, "utf8").trim();
  return { word, place: `127.0.0.1:${port}`, kill: () => running.kill("SIGKILL") };
}

describe("by a server of ours (CLI-38, DOC-19, DOC-20)", () => {
  test("that tells how we are filtered, without STUN servers", async () => {
    const { word, place } = await ownServer();
    const end = await run(["doctor", ALONE, "--json", "--server", word]);
    expect([end.code, end.stderr]).toEqual([0, ""]);
    const [line, ...more] = end.stdout.trim().split("\n");
    expect(more).toEqual([]);
    expect(JSON.parse(line!)).toMatchObject({
      event: "report",
      nat: { ipv4: { mapping: "endpoint-independent", filtering: "endpoint-independent", allocator: "preserving" } },
      servers: [{ address: place, stun: "yes", session: "yes" }],
    });
  });

  test("that is down, while another one answers: a report, and an error that says so", async () => {
    const [dead, alive] = [await ownServer(), await ownServer()];
    dead.kill();
    const end = await run(["doctor", ALONE, "--server", dead.word, "--server", alive.word]);
    expect(end.code).toBe(3);
    expect(end.stdout).toMatch(/Nearly every other network can connect with this one directly/);
    expect(end.stderr).toContain(`the server at ${dead.place} does not answer; UDP works here`);
    expect(end.stderr).toContain(alive.place);
  });

  test("that is down, and nobody else was asked: nobody knows whether that is the reason", async () => {
    const { word, place, kill } = await ownServer();
    kill();
    const end = await run(["doctor", ALONE, "--server", word]);
    expect(end.code).toBe(0);
    expect(end.stderr).toContain(`nobody answers: UDP is blocked here, or ${place} is down`);
  });
});

describe("a ticket (CLI-39, DOC-21)", () => {
  test("tells what to expect of a connection to its listener, and is as good as before", async () => {
    const { word } = await ownServer();
    const listener = start(["listen", "--json", "--no-port-mapping", "--server", word], { stdin: "hello" });
    const ticket = await listener.ticket();
    const words = await run(["doctor", ALONE, ticket]);
    expect(words).toMatchObject({ code: 0, stderr: "" });
    expect(words.stdout).toMatch(/direct connection/);
    const { stdout, code } = await run(["doctor", ALONE, "--json", ticket]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ event: "verdict", schema: 1, direct: "yes" });
    expect(await run(["connect", ticket])).toMatchObject({ code: 0, stdout: "hello" });
    expect((await listener.ended).code).toBe(0);
  });

  test("and a report of a third network tell of a connection between these two", async () => {
    const { word } = await ownServer();
    const { report } = JSON.parse((await run(["doctor", ALONE, "--json", "--server", word])).stdout);
    const ticket = await start(["listen", "--json", "--no-port-mapping", "--server", word]).ticket();
    const end = await run(["doctor", ALONE, report, ticket]);
    expect(end.code).toBe(0);
    expect(end.stdout).toMatch(/direct connection/);
  });

  test("whose listener is gone: exit 3, at once", async () => {
    const { word } = await ownServer();
    const listener = start(["listen", "--json", "--no-port-mapping", "--server", word]);
    const ticket = await listener.ticket();
    listener.kill("SIGINT");
    await listener.ended;
    const startedAt = performance.now();
    const end = await run(["doctor", ALONE, ticket]);
    expect(performance.now() - startedAt).toBeLessThan(4_000);
    expect(end).toMatchObject({ code: 3, stdout: "" });
    expect(end.stderr).toMatch(/no listener with this ticket/);
  });

  test("whose server is gone: exit 3", async () => {
    const { word, kill } = await ownServer();
    const ticket = await start(["listen", "--json", "--no-port-mapping", "--server", word]).ticket();
    kill();
    const end = await run(["doctor", ALONE, ticket]);
    expect(end.code).toBe(3);
    expect(end.stderr).toMatch(/no server|UDP is blocked/);
  });

  test("that names no server, or has expired: exit 2", async () => {
    const ticket = await start(["listen", "--json", "--host", "127.0.0.1"]).ticket();
    const end = await run(["doctor", ALONE, ticket]);
    expect([end.code, end.stdout]).toEqual([2, ""]);
    expect(end.stderr).toMatch(/names no server by which the listener could be asked\n {2}hint: .*reports/);
    const brief = await start(["listen", "--json", "--host", "127.0.0.1", "--expires", "1"]).ticket();
    await pause(2_100);
    const late = await run(["doctor", ALONE, brief]);
    expect([late.code, late.stdout]).toEqual([2, ""]);
    expect(late.stderr).toMatch(/expired/);
  });
});

test.each([
  { args: ["doctor"], says: /no server to ask\n {2}hint: .*--stun/ },
  { args: ["doctor", "pr1abc"], says: /no report\n {2}hint: / },
  { args: ["doctor", "ps1abc"], says: /no report\n {2}hint: .*pr1/ },
  { args: ["doctor", "pl1abc"], says: /not a valid ticket/ },
  { args: ["doctor", "pl1abc", "pl1abc"], says: /more than one ticket/ },
  { args: ["doctor", ALONE, "--server", "pl1abc"], says: /not the address of a server.*\n {2}hint: .*ps1/ },
  { args: ["doctor", ALONE, "--server", "192.0.2.1:3478"], says: /not the address of a server.*\n {2}hint: .*ps1/ },
  { args: ["doctor", "a", "b", "c"], says: /more than two/ },
  { args: ["doctor", ALONE, "--stun", "127.0.0.1:0"], says: /not a server.*\n {2}hint: / },
  { args: ["doctor", ALONE, "--stun", "127.0.0.1:99999"], says: /not a server.*\n {2}hint: / },
  { args: ["doctor", ALONE, "--stun", "[127.0.0.1]:3478"], says: /not a server/ },
])("$args: exit 2 (CLI-31)", async ({ args, says }) => {
  const end = await run(args);
  expect(end.stderr).toMatch(says);
  expect([end.code, end.stdout]).toEqual([2, ""]);
});
