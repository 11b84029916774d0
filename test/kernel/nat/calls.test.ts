/**
 * The acceptance rows' calls, made with a program that stands in for the command.
 *
 * @module
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Workplace } from "../../../scripts/accept/row.ts";
import { Calls } from "../../../scripts/accept/through-nats/calls.ts";
import { kind } from "./kinds.ts";
import { NatLab } from "./lab.ts";
import { installPair } from "./pairs.ts";

let place: Workplace;
let lab: NatLab;
let calls: Calls;

beforeAll(async () => {
  const root = fileURLToPath(new URL("stand-in/", import.meta.url));
  place = { root, folder: await mkdtemp(join(tmpdir(), "punchline-calls-")), log: () => {} };
  lab = await NatLab.create({ links: { delay: 20 } });
  calls = await Calls.prepare(place, lab);
});

afterAll(async () => {
  await lab?.close();
  await rm(place.folder, { recursive: true, force: true });
});

test("a call transfers both ways, and tells the time to the first byte", async () => {
  const { a: connector, b: listener } = await installPair(lab, [kind("EIM/APDF"), kind("APDM/ADF")], "endpoint");
  const outcome = await calls.call({ connector, listener });
  expect(outcome).toMatchObject({ isConnected: true });
  // Half a trip to the server and a whole one to the peer, of 40 and 80 ms, and another half of one for the first byte.
  expect(outcome.ms).toBeGreaterThan(140);
  expect(outcome.ms).toBeLessThan(500);
});

test("a call that does not get through tells with which code it failed, and when", async () => {
  const { a: connector, b: listener } = await installPair(lab, [kind("APDM/APDF"), kind("APDM/APDF")], "endpoint");
  const outcome = await calls.call({ connector, listener });
  expect(outcome).toMatchObject({ isConnected: false, code: "ERR_STAND_IN", message: "no answer" });
  expect(outcome.ms).toBeGreaterThan(1400);
  expect(outcome.ms).toBeLessThan(3000);
});

test("a command that knows no servers fails the call, and does not pass for a call that was not answered", async () => {
  const ours = await Calls.prepare({ ...place, root: join(place.folder, "nothing here") }, lab);
  await expect(ours.call({ connector: "ha", listener: "hb" })).rejects.toThrow("the server has ended");
});
