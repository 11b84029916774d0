/**
 * Taking back what was done about packets that were not lost after all
 * (draft-ietf-ccwg-bbr, "Updating the Model Upon Detecting a Spurious Loss Recovery").
 *
 * Theory of operation. An episode begins with the first loss and ends when a packet that was sent after it is
 * acknowledged. If every packet that was deemed lost in it arrives, nothing was lost, and the bounds are what they were.
 * On a path that reorders, the next episode has often begun by then. So the last few are remembered, and what one of them
 * turns out to have cost is not in what the later ones would return to.
 *
 * @module
 */
import type { Instant } from "../../util/time.ts";
import type { BbrCore } from "./core.ts";
import { startRefill } from "./probe-bw.ts";
import { enterStartup } from "./startup.ts";

// Implementation

/** Episodes that are remembered: as many round trips as a packet that was overtaken may be late. */
const MAX_EPISODES = 4;

/** What was so when the first packet of an episode was deemed lost ("SaveStateUponLoss"). */
interface Episode {
  readonly startedAt: Instant;
  /** Packets of the episode that are deemed lost and have not arrived. */
  missing: number;
  bandwidthShortterm: number;
  inflightShortterm: number;
  inflightLongterm: number;
  /** Phase that was left because of the loss ("undo_state"). */
  leftPhase: "startup" | "probe-bw-up" | undefined;
}

/** The last episodes of loss. */
export class LossEpisodes {
  /** Whether a packet was lost and none that was sent since is acknowledged. */
  isRecovering = false;
  /** Oldest first. */
  readonly #episodes: Episode[] = [];

  // Inputs

  /** Input: so many packets are deemed lost, the newest of them sent at `newestSentAt`. */
  onLost(core: BbrCore, packets: number, at: { readonly newestSentAt: Instant; readonly now: Instant }): void {
    const last = this.#episodes[this.#episodes.length - 1];
    if (last !== undefined && at.newestSentAt <= last.startedAt) {
      last.missing += packets;
      return;
    }
    core.saveWindow(this.isRecovering);
    this.isRecovering = true;
    if (this.#episodes.length === MAX_EPISODES) this.#episodes.shift();
    const { bandwidthShortterm, inflightShortterm, inflightLongterm } = core;
    const bounds = { bandwidthShortterm, inflightShortterm, inflightLongterm };
    this.#episodes.push({ startedAt: at.now, missing: packets, ...bounds, leftPhase: undefined });
  }

  /** Input: the loss of the present episode ended a phase. */
  onPhaseLeft(phase: "startup" | "probe-bw-up"): void {
    const last = this.#episodes[this.#episodes.length - 1];
    if (last !== undefined) last.leftPhase = phase;
  }

  /** Input: a packet sent at `sentAt` was acknowledged. */
  onAcked(core: BbrCore, sentAt: Instant): void {
    if (!this.isRecovering || sentAt <= this.#episodes[this.#episodes.length - 1]!.startedAt) return;
    this.isRecovering = false;
    core.restoreWindow();
  }

  /** Input: a packet that was deemed lost at `lostAt` has arrived ("HandleSpuriousLossDetection"). */
  onArrivedLate(core: BbrCore, lostAt: Instant): void {
    const episodes = this.#episodes;
    let index = episodes.length - 1;
    while (index >= 0 && lostAt < episodes[index]!.startedAt) index -= 1;
    const episode = episodes[index];
    if (episode === undefined || episode.missing === 0) return;
    episode.missing -= 1;
    if (episode.missing > 0) return;
    if (index === episodes.length - 1) this.isRecovering = false;
    for (let later = index + 1; later < episodes.length; later++) raise(episodes[later]!, episode);
    episodes.splice(index, 1);
    core.restoreWindow();
    // What was not changed need not be looked for again; else a path that reorders would never be found to be full.
    const isMore = raise(core, episode);
    if (isMore || episode.leftPhase !== undefined) core.fullPipe.reset();
    returnTo(core, episode.leftPhase);
  }

  // Commands

  /** Command: whatever phases were left, there is no way back to them. */
  forgetPhases(): void {
    for (const episode of this.#episodes) episode.leftPhase = undefined;
  }
}

interface Bounds {
  bandwidthShortterm: number;
  inflightShortterm: number;
  inflightLongterm: number;
}

/** Raises bounds to what they were before; returns whether that was more. */
function raise(bounds: Bounds, before: Bounds): boolean {
  const isMore =
    before.bandwidthShortterm > bounds.bandwidthShortterm ||
    before.inflightShortterm > bounds.inflightShortterm ||
    before.inflightLongterm > bounds.inflightLongterm;
  bounds.bandwidthShortterm = Math.max(bounds.bandwidthShortterm, before.bandwidthShortterm);
  bounds.inflightShortterm = Math.max(bounds.inflightShortterm, before.inflightShortterm);
  bounds.inflightLongterm = Math.max(bounds.inflightLongterm, before.inflightLongterm);
  return isMore;
}

/** Returns to the phase that was left, unless the round trip is being measured. */
function returnTo(core: BbrCore, phase: Episode["leftPhase"]): void {
  if (phase === undefined || phase === core.phase) return;
  if (phase === "startup") core.fullPipe.wasReached = false;
  if (core.phase === "probe-rtt") return;
  if (phase === "startup") enterStartup(core);
  else startRefill(core);
}
