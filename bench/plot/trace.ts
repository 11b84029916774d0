/**
 * Reads traces: ours, and those of other stacks that keep to the names of the same drafts.
 *
 * @module
 */

/** One event of a trace. */
export interface PlottedEvent {
  /** In ms. */
  readonly time: number;
  /** Without its namespace. */
  readonly name: string;
  readonly data: PlottedData;
}

/** What pictures show of the fields of events; which are there depends on the event. */
export interface PlottedData {
  readonly header?: { readonly packet_type?: string; readonly packet_number?: number };
  readonly raw?: { readonly length?: number };
  readonly frames?: readonly { readonly frame_type: string; readonly acked_ranges?: readonly (readonly number[])[] }[];
  readonly is_mtu_probe_packet?: boolean;
  readonly congestion_window?: number;
  readonly bytes_in_flight?: number;
  readonly ssthresh?: number;
  readonly pacing_rate?: number;
  readonly latest_rtt?: number;
  readonly smoothed_rtt?: number;
  readonly min_rtt?: number;
  readonly pto_count?: number;
  readonly congestion_controller?: string;
  readonly new?: string | number;
}

/** What a picture is made of. */
export interface PlottedTrace {
  /** Whose end it is, and of which connection. */
  readonly title: string;
  readonly events: readonly PlottedEvent[];
}

/** Names under which our files repeat an event for the sake of another viewer. */
const REPEATED: ReadonlySet<string> = new Set(["recovery:metrics_updated"]);

const RECORD_SEPARATOR = "\x1e";

/**
 * Reads a file of JSON text sequences (RFC 7464 §2).
 *
 * @throws SyntaxError if a record other than the last, which may be cut off, is no JSON.
 * @throws RangeError if it is no trace.
 */
export function parseTrace(text: string): PlottedTrace {
  const records = text.split(RECORD_SEPARATOR).filter((each) => each.trim() !== "");
  const values = records.flatMap((each, index) => parseRecord(each, index === records.length - 1));
  const [header, ...events] = values as [Header?, ...PlottedEvent[]];
  const trace = header?.trace;
  if (trace?.vantage_point === undefined) throw new RangeError("the file does not begin with the header of a trace");
  const hasCurrentNames = events.some((event) => event.name === "quic:recovery_metrics_updated");
  return {
    title: `${trace.title ?? ""} ${trace.vantage_point.type}`.trim(),
    events: events
      .filter((event) => !(hasCurrentNames && REPEATED.has(event.name)))
      .map(({ time, name, data }) => ({ time, name: shortName(name), data })),
  };
}

interface Header {
  readonly trace?: { readonly title?: string; readonly vantage_point?: { readonly type: string } };
}

/** The name of an event without its namespace; figures of recovery have had two. */
export function shortName(name: string): string {
  const short = name.slice(name.indexOf(":") + 1);
  return short === "metrics_updated" ? "recovery_metrics_updated" : short;
}

function parseRecord(text: string, isLast: boolean): unknown[] {
  try {
    return [JSON.parse(text)];
  } catch (error) {
    // A process that was killed leaves half a record.
    if (isLast) return [];
    throw error;
  }
}
