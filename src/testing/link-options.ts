/**
 * What a link does to packets: its conditions, all harmless by default.
 *
 * @module
 */
import type { Duration, Instant } from "../util/time.ts";

/** The conditions of one direction of a link. Sizes count IP packets, with headers. */
export interface LinkConditions {
  /** Bits that leave per second; `Infinity` for no limit. */
  readonly bitsPerSecond: number;
  /** Bytes that the wire adds to each packet: they take their share of the rate, and no room in the queue. */
  readonly framing: number;
  /** Packets and bytes that may wait or be on their way out; what arrives beyond either is dropped (tail drop). */
  readonly queue: { readonly packets?: number; readonly bytes?: number };
  /** Time from leaving the queue to arrival. */
  readonly delay: Duration;
  /** Added to `delay`: a new draw from [0, jitter) for each packet. It never changes the order. */
  readonly jitter: Duration;
  /** Probability that a packet is lost, independent of all others. */
  readonly loss: number;
  /** Packets in a row that `loss` may take, and that `corruption` may hit; the next one is spared. */
  readonly longestRun: number;
  /** Loss in bursts, on top of `loss`. */
  readonly burstLoss: GilbertElliott | undefined;
  /** Whether both kinds of loss strike before the queue: what is lost then takes no share of the rate. */
  readonly lossBeforeQueue: boolean;
  /** Packets that come late and so are overtaken. */
  readonly reordering: Reordering | undefined;
  /** Probability that a packet skips `delay` and `jitter`, and so overtakes all that are under way. */
  readonly overtaking: number;
  /** Probability that a packet arrives twice. */
  readonly duplication: number;
  /** Probability that one bit of the payload arrives flipped. */
  readonly corruption: number;
  /** The bit is one of the first so many bytes. */
  readonly corruptionReach: number;
  /** Whether a packet with a flipped bit is dropped where it arrives, as by the checksum of a layer below. */
  readonly discardsCorrupt: boolean;
  /** Largest packet that passes; larger ones vanish. */
  readonly mtu: number;
  /** What exceeds a token bucket is dropped before it enters the queue. */
  readonly policer: Policer | undefined;
  /** Spans of time in which nothing leaves. */
  readonly blackouts: readonly Blackout[];
}

/** Conditions that differ from the harmless ones. */
export type LinkOptions = Partial<LinkConditions>;

/** One link for both directions, or one each as seen from its owner: `up` leaves, `down` arrives. */
export type DuplexLinkOptions = LinkOptions | { readonly up?: LinkOptions; readonly down?: LinkOptions };

/**
 * The loss model of Gilbert and Elliott: a chain of a good and a bad state, which moves before each packet.
 *
 * The bad state lasts 1 / `leave` packets on average; its share of all packets is `enter` / (`enter` + `leave`).
 */
export interface GilbertElliott {
  /** Probability of going from good to bad. */
  readonly enter: number;
  /** Probability of going from bad to good. */
  readonly leave: number;
  /** Probability of loss in the good state, 0 by default. */
  readonly lossWhenGood?: number;
  /** Probability of loss in the bad state, 1 by default. */
  readonly lossWhenBad?: number;
}

/** Late packets: each with `probability`, by a time drawn from [`minDelay`, `maxDelay`). */
export interface Reordering {
  readonly probability: number;
  readonly minDelay: Duration;
  readonly maxDelay: Duration;
}

/** A bucket of `burst` bytes that fills at a rate; a packet passes if its size is in it. */
export interface Policer {
  readonly bitsPerSecond: number;
  readonly burst: number;
}

/** A span of time [`from`, `until`) without service. */
export interface Blackout {
  readonly from: Instant | number;
  readonly until: Instant | number;
}

// Implementation

/** A link that delivers everything at once. The queue holds as much as that of a Linux interface (`txqueuelen`). */
export const PERFECT_LINK: LinkConditions = {
  bitsPerSecond: Number.POSITIVE_INFINITY,
  framing: 0,
  queue: { packets: 1000 },
  delay: 0,
  jitter: 0,
  loss: 0,
  longestRun: Number.POSITIVE_INFINITY,
  burstLoss: undefined,
  lossBeforeQueue: false,
  reordering: undefined,
  overtaking: 0,
  duplication: 0,
  corruption: 0,
  corruptionReach: Number.POSITIVE_INFINITY,
  discardsCorrupt: false,
  mtu: Number.POSITIVE_INFINITY,
  policer: undefined,
  blackouts: [],
};

/** The options of both directions. */
export function bothDirections(options: DuplexLinkOptions): { readonly up: LinkOptions; readonly down: LinkOptions } {
  if ("up" in options || "down" in options) return { up: options.up ?? {}, down: options.down ?? {} };
  return { up: options as LinkOptions, down: options as LinkOptions };
}

/** @throws RangeError if a condition makes no sense. */
export function checkConditions(conditions: LinkConditions): void {
  const { loss, duplication, corruption, burstLoss, reordering, overtaking } = conditions;
  for (const probability of [
    loss,
    duplication,
    corruption,
    burstLoss?.enter ?? 0,
    burstLoss?.leave ?? 0,
    burstLoss?.lossWhenGood ?? 0,
    burstLoss?.lossWhenBad ?? 0,
    reordering?.probability ?? 0,
    overtaking,
  ]) {
    if (!(probability >= 0 && probability <= 1)) throw new RangeError(`not a probability: ${probability}`);
  }
  const { bitsPerSecond, framing, delay, jitter, policer, longestRun, corruptionReach } = conditions;
  if (policer !== undefined && !(policer.bitsPerSecond > 0 && policer.burst > 0)) {
    throw new RangeError(`not a policer: ${policer.bitsPerSecond} bit/s, ${policer.burst} bytes`);
  }
  if (!(bitsPerSecond > 0)) throw new RangeError(`not a rate: ${bitsPerSecond} bit/s`);
  for (const count of [longestRun, corruptionReach]) {
    if (!(count >= 1)) throw new RangeError(`not a number of packets or bytes: ${count}`);
  }
  if (!(framing >= 0)) throw new RangeError(`not a frame: ${framing} bytes more`);
  for (const time of [delay, jitter, reordering?.minDelay ?? 0, reordering?.maxDelay ?? 0]) {
    if (!(time >= 0 && time < Number.POSITIVE_INFINITY)) throw new RangeError(`not a delay: ${time} ms`);
  }
}
