/**
 * Holds traces to the names that spec/qlog.md lists, and that page to the names of the drafts.
 *
 * @module
 */
import { readFileSync } from "node:fs";

/** One record of a trace. */
export interface TraceRecord {
  readonly time?: number;
  readonly name?: string;
  readonly category?: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** What the page lists of an event or frame. */
export interface Listed {
  /** Fields of the drafts. */
  readonly fields: readonly string[];
  /** All others. */
  readonly others: readonly string[];
}

/** The tables of spec/qlog.md. */
export interface QlogPage {
  readonly header: readonly string[];
  readonly events: ReadonlyMap<string, Listed>;
  readonly frames: ReadonlyMap<string, Listed>;
}

/** Reads the tables of the page. */
export function readQlogPage(): QlogPage {
  const text = readFileSync(new URL("../../spec/qlog.md", import.meta.url), "utf8");
  const tables = text.split("\n\n").filter((block) => block.startsWith("|"));
  const rows = (first: string): string[][] =>
    (tables.find((table) => table.startsWith(`| ${first} |`)) ?? "")
      .split("\n")
      .slice(2)
      .filter((line) => line !== "")
      .map((line) => line.split("|").map((cell) => cell.trim()));
  const events = new Map(
    rows("event").map(([, name = "", , fields = "", others = ""]) => [
      plain(name),
      { fields: names(fields), others: names(others) },
    ]),
  );
  const frames = new Map(
    rows("`frame_type`").map(([, name = "", fields = "", others = ""]) => [
      plain(name),
      { fields: names(fields), others: names(others) },
    ]),
  );
  return { header: rows("field").map(([, name = ""]) => plain(name)), events, frames };
}

/** The records of a file. @throws Error if the framing is not that of RFC 7464 §2. */
export function recordsOf(text: string): readonly TraceRecord[] {
  if (!text.startsWith("\x1e") || !text.endsWith("\n")) throw new Error("not a sequence of JSON texts");
  return text
    .slice(1)
    .split("\x1e")
    .map((record) => {
      if (!record.endsWith("\n") || record.indexOf("\n") !== record.length - 1)
        throw new Error(`bad record: ${record}`);
      return JSON.parse(record) as TraceRecord;
    });
}

/** Whatever in the records is not on the page, each once. */
export function strangers(records: readonly TraceRecord[], page: QlogPage): readonly string[] {
  const found = new Set<string>();
  const [header, ...events] = records;
  for (const path of pathsOf(header)) if (!page.header.includes(path)) found.add(`header ${path}`);
  for (const event of events) {
    for (const field of Object.keys(event)) {
      if (!["time", "name", "category", "data"].includes(field)) found.add(`event field ${field}`);
    }
    const name = event.name === "recovery:metrics_updated" ? "quic:recovery_metrics_updated" : String(event.name);
    const listed = page.events.get(name);
    if (listed === undefined) found.add(name);
    else for (const path of pathsOf(event.data, "frames")) if (!has(listed, path)) found.add(`${name} ${path}`);
    for (const frame of framesOf(event)) {
      const { frame_type, ...rest } = frame;
      const known = page.frames.get(String(frame_type));
      if (known === undefined) found.add(`frame ${frame_type}`);
      else for (const path of pathsOf(rest)) if (!has(known, path)) found.add(`frame ${frame_type} ${path}`);
    }
  }
  return [...found];
}

/** The frames of an event. */
export function framesOf({ data }: TraceRecord): readonly Readonly<Record<string, unknown>>[] {
  return (data?.frames ?? []) as readonly Readonly<Record<string, unknown>>[];
}

/** The paths of all values that are not objects; lists are as their elements. What is below `opaque` is left out. */
function pathsOf(value: unknown, opaque = ""): readonly string[] {
  if (Array.isArray(value)) return [...new Set(value.flatMap((each) => pathsOf(each)))];
  if (!(value instanceof Object)) return [""];
  return Object.entries(value).flatMap(([field, inner]) => {
    if (field === opaque) return [field];
    return pathsOf(inner).map((path) => (path === "" ? field : `${field}.${path}`));
  });
}

function has({ fields, others }: Listed, path: string): boolean {
  return fields.includes(path) || others.includes(path);
}

function plain(cell: string): string {
  return cell.replaceAll("`", "");
}

function names(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);
}
