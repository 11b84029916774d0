/**
 * Careful resume: a peer that was called before is soon sent to at half of what its path carried then (RFC 9959 §3).
 *
 * Theory of operation. It stands in front of a controller and passes everything on to it. While all is well and nothing is
 * known of the path, that is all, but for taking notes of what the path delivers. When something is known:
 *
 * - *Reconnaissance*: the controller begins as ever. When the initial window has arrived without loss, the round trip fits
 *   what is known, and the sender has more to send, the path is taken for the same.
 * - *Unvalidated*: for a round trip the window is half of what the path delivered in one then, paced over the round trip.
 * - *Validating*: what is in flight is the controller's window now; slow start goes on from there. When all of the jump has
 *   arrived, it was right.
 * - *Safe retreat*: there was congestion before that. What is known is forgotten, the window is half of what has arrived, and
 *   it stays until the last packet of the jump has; then the controller goes on with a threshold of what has arrived.
 *
 * Whether a loss is congestion is up to the controller: it is once the controller has left its first search for the rate.
 * Bytes of packets that were acknowledged since the jump, with those in flight before it, are what the RFC calls PipeSize.
 *
 * @module
 */
import type { Duration, Instant } from "../util/time.ts";
import { CapacityObserver } from "./capacity-observer.ts";
import type {
  AckEvent,
  CongestionController,
  CongestionMarkEvent,
  CongestionSnapshot,
  LossEvent,
  ResumableController,
  RttView,
  SentEvent,
  SpuriousLossEvent,
} from "./controller.ts";
import { initialWindow, MINIMUM_WINDOW_PACKETS } from "./new-reno.ts";
import type { PathFacts, PathMemory } from "./path-memory.ts";

// Specification

/** Part of the earlier window that is used at most (RFC 9959 §3.3). */
const JUMP_SHARE = 1 / 2;

/** Part of the earlier round trip above which the path is taken for the same (RFC 9959 §3.2). */
const MIN_RTT_SHARE = 1 / 2;

/** The multiple of it up to which it is (RFC 9959 §4.2.1). */
const MAX_RTT_SHARE = 10;

/** Part of what has arrived that remains in flight in the retreat (RFC 9959 §3.5). */
const RETREAT_SHARE = 1 / 2;

/** Initial windows that a path must have delivered in a round trip to be worth remembering (RFC 9959 §3.1). */
const WORTHWHILE_WINDOWS = 4;

// Implementation

/** Most bytes of a jump: what 100 Mbit/s and 300 ms have in flight. More is reached from there in few round trips. */
const MAX_JUMP = 4 * 1024 * 1024;

/** Round-trip time, in ms, below which slow start takes no time worth saving, and nothing is paced. */
const MIN_RTT: Duration = 1;

type Phase =
  /** No path yet, or one that has changed. */
  | { readonly name: "idle" }
  | { readonly name: "reconnaissance" }
  | {
      readonly name: "unvalidated";
      readonly facts: PathFacts;
      readonly jump: number;
      /** Bytes per ms: the jump in a round trip. */
      readonly pacingRate: number;
      readonly firstNumber: number;
      readonly until: Instant;
    }
  | { readonly name: "validating"; readonly lastNumber: number }
  | { readonly name: "safe-retreat"; readonly lastNumber: number; readonly window: number }
  | { readonly name: "normal" };

/** A controller with a memory of the path; see the module's theory of operation. */
export class CarefulResume implements CongestionController {
  readonly #inner: ResumableController;
  readonly #memory: PathMemory;
  readonly #observer = new CapacityObserver();
  #mtu: number;
  #phase: Phase = { name: "idle" };
  /** The path's name in the memory. */
  #key = "";
  /** The path is not the one of that name any more. */
  #isElsewhere = false;
  /** Bytes acknowledged in the reconnaissance. */
  #acked = 0;
  #pipeSize = 0;
  #lastNumber = -1;
  /** Packets of the jump, or from before it, were lost. */
  #hasLoss = false;

  constructor(inner: ResumableController, { mtu, memory }: { readonly mtu: number; readonly memory: PathMemory }) {
    this.#inner = inner;
    this.#mtu = mtu;
    this.#memory = memory;
  }

