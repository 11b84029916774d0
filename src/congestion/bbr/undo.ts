/**
 * Taking back what was done about packets that were not lost after all
 * (draft-ietf-ccwg-bbr, "Updating the Model Upon Detecting a Spurious Loss Recovery").
 *
 * Theory of operation. An episode begins with the first loss and ends when a packet that was sent after it is
 * acknowledged. If every packet that was deemed lost in it arrives, nothing was lost, and the bounds are what they were.
 *
 * @module
 */
import type { Instant } from "../../util/time.ts";
import type { BbrCore } from "./core.ts";
import { startRefill } from "./probe-bw.ts";
import { enterStartup } from "./startup.ts";

/** The present or the last episode of loss. */
export class LossEpisode {
  /** Phase that was left because of the loss ("undo_state"). */
  leftPhase: "startup" | "probe-bw-up" | undefined = undefined;
  isRecovering = false;
  #startedAt: Instant | undefined = undefined;
  /** Packets of the episode that are deemed lost and have not arrived. */
  #missing = 0;
  #bandwidthShortterm = Number.POSITIVE_INFINITY;
  #inflightShortterm = Number.POSITIVE_INFINITY;
  #inflightLongterm = Number.POSITIVE_INFINITY;

  /** Input: packets are deemed lost, the newest of them sent at `newestSentAt` ("SaveStateUponLoss"). */
  onLost(core: BbrCore, packets: number, newestSentAt: Instant, now: Instant): void {
    if (this.#startedAt === undefined || newestSentAt > this.#startedAt) {
      core.saveWindow(this.isRecovering);
      this.#startedAt = now;
      this.isRecovering = true;
      this.leftPhase = undefined;
      this.#missing = 0;
      this.#bandwidthShortterm = core.bandwidthShortterm;
      this.#inflightShortterm = core.inflightShortterm;
      this.#inflightLongterm = core.inflightLongterm;
    }
    this.#missing += packets;
  }

  /** Input: a packet sent at `sentAt` was acknowledged. */
  onAcked(core: BbrCore, sentAt: Instant): void {
    if (!this.isRecovering || sentAt <= this.#startedAt!) return;
    this.isRecovering = false;
    core.restoreWindow();
  }

  /** Input: a packet that was deemed lost at `lostAt` has arrived ("HandleSpuriousLossDetection"). */
  onArrivedLate(core: BbrCore, lostAt: Instant): void {
    if (this.#startedAt === undefined || lostAt < this.#startedAt || this.#missing === 0) return;
    this.#missing -= 1;
    if (this.#missing > 0) return;
    this.isRecovering = false;
    core.restoreWindow();
    core.losses.hasLoss = false;
    core.fullPipe.reset();
    core.bandwidthShortterm = Math.max(core.bandwidthShortterm, this.#bandwidthShortterm);
    core.inflightShortterm = Math.max(core.inflightShortterm, this.#inflightShortterm);
    core.inflightLongterm = Math.max(core.inflightLongterm, this.#inflightLongterm);
    this.#return(core);
  }

  /** Returns to the phase that was left, unless the round trip is being measured. */
  #return(core: BbrCore): void {
    const { leftPhase } = this;
    this.leftPhase = undefined;
    if (leftPhase === undefined || leftPhase === core.phase) return;
    if (leftPhase === "startup") core.fullPipe.wasReached = false;
    if (core.phase === "probe-rtt") return;
    if (leftPhase === "startup") enterStartup(core);
    else startRefill(core);
  }
}
