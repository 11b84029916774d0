/**
 * Startup: doubles the rate each round until the pipe is full (draft-ietf-ccwg-bbr, "Startup").
 *
 * @module
 */
import type { Instant } from "../../util/time.ts";
import type { BbrCore } from "./core.ts";
import { enterDrain } from "./drain.ts";
import {
  MAX_RANDOM_LOSS,
  STARTUP_HEAVY_LOSS,
  STARTUP_LOSS_EVENTS,
  STARTUP_PACING_GAIN,
  WINDOW_GAIN,
} from "./parameters.ts";

/** "EnterStartup". */
export function enterStartup(core: BbrCore): void {
  core.enter("startup", STARTUP_PACING_GAIN, WINDOW_GAIN);
}

/** After an acknowledgement: whether the pipe is full ("CheckStartupDone"). Returns whether loss was what told. */
export function checkStartupDone(core: BbrCore, now: Instant): boolean {
  if (core.phase !== "startup") return false;
  const isLossy = !core.fullPipe.wasReached && hasHighLoss(core);
  if (isLossy) {
    core.fullPipe.wasReached = true;
    core.inflightLongterm = Math.max(core.path.bandwidthDelayProduct ?? 0, core.losses.latestInflight);
  }
  if (core.fullPipe.wasReached) enterDrain(core, now);
  return isLossy;
}

/**
 * "CheckStartupHighLoss", with the bound for noise instead of 2 %: Startup is too short to know the path's own loss. A
 * round is over one round trip after its first loss.
 */
function hasHighLoss({ losses }: BbrCore): boolean {
  if (losses.events < STARTUP_LOSS_EVENTS) return false;
  return losses.lossRate > (losses.isRoundOver ? MAX_RANDOM_LOSS : STARTUP_HEAVY_LOSS);
}
