/**
 * Traces of simulated connections: they hold what the specification lists, they are true, and they change nothing.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import { type LinkOptions, World } from "../../src/testing/index.ts";
import { eventRecord, headerRecord, traceFileName } from "../../src/trace/json-seq.ts";
import type { OpenTrace } from "../../src/trace/sink.ts";
import { toHex } from "../../src/util/bytes.ts";
import { framesOf, readQlogPage, recordsOf, strangers, type TraceRecord } from "../trace/names.ts";
import { addHosts } from "./hosts.ts";

const page = readQlogPage();

/** What is sent, and must not be found in a trace. */
const PAYLOAD = "the quick brown fox jumps over the lazy dog. ";

const BYTES = 1_500_000;

const BAD_LINK: LinkOptions = {
  bitsPerSecond: 20e6,
  delay: 20,
  queue: { packets: 50 },
  loss: 0.01,
  corruption: 0.005,
  duplication: 0.01,
  reordering: { probability: 0.01, minDelay: 5, maxDelay: 30 },
  mtu: 1500,
};

/** Collects traces in memory, by the name of their file. */
class Traces {
  readonly texts = new Map<string, string>();
  readonly ended: string[] = [];
  readonly openTrace: OpenTrace = (identity) => {
    const name = traceFileName(identity);
    this.texts.set(name, headerRecord(identity));
    return {
      record: (event, now) => this.texts.set(name, this.texts.get(name)! + eventRecord(event, now)),
      end: () => this.ended.push(name),
    };
  };

  records(side: "client" | "server"): readonly TraceRecord[] {
    for (const [name, text] of this.texts) if (name.endsWith(`_${side}.sqlog`)) return recordsOf(text);
    throw new Error(`no trace of the ${side}`);
  }
}

interface Run {
  readonly traces: Traces;
  readonly dialer: ConnectionMachine;
  readonly listener: ConnectionMachine;
  readonly secrets: readonly Uint8Array[];
}

/** One connection that does a bit of everything: streams, a reset, datagrams, key updates, an outage, a clean end. */
function run(openTrace: OpenTrace | undefined, traces = new Traces()): Run {
  const world = new World({ seed: 7 });
  let incoming: ConnectionMachine | undefined;
  let outage = false;
  const hosts = addHosts(world, {
    config: { packetsPerPhase: 100, maxStreamData: 65_536, maxStreamsUni: 2 },
    link: { up: BAD_LINK, down: BAD_LINK },
    openTrace,
    onEvent: (side, event) => {
      if (event.type === "incoming") incoming = event.connection;
      if (event.type !== "connection") return;
      const { connection, event: told } = event;
      if (side === "listener" && told.type === "readable") while (connection.read(told.id) !== undefined);
    },
  });
  hosts.listener.link.down.filter = () => (outage ? "drop" : "pass");
  const dialer = hosts.dial();
  const settle = (until: () => boolean): void => {
    world.wake(hosts.dialer);
    world.wake(hosts.listener);
    world.run({ until });
  };
  settle(() => incoming !== undefined && dialer.state === "open");
  dialer.write(0, new TextEncoder().encode(PAYLOAD.repeat(BYTES / PAYLOAD.length)));
  const other = dialer.openStream("bidi")!;
  dialer.write(other, new Uint8Array(1_000));
  dialer.openStream("uni");
  dialer.openStream("uni");
  dialer.sendDatagram(new Uint8Array(200));
  settle(() => dialer.stats().sendBuffered < BYTES / 2);
  dialer.reset(other, 0x123);
  incoming!.stopSending(0, 0x124);
  const reply = incoming!.openStream("uni")!;
  incoming!.write(reply, new Uint8Array(10_000));
  incoming!.finish(reply);
  outage = true;
  const endOfOutage = world.now + 700;
  settle(() => world.now >= endOfOutage);
  outage = false;
  settle(() => dialer.stats().bytesInFlight === 0);
  dialer.close(0x100, "that was all", world.now);
  settle(() => dialer.state === "closed" && incoming!.state === "closed");
  const { ticket } = hosts;
  return { traces, dialer, listener: incoming!, secrets: [ticket.secret, ticket.key, dialer.peerKey!] };
}

