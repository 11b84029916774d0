/**
 * The picture of a trace: rate, window, round trips and losses over one axis of time, and above them the states of the
 * congestion controller.
 *
 * @module
 */
import { Resvg } from "@resvg/resvg-js";
import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import type { Point, Series } from "./series.ts";

/** Pixels of the plots, axes and legends aside. */
const WIDTH = 1_000;
const HEIGHT = 150;
const STRIP_HEIGHT = 14;

/** Pixels of a PNG for each of the SVG. */
const PNG_SCALE = 1.5;

/** Okabe and Ito's colours, which most colour-blind people can tell apart. */
const COLORS: Readonly<Record<string, string>> = {
  sent: "#0072b2",
  acknowledged: "#009e73",
  received: "#cc79a7",
  "pacing rate": "#e69f00",
  "congestion window": "#d55e00",
  "in flight": "#56b4e9",
  ssthresh: "#999999",
  sample: "#9fb8c8",
  smoothed: "#0072b2",
  minimum: "#d55e00",
  lost: "#d55e00",
  "of them arrived": "#e69f00",
};

/** Draws the series as SVG. `title` is what they are of. */
export async function drawSvg(title: string, series: Series): Promise<string> {
  const view = new View(parse(compile(specOf(title, series)).spec), { renderer: "none" });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

/** The same as PNG. */
export function toPng(svg: string): Uint8Array {
  const image = new Resvg(svg, { background: "white", fitTo: { mode: "zoom", value: PNG_SCALE } });
  return image.render().asPng();
}

function specOf(title: string, series: Series): TopLevelSpec {
  const panels = [
    panel(series, {
      title: "rate (MB/s)",
      symbol: "stroke",
      layers: [lines(series.rates, { interpolate: "linear" }), lines(series.pacing, { interpolate: "step-after" })],
    }),
    panel(series, {
      title: "window (kB)",
      symbol: "stroke",
      layers: [lines(series.windows, { interpolate: "step-after" })],
    }),
    panel(series, {
      title: "round trip (ms)",
      symbol: "stroke",
      layers: [dots(series.roundTripSamples), lines(series.roundTrips, { interpolate: "step-after" })],
    }),
    panel(series, {
      title: `lost packets in ${duration(series.bin)}`,
      symbol: "square",
      layers: [bars(series.losses, series.bin)],
      isLast: true,
    }),
  ];
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    title: { text: title, subtitle: caption(series), anchor: "start", fontSize: 15, subtitleFontSize: 12 },
    background: "white",
    padding: 12,
    spacing: 10,
    config: {
      font: "DejaVu Sans, Verdana, Arial, sans-serif",
      axis: { gridColor: "#e8e8e8", domainColor: "#888888", tickColor: "#888888", titleFontWeight: "normal" },
      view: { stroke: "#cccccc" },
    },
    vconcat: series.states.length === 0 ? panels : [stateStrip(series), ...panels],
    resolve: { scale: { color: "independent" }, legend: { color: "independent" } },
  } as TopLevelSpec;
}

interface PanelOptions {
  readonly title: string;
  readonly layers: readonly object[];
  /** Of the legend: as the marks are. */
  readonly symbol: "stroke" | "square";
  readonly isLast?: boolean;
}

function panel(series: Series, { title, layers, symbol, isLast = false }: PanelOptions): object {
  const names = [...new Set(layers.flatMap((layer) => (layer as { readonly names: readonly string[] }).names))];
  const x = {
    field: "time",
    type: "quantitative",
    scale: { domain: [0, series.duration], nice: false },
    axis: { title: isLast ? "time (s)" : "", labels: isLast, tickCount: 20 },
  };
  // Nothing to draw is a scale of its own: from none to one.
  const scale = names.length === 0 ? { domain: [0, 1] } : { zero: true, nice: true };
  const axis = { title, minExtent: 46, ...(names.length === 0 ? { values: [0, 1] } : { tickCount: 5 }) };
  const y = { field: "value", type: "quantitative", scale, axis };
  const color = {
    field: "series",
    type: "nominal",
    scale: { domain: names, range: names.map((name) => COLORS[name] ?? "#000000") },
    legend: { title: "", orient: "right", symbolOpacity: 1, symbolType: symbol, symbolStrokeWidth: 3 },
  };
  return {
    width: WIDTH,
    height: HEIGHT,
    encoding: { x, y, color },
    layer: layers.map((layer) => {
      const { names: _, ...rest } = layer as { readonly names: unknown };
      return rest;
    }),
  };
}

function lines(values: readonly Point[], { interpolate }: { readonly interpolate: string }): object {
  return {
    names: namesOf(values),
    data: { values },
    mark: { type: "line", strokeWidth: 1.4, interpolate, clip: true },
  };
}

function dots(values: readonly Point[]): object {
  return { names: namesOf(values), data: { values }, mark: { type: "circle", size: 6, opacity: 0.8, clip: true } };
}

function bars(values: readonly Point[], bin: number): object {
  const shown = values.map((point) => ({ ...point, until: point.time + bin }));
  return {
    names: namesOf(values),
    data: { values: shown },
    mark: { type: "rect", clip: true },
    encoding: { x2: { field: "until" }, y2: { datum: 0 } },
  };
}

/** What the congestion controller was doing. */
function stateStrip({ states, duration: to }: Series): object {
  return {
    width: WIDTH,
    height: STRIP_HEIGHT,
    data: { values: states },
    mark: { type: "rect", clip: true },
    encoding: {
      x: {
        field: "from",
        type: "quantitative",
        scale: { domain: [0, to], nice: false },
        axis: { title: "", labels: false, ticks: false, grid: false },
      },
      x2: { field: "to" },
      color: {
        field: "state",
        type: "nominal",
        scale: { scheme: "tableau10" },
        legend: { title: "", orient: "top", direction: "horizontal", symbolType: "square", labelLimit: 300 },
      },
    },
  };
}

function namesOf(points: readonly Point[]): string[] {
  return [...new Set(points.map(({ series }) => series))];
}

function caption({ totals, duration: seconds }: Series): string {
  const { sentBytes, sentPackets, receivedBytes, lostPackets, spuriousPackets, probeTimeouts, controller } = totals;
  const share = sentPackets === 0 ? 0 : (lostPackets / sentPackets) * 100;
  return [
    ...(controller === "" ? [] : [controller]),
    `${seconds.toFixed(2)} s`,
    `sent ${(sentBytes / 1e6).toFixed(2)} MB in ${sentPackets} packets`,
    `received ${(receivedBytes / 1e6).toFixed(2)} MB`,
    `lost ${lostPackets} (${share.toFixed(2)} %), of which ${spuriousPackets} arrived`,
    `${probeTimeouts} probe timeouts`,
  ].join(" · ");
}

function duration(seconds: number): string {
  return seconds < 1 ? `${Math.round(seconds * 1e3)} ms` : `${seconds} s`;
}
