/**
 * The parts of the measurement: messages, counters, percentiles, the table.
 *
 * @module
 */
import { once } from "node:events";
import { connect } from "node:net";
import { Writable } from "node:stream";
import { describe, expect, onTestFinished, test } from "vitest";
import { BenchDecoder, type BenchMessage, encodeMessage } from "../../src/cli/bench/codec.ts";
import { LoadCounter, pour } from "../../src/cli/bench/load.ts";
import { percentile } from "../../src/cli/bench/ping.ts";
import { type BenchReport, benchTable, directionReport, transportReport } from "../../src/cli/bench/report.ts";
import { dialTcp, TcpServer } from "../../src/cli/bench/tcp.ts";

const COUNTS = {
  bytes: 5e8,
  ms: 5000,
  cpu: 2,
  packetsSent: 1000,
  packetsLost: 10,
  bytesSent: 6e8,
  retransmittedBytes: 6e6,
} as const;

/** A message with any body, as bytes. */
function raw(body: string): Uint8Array {
  return Buffer.concat([Uint8Array.of(body.length >> 8, body.length & 0xff), Buffer.from(body)]);
}

describe("messages (CLI-27)", () => {
  const messages: readonly BenchMessage[] = [
    { type: "hello", version: 1, congestion: "new-reno", tcpCongestion: "cubic" },
    { type: "tcp", port: 5001 },
    { type: "tcp-open", token: "0123456789abcdef".repeat(2) },
    { type: "tcp-failed", reason: "in use" },
    { type: "begin", phase: "tcp-down", ms: 5000 },
    { type: "ready" },
    { type: "end" },
    { type: "report", ...COUNTS },
    { type: "done" },
  ];

  test("survive any cutting; unknown types and fields are skipped", () => {
    const news = [raw('{"type":"news"}'), raw('{"type":"ready","mood":"good"}')];
    const bytes = Buffer.concat([...messages.map(encodeMessage), ...news]);
    for (let size = 1; size <= bytes.length; size += 7) {
      const decoder = new BenchDecoder();
      const found = [];
      for (let at = 0; at < bytes.length; at += size) found.push(...decoder.push(bytes.subarray(at, at + size))!);
      expect(found).toEqual([...messages, { type: "ready" }]);
    }
  });

  test.each([
    ["", "nothing"],
    ["[]x", "no JSON"],
    ["7", "no object"],
    ["null", "no object"],
    ['{"type":"hello","version":1}', "no name of a controller"],
    ['{"type":"hello","version":1,"congestion":"\\u001b[2J"}', "a name that paints"],
    ['{"type":"hello","version":0.5,"congestion":"bbr"}', "a version that is no whole number"],
    ['{"type":"tcp","port":0}', "a port out of range"],
    ['{"type":"tcp-open","token":"00"}', "a short token"],
    ['{"type":"begin","phase":"sideways","ms":1}', "an unknown phase"],
    ['{"type":"begin","phase":"up","ms":3600001}', "a phase without end"],
    ['{"type":"report"}', "a report without counts"],
    [`{"type":"report",${JSON.stringify(COUNTS).slice(1, -1).replace("1000", "-1")}}`, "a negative count"],
    [`{"type":"report",${JSON.stringify(COUNTS).slice(1, -1).replace("5000", "1e999")}}`, "an infinite count"],
  ])("%s is malformed: %s", (body) => {
    expect(new BenchDecoder().push(raw(body))).toBeUndefined();
  });

  test("a message that is too long is refused before it has come", () => {
    expect(new BenchDecoder().push(Uint8Array.of(0x04, 0x01))).toBeUndefined();
  });
});

