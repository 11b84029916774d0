/**
 * ProbeBW: slower than the path, as fast as it, and now and then faster, to see whether there is more
 * (draft-ietf-ccwg-bbr, "ProbeBW").
 *
 * Theory of operation. A cycle goes through four phases. DOWN gives back what the last probe has queued. CRUISE sends as
 * fast as the path delivers, with a part of the longterm bound left to others. REFILL fills the pipe again, without the
 * bounds of recent congestion, so that UP begins with a full one. UP sends a quarter faster until the rate stops growing or
 * too much is lost; that sets or raises the longterm bound on data in flight. A probe that ended by loss is followed by a
 * precautionary one, which turns back at the bound; if nothing is lost, the next probe follows at once and may go on.
 *
 * @module
 */
import type { Instant } from "../../util/time.ts";
import type { BbrCore, Sample } from "./core.ts";
import {
  BETA,
  CRUISE_QUEUE_GAIN,
  CRUISE_QUEUE_NOISE,
  CRUISE_QUEUE_SHARE,
  DOWN_PACING_GAIN,
  MAX_PROBE_ROUNDS,
  PROBE_WAIT,
  PROBE_WAIT_SPREAD,
  UP_PACING_GAIN,
  UP_WINDOW_GAIN,
  WINDOW_GAIN,
} from "./parameters.ts";

/** Doublings of the growth of the longterm bound; more would be no number of packets. */
const MAX_UP_ROUNDS = 30;

/** "EnterProbeBW". */
export function enterProbeBw(core: BbrCore, now: Instant): void {
  startDown(core, now);
}

/** "StartProbeBW_DOWN". */
export function startDown(core: BbrCore, now: Instant): void {
  core.losses.reset();
  core.losses.slowSince = now;
  core.upAckedPerPacket = Number.POSITIVE_INFINITY;
  core.roundsSinceProbe = core.random() < 0.5 ? 0 : 1;
  core.probeWait = PROBE_WAIT + core.random() * PROBE_WAIT_SPREAD;
  core.cycleStartedAt = now;
  core.feedback = "stopping";
  core.startRound();
  core.enter("probe-bw-down", DOWN_PACING_GAIN, WINDOW_GAIN);
}

/** "StartProbeBW_CRUISE". */
export function startCruise(core: BbrCore): void {
  core.enter("probe-bw-cruise", 1, WINDOW_GAIN);
}

/** "StartProbeBW_REFILL". */
export function startRefill(core: BbrCore): void {
  core.resetShortterm();
  core.upRounds = 0;
  core.upAcked = 0;
  core.wasPrecautionary = false;
  core.feedback = "refilling";
  core.startRound();
  core.enter("probe-bw-refill", 1, WINDOW_GAIN);
}

function startUp(core: BbrCore): void {
  core.feedback = "starting";
  core.startRound();
  core.fullPipe.restart();
  core.enter("probe-bw-up", UP_PACING_GAIN, UP_WINDOW_GAIN);
  raiseSlope(core);
}

/** After an acknowledgement: whether it is time for the next phase ("UpdateProbeBWCyclePhase"). */
export function updateProbeBw(core: BbrCore, sample: Sample): void {
  if (!core.fullPipe.wasReached) return;
  if (adaptLongterm(core, sample) || !core.isInProbeBw) return;
  switch (core.phase) {
    case "probe-bw-down":
      if (isTimeToProbe(core, sample.now)) startRefill(core);
      else if (isTimeToCruise(core, sample)) startCruise(core);
      return;
    case "probe-bw-cruise":
      if (isTimeToProbe(core, sample.now)) startRefill(core);
      else if (core.rounds.hasStarted) core.pacingGain = hasCruiseQueue(core) ? CRUISE_QUEUE_GAIN : 1;
      return;
    case "probe-bw-refill":
      // After one round the pipe is full.
      if (!core.rounds.hasStarted) return;
      core.isProbeSample = true;
      startUp(core);
      return;
    case "probe-bw-up":
      if (!isTimeToGoDown(core, sample)) return;
      core.hasProbedTooHigh = false;
      startDown(core, sample.now);
  }
}

