/**
 * Drain: gives back the queue that Startup made (draft-ietf-ccwg-bbr, "Drain").
 *
 * @module
 */
import type { Instant } from "../../util/time.ts";
import type { BbrCore, Sample } from "./core.ts";
import { DRAIN_PACING_GAIN, DRAIN_ROUNDS, WINDOW_GAIN } from "./parameters.ts";
import { enterProbeBw } from "./probe-bw.ts";

/** "EnterDrain". */
export function enterDrain(core: BbrCore, now: Instant): void {
  core.losses.slowSince = now;
  core.enter("drain", DRAIN_PACING_GAIN, WINDOW_GAIN);
  core.drainStartedIn = core.rounds.count;
}

/** After an acknowledgement: whether the queue is gone ("CheckDrainDone"). */
export function checkDrainDone(core: BbrCore, sample: Sample): void {
  if (core.phase !== "drain") return;
  const isEmpty = sample.bytesInFlight <= core.inflight(1);
  if (isEmpty || core.rounds.count > core.drainStartedIn + DRAIN_ROUNDS) enterProbeBw(core, sample.now);
}
