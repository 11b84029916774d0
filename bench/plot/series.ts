/**
 * What a trace says, as rows for a chart: rates, windows, round trips, losses and states over time.
 *
 * Times in the results are seconds since the beginning of the trace. Whatever there is too much of to be drawn is put
 * into bins of equal length first.
 *
 * @module
 */
import type { PlottedData, PlottedEvent, PlottedTrace } from "./trace.ts";

/** A value of one line, or one point. */
export interface Point {
  readonly time: number;
  readonly value: number;
  readonly series: string;
}

/** A time during which the congestion controller was in one state. */
export interface StateBand {
  readonly from: number;
  readonly to: number;
  readonly state: string;
}

/** Everything that is drawn. */
export interface Series {
  /** Seconds. */
  readonly duration: number;
  /** Length of a bin in seconds. */
  readonly bin: number;
  /** MB/s. */
  readonly rates: readonly Point[];
  /** MB/s. */
  readonly pacing: readonly Point[];
  /** kB. */
  readonly windows: readonly Point[];
  /** ms; every sample, or evenly chosen ones. */
  readonly roundTripSamples: readonly Point[];
  /** ms. */
  readonly roundTrips: readonly Point[];
  /** Packets deemed lost in each bin, and those of them that were acknowledged afterwards. */
  readonly losses: readonly Point[];
  readonly states: readonly StateBand[];
  readonly totals: Totals;
}

/** Figures for the caption. */
export interface Totals {
  readonly sentBytes: number;
  readonly sentPackets: number;
  readonly receivedBytes: number;
  readonly lostPackets: number;
  /** Of those, the ones that were acknowledged afterwards. */
  readonly spuriousPackets: number;
  readonly probeTimeouts: number;
  readonly controller: string;
}

/** Bins of rates and losses, at most: fewer hide what happens, more show noise. */
const MAX_BINS = 400;

/** Columns of the chart: of a line no more than three values in each are drawn. */
const COLUMNS = 1_000;

/** Shorter bins would show single bursts. */
const MIN_BIN = 0.01;

/** Points beyond which samples are thinned out. */
const MAX_SAMPLES = 4_000;

/** A direction with less than this share of the bytes of the other one is not drawn. */
const MIN_SHARE = 0.02;

/** Gathers what is to be drawn. */
export function seriesOf({ events }: PlottedTrace): Series {
  if (events.length === 0) throw new RangeError("the trace has no events");
  return new Gathering(events).series();
}

type WindowName = "congestion window" | "in flight" | "ssthresh";

