/**
 * One direction of a link: a queue that drains at a rate, then a wire with delay and faults.
 *
 * What happens to a packet, in this order: scripted faults · MTU · policer · queue (tail drop) · serialisation at the
 * rate · blackout · loss in bursts · independent loss · corruption · delay and jitter · lateness · duplication. From the
 * blackout on it happens when the last bit leaves the queue. A lost packet has taken its share of the rate before it is
 * lost, as on a real wire behind a bottleneck; `lossBeforeQueue` is for losses in front of it. Each fault draws from a
 * sub-stream of its own, so that switching one on does not shift the others.
 *
 * @module
 */
import { after, type Duration, type Instant } from "../util/time.ts";
import type { Environment } from "./environment.ts";
import { checkConditions, type LinkConditions, type LinkOptions, PERFECT_LINK } from "./link-options.ts";
import { LinkQueue } from "./link-queue.ts";
import type { Packet } from "./packet.ts";
import type { Rng } from "./rng.ts";
import { Task } from "./timeline.ts";

/** What a link has done so far, in packets unless the name says bytes. */
export interface LinkCounters {
  /** Handed to the link. */
  sent: number;
  /** Arrived, duplicates included. */
  delivered: number;
  /** Payload bytes handed to the link. */
  bytesSent: number;
  /** Payload bytes that arrived, duplicates included. */
  bytesDelivered: number;
  /** Dropped because the queue was full. */
  tailDropped: number;
  /** Lost, independently or in a burst. */
  lost: number;
  /** Of `lost`: those lost in a burst. */
  lostInBurst: number;
  /** Dropped because they were larger than the MTU. */
  oversized: number;
  /** Dropped because they exceeded the policer's rate. */
  policed: number;
  /** Dropped because the link was down. */
  blackedOut: number;
  /** Dropped by {@link Link.dropNext} or {@link Link.filter}. */
  scripted: number;
  /** Second copies made. */
  duplicated: number;
  /** Bit flipped: arrived so, will arrive so, or would have. */
  corrupted: number;
  /** Of `corrupted`: those dropped for it. */
  discarded: number;
  /** Arrived after a packet that was sent later; second copies do not count. */
  reordered: number;
}

/** What a filter decides on a packet; a number makes it late by so many ms. */
export type Verdict = "pass" | "drop" | "duplicate" | "corrupt" | Duration;

/** The counters of packets that end here. */
type DropCounter = "scripted" | "oversized" | "policed" | "blackedOut" | "tailDropped" | "lost" | "discarded";

/** One direction of a link. */
export class Link {
  readonly name: string;
  readonly counters: LinkCounters = {
    sent: 0,
    delivered: 0,
    bytesSent: 0,
    bytesDelivered: 0,
    tailDropped: 0,
    lost: 0,
    lostInBurst: 0,
    oversized: 0,
    policed: 0,
    blackedOut: 0,
    scripted: 0,
    duplicated: 0,
    corrupted: 0,
    discarded: 0,
    reordered: 0,
  };
  /** Scripted fault: sees every packet before anything else happens to it. */
  filter: ((packet: Packet) => Verdict) | undefined = undefined;
  /** Whether packets get in at all; those under way still arrive. */
  isUp = true;

