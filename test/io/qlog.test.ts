/**
 * Traces of connections on real sockets: where they are written, and that they never do harm.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connect, listen, type OpenQlog } from "../../src/index.ts";
import { qlogInto, qlogTo } from "../../src/io/qlog.ts";
import type { TraceEvent } from "../../src/trace/events.ts";
import { framesOf, readQlogPage, recordsOf, strangers } from "../trace/names.ts";
import { collect, pair, sleep } from "./pair.ts";

const IDENTITY = { groupId: "0123456789abcdef", vantagePoint: "client" } as const;
const MTU: TraceEvent = { name: "quic:mtu_updated", data: { old: 1200, new: 1452 } };

let directory: string;
const warnings: string[] = [];
const onWarning = ({ message }: Error): void => void warnings.push(message);

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "punchline-qlog-"));
  warnings.length = 0;
  process.on("warning", onWarning);
});

afterEach(() => {
  process.off("warning", onWarning);
  rmSync(directory, { recursive: true });
});

/** Sends some bytes over a fresh connection and closes it. */
async function exchange(qlog: string | OpenQlog): Promise<void> {
  const both = await pair({ listen: { qlog }, connect: { qlog } });
  both.near.end(Buffer.alloc(200_000, "secret"));
  both.far.end();
  expect(await collect(both.far)).toHaveLength(200_000);
  await collect(both.near);
  await both.close();
}

/** Waits until what was given to the system in the background has been written. */
async function contents(path: string, end = '"new":"closed"}}\n'): Promise<string> {
  await until(() => readFileSync(path, "utf8").endsWith(end));
  return readFileSync(path, "utf8");
}

/** Waits up to 5 s. */
async function until(isSo: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 250 && !isSo(); attempt++) await sleep(20);
}

describe("a directory", () => {
  test("gets one file of each end, with the events and fields of spec/qlog.md (QLOG-1, QLOG-5, QLOG-7)", async () => {
    const inside = join(directory, "not", "there yet");
    await exchange(inside);
    const names = readdirSync(inside).sort();
    expect(names).toHaveLength(2);
    expect(names[0]).toMatch(/^[0-9a-f]{16}_client\.sqlog$/);
    expect(names[1]).toBe(names[0]!.replace("client", "server"));
    const page = readQlogPage();
    for (const name of names) {
      const path = join(inside, name);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      const text = await contents(path);
      const records = recordsOf(text);
      expect(strangers(records, page)).toEqual([]);
      expect(records.slice(1).every(({ time }, index, all) => index === 0 || time! >= all[index - 1]!.time!)).toBe(
        true,
      );
      expect(records.at(-1)!.data).toEqual({ new: "closed" });
      expect(text).not.toContain("secretsecret");
      const [direction] = name.includes("client") ? ["quic:packet_sent"] : ["quic:packet_received"];
      const bytes = records
        .filter((record) => record.name === direction)
        .flatMap(framesOf)
        .filter((frame) => frame.frame_type === "stream" && frame.stream_id === 0)
        .reduce((sum, frame) => sum + Number(frame.length), 0);
      expect(bytes).toBeGreaterThanOrEqual(200_000);
    }
    expect(warnings).toEqual([]);
  });

  test("that is none, or cannot be made or written to, fails before anything starts (QLOG-11)", async () => {
    const file = join(directory, "file");
    writeFileSync(file, "");
    const listener = await listen({ host: "127.0.0.1" });
    for (const qlog of [file, join(file, "below"), "/proc/below", "/proc", ""]) {
      await expect(listen({ qlog }), qlog).rejects.toMatchObject({ code: "ERR_OPTION" });
      await expect(connect(listener.ticket, { qlog }), qlog).rejects.toMatchObject({ code: "ERR_OPTION" });
    }
    expect(() => qlogInto(file)).toThrow(expect.objectContaining({ hint: expect.stringMatching(/directory/) }));
    await listener.close();
  });

  test("keeps the files that are in it (QLOG-1)", async () => {
    const path = join(directory, "0123456789abcdef_client.sqlog");
    writeFileSync(path, "somebody else's");
    expect(qlogInto(directory)(IDENTITY)).toBeUndefined();
    expect(readFileSync(path, "utf8")).toBe("somebody else's");
    await sleep(0);
    expect(warnings).toEqual([expect.stringMatching(/^a trace is incomplete: EEXIST/)]);
    // Told once.
    expect(qlogInto(directory)(IDENTITY)).toBeUndefined();
    await sleep(0);
    expect(warnings).toHaveLength(1);
  });

  test("that goes away while a connection lasts ends the trace, not the connection (QLOG-10)", async () => {
    const inside = join(directory, "gone");
    const both = await pair({ listen: { qlog: inside }, connect: { qlog: inside } });
    rmSync(inside, { recursive: true });
    both.near.end("hello");
    both.far.end();
    expect(String(await collect(both.far))).toBe("hello");
    await both.close();
  });
});

