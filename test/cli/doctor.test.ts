/**
 * `punchline doctor` on loopback, where no NAT is.
 *
 * @module
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "./processes.ts";
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

test.each([
  { args: ["doctor"], says: /no server to ask\n {2}hint: .*--stun/ },
  { args: ["doctor", "pr1abc"], says: /no report\n {2}hint: / },
  { args: ["doctor", "pl1abc"], says: /no report\n {2}hint: .*pr1/ },
  { args: ["doctor", "a", "b", "c"], says: /more than two/ },
  { args: ["doctor", ALONE, "--stun", "127.0.0.1:0"], says: /not a server.*\n {2}hint: / },
  { args: ["doctor", ALONE, "--stun", "127.0.0.1:99999"], says: /not a server.*\n {2}hint: / },
  { args: ["doctor", ALONE, "--stun", "[127.0.0.1]:3478"], says: /not a server/ },
])("$args: exit 2 (CLI-31)", async ({ args, says }) => {
  const end = await run(args);
  expect(end.stderr).toMatch(says);
  expect([end.code, end.stdout]).toEqual([2, ""]);
});