  readonly #environment: Environment;
  readonly #deliver: (packet: Packet) => void;
  readonly #defers: boolean;
  readonly #rng: {
    readonly [fault in "burst" | "loss" | "corruption" | "jitter" | "late" | "overtaking" | "duplication"]: Rng;
  };
  #conditions: LinkConditions = PERFECT_LINK;
  readonly #queue: LinkQueue<Flight>;
  /** Bytes in the policer's bucket, and when that was; the bucket is full at first. */
  #tokens = Number.POSITIVE_INFINITY;
  #tokensAt = 0 as Instant;
  #lastArrival = 0 as Instant;
  #inBurst = false;
  /** Packets in a row, up to the last one, that loss took or corruption hit. */
  #lostInRow = 0;
  #corruptInRow = 0;
  #dropsLeft = 0;
  #nextSequence = 0;
  #highestDelivered = -1;

  /** `defers`: even a link without delay delivers by a task of its own, never from within {@link send}. */
  constructor(options: {
    name: string;
    environment: Environment;
    conditions: LinkOptions;
    deliver: (packet: Packet) => void;
    defers: boolean;
  }) {
    this.name = options.name;
    this.#environment = options.environment;
    this.#deliver = options.deliver;
    this.#defers = options.defers;
    const rng = options.environment.rng.fork(`link ${options.name}`);
    this.#rng = {
      burst: rng.fork("burst"),
      loss: rng.fork("loss"),
      corruption: rng.fork("corruption"),
      jitter: rng.fork("jitter"),
      late: rng.fork("late"),
      overtaking: rng.fork("overtaking"),
      duplication: rng.fork("duplication"),
    };
    const { timeline } = options.environment;
    this.#queue = new LinkQueue(timeline, PERFECT_LINK, (flight) => this.#leave(flight));
    this.update(options.conditions);
  }

  /** Input: a packet enters. */
  send(packet: Packet): void {
    const { counters } = this;
    const sequence = this.#nextSequence++;
    counters.sent += 1;
    counters.bytesSent += packet.payload.length;
    const verdict = this.#scriptedVerdict(packet);
    if (verdict === "drop") {
      this.#drop("scripted", packet);
      return;
    }
    if (packet.size > this.#conditions.mtu) {
      this.#drop("oversized", packet);
      return;
    }
    if (!this.isUp) {
      this.#drop("blackedOut", packet);
      return;
    }
    if (this.#isPoliced(packet.size)) {
      this.#drop("policed", packet);
      return;
    }
    if (this.#conditions.lossBeforeQueue && this.#loses(packet)) return;
    if (!this.#queue.enter(new Flight(this, packet, sequence, verdict))) this.#drop("tailDropped", packet);
  }

  /**
   * Command: changes conditions. A rate holds for what waits too, delay and faults for what leaves the queue from now on;
   * what is on the wire already is beyond it. @throws RangeError if one makes no sense.
   */
  update(conditions: LinkOptions): void {
    const updated = { ...this.#conditions, ...conditions };
    checkConditions(updated);
    // A new delay is a new route: what takes it may overtake what is on the old one.
    if (updated.delay !== this.#conditions.delay) this.#lastArrival = 0 as Instant;
    this.#conditions = updated;
    this.#queue.update(updated);
  }

  /** Command: drops the next `count` packets that enter, whatever they are. */
  dropNext(count: number): void {
    this.#dropsLeft += count;
  }

  /** The conditions in force. */
  get conditions(): LinkConditions {
    return this.#conditions;
  }

  /** Packets that wait or are on their way out. */
  get queueLength(): number {
    return this.#queue.length;
  }

  /** How long a packet that enters now will wait before its own serialisation begins, in ms. */
  get queueDelay(): Duration {
    return this.#queue.delay;
  }

  /** Called when a packet reaches the far end; −1 is the sequence of a second copy. */
  arrive(packet: Packet, sequence: number): void {
    const { counters } = this;
    counters.delivered += 1;
    counters.bytesDelivered += packet.payload.length;
    if (sequence > this.#highestDelivered) this.#highestDelivered = sequence;
    else if (sequence !== -1) counters.reordered += 1;
    this.#deliver(packet);
  }

  #scriptedVerdict(packet: Packet): Verdict {
    if (this.#dropsLeft > 0) {
      this.#dropsLeft -= 1;
      return "drop";
    }
    return this.filter === undefined ? "pass" : this.filter(packet);
  }

  #drop(counter: DropCounter, packet: Packet): void {
    this.counters[counter] += 1;
    this.#environment.trace.packet("drop", this.name, counter, packet);
  }

  /** Whether there are too few tokens for a packet; else it takes them. */
  #isPoliced(size: number): boolean {
    const { policer } = this.#conditions;
    if (policer === undefined) return false;
    const now = this.#environment.timeline.now;
    const earned = ((now - this.#tokensAt) * policer.bitsPerSecond) / 8000;
    this.#tokens = Math.min(this.#tokens + earned, policer.burst);
    this.#tokensAt = now;
    if (this.#tokens < size) return true;
    this.#tokens -= size;
    return false;
  }

  /** Called by the queue when the last bit of a packet leaves. */
  #leave(flight: Flight): void {
    const { packet, verdict } = flight;
    const { lossBeforeQueue, duplication } = this.#conditions;
    if (this.#isBlackedOut()) {
      this.#drop("blackedOut", packet);
      return;
    }
    if (!lossBeforeQueue && this.#loses(packet)) return;
    if (this.#corrupts(verdict)) {
      this.#corrupt(packet);
      if (this.#conditions.discardsCorrupt) {
        this.#drop("discarded", packet);
        return;
      }
    }
    const arrival = this.#arrival(packet, typeof verdict === "number" ? verdict : 0);
    const isDuplicated = duplication > 0 && this.#rng.duplication.chance(duplication);
    const twin = verdict === "duplicate" || isDuplicated ? packet.copy() : undefined;
    this.#fly(flight, arrival);
    if (twin !== undefined) {
      this.counters.duplicated += 1;
      this.#environment.trace.packet("fault", this.name, "duplicated", twin);
      this.#fly(new Flight(this, twin, -1, "pass"), arrival);
    }
  }

  #isBlackedOut(): boolean {
    const { now } = this.#environment.timeline;
    for (const { from, until } of this.#conditions.blackouts) if (now >= from && now < until) return true;
    return false;
  }

  /** Whether the packet is lost, in a burst or independently; it is counted then. */
  #loses(packet: Packet): boolean {
    const { loss, longestRun } = this.#conditions;
    const isLostInBurst = this.#isLostInBurst();
    if (isLostInBurst) this.counters.lostInBurst += 1;
    const isLostAlone = !isLostInBurst && loss > 0 && this.#rng.loss.chance(loss) && this.#lostInRow < longestRun;
    this.#lostInRow = isLostAlone ? this.#lostInRow + 1 : 0;
    if (!isLostInBurst && !isLostAlone) return false;
    this.#drop("lost", packet);
    return true;
  }

  #isLostInBurst(): boolean {
    const model = this.#conditions.burstLoss;
    if (model === undefined) return false;
    const rng = this.#rng.burst;
    if (rng.chance(this.#inBurst ? model.leave : model.enter)) this.#inBurst = !this.#inBurst;
    return rng.chance(this.#inBurst ? (model.lossWhenBad ?? 1) : (model.lossWhenGood ?? 0));
  }

  /** Whether the packet is to be corrupted, by the script or by chance. */
  #corrupts(verdict: Verdict): boolean {
    const { corruption, longestRun } = this.#conditions;
    if (verdict === "corrupt") return true;
    const isHit = corruption > 0 && this.#rng.corruption.chance(corruption) && this.#corruptInRow < longestRun;
    this.#corruptInRow = isHit ? this.#corruptInRow + 1 : 0;
    return isHit;
  }

  #corrupt(packet: Packet): void {
    const length = Math.min(packet.payload.length, this.#conditions.corruptionReach);
    if (length === 0) return;
    const bit = this.#rng.corruption.integer(0, length * 8);
    packet.payload[bit >> 3]! ^= 1 << (bit & 7);
    this.counters.corrupted += 1;
    this.#environment.trace.packet("fault", this.name, "corrupted", packet);
  }

  /** When a packet that leaves now arrives. */
  #arrival(packet: Packet, scriptedDelay: Duration): Instant {
    const departure = this.#environment.timeline.now;
    const { delay, jitter, reordering, overtaking } = this.#conditions;
    if (overtaking > 0 && this.#rng.overtaking.chance(overtaking)) {
      this.#environment.trace.packet("fault", this.name, "early", packet);
      return after(departure, scriptedDelay);
    }
    let arrival = after(departure, delay);
    if (jitter > 0) arrival = after(arrival, this.#rng.jitter.between(0, jitter));
    if (arrival < this.#lastArrival) arrival = this.#lastArrival;
    // A late packet keeps its place: what follows does not come before it would have come.
    this.#lastArrival = arrival;
    let lateness = scriptedDelay;
    if (reordering !== undefined && this.#rng.late.chance(reordering.probability)) {
      lateness += this.#rng.late.between(reordering.minDelay, reordering.maxDelay);
    }
    if (lateness > 0) {
      this.#environment.trace.packet("fault", this.name, "late", packet);
      return after(arrival, lateness);
    }
    return arrival;
  }

  #fly(flight: Flight, arrival: Instant): void {
    const { timeline } = this.#environment;
    if (!this.#defers && arrival <= timeline.now) flight.run();
    else timeline.schedule(flight, arrival);
  }
}

/** A packet in the queue, then on the wire. */
class Flight extends Task {
  readonly packet: Packet;
  /** Its size in the queue. */
  readonly size: number;
  readonly verdict: Verdict;
  readonly #link: Link;
  readonly #sequence: number;

  constructor(link: Link, packet: Packet, sequence: number, verdict: Verdict) {
    super();
    this.#link = link;
    this.packet = packet;
    this.size = packet.size;
    this.verdict = verdict;
    this.#sequence = sequence;
  }

  run(): void {
    this.#link.arrive(this.packet, this.#sequence);
  }
}
