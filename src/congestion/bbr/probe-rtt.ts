/**
 * ProbeRTT: little in flight for a moment, so that the round trip shows without our own queue
 * (draft-ietf-ccwg-bbr, "ProbeRTT").
 *
 * @module
 */
import { after, type Instant } from "../../util/time.ts";
import type { BbrCore, Sample } from "./core.ts";
import { PROBE_RTT_DURATION, PROBE_RTT_WINDOW_GAIN } from "./parameters.ts";
import { startCruise, startDown } from "./probe-bw.ts";
import { enterStartup } from "./startup.ts";

/** After an acknowledgement: begins, goes on with, or ends the measurement ("CheckProbeRTT"). */
export function checkProbeRtt(core: BbrCore, sample: Sample, isRecovering: boolean): void {
  if (core.phase !== "probe-rtt" && core.path.isProbeRttDue && !core.isRestartingFromIdle) {
    core.saveWindow(isRecovering);
    core.enter("probe-rtt", 1, PROBE_RTT_WINDOW_GAIN);
    core.probeRttDoneAt = undefined;
    core.feedback = "stopping";
    core.startRound();
  }
  if (core.phase === "probe-rtt") goOn(core, sample);
  if (sample.delivered > 0) core.isRestartingFromIdle = false;
}

/** Ends the measurement if it has lasted long enough ("CheckProbeRTTDone"). */
export function checkProbeRttDone(core: BbrCore, now: Instant): void {
  if (core.probeRttDoneAt === undefined || now <= core.probeRttDoneAt) return;
  core.path.probeRttMinAt = now;
  core.restoreWindow();
  core.resetShortterm();
  if (!core.fullPipe.wasReached) {
    enterStartup(core);
    return;
  }
  // Less than the path holds is in flight, so there is nothing to give back.
  startDown(core, now);
  startCruise(core);
}

/** "HandleProbeRTT". */
function goOn(core: BbrCore, sample: Sample): void {
  core.lowUntilDelivered = core.delivered + sample.bytesInFlight;
  if (core.probeRttDoneAt === undefined) {
    if (sample.bytesInFlight > core.probeRttWindow(PROBE_RTT_WINDOW_GAIN)) return;
    core.probeRttDoneAt = after(sample.now, PROBE_RTT_DURATION);
    core.hasProbeRttRound = false;
    core.startRound();
    return;
  }
  if (core.rounds.hasStarted) core.hasProbeRttRound = true;
  if (core.hasProbeRttRound) checkProbeRttDone(core, sample.now);
}
