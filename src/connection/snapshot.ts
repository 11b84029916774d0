/**
 * What can be seen of a connection at one moment: measurements, paths, and whether its sums are right.
 *
 * @module
 */
import type { CongestionName } from "../congestion/create.ts";
import type { Duration } from "../util/time.ts";
import type { Core, Counters } from "./core.ts";
import type { PathInfo } from "./events.ts";
import type { Path } from "./paths.ts";

/** What can be measured of a connection; times in ms, sizes in bytes, totals since the beginning. */
export interface ConnectionStats extends Readonly<Counters> {
  /** Smoothed round-trip time (RFC 9002 §5.3); 0 before the first sample. */
  readonly rtt: Duration;
  /** The newest sample; 0 before the first. */
  readonly latestRtt: Duration;
  readonly minRtt: Duration;
  readonly rttVariance: Duration;
  /** Who decides how much we send. */
  readonly congestion: CongestionName;
  readonly congestionWindow: number;
  readonly bytesInFlight: number;
  /** Bytes of the UDP payloads that we send on the active path. */
  readonly datagramSize: number;
  /** Unread and unacknowledged stream bytes. */
  readonly receiveBuffered: number;
  readonly sendBuffered: number;
}

/** The measurements of this moment. */
export function statsOf(core: Core): ConnectionStats {
  const { recovery, congestion, counters, config, datagramSize, streams } = core;
  const { rtt } = recovery;
  const { receiveBuffered, sendBuffered } = streams.stats;
  return {
    ...counters,
    rtt: rtt.hasSample ? rtt.smoothed : 0,
    latestRtt: rtt.hasSample ? rtt.latest : 0,
    minRtt: rtt.hasSample ? rtt.min : 0,
    rttVariance: rtt.hasSample ? rtt.variance : 0,
    congestion: config.congestion,
    congestionWindow: congestion.congestionWindow,
    bytesInFlight: recovery.sent.bytesInFlight,
    datagramSize,
    receiveBuffered,
    sendBuffered,
  };
}

/** The paths that carry packets or may, the active one first. */
export function pathsOf(core: Core): readonly PathInfo[] {
  const { active, all } = core.paths;
  const others = all.filter((path) => path !== active && path.isProven);
  return (active === undefined ? others : [active, ...others]).map((path) => pathInfoOf(core, path));
}

/** A path as people may see it. */
export function pathInfoOf(core: Core, path: Path): PathInfo {
  const { rtt } = core.recovery;
  return { local: path.via, remote: path.remote, kind: "direct", rtt: rtt.hasSample ? rtt.smoothed : 0 };
}

/**
 * Recomputes what is kept up to date by increments.
 *
 * @throws Error if it is not the same.
 */
export function auditOf(core: Core): void {
  const { sent } = core.recovery;
  let inFlight = 0;
  for (let packetNumber = sent.firstInFlight; packetNumber < sent.nextPacketNumber; packetNumber++) {
    if (sent.isOutstanding(packetNumber) && sent.isInFlightKind(packetNumber)) inFlight += sent.size(packetNumber);
  }
  if (inFlight !== sent.bytesInFlight) {
    throw new Error(`bytes in flight are ${inFlight}, not ${sent.bytesInFlight}`);
  }
}
