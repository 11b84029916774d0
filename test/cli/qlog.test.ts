/**
 * `--qlog DIR` of the command.
 *
 * @module
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readQlogPage, recordsOf, strangers } from "../trace/names.ts";
import { connect, folder, listen, sampleBytes, sha256, start } from "./processes.ts";

test("both sides leave their traces, and do all else as without (QLOG-1, QLOG-5, QLOG-12)", async () => {
  const dir = join(folder(), "traces");
  const data = sampleBytes(1_000_000);
  const listener = listen(["--qlog", dir]);
  const dialler = await connect(listener, ["--qlog", dir], { stdin: data });
  const ends = await Promise.all([listener.ended, dialler.ended]);
  expect(ends.map(({ code }) => code)).toEqual([0, 0]);
  expect(listener.sha256).toBe(sha256(data));
  const names = readdirSync(dir).sort();
  expect(names.map((name) => name.slice(16))).toEqual(["_client.sqlog", "_server.sqlog"]);
  for (const name of names) {
    const records = recordsOf(readFileSync(join(dir, name), "utf8"));
    expect(strangers(records, readQlogPage())).toEqual([]);
    expect(records.map((record) => record.name)).toContain("quic:connection_closed");
  }
});

test("a directory that cannot be used is wrong usage, before anything is bound or sent (QLOG-11)", async () => {
  const file = join(folder(), "file");
  writeFileSync(file, "");
  const listener = listen();
  const refused = [listen(["--qlog", file]), await connect(listener, ["--qlog", join(file, "below")])];
  for (const { code, events } of await Promise.all(refused.map(({ ended }) => ended))) {
    expect(code).toBe(2);
    expect(events.map(({ event }) => event)).not.toContain("listening");
    expect(events.find(({ event }) => event === "error")).toMatchObject({
      code: "ERR_OPTION",
      message: expect.stringContaining(file),
      hint: expect.stringMatching(/directory/),
    });
  }
  listener.child.kill();
});

test("a command that is ended by a signal leaves what it has seen (QLOG-12)", async () => {
  const dir = folder();
  const listener = listen([], { stdin: "open" });
  const dialler = start(["connect", await listener.ticket(), "--json", "--qlog", dir], { stdin: "open" });
  await dialler.event("connected");
  dialler.child.kill("SIGTERM");
  expect((await dialler.ended).code).toBe(143);
  const [name] = readdirSync(dir);
  const records = recordsOf(readFileSync(join(dir, name!), "utf8"));
  expect(records.map((record) => record.name)).toContain("quic:connection_closed");
});
