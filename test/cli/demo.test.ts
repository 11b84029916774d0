/**
 * `punchline demo`.
 *
 * @module
 */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { folder, pause, run, sampleBytes, sha256, start } from "./processes.ts";

test("sends bytes made on the spot and compares both ends (CLI-20)", async () => {
  const dir = folder();
  const end = await run(["demo", "--size", "5MB"], { env: { TMPDIR: dir } });
  expect([end.code, end.stderr]).toEqual([0, ""]);
  expect(end.stdout).toMatch(/^File {6}5\.00 MB of pseudo-random bytes, made in /);
  expect(end.stdout).toMatch(/^Ticket {4}pl1\w+$/m);
  expect(end.stdout).toMatch(/^SHA-256 {3}([0-9a-f]{64}) sent\n {10}\1 received, equal$/m);
  expect(end.stdout).toMatch(/^Done, every byte confirmed: 5\.00 MB sent in .*MB\/s\), direct .* round trip/m);
  expect(readdirSync(dir)).toEqual([]);
});

test("sends a given file, and reports events on standard output (CLI-19, CLI-20)", async () => {
  const dir = folder();
  const data = sampleBytes(1_000_001);
  writeFileSync(join(dir, "file"), data);
  const end = await run(["demo", join(dir, "file"), "--json"], { env: { TMPDIR: dir } });
  expect([end.code, end.stderr]).toEqual([0, ""]);
  const events = end.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { event: string });
  expect(events.find((event) => event.event === "demo")).toMatchObject({
    confirmed: true,
    bytes: data.length,
    sha256: { sent: sha256(data), received: sha256(data), isEqual: true },
  });
  expect(events.at(-1)).toMatchObject({ event: "closed", exit: 0 });
  expect(readdirSync(dir)).toEqual(["file"]);
});

test("takes everything away when interrupted (CLI-20)", async () => {
  const dir = folder();
  const demo = start(["demo", "--size", "2GiB"], { env: { TMPDIR: dir } });
  while (readdirSync(dir).length === 0) await pause(10);
  await pause(400);
  demo.kill("SIGINT");
  const making = await demo.ended;
  expect([making.code, readdirSync(dir)]).toEqual([130, []]);

  const other = start(["demo", "--size", "100MiB", "--json"], { env: { TMPDIR: dir } });
  await other.received(1);
  other.kill("SIGINT");
  const sending = await other.ended;
  expect([sending.code, readdirSync(dir)]).toEqual([130, []]);
});

test("says why if it cannot begin", async () => {
  const dir = folder();
  mkdirSync(join(dir, "sub"));
  expect((await run(["demo", join(dir, "none")], { env: { TMPDIR: dir } })).code).toBe(7);
  expect((await run(["demo", join(dir, "sub")], { env: { TMPDIR: dir } })).code).toBe(2);
  expect((await run(["demo"], { env: { TMPDIR: join(dir, "nowhere") } })).code).toBe(7);
  expect(readdirSync(dir)).toEqual(["sub"]);
});
