/**
 * Pictures of traces.
 *
 * `npm run bench:plot -- FILE… [--out FILE.svg|FILE.png] [--png]`: draws traces that `--qlog DIR` has written; each
 * picture lies beside its trace unless `--out` names another place.
 *
 * `npm run bench:plot -- --row NAME [--congestion NAME] [--seed N] [--sender dialer|listener] [--out FILE]`: simulates the
 * flow of that row of `bench/links` and draws the sender's end.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { extname } from "node:path";
import { parseArgs } from "node:util";
import { CONGESTION_NAMES } from "../../src/congestion/create.ts";
import { DEFAULT_CONFIG } from "../../src/connection/config.ts";
import type { TraceEvent } from "../../src/trace/events.ts";
import { rowsNamed } from "../links/rows.ts";
import { simulateRow } from "../links/simulate.ts";
import { drawSvg, toPng } from "./chart.ts";
import { seriesOf } from "./series.ts";
import { type PlottedData, type PlottedEvent, type PlottedTrace, parseTrace, shortName } from "./trace.ts";

/** Draws with the arguments after the name of the script. Returns the paths of the pictures. */
export async function plot(args: readonly string[]): Promise<readonly string[]> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      out: { type: "string" },
      png: { type: "boolean", default: false },
      row: { type: "string" },
      congestion: { type: "string", default: DEFAULT_CONFIG.congestion },
      seed: { type: "string", default: "1" },
      sender: { type: "string", default: "dialer" },
    },
  });
  const extension = values.png ? ".png" : ".svg";
  if (values.row !== undefined) {
    const name = `${values.row}, ${values.congestion}, seed ${values.seed}`;
    const out = values.out ?? `${values.row}-${values.congestion}-${values.seed}${extension}`;
    return [await save(name, simulate(values.row, values), out)];
  }
  if (positionals.length === 0) throw new RangeError("name a trace, or a row of bench/links with --row");
  if (positionals.length > 1 && values.out !== undefined) throw new RangeError("--out is for one picture");
  const pictures: string[] = [];
  for (const path of positionals) {
    const trace = parseTrace(readFileSync(path, "utf8"));
    const out = values.out ?? path.slice(0, path.length - extname(path).length) + extension;
    pictures.push(await save(trace.title, trace, out));
  }
  return pictures;
}

async function save(title: string, trace: PlottedTrace, path: string): Promise<string> {
  const svg = await drawSvg(title, seriesOf(trace));
  writeFileSync(path, extname(path) === ".png" ? toPng(svg) : svg);
  return path;
}

interface SimulationValues {
  readonly congestion: string;
  readonly seed: string;
  readonly sender: string;
}

/** The trace of the end that sends. */
function simulate(rowName: string, { congestion: name, seed, sender: side }: SimulationValues): PlottedTrace {
  const [row] = rowsNamed([rowName]);
  const congestion = CONGESTION_NAMES.find((each) => each === name);
  if (congestion === undefined) throw new RangeError(`there are the controllers ${CONGESTION_NAMES.join(", ")}`);
  const sender = side === "listener" ? "listener" : "dialer";
  const events: PlottedEvent[] = [];
  const flow = simulateRow(row!, {
    seed: Number(seed),
    sender,
    config: { congestion },
    openTrace: ({ vantagePoint }) => {
      if ((vantagePoint === "client") !== (sender === "dialer")) return undefined;
      return {
        record: (event: TraceEvent, time: number) =>
          events.push({ time, name: shortName(event.name), data: event.data as PlottedData }),
        end: () => {},
      };
    },
  });
  console.log(JSON.stringify({ row: rowName, congestion, seed: Number(seed), ...flow }));
  return { title: rowName, events };
}

if (process.argv[1]?.endsWith("plot/main.ts")) for (const path of await plot(process.argv.slice(2))) console.log(path);
