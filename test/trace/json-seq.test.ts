import { describe, expect, test } from "vitest";
import type { TraceEvent } from "../../src/trace/events.ts";
import { eventRecord, headerRecord, traceFileName } from "../../src/trace/json-seq.ts";
import { DRAFT_EVENTS, DRAFT_FRAMES } from "./draft.ts";
import { readQlogPage, recordsOf, strangers } from "./names.ts";

const IDENTITY = { groupId: "00ff00ff00ff00ff", vantagePoint: "client" } as const;

describe("the page of names", () => {
  const page = readQlogPage();

  test("every event and field that it gives to the drafts is one of theirs (QLOG-5)", () => {
    const unknown = [...page.events].flatMap(([name, { fields }]) =>
      fields.filter((field) => DRAFT_EVENTS[name]?.includes(field) !== true).map((field) => `${name} ${field}`),
    );
    expect(unknown).toEqual([]);
    expect([...page.events.keys()].filter((name) => DRAFT_EVENTS[name] === undefined)).toEqual([]);
  });

  test("every frame and field that it gives to the draft is one of its own (QLOG-7)", () => {
    const unknown = [...page.frames].flatMap(([name, { fields }]) =>
      fields.filter((field) => DRAFT_FRAMES[name]?.includes(field) !== true).map((field) => `${name} ${field}`),
    );
    expect(unknown).toEqual([]);
    const extensions = [...page.frames.keys()].filter((name) => DRAFT_FRAMES[name] === undefined);
    expect(extensions).toEqual(["immediate_ack", "ack_frequency", "observed_address", "candidates"]);
  });

  test("what is not on it is found", () => {
    const text =
      headerRecord(IDENTITY, "2026-01-01T00:00:00Z") +
      eventRecord({ name: "quic:mtu_updated", data: { old: 1, new: 2, size: 3 } } as TraceEvent, 1) +
      eventRecord({ name: "quic:packet_eaten", data: {} } as unknown as TraceEvent, 2) +
      eventRecord(
        {
          name: "quic:packet_sent",
          data: {
            header: { packet_type: "1RTT", packet_number: 1 },
            raw: {},
            frames: [{ frame_type: "ping", loudness: 1 }, { frame_type: "pong" }],
          },
        },
        3,
      );
    expect(strangers(recordsOf(text), page)).toEqual([
      "quic:mtu_updated size",
      "quic:packet_eaten",
      "frame ping loudness",
      "frame pong",
    ]);
  });
});

describe("records", () => {
  test("a record begins with 0x1E and ends with a line feed, whatever is in it (QLOG-2, RFC 7464 §2.2)", () => {
    const message = 'two\nlines, "quotes", \x1e, a lone half \ud800 and \u2028';
    const text = headerRecord(IDENTITY) + eventRecord({ name: "loglevel:warning", data: { message } }, 1);
    expect(text.split("\x1e")).toHaveLength(3);
    expect(text.split("\n")).toHaveLength(3);
    expect(recordsOf(text)[1]!.data).toEqual({ message });
  });

  test("the header names both versions that readers look for (QLOG-1, QLOG-3)", () => {
    const text = headerRecord({ groupId: "0123456789abcdef", vantagePoint: "server" }, "2026-01-02T03:04:05.678Z");
    expect(traceFileName(IDENTITY)).toBe("00ff00ff00ff00ff_client.sqlog");
    expect(JSON.parse(text.slice(1))).toEqual({
      file_schema: "urn:ietf:params:qlog:file:sequential",
      serialization_format: "application/qlog+json-seq",
      qlog_version: "0.3",
      qlog_format: "JSON-SEQ",
      title: "punchline server",
      trace: {
        title: "0123456789abcdef",
        vantage_point: { name: "punchline", type: "server" },
        event_schemas: ["urn:ietf:params:qlog:events:quic-13", "urn:ietf:params:qlog:events:loglevel"],
        common_fields: {
          group_id: "0123456789abcdef",
          time_format: "relative_to_epoch",
          reference_time: {
            clock_type: "monotonic",
            epoch: "unknown",
            wall_clock_time: "2026-01-02T03:04:05.678Z",
          },
        },
      },
    });
    // draft-ietf-quic-qlog-main-schema §3: what tells readers the format comes within the first 256 bytes.
    expect(text.indexOf("serialization_format")).toBeLessThan(200);
    expect(text.indexOf("qlog_format")).toBeLessThan(256);
  });

  test("an event has time, name and data, and for some readers a category (QLOG-4)", () => {
    expect(eventRecord({ name: "quic:mtu_updated", data: { old: 1200, new: 1452 } }, 12.3456789)).toBe(
      '\x1e{"time":12.346,"name":"quic:mtu_updated","data":{"old":1200,"new":1452}}\n',
    );
    const header = { packet_type: "1RTT", packet_number: 7 } as const;
    expect(eventRecord({ name: "quic:packet_lost", data: { header, trigger: undefined } }, 1)).toBe(
      '\x1e{"time":1,"name":"quic:packet_lost","category":"recovery","data":{"header":{"packet_type":"1RTT","packet_number":7}}}\n',
    );
  });

  test("figures of recovery are written under both of their names (QLOG-6)", () => {
    const [now, before] = recordsOf(eventRecord({ name: "quic:recovery_metrics_updated", data: { min_rtt: 5 } }, 2));
    expect(now).toEqual({ time: 2, name: "quic:recovery_metrics_updated", data: { min_rtt: 5 } });
    expect(before).toEqual({ time: 2, name: "recovery:metrics_updated", data: { min_rtt: 5 } });
  });
});