describe("goodput (CLI-22)", () => {
  test("counts what comes in the window that the first piece opens, without that piece", () => {
    const counter = new LoadCounter(1000);
    counter.onArrived(77, 500);
    counter.onArrived(10, 600);
    counter.onArrived(10, 1500);
    counter.onArrived(10, 1501);
    counter.end(9000);
    counter.onArrived(10, 1400);
    expect(counter.result).toEqual({ bytes: 20, ms: 1000 });
  });

  test("of a load that ended early is over the time it lasted; nothing is no rate at all", () => {
    const counter = new LoadCounter(1000);
    counter.onArrived(1, 0);
    counter.onArrived(50, 100);
    counter.end(250);
    expect(counter.result).toEqual({ bytes: 50, ms: 250 });
    const silent = new LoadCounter(1000);
    silent.end(10);
    expect(silent.result).toEqual({ bytes: 0, ms: 0 });
    const nothing = { ...COUNTS, ...silent.result };
    const phase = { roundTrips: undefined, sender: nothing, receiver: nothing, cpu: { local: 1, remote: 1 } };
    expect(directionReport(phase)).toEqual({ bytes: 0, seconds: 0, goodput: 0 });
  });
});

test("load stops when its time is over, however much the stream would still take", async () => {
  let taken = 0;
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, callback) => {
      taken += chunk.length;
      setTimeout(callback, 1);
    },
  });
  let told = 0;
  await pour(stream, 50, { giveUp: () => void stream.destroy(), onSent: (bytes) => (told += bytes) });
  expect(taken).toBeGreaterThan(0);
  expect(told).toBeLessThanOrEqual(taken);
  await pour(stream, 50, { giveUp: () => {}, onSent: () => {} });
});

test("a stranger does not take the place of the peer on the TCP port (CLI-25)", async () => {
  const server = await TcpServer.open("127.0.0.1", 0);
  onTestFinished(() => server.close());
  const served = new Promise<string>((resolve) => {
    server.expect((socket) => socket.on("data", (chunk: Buffer) => resolve(String(chunk))));
  });
  const stranger = connect({ host: "127.0.0.1", port: server.port });
  stranger.on("error", () => {}).write(Buffer.alloc(16));
  await once(stranger, "close");
  const peer = await dialTcp("127.0.0.1", server.port, server.token);
  peer.write("load");
  expect(await served).toBe("load");
  const second = await dialTcp("127.0.0.1", server.port, server.token);
  await once(second.resume(), "close");
});

test("percentiles are nearest ranks (CLI-23)", () => {
  const sorted = Array.from({ length: 200 }, (_, i) => i + 1);
  expect([0.5, 0.99, 1].map((share) => percentile(sorted, share))).toEqual([100, 198, 200]);
  expect(percentile([7], 0.5)).toBe(7);
});

describe("the table (CLI-24)", () => {
  const rtt = { min: 30, p50: 30.4, p99: 61.2, answered: 98, lost: 2 };
  const phase = { roundTrips: rtt, sender: COUNTS, receiver: COUNTS, cpu: { local: 2, remote: 3 } };
  const up = transportReport(phase);
  const report: BenchReport = {
    path: "direct",
    remote: "192.0.2.1:443",
    rtt: 30,
    seconds: 5,
    datagramSize: 1452,
    congestion: { local: "cubic", remote: "new-reno" },
    idle: { rtt },
    up,
    down: { ...up, goodput: 0 },
  };

  test("says what was found", () => {
    expect(up).toMatchObject({ goodput: 1e8, loss: 0.01, retransmitted: 0.01, cpuPerGB: { local: 4, remote: 6 } });
    const table = benchTable(report).join("\n");
    expect(table).toMatch(/^Path +direct to 192\.0\.2\.1:443, datagrams of 1452 bytes$/m);
    expect(table).toMatch(/^Congestion +cubic here, new-reno there$/m);
    expect(table).toMatch(/^Round trip, idle +30\.4 ms median, 61\.2 ms 99th percentile \(100 pings, 2 lost\)$/m);
    expect(table).toMatch(/^Goodput +100 MB\/s +0 B\/s /m);
    expect(table).toMatch(/^Packets lost +1\.00 % +1\.00 % /m);
    expect(table).toMatch(/^Processor there +6\.00 s\/GB +6\.00 s\/GB$/m);
    expect(table).not.toMatch(/TCP/);
  });

  test("says why there is no TCP, without what a peer would paint", () => {
    const table = benchTable({ ...report, tcp: { port: 1, error: "in\x1b[2J use" } }).join("\n");
    expect(table).toMatch(/\nPlain TCP +not measured: in \[2J use$/);
  });
});