/** Loss says that `inflight` bytes were too many ("HandleInflightTooHigh"). Returns whether it ended a probe. */
export function onTooHigh(
  core: BbrCore,
  at: { readonly inflight: number; readonly isAppLimited: boolean; readonly now: Instant },
): boolean {
  core.hasProbedTooHigh = true;
  core.isProbeSample = false;
  if (!at.isAppLimited) core.inflightLongterm = Math.max(at.inflight, core.targetInflight * BETA);
  if (core.phase !== "probe-bw-up") return false;
  startDown(core, at.now);
  return true;
}

/** "AdaptLongTermModel"; returns whether it has chosen the next phase. */
function adaptLongterm(core: BbrCore, sample: Sample): boolean {
  if (core.feedback === "starting" && core.rounds.hasStarted) core.feedback = "feedback";
  if (core.feedback === "stopping" && core.rounds.hasStarted) {
    core.isProbeSample = false;
    core.feedback = "none";
    if (core.isInProbeBw && !sample.isAppLimited) core.path.onCycle();
    // A whole round of feedback without too much loss: the bound is safe, and a probe may go beyond it.
    if (core.isInProbeBw && core.wasPrecautionary && !core.hasProbedTooHigh) {
      startRefill(core);
      return true;
    }
  }
  if (core.losses.isTooHigh(sample.lost, sample.inFlightWhenSent)) return false;
  if (core.inflightLongterm === Number.POSITIVE_INFINITY) return false;
  core.inflightLongterm = Math.max(core.inflightLongterm, sample.inFlightWhenSent);
  if (core.phase === "probe-bw-up") probeUpward(core, sample);
  return false;
}

/** "ProbeInflightLongtermUpward". */
function probeUpward(core: BbrCore, sample: Sample): void {
  // What is not used up must not grow.
  if (!core.isWindowLimited || core.window < core.inflightLongterm) return;
  core.upAcked += sample.newlyAcked;
  if (core.upAcked >= core.upAckedPerPacket) {
    const packets = Math.floor(core.upAcked / core.upAckedPerPacket);
    core.upAcked -= packets * core.upAckedPerPacket;
    core.inflightLongterm += packets * core.mtu;
  }
  if (core.rounds.hasStarted) raiseSlope(core);
}

/** "RaiseInflightLongtermSlope": 1, 2, 4, 8 … packets a round. */
function raiseSlope(core: BbrCore): void {
  const growth = 2 ** core.upRounds;
  core.upRounds = Math.min(core.upRounds + 1, MAX_UP_ROUNDS);
  core.upAckedPerPacket = Math.max(core.window / growth, core.mtu);
}

/** "IsTimeToProbeBW". */
function isTimeToProbe(core: BbrCore, now: Instant): boolean {
  if (now > core.cycleStartedAt + core.probeWait) return true;
  // As often as Reno would grow to this window, so that both find their share ("IsRenoCoexistenceProbeTime").
  return core.roundsSinceProbe >= Math.min(core.targetInflight / core.mtu, MAX_PROBE_ROUNDS);
}

function hasCruiseQueue(core: BbrCore): boolean {
  const { minRtt } = core.path;
  return (core.rounds.shortestRtt ?? 0) > Math.max(CRUISE_QUEUE_SHARE * minRtt, minRtt + CRUISE_QUEUE_NOISE);
}

/** "IsTimeToCruise". */
function isTimeToCruise(core: BbrCore, sample: Sample): boolean {
  return sample.bytesInFlight <= core.inflightWithHeadroom && sample.bytesInFlight <= core.inflight(1);
}

/** "IsTimeToGoDown". */
function isTimeToGoDown(core: BbrCore, sample: Sample): boolean {
  if (core.hasProbedTooHigh && sample.bytesInFlight >= core.inflightLongterm) {
    core.wasPrecautionary = true;
    return true;
  }
  if (core.isWindowLimited && core.window >= core.inflightLongterm) {
    // The bound, not the path, limits the rate.
    core.fullPipe.restart();
    return false;
  }
  return core.fullPipe.isFull;
}
