/**
 * Slowing down where nothing is probed: towards what the path has delivered lately
 * (draft-ietf-ccwg-bbr, "When not Probing for Bandwidth").
 *
 * @module
 */
import type { BbrCore } from "./core.ts";
import { BETA } from "./parameters.ts";

/** Once a round: adapts the shortterm bounds to congestion ("AdaptLowerBoundsFromCongestion"). */
export function adaptShortterm(core: BbrCore): void {
  const { losses, path } = core;
  if (core.isProbing) return;
  if (!losses.isCongestion(path.minRtt)) {
    losses.learnAmbient(path.minRtt, core.mtu);
    return;
  }
  const bandwidth = Math.min(core.bandwidthShortterm, path.maxBandwidth);
  const inflight = Math.min(core.inflightShortterm, core.window);
  core.bandwidthShortterm = Math.max(losses.latestBandwidth, BETA * bandwidth);
  core.inflightShortterm = Math.max(losses.latestInflight, BETA * inflight);
}