describe("a function", () => {
  test("says where the text goes, or that there is no trace", async () => {
    const texts = new Map<string, string>();
    const ended: string[] = [];
    await exchange((name) => {
      if (name.includes("client")) return undefined;
      return {
        write: (text) => texts.set(name, (texts.get(name) ?? "") + text),
        end: () => ended.push(name),
      };
    });
    // A responder says nothing more for a while before it is over.
    await until(() => ended.length > 0);
    const [[name, text] = ["", ""]] = texts;
    expect(texts.size).toBe(1);
    expect(ended).toEqual([name]);
    expect(recordsOf(text).at(-1)!.data).toEqual({ new: "closed" });
  });

  test("that throws, or whose place does, costs the trace and nothing else (QLOG-10)", async () => {
    await exchange(() => {
      throw new Error("no place");
    });
    await exchange(() => ({
      write: () => {
        throw new Error("no room");
      },
      end: () => {},
    }));
    await exchange(() => ({
      write: () => {},
      end: () => {
        throw new Error("no end");
      },
    }));
    await until(() => warnings.length >= 3);
    // When a trace is written out depends on how busy the machine is.
    expect([...warnings].sort()).toEqual(
      ["no end", "no place", "no room"].map((what) => `a trace is incomplete: ${what}`),
    );
  });
});

test("where the disk is too slow, events are left out and counted (QLOG-10)", () => {
  let text = "";
  const target = { writableLength: 0, write: (piece: string) => (text += piece), end: () => {} };
  const sink = qlogTo(() => target)(IDENTITY)!;
  sink.record(MTU, performance.now());
  target.writableLength = 17 * 1024 * 1024;
  for (let i = 0; i < 5; i++) sink.record(MTU, performance.now());
  target.writableLength = 1_000;
  sink.record(MTU, performance.now());
  target.writableLength = 17 * 1024 * 1024;
  sink.record(MTU, performance.now());
  sink.end();
  const names = recordsOf(text)
    .slice(1)
    .map(({ name, data }) => data?.message ?? name);
  expect(names).toEqual([
    "quic:mtu_updated",
    "events missing here: 5; the disk was too slow",
    "quic:mtu_updated",
    "events missing here: 1; the disk was too slow",
  ]);
});

test("a process that exits leaves every event so far (QLOG-12)", () => {
  mkdirSync(join(directory, "q"));
  const script = `
    import { qlogInto } from ${JSON.stringify(new URL("../../src/io/qlog.ts", import.meta.url).href)};
    const sink = qlogInto(${JSON.stringify(join(directory, "q"))})({ groupId: "00", vantagePoint: "server" });
    for (let i = 0; i < 20_000; i++) sink.record({ name: "quic:mtu_updated", data: { old: i, new: i + 1 } }, i);
    // Some of it is on its way to the disk, some waits for that, some is not even text of a piece yet.
    setImmediate(() => { sink.record({ name: "quic:mtu_updated", data: { old: -1, new: -2 } }, 30_000); process.exit(3); });
  `;
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const child = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], {
    cwd: root,
    encoding: "utf8",
  });
  expect(child.stderr).toBe("");
  expect(child.status).toBe(3);
  const records = recordsOf(readFileSync(join(directory, "q", "00_server.sqlog"), "utf8"));
  expect(records).toHaveLength(20_002);
  expect(records.slice(1, -1).every(({ data }, index) => data!.old === index)).toBe(true);
  expect(records.at(-1)!.data).toEqual({ old: -1, new: -2 });
});
