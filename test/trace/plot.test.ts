/**
 * Pictures of traces say what the traces say.
 *
 * @module
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { plot } from "../../bench/plot/main.ts";
import { niceStep, type Point, seriesOf } from "../../bench/plot/series.ts";
import { parseTrace } from "../../bench/plot/trace.ts";
import type { TraceEvent } from "../../src/trace/events.ts";
import { eventRecord, headerRecord } from "../../src/trace/json-seq.ts";

const sent = (packet_number: number): TraceEvent => ({
  name: "quic:packet_sent",
  data: { header: { packet_type: "1RTT", packet_number }, raw: { length: 1_000 }, frames: [] },
});
const acked = (acked_ranges: number[][]): TraceEvent => ({
  name: "quic:packet_received",
  data: {
    header: { packet_type: "1RTT", packet_number: 0 },
    raw: { length: 50 },
    frames: [{ frame_type: "ack", acked_ranges }],
  },
});
const lost = (packet_number: number): TraceEvent => ({
  name: "quic:packet_lost",
  data: { header: { packet_type: "1RTT", packet_number } },
});

/** Ten packets in 100 ms; 3 is lost, 4 seems so; the window grows in between. */
function sample(): string {
  const events: [number, TraceEvent][] = [
    [0, { name: "quic:congestion_state_updated", data: { new: "startup" } }],
    ...Array.from({ length: 10 }, (_, i): [number, TraceEvent] => [i * 10, sent(i)]),
    [95, { name: "quic:recovery_metrics_updated", data: { congestion_window: 12_000, latest_rtt: 30 } }],
    [96, { name: "quic:recovery_metrics_updated", data: { congestion_window: 13_000, pacing_rate: 8_000_000 } }],
    [96, { name: "quic:congestion_state_updated", data: { old: "startup", new: "drain" } }],
    [100, acked([[0, 2], [5]])],
    [101, lost(3)],
    [101, lost(4)],
    [
      102,
      acked([
        [0, 2],
        [4, 9],
      ]),
    ],
  ];
  return (
    headerRecord({ groupId: "00", vantagePoint: "client" }) +
    events.map(([time, event]) => eventRecord(event, time)).join("")
  );
}

function total(points: readonly Point[], series: string): number {
  return points.filter((point) => point.series === series).reduce((sum, { value }) => sum + value, 0);
}

describe("series", () => {
  test("count each packet once, and what arrives after all apart", () => {
    const { rates, windows, pacing, losses, states, roundTripSamples, totals, bin } = seriesOf(parseTrace(sample()));
    const bytes = (series: string): number => Math.round(total(rates, series) * bin * 1e6);
    expect(bytes("sent")).toBe(10_000);
    // Nine arrive; one of them was believed lost and is not counted as a rate.
    expect(bytes("acknowledged")).toBe(8_000);
    expect(total(losses, "lost")).toBe(2);
    expect(total(losses, "of them arrived")).toBe(1);
    expect(windows.map(({ value }) => value)).toEqual([12, 13, 13]);
    expect(pacing.map(({ value }) => value)).toEqual([1, 1]);
    expect(roundTripSamples.map(({ value }) => value)).toEqual([30]);
    expect(states).toEqual([
      { from: 0, to: 0.096, state: "startup" },
      { from: 0.096, to: 0.102, state: "drain" },
    ]);
    expect(totals).toMatchObject({ sentPackets: 10, lostPackets: 2, spuriousPackets: 1, receivedBytes: 100 });
  });

  test("a file whose end is missing is drawn as far as it goes; one that is no trace is refused", () => {
    expect(parseTrace(sample().slice(0, -20)).events.length).toBeGreaterThan(10);
    expect(() => parseTrace('\x1e{"a":1}\n')).toThrow(/header/);
    expect(() => parseTrace(`\x1e{"a\n${sample()}`)).toThrow(SyntaxError);
  });

  test("steps are round numbers", () => {
    expect([0.01, 0.011, 0.3, 0.51, 7].map(niceStep)).toEqual([0.01, 0.02, 0.5, 1, 10]);
  });
});

test("a trace becomes an SVG with its panels, and a PNG", async () => {
  const directory = mkdtempSync(join(tmpdir(), "punchline-plot-"));
  try {
    const trace = join(directory, "00_client.sqlog");
    writeFileSync(trace, sample());
    const [svg] = await plot([trace]);
    expect(svg).toBe(join(directory, "00_client.svg"));
    const text = readFileSync(svg!, "utf8");
    for (const label of [
      "rate (MB/s)",
      "window (kB)",
      "round trip (ms)",
      "lost packets in 10 ms",
      "time (s)",
      "drain",
    ]) {
      expect(text, label).toContain(label);
    }
    const [png] = await plot([trace, "--out", join(directory, "picture.png")]);
    expect(readFileSync(png!).subarray(0, 8)).toEqual(Buffer.from("\x89PNG\r\n\x1a\n", "latin1"));
  } finally {
    rmSync(directory, { recursive: true });
  }
});
