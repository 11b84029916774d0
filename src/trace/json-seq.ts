/**
 * Traces as text: JSON text sequences (RFC 7464 §2), each record one event (draft-ietf-quic-qlog-main-schema-14).
 *
 * The viewer that people use, qvis, reads the header and some names of an older draft (0.3). Both fit into one file: the
 * header names both versions, the events that qvis looks up by their old category carry it beside their name, and the
 * figures of recovery are written under both of their names. spec/qlog.md has the list.
 *
 * @module
 */
import type { TraceEvent } from "./events.ts";
import type { TraceIdentity } from "./sink.ts";

// Specification

/** Comes before each record, and a line feed after it (RFC 7464 §2.2). */
const RECORD_SEPARATOR = "\x1e";

/** What files of this form are called; qvis goes by it. */
export const FILE_EXTENSION = ".sqlog";

/** Which drafts the names of events are from. */
const EVENT_SCHEMAS = ["urn:ietf:params:qlog:events:quic-13", "urn:ietf:params:qlog:events:loglevel"];

/** Categories of draft 0.3, for the events that qvis finds by them. */
const OLD_CATEGORY: Readonly<Partial<Record<TraceEvent["name"], string>>> = {
  "quic:packet_sent": "transport",
  "quic:packet_received": "transport",
  "quic:parameters_set": "transport",
  "quic:packet_lost": "recovery",
};

/** What `quic:recovery_metrics_updated` was called in draft 0.3. */
const OLD_METRICS = "recovery:metrics_updated";

/** The name of the file of a trace, without directory. */
export function traceFileName({ groupId, vantagePoint }: TraceIdentity): string {
  return `${groupId}_${vantagePoint}${FILE_EXTENSION}`;
}

/** The first record of a file. `wallClock` is when its time 0 was, as RFC 3339 §5.6 writes it, if that is known. */
export function headerRecord({ groupId, vantagePoint }: TraceIdentity, wallClock?: string): string {
  return record({
    file_schema: "urn:ietf:params:qlog:file:sequential",
    serialization_format: "application/qlog+json-seq",
    qlog_version: "0.3",
    qlog_format: "JSON-SEQ",
    title: `punchline ${vantagePoint}`,
    trace: {
      title: groupId,
      vantage_point: { name: "punchline", type: vantagePoint },
      event_schemas: EVENT_SCHEMAS,
      common_fields: {
        group_id: groupId,
        time_format: "relative_to_epoch",
        reference_time: { clock_type: "monotonic", epoch: "unknown", wall_clock_time: wallClock },
      },
    },
  });
}

/** The record, or records, of an event that happened `time` ms after the beginning. */
export function eventRecord(event: TraceEvent, time: number): string {
  const { name } = event;
  const category = OLD_CATEGORY[name];
  const data = JSON.stringify(event.data);
  const head = `${RECORD_SEPARATOR}{"time":${toMicroseconds(time)},`;
  const text = `${head}"name":"${name}",${category === undefined ? "" : `"category":"${category}",`}"data":${data}}\n`;
  return name === "quic:recovery_metrics_updated" ? `${text}${head}"name":"${OLD_METRICS}","data":${data}}\n` : text;
}

/** Rounds a time in ms to what clocks are good for; it keeps records short, too. */
export function toMicroseconds(time: number): number {
  return Math.round(time * 1000) / 1000;
}

function record(value: object): string {
  return `${RECORD_SEPARATOR}${JSON.stringify(value)}\n`;
}