  // Inputs

  /** Input: the connection has a path; this is its name. */
  onPath(key: string, now: Instant): void {
    this.#key = key;
    this.#phase = { name: this.#memory.find(key, now) === undefined ? "normal" : "reconnaissance" };
  }

  /** Input: the connection goes on over another path. */
  onPathChange(now: Instant): void {
    // RFC 9959 §3.2 and §3.3: what is known, and what is being measured, belongs to the other one.
    if (this.#isOnTrial) this.#retreat(now);
    else if (this.#phase.name !== "safe-retreat") this.#phase = { name: "idle" };
    this.#isElsewhere = true;
  }

  /** Input: a packet left. */
  onPacketSent(event: SentEvent): void {
    this.#lastNumber = event.packetNumber;
    this.#inner.onPacketSent(event);
    const phase = this.#phase;
    if (phase.name !== "unvalidated") return;
    // RFC 9959 §3.3: the jump is over when all of it is in flight, or after a round trip.
    if (event.bytesInFlight + this.#mtu > phase.jump || event.now >= phase.until) {
      this.#endJump(phase.facts, event.bytesInFlight);
    }
  }

  /** Input: packets were acknowledged. */
  onAck(event: AckEvent): void {
    this.#inner.onAck(event);
    this.#pipeSize += event.bytes;
    const { packets, now, rtt } = event;
    const largest = packets[packets.length - 1] ?? -1;
    if (this.#retreatIfCongested(now)) return;
    const phase = this.#phase;
    switch (phase.name) {
      case "idle":
        break;
      case "reconnaissance":
        this.#reconnoitre(event);
        break;
      case "unvalidated":
        // RFC 9959 §3.3: a round trip that is too short shows that the path has changed.
        if (rtt.min <= phase.facts.rtt * MIN_RTT_SHARE) this.#retreat(now);
        else if (largest >= phase.firstNumber || now >= phase.until) this.#endJump(phase.facts, event.bytesInFlight);
        break;
      case "validating":
        if (largest >= phase.lastNumber) this.#phase = { name: "normal" };
        break;
      case "safe-retreat":
        if (largest < phase.lastNumber) break;
        // RFC 9959 §3.5.
        this.#inner.settle(phase.window, this.#pipeSize);
        this.#phase = { name: "normal" };
        break;
      case "normal":
        this.#observe(event);
        break;
    }
  }

  /** Input: packets are deemed lost. */
  onLoss(event: LossEvent): void {
    this.#inner.onLoss(event);
    this.#hasLoss = true;
    // RFC 9959 §3.2: nothing to resume on a path that loses already; RFC 9959 §3.6: the controller has collapsed.
    if (this.#phase.name === "reconnaissance" || event.isPersistent) this.#stop();
    else this.#retreatIfCongested(event.now);
  }

  /** Input: packets that were deemed lost have arrived. */
  onSpuriousLoss(event: SpuriousLossEvent): void {
    this.#inner.onSpuriousLoss(event);
  }

  /** Input: the peer reports marks of congestion. */
  onCongestionMark(event: CongestionMarkEvent): void {
    this.#inner.onCongestionMark(event);
    if (this.#phase.name === "reconnaissance") this.#stop();
    else if (this.#isOnTrial) this.#retreat(event.now);
  }

  /** Input: the path's packet size changed. */
  onMtuChange(mtu: number): void {
    this.#mtu = mtu;
    this.#inner.onMtuChange(mtu);
  }

  // Getters

  /** The controller's. */
  get name(): string {
    return this.#inner.name;
  }

  /** Most bytes in flight. */
  get congestionWindow(): number {
    const phase = this.#phase;
    if (phase.name === "unvalidated") return phase.jump;
    return phase.name === "safe-retreat" ? phase.window : this.#inner.congestionWindow;
  }

  /** Bytes per ms; `undefined` leaves it to the pacer. */
  get pacingRate(): number | undefined {
    const { pacingRate } = this.#inner;
    if (this.#phase.name === "unvalidated") return Math.max(this.#phase.pacingRate, pacingRate ?? 0);
    // The window alone says how fast: the controller's rate may be that of the jump.
    return this.#phase.name === "safe-retreat" ? undefined : pacingRate;
  }

  /** What statistics and traces show. */
  snapshot(): CongestionSnapshot {
    const { name } = this.#phase;
    const inner = this.#inner.snapshot();
    const isOwn = this.#isOnTrial || name === "safe-retreat";
    return {
      ...inner,
      state: isOwn ? name : inner.state,
      congestionWindow: this.congestionWindow,
      pacingRate: this.pacingRate,
    };
  }

  // Private

  /** Whether packets of the jump may be on their way. */
  get #isOnTrial(): boolean {
    return this.#phase.name === "unvalidated" || this.#phase.name === "validating";
  }

  #reconnoitre({ bytes, bytesInFlight, isAppLimited, rtt, now }: AckEvent): void {
    this.#acked += bytes;
    // The controller has seen a queue build up, or else knows the path.
    if (!this.#inner.isStarting) {
      this.#stop();
      return;
    }
    // RFC 9959 §3.2: all of the initial window has arrived, and there is more to send than the controller allows.
    if (this.#acked < initialWindow(this.#mtu) || isAppLimited) return;
    const known = this.#memory.find(this.#key, now);
    const jump = Math.min(MAX_JUMP, Math.floor((known?.window ?? 0) * JUMP_SHARE));
    // RFC 9959 §3.2: another connection may have taken what was known, or have found it wrong.
    if (known === undefined || jump <= this.#inner.congestionWindow || !isSamePath(known, rtt)) {
      this.#stop();
      return;
    }
    this.#memory.take(this.#key, now);
    this.#pipeSize = bytesInFlight;
    this.#hasLoss = false;
    this.#phase = {
      name: "unvalidated",
      facts: known,
      jump,
      // RFC 9959 §4.3.2: paced by the round trip of now, not that of then.
      pacingRate: jump / rtt.latest,
      firstNumber: this.#lastNumber + 1,
      until: (now + rtt.latest) as Instant,
    };
  }

  #endJump(facts: PathFacts, bytesInFlight: number): void {
    const initial = initialWindow(this.#mtu);
    if (bytesInFlight >= initial && bytesInFlight > this.#pipeSize) {
      // RFC 9959 §3.3.
      this.#inner.resume(bytesInFlight);
      this.#phase = { name: "validating", lastNumber: this.#lastNumber };
      return;
    }
    // RFC 9959 §3.3: the sender had too little to send. What is known has not been put to the test.
    this.#inner.resume(Math.max(this.#pipeSize, initial));
    this.#memory.save(this.#key, facts);
    this.#stop();
  }

  #retreatIfCongested(now: Instant): boolean {
    if (!this.#isOnTrial || !this.#hasLoss || this.#inner.isStarting) return false;
    this.#retreat(now);
    return true;
  }

  #retreat(now: Instant): void {
    this.#inner.retreat(now);
    // RFC 9959 §3.5. What was known has been taken out of the memory already.
    const window = Math.max(Math.floor(this.#pipeSize * RETREAT_SHARE), MINIMUM_WINDOW_PACKETS * this.#mtu);
    this.#phase = { name: "safe-retreat", lastNumber: this.#lastNumber, window };
  }

  #stop(): void {
    if (this.#phase.name !== "idle") this.#phase = { name: "normal" };
  }

  #observe(event: AckEvent): void {
    if (this.#isElsewhere) return;
    const window = this.#observer.onAck(event);
    if (window === undefined || window < WORTHWHILE_WINDOWS * initialWindow(this.#mtu)) return;
    const { now, rtt } = event;
    // RFC 9959 §4.1: a connection that is still growing has not seen all of the path.
    if (this.#inner.isStarting && window < (this.#memory.find(this.#key, now)?.window ?? 0)) return;
    this.#memory.save(this.#key, { window: Math.floor(window), rtt: rtt.min, savedAt: now });
  }
}

/** RFC 9959 §4.2.1. */
function isSamePath(known: PathFacts, rtt: RttView): boolean {
  if (rtt.min < MIN_RTT) return false;
  return rtt.min > known.rtt * MIN_RTT_SHARE && rtt.min <= known.rtt * MAX_RTT_SHARE;
}