class Gathering {
  readonly #events: readonly PlottedEvent[];
  readonly #start: number;
  readonly #duration: number;
  readonly #bin: number;
  readonly #bins: number;
  readonly #sent: Float64Array;
  readonly #acked: Float64Array;
  readonly #received: Float64Array;
  readonly #lost: Float64Array;
  readonly #spurious: Float64Array;
  readonly #windows: Record<WindowName, Point[]> = {
    "congestion window": [],
    "in flight": [],
    ssthresh: [],
  };
  readonly #pacing: Point[] = [];
  readonly #samples: Point[] = [];
  readonly #roundTrips: Point[] = [];
  readonly #states: { from: number; state: string }[] = [];
  /** Sizes of packets that are neither acknowledged nor lost, by number. */
  readonly #outstanding = new Map<number, number>();
  readonly #lostSizes = new Map<number, number>();
  #sentPackets = 0;
  #probeTimeouts = 0;
  #controller = "";

  constructor(events: readonly PlottedEvent[]) {
    this.#events = events;
    this.#start = events[0]!.time;
    this.#duration = Math.max((events[events.length - 1]!.time - this.#start) / 1e3, MIN_BIN);
    this.#bin = niceStep(Math.max(this.#duration / MAX_BINS, MIN_BIN));
    this.#bins = Math.floor(this.#duration / this.#bin) + 1;
    this.#sent = new Float64Array(this.#bins);
    this.#acked = new Float64Array(this.#bins);
    this.#received = new Float64Array(this.#bins);
    this.#lost = new Float64Array(this.#bins);
    this.#spurious = new Float64Array(this.#bins);
  }

  series(): Series {
    for (const event of this.#events) this.#take(event);
    const sentBytes = sum(this.#sent);
    const receivedBytes = sum(this.#received);
    const most = Math.max(sentBytes, receivedBytes);
    const isShown = (bytes: number): boolean => bytes > MIN_SHARE * most;
    return {
      duration: this.#duration,
      bin: this.#bin,
      rates: [
        ...(isShown(sentBytes) ? this.#rate(this.#sent, "sent") : []),
        ...(isShown(sentBytes) ? this.#rate(this.#acked, "acknowledged") : []),
        ...(isShown(receivedBytes) ? this.#rate(this.#received, "received") : []),
      ],
      pacing: isShown(sentBytes) ? this.#thin(this.#pacing) : [],
      windows: Object.values(this.#windows).flatMap((points) => this.#thin(points)),
      roundTripSamples: everyNth(this.#samples),
      roundTrips: this.#thin(this.#roundTrips),
      losses: [...this.#counts(this.#lost, "lost"), ...this.#counts(this.#spurious, "of them arrived")],
      states: this.#states.map(({ from, state }, index) => ({
        from,
        to: this.#states[index + 1]?.from ?? this.#duration,
        state,
      })),
      totals: {
        sentBytes,
        sentPackets: this.#sentPackets,
        receivedBytes,
        lostPackets: sum(this.#lost),
        spuriousPackets: sum(this.#spurious),
        probeTimeouts: this.#probeTimeouts,
        controller: this.#controller,
      },
    };
  }

  #take({ time: milliseconds, name, data }: PlottedEvent): void {
    const time = (milliseconds - this.#start) / 1e3;
    const bin = Math.min(Math.floor(time / this.#bin), this.#bins - 1);
    switch (name) {
      case "packet_sent":
        this.#takeSent(bin, data);
        break;
      case "packet_received":
        this.#received[bin]! += data.raw?.length ?? 0;
        for (const frame of data.frames ?? []) if (frame.frame_type === "ack") this.#takeAck(bin, frame.acked_ranges);
        break;
      case "packet_lost":
        if (data.is_mtu_probe_packet !== true) this.#takeLost(bin, data.header?.packet_number ?? 0);
        break;
      case "recovery_metrics_updated":
        this.#takeMetrics(time, data);
        break;
      case "congestion_state_updated":
        this.#states.push({ from: time, state: String(data.new) });
        break;
      case "recovery_parameters_set":
        this.#controller = data.congestion_controller ?? "";
        break;
    }
  }

  #takeSent(bin: number, { header, raw }: PlottedData): void {
    const size = raw?.length ?? 0;
    this.#sent[bin]! += size;
    this.#sentPackets += 1;
    if (header?.packet_type === "1RTT") this.#outstanding.set(header.packet_number ?? 0, size);
  }

  #takeAck(bin: number, ranges: readonly (readonly number[])[] = []): void {
    for (const [first = 0, last = first] of ranges) {
      // Ranges repeat what has long been known; what is outstanding is less than they are wide.
      const isNarrow = last - first < this.#outstanding.size;
      if (isNarrow) for (let number = first; number <= last; number++) this.#settle(bin, number);
      else
        for (const number of this.#outstanding.keys()) if (number >= first && number <= last) this.#settle(bin, number);
      for (const [number, lostIn] of this.#lostSizes) {
        if (number < first || number > last) continue;
        this.#lostSizes.delete(number);
        this.#spurious[lostIn]! += 1;
      }
    }
  }

  #settle(bin: number, packetNumber: number): void {
    const size = this.#outstanding.get(packetNumber);
    if (size === undefined) return;
    this.#outstanding.delete(packetNumber);
    this.#acked[bin]! += size;
  }

  #takeLost(bin: number, packetNumber: number): void {
    this.#outstanding.delete(packetNumber);
    this.#lost[bin]! += 1;
    this.#lostSizes.set(packetNumber, bin);
  }

  #takeMetrics(time: number, data: PlottedData): void {
    const window = (name: WindowName, bytes: number | undefined): void => {
      if (bytes !== undefined) this.#windows[name].push({ time, value: bytes / 1e3, series: name });
    };
    window("congestion window", data.congestion_window);
    window("in flight", data.bytes_in_flight);
    window("ssthresh", data.ssthresh);
    if (data.pacing_rate !== undefined) {
      this.#pacing.push({ time, value: data.pacing_rate / 8e6, series: "pacing rate" });
    }
    if (data.latest_rtt !== undefined) this.#samples.push({ time, value: data.latest_rtt, series: "sample" });
    if (data.smoothed_rtt !== undefined) {
      this.#roundTrips.push({ time, value: data.smoothed_rtt, series: "smoothed" });
    }
    if (data.min_rtt !== undefined) this.#roundTrips.push({ time, value: data.min_rtt, series: "minimum" });
    if ((data.pto_count ?? 0) > 0) this.#probeTimeouts += 1;
  }

  #rate(bytes: Float64Array, series: string): Point[] {
    return Array.from(bytes, (value, index) => ({
      time: (index + 0.5) * this.#bin,
      value: value / 1e6 / this.#bin,
      series,
    }));
  }

  #counts(packets: Float64Array, series: string): Point[] {
    return Array.from(packets, (value, index) => ({ time: index * this.#bin, value, series })).filter(
      ({ value }) => value > 0,
    );
  }

  /** The last, the highest and the lowest value in each column, in the order in which they came; all if they are few. */
  #thin(points: readonly Point[]): Point[] {
    if (points.length <= 3 * COLUMNS) return this.#extended(points);
    const width = this.#duration / COLUMNS;
    const thinned: Point[] = [];
    for (const group of groupBySeries(points).values()) {
      for (let from = 0; from < group.length; ) {
        const column = Math.floor(group[from]!.time / width);
        let to = from;
        let [least, most] = [from, from];
        for (; to < group.length && Math.floor(group[to]!.time / width) === column; to++) {
          if (group[to]!.value < group[least]!.value) least = to;
          if (group[to]!.value > group[most]!.value) most = to;
        }
        const kept = [...new Set([least, most, to - 1])].sort((a, b) => a - b);
        for (const index of kept) thinned.push(group[index]!);
        from = to;
      }
    }
    return this.#extended(thinned);
  }

  /** Each line up to the end: a value that is not told again has not changed. */
  #extended(points: readonly Point[]): Point[] {
    const last = new Map(points.map((point) => [point.series, point]));
    return [...points, ...[...last.values()].map((point) => ({ ...point, time: this.#duration }))];
  }
}

function groupBySeries(points: readonly Point[]): Map<string, Point[]> {
  const groups = new Map<string, Point[]>();
  for (const point of points) {
    const group = groups.get(point.series);
    if (group === undefined) groups.set(point.series, [point]);
    else group.push(point);
  }
  return groups;
}

function everyNth(points: readonly Point[]): readonly Point[] {
  const step = Math.ceil(points.length / MAX_SAMPLES);
  return step <= 1 ? points : points.filter((_, index) => index % step === 0);
}

function sum(values: Float64Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** The next larger of 1, 2 and 5 times a power of ten. */
export function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  for (const factor of [1, 2, 5]) if (factor * power >= least * (1 - 1e-9)) return factor * power;
  return 10 * power;
}
