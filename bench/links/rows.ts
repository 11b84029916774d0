/**
 * The links that a bulk flow has to fill, as data: one list for the simulator, for the kernel and for acceptance.
 *
 * @module
 */

/** A link, both directions alike. What is left out does not happen. */
export interface LinkSpec {
  /** Mbit/s, counted over IP packets. */
  readonly rate: number;
  /** One way, in ms. */
  readonly delay: number;
  /** Packets that may wait or be on their way out; what comes beyond is dropped. */
  readonly queue: number;
  /** Added to `delay`, uniform in [0, jitter] ms; order stays. */
  readonly jitter?: number;
  /** Percent of packets that are lost in front of the queue, each by itself. */
  readonly loss?: number;
  /** The same in bursts (Gilbert and Elliott): percent a packet to enter the bad state, and to leave it. */
  readonly burst?: { readonly enter: number; readonly leave: number };
  /** Percent of packets that come `by` ms later than they should, and so are overtaken. */
  readonly late?: { readonly share: number; readonly by: number };
  /** Percent of packets that skip `delay` and `jitter`, and so overtake all that are under way. */
  readonly overtaking?: number;
  /** Percent of packets that arrive twice. */
  readonly duplicate?: number;
  /** Percent of packets that arrive with one flipped bit. */
  readonly corrupt?: number;
}

/** One link and what a bulk flow over it must reach. Goodput is MB/s from the first to the last payload byte. */
export interface LinkRow {
  readonly name: string;
  readonly link: LinkSpec;
  /** Bytes of the flow. */
  readonly bytes: number;
  readonly goodputAtLeast: number;
  /** What control that is nearly perfect would reach. */
  readonly stretch: number;
  /** Packets that the queue in front of the receiver may drop. */
  readonly tailDropsAtMost: number | undefined;
  /** 95th percentile of our round-trip samples while the flow runs, in ms. */
  readonly rttAtMost: number | undefined;
}

// Implementation

const MB = 1_000_000;

/** Packets in the queue of a link that names none. */
const USUAL_QUEUE = 100;

/** Payload in a packet of 1500 bytes: less 28 for IP and UDP, 31 for our packet and 6 for the STREAM frame in it. */
const PAYLOAD_SHARE = (1500 - 28 - 31 - 6) / 1500;

/** The links. */
export const LINK_ROWS: readonly LinkRow[] = [
  row("10-mbit", { rate: 10, delay: 15, queue: 25 }, 10, { goodput: [1.14, 1.19], drops: 150 }),
  row("100-mbit", { rate: 100, delay: 15, queue: 250 }, 40, { goodput: [10.9, 11.5], drops: 500 }),
  row("100-mbit-loss-1", { rate: 100, delay: 15, queue: 250, loss: 1 }, 40, { goodput: [10.4, 11.4], drops: 900 }),
  row("100-mbit-loss-2", { rate: 100, delay: 50, queue: 800, loss: 2 }, 40, { goodput: [8.3, 10.2], drops: 1000 }),
  row("50-mbit-loss-2", { rate: 50, delay: 50, queue: 400, loss: 2 }, 20, { goodput: [4.6, 5.2], drops: 500 }),
  row("long-loss", { rate: 20, delay: 140, queue: 500, loss: 0.5 }, 15, { goodput: [1.6, 1.9], drops: 400 }),
  row("bloat", { rate: 20, delay: 10, queue: 2000 }, 15, { goodput: [2.25, 2.38], drops: 0, rtt: 60 }),
  row("long-shallow", { rate: 20, delay: 300, queue: 25 }, 10, { goodput: [1.08, 1.3], drops: 2000 }),
  row("late", { rate: 100, delay: 10, queue: 250, jitter: 5, late: { share: 2, by: 15 } }, 40, {
    goodput: [9, 11.5],
    drops: 300,
  }),
  row("overtaking", { rate: 100, delay: 10, queue: 250, jitter: 5, overtaking: 2 }, 40, {
    goodput: [8, 11.5],
    drops: 300,
  }),
  row("bursts", { rate: 5, delay: 40, queue: 60, burst: { enter: 0.5, leave: 30 } }, 5, {
    goodput: [0.48, 0.57],
    drops: 200,
  }),
  row(
    "everything",
    { rate: 50, delay: 20, queue: USUAL_QUEUE, loss: 1, late: { share: 2, by: 15 }, duplicate: 1, corrupt: 0.2 },
    50,
    { goodput: [4.5, 5.6] },
  ),
];

/** The rows of these names, or all. @throws RangeError for a name that no row has. */
export function rowsNamed(names: readonly string[] | undefined): readonly LinkRow[] {
  const unknown = names?.find((name) => !LINK_ROWS.some((each) => each.name === name));
  if (unknown !== undefined) {
    throw new RangeError(`no row is called ${unknown}; there are ${LINK_ROWS.map((each) => each.name).join(", ")}`);
  }
  return LINK_ROWS.filter((each) => names?.includes(each.name) ?? true);
}

/** Most payload that packets of 1500 bytes carry over the link, in MB/s: what is lost does not use it. */
export function payloadLimit({ rate, corrupt = 0 }: LinkSpec): number {
  return (rate / 8) * PAYLOAD_SHARE * (1 - corrupt / 100);
}

/** The link in words. */
export function describeLink(link: LinkSpec): string {
  const { rate, delay, queue, jitter, loss, burst, late, overtaking, duplicate, corrupt } = link;
  const parts = [`${rate} Mbit/s, ${delay} ms, queue ${queue}`];
  if (loss !== undefined) parts.push(`loss ${loss} %`);
  if (burst !== undefined) parts.push(`bursts ${burst.enter} % in, ${burst.leave} % out`);
  if (jitter !== undefined) parts.push(`jitter ${jitter} ms`);
  if (late !== undefined) parts.push(`${late.share} % late by ${late.by} ms`);
  if (overtaking !== undefined) parts.push(`${overtaking} % overtake`);
  if (duplicate !== undefined) parts.push(`${duplicate} % twice`);
  if (corrupt !== undefined) parts.push(`${corrupt} % corrupt`);
  return parts.join(", ");
}

function row(
  name: string,
  link: LinkSpec,
  megabytes: number,
  bounds: { readonly goodput: readonly [number, number]; readonly drops?: number; readonly rtt?: number },
): LinkRow {
  const [goodputAtLeast, stretch] = bounds.goodput;
  return {
    name,
    link,
    bytes: megabytes * MB,
    goodputAtLeast,
    stretch,
    tailDropsAtMost: bounds.drops,
    rttAtMost: bounds.rtt,
  };
}