function named(records: readonly TraceRecord[], name: string): readonly TraceRecord[] {
  return records.filter((record) => record.name === name);
}

function last(records: readonly TraceRecord[], field: string): unknown {
  return records.map((record) => record.data?.[field]).findLast((value) => value !== undefined);
}

describe("a connection that does a bit of everything", () => {
  const traces = new Traces();
  const { dialer, listener, secrets } = run(traces.openTrace, traces);
  const client = traces.records("client");
  const server = traces.records("server");

  test("holds the events, frames and fields of spec/qlog.md and no others (QLOG-5, QLOG-7)", () => {
    expect(strangers(client, page)).toEqual([]);
    expect(strangers(server, page)).toEqual([]);
    const events = new Set([...client, ...server].map(({ name }) => name));
    // What is missing from the page's list has not happened here: nothing was lost on the way to a disk.
    expect([...page.events.keys()].filter((name) => !events.has(name))).toEqual(["loglevel:warning"]);
    const frames = new Set([...client, ...server].flatMap(framesOf).map((frame) => frame.frame_type));
    for (const frame of ["padding", "ack", "stream", "datagram", "reset_stream", "stop_sending", "max_data"]) {
      expect(frames, frame).toContain(frame);
    }
  });

  test("both ends name it by the same id, and their traces end with it (QLOG-1, QLOG-12)", () => {
    const [one, two] = [...traces.texts.keys()].sort();
    expect(one!.replace("_client", "")).toBe(two!.replace("_server", ""));
    expect([...traces.ended].sort()).toEqual([one, two]);
    expect(client.at(-1)!.data).toEqual({ new: "closed" });
    expect(named(client, "quic:connection_closed").map(({ data }) => data)).toEqual([
      {
        initiator: "local",
        application_error: "unknown",
        error_code: 0x100,
        reason: "that was all",
        trigger: "application",
      },
    ]);
    expect(named(server, "quic:connection_closed")[0]!.data).toMatchObject({ initiator: "remote" });
  });

  test("times never go back (QLOG-4)", () => {
    for (const records of [client, server]) {
      const times = records.slice(1).map(({ time }) => time!);
      expect(times.every((time, index) => index === 0 || time >= times[index - 1]!)).toBe(true);
    }
  });

  test("what it says agrees with the statistics of the connection", () => {
    for (const [records, machine] of [
      [client, dialer],
      [server, listener],
    ] as const) {
      const stats = machine.stats();
      const sent = named(records, "quic:packet_sent");
      const bytes = sent.reduce((sum, { data }) => sum + (data!.raw as { length: number }).length, 0);
      const lost = named(records, "quic:packet_lost");
      const lostProbes = lost.filter(({ data }) => data!.is_mtu_probe_packet === true);
      expect(bytes).toBe(stats.bytesSent);
      expect(sent).toHaveLength(stats.packetsSent);
      expect(named(records, "quic:packet_received")).toHaveLength(stats.packetsReceived);
      expect(lost.length - lostProbes.length).toBe(stats.packetsLost);
      expect(lostProbes).toHaveLength(stats.mtuProbesLost);
      expect(sent.filter(({ data }) => data!.is_mtu_probe_packet === true)).toHaveLength(stats.mtuProbesSent);
      const metrics = named(records, "quic:recovery_metrics_updated");
      expect(last(metrics, "bytes_in_flight")).toBe(stats.bytesInFlight);
      expect(last(metrics, "congestion_window")).toBe(Math.floor(stats.congestionWindow));
      expect(last(metrics, "smoothed_rtt")).toBeCloseTo(stats.rtt, 2);
      expect(last(metrics, "min_rtt")).toBeCloseTo(stats.minRtt, 2);
      expect(named(records, "quic:recovery_metrics_updated").map(({ data }) => data)).toEqual(
        named(records, "recovery:metrics_updated").map(({ data }) => data),
      );
    }
  });

  test("losses say by which threshold, and probes that they are probes (RFC 9002 §6.1, §6.2)", () => {
    const triggers = new Set(named(client, "quic:packet_lost").map(({ data }) => data!.trigger));
    expect([...triggers].sort()).toContain("reordering_threshold");
    const probes = named(client, "quic:packet_sent").filter(({ data }) => data!.trigger === "pto_probe");
    const timeouts = named(client, "quic:recovery_metrics_updated").filter(({ data }) => Number(data!.pto_count) > 0);
    expect(timeouts.length).toBeGreaterThan(0);
    expect(probes.length).toBeGreaterThan(0);
    expect(probes.length).toBeLessThanOrEqual(2 * timeouts.length);
  });

  test("packets that do not open say why, and what comes twice is something else", () => {
    const triggers = named(server, "quic:packet_dropped").map(({ data }) => data!.trigger);
    expect([...new Set(triggers)].sort()).toEqual(["decryption_failure", "duplicate"]);
  });

  test("key updates are told for both directions, without keys (QLOG-8)", () => {
    const updates = named(client, "quic:key_updated").map(({ data }) => data!);
    const phases = updates
      .filter(({ key_type }) => key_type === "client_1rtt_secret")
      .map(({ key_phase }) => key_phase);
    expect(phases.length).toBeGreaterThan(1);
    expect(phases).toEqual(phases.map((_, index) => index + 1));
    expect(updates.some(({ trigger }) => trigger === "local_update")).toBe(true);
    expect(named(server, "quic:key_updated").some(({ data }) => data!.trigger === "remote_update")).toBe(true);
  });

  test("neither payload nor secrets nor keys are in it (QLOG-8)", () => {
    for (const text of traces.texts.values()) {
      expect(text).not.toContain(PAYLOAD.slice(0, 10));
      for (const secret of secrets) {
        expect(text).not.toContain(toHex(secret).slice(0, 16));
        expect(text).not.toContain(Buffer.from(secret).toString("base64").slice(0, 12));
      }
    }
  });

  test("is the same every time, and without a trace nothing is different (QLOG-10)", () => {
    const again = new Traces();
    run(again.openTrace, again);
    expect([...again.texts]).toEqual([...traces.texts]);
    const plain = run(undefined);
    expect(plain.dialer.stats()).toEqual(dialer.stats());
    expect(plain.listener.stats()).toEqual(listener.stats());
  });
});

test("a responder begins no trace before a packet of the connection opens (QLOG-9)", () => {
  const traces = new Traces();
  const world = new World({ seed: 1 });
  const hosts = addHosts(world, { openTrace: traces.openTrace });
  let datagrams = 0;
  // The first message comes through, what follows it does not.
  hosts.listener.link.down.filter = () => (datagrams++ === 0 ? "pass" : "drop");
  const dialer = hosts.dial();
  world.run({ until: () => dialer.state === "open" });
  world.run({ until: () => world.now >= 5_000 });
  expect(hosts.listener.machine.connectionCount).toBe(1);
  expect([...traces.texts.keys()].filter((name) => name.includes("server"))).toEqual([]);
});

test("a call that nobody answers has a trace that says so", () => {
  const traces = new Traces();
  const world = new World({ seed: 1 });
  const hosts = addHosts(world, { openTrace: traces.openTrace });
  hosts.listener.stop();
  hosts.dial(1_000);
  world.run();
  const records = traces.records("client");
  expect(strangers(records, page)).toEqual([]);
  expect(named(records, "quic:connection_closed")[0]!.data).toMatchObject({ trigger: "aborted" });
  expect(traces.ended).toHaveLength(1);
});
