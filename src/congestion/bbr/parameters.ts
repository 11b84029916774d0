/**
 * The numbers that BBR is tuned by, under the names of draft-ietf-ccwg-bbr.
 *
 * @module
 */
import type { Duration } from "../../util/time.ts";

// Specification

/** Gain of the pacing rate that lets the delivery rate double each round: 4 · ln 2 ("Startup"). */
export const STARTUP_PACING_GAIN = 2.77;

/** Half the rate empties within a round what Startup has queued ("Drain"). */
export const DRAIN_PACING_GAIN = 0.5;

/** Slower than what is delivered, to give back what the probe has queued ("ProbeBW_DOWN"). */
export const DOWN_PACING_GAIN = 0.9;

/** Faster than what is delivered, to find out whether there is more ("ProbeBW_UP"). */
export const UP_PACING_GAIN = 1.25;

/** Window as a multiple of the bandwidth-delay product: room for late and bundled acknowledgements ("cwnd_gain"). */
export const WINDOW_GAIN = 2;

/** The same while probing for bandwidth ("ProbeBW_UP"). */
export const UP_WINDOW_GAIN = 2.25;

/** The same while measuring the round trip ("ProbeRTTCwndGain"). */
export const PROBE_RTT_WINDOW_GAIN = 0.5;

/** Paces a little below the bandwidth, so that queues shrink rather than grow ("PacingMarginPercent"). */
export const PACING_MARGIN = 0.01;

/** Share of lost data from which on loss means that too much is in flight ("LossThresh"). */
export const LOSS_THRESHOLD = 0.02;

/** What remains of a bound after a response to loss ("Beta"); that of CUBIC. */
export const BETA = 0.7;

/** Share of the longterm bound that is left to others while cruising ("Headroom"). */
export const HEADROOM = 0.15;

/** Smallest window in packets: two in flight and acknowledgements of two under way ("MinPipeCwnd"). */
export const MIN_PIPE_PACKETS = 4;

/** Age at which the minimum of the round-trip time is replaced, in ms ("MinRTTFilterLen"). */
export const MIN_RTT_LIFETIME: Duration = 10_000;

/** Time without a new minimum of the round-trip time after which it is measured anew, in ms ("ProbeRTTInterval"). */
export const PROBE_RTT_INTERVAL: Duration = 5_000;

/** Time for which little is kept in flight for that, in ms ("ProbeRTTDuration"). */
export const PROBE_RTT_DURATION: Duration = 200;

/** Rounds for which the degree of aggregation is remembered ("ExtraAckedFilterLen"). */
export const EXTRA_ACKED_ROUNDS = 10;

/** Growth of the delivery rate in a round that shows that the pipe is not full ("full_bw"). */
export const FULL_PIPE_GROWTH = 1.25;

/** Rounds without such growth that show that it is full. */
export const FULL_PIPE_ROUNDS = 3;

/** Gaps in what arrived within a round below which Startup does not end for loss ("StartupFullLossCnt"). */
export const STARTUP_LOSS_EVENTS = 6;

/** Rounds after which Drain ends whatever is in flight. */
export const DRAIN_ROUNDS = 3;

/** Shortest wait from one probe for bandwidth to the next, and what chance adds at most, in ms ("bw_probe_wait"). */
export const PROBE_WAIT: Duration = 2_000;
export const PROBE_WAIT_SPREAD: Duration = 1_000;

/** Most rounds from one probe for bandwidth to the next: how often Reno and CUBIC probe on common paths. */
export const MAX_PROBE_ROUNDS = 63;

/** Packets that a probe above the window adds while it grows ("QuantizationBudget"). */
export const UP_EXTRA_PACKETS = 2;

// Implementation

/**
 * Multiple of the minimum round-trip time that no packet of a round was faster than: half of what the path holds waits.
 * Jitter and delayed acknowledgements alone do not make all packets of a round so late.
 */
export const FULL_PIPE_QUEUE = 1.5;

/**
 * Loss that is taken for noise of the path rather than for congestion, as a share, while no queue stands. Wireless links
 * lose up to this much; a full buffer that is fed a quarter too fast loses four times as much.
 */
export const MAX_RANDOM_LOSS = 0.05;

/**
 * Most of what the path holds that Startup adds to its window for bunched acknowledgements: its window is twice what the
 * path holds anyway, and what is more than that is lost once the queue is full.
 */
export const STARTUP_EXTRA_SHARE = 1 / 4;

/** Gain of the pacing rate in CRUISE while a queue stands: one that an estimate a little too high has made goes away. */
export const CRUISE_QUEUE_GAIN = 0.95;

/** A queue stands in CRUISE if no packet of the last round came within this multiple of the smallest round trip … */
export const CRUISE_QUEUE_SHARE = 1.125;

/** … nor within this much of it, in ms: what may be in flight for the turns of both ends (CC-27), and their timers. */
export const CRUISE_QUEUE_NOISE: Duration = 5;

/** Loss that ends Startup without waiting for a full round of it: no noise is like that. */
export const STARTUP_HEAVY_LOSS = 0.2;

/** Multiple of the path's own loss above which a probe for bandwidth has found more. */
export const AMBIENT_MARGIN = 2;

/** Gaps in what arrived within about a round below which loss says nothing: one burst of noise makes one gap. */
export const MIN_LOSS_EVENTS = 3;

/** Data over which the path's own loss is averaged, in packets: enough for ten losses at one percent. */
export const AMBIENT_SPAN_PACKETS = 4_000;

/** Difference of round-trip times that is none, in ms: timers of hosts are no finer. */
export const RTT_NOISE: Duration = 1;

/** A queue stands if not even the fastest packet of a round came within this part of the minimum round-trip time more … */
export const QUEUE_SHARE = 1 / 2;

/** … or within this much more, in ms: timers and schedulers of hosts are no finer. */
export const QUEUE_NOISE: Duration = 2;

/**
 * Time whose worth of data may be in flight beside what the path holds, in ms: both ends work in turns of an event loop,
 * with timers of 1 ms, and acknowledge once a turn ("offload_budget").
 */
export const TURN_TIME: Duration = 3;

/** Packets that are in flight for that reason at most: what one turn sends, and what small receive buffers hold. */
export const MAX_TURN_PACKETS = 160;
