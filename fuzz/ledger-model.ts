/**
 * A naive loss detector: every packet in an array, every rule spelled out over all of them.
 *
 * It says what the real one must answer, and compares. Only the round-trip time and the thresholds, which adapt, are taken
 * from the real one; they have tests of their own.
 *
 * @module
 */
import { LossDetector } from "../src/recovery/loss-detector.ts";
import { MIN_CAPACITY } from "../src/recovery/packet-rows.ts";
import { MAX_PROBE_INTERVAL } from "../src/recovery/probe-timer.ts";
import { ACK_ELICITING, IN_FLIGHT } from "../src/recovery/sent-packets.ts";
import { assert } from "../src/util/invariant.ts";
import type { Instant } from "../src/util/time.ts";

/** What is sent in one packet. */
export interface Content {
  readonly size: number;
  readonly flags: number;
  /** Flat: id, start, length, fin. */
  readonly ranges: readonly number[];
  readonly tokens: readonly number[];
  readonly ackLargest: number;
}

interface Packet extends Content {
  readonly packetNumber: number;
  readonly sentAt: number;
  state: "outstanding" | "acked" | "lost" | "late" | "skipped";
  lostAt: number;
  mayBeForgotten: boolean;
}

/** Tolerance for sums of times, in ms. */
const ROUNDING = 1e-6;

/** The real detector and the naive one, driven together. */
export class LedgerModel {
  readonly real: LossDetector<number>;
  readonly #packets: Packet[] = [];
  readonly #first: number;
  #now = 0;
  #largestAcked = -1;
  #probeBaseAt = 0;
  #probeCount = 0;
  #sentBytes = 0;
  #lateBytes = 0;

  constructor(first: number) {
    this.#first = first;
    this.real = new LossDetector<number>({ firstPacketNumber: first });
  }

  // Operations

  wait(ms: number): void {
    this.#now += ms;
  }

  send(content: Content): void {
    const { sent } = this.real;
    const packetNumber = sent.nextPacketNumber;
    sent.begin(packetNumber);
    for (let i = 0; i < content.ranges.length; i += 4) {
      const [id, start, length, fin] = content.ranges.slice(i, i + 4) as [number, number, number, 0 | 1];
      sent.addStream(id, start, length, fin);
    }
    for (const token of content.tokens) sent.addToken(token);
    if (content.ackLargest >= 0) sent.addAck(content.ackLargest);
    sent.commit(content.size, this.#instant, content.flags);
    this.real.onPacketSent(this.#instant);
    this.#packets.push({
      ...content,
      packetNumber,
      sentAt: this.#now,
      state: "outstanding",
      lostAt: 0,
      mayBeForgotten: false,
    });
    if ((content.flags & IN_FLIGHT) !== 0) this.#sentBytes += content.size;
    if (content.flags === (IN_FLIGHT | ACK_ELICITING)) this.#probeBaseAt = this.#now;
  }

  skip(): void {
    const packetNumber = this.real.sent.nextPacketNumber;
    this.real.sent.skip(packetNumber);
    const nothing = { size: 0, flags: 0, ranges: [], tokens: [], ackLargest: -1 };
    this.#packets.push({
      ...nothing,
      packetNumber,
      sentAt: this.#now,
      state: "skipped",
      lostAt: 0,
      mayBeForgotten: false,
    });
  }

  /** Acknowledges the packets whose distance from the newest is in `offsets`, but for skipped ones if `isHonest`. */
  acknowledge(offsets: readonly number[], { isHonest, delayUs }: { isHonest: boolean; delayUs: number }): void {
    const count = this.#packets.length;
    const chosen = new Set<Packet>();
    for (const offset of offsets) {
      const packet = this.#packets[count - 1 - offset];
      if (packet !== undefined && !(isHonest && packet.state === "skipped")) chosen.add(packet);
    }
    if (chosen.size === 0) return;
    const packets = [...chosen].sort((a, b) => a.packetNumber - b.packetNumber);
    this.#forget();
    const verdict = this.#acknowledge(packets, delayUs);
    // Only the newest 16 skipped numbers are watched.
    const watched = this.real.sent.skipped;
    if (packets.some((packet) => watched.includes(packet.packetNumber))) assert(verdict === "acked-unsent", "skipped");
    else this.#afterAck(packets, verdict);
    const overlooked = packets.filter((packet) => packet.state === "lost" && !packet.mayBeForgotten);
    assert(verdict !== "ok" || overlooked.length === 0, `${overlooked.map(numberOf)} arrived late, unnoticed`);
  }

  acknowledgeUnsent(ahead: number): void {
    const largest = this.real.sent.nextPacketNumber + ahead;
    this.#forget();
    const verdict = this.real.onAckReceived({ largest, delayUs: 0, ranges: [0, largest + 1] }, this.#instant);
    assert(verdict === "acked-unsent", `${largest} was accepted`);
    this.#expectLists([], [], []);
  }

  /** Lets the timer fire, `lateness` ms after its deadline. */
  expire(lateness: number): void {
    const deadline = this.real.nextTimeout();
    if (deadline === undefined) return;
    this.#now = Math.max(this.#now, deadline + lateness);
    this.timeout();
  }

  /** Reports the time, due or not. */
  timeout(): void {
    const deadline = this.real.nextTimeout();
    const isDue = deadline !== undefined && deadline <= this.#now;
    const waiting = this.#waiting();
    this.#forget();
    const verdict = this.real.handleTimeout(this.#instant);
    if (!isDue) {
      assert(verdict === "none", `${verdict} before the deadline`);
    } else if (waiting.length > 0) {
      assert(verdict === "lost", `${verdict} at the time threshold`);
      this.#expectLists([], this.#naiveLosses(), []);
      // A probe timeout that has passed as well begins anew.
      if (this.#waiting().length === 0 && this.#probeDeadline <= this.#now) this.#probeBaseAt = this.#now;
    } else if (this.#eliciting().length > 0) {
      assert(verdict === "probe", `${verdict} at the probe timeout`);
      assert(this.real.probesPending === 2, `${this.real.probesPending} probes`);
      this.#probeCount += 1;
      this.#probeBaseAt = this.#now;
      this.#expectLists([], [], []);
    } else {
      assert(verdict === "none", `${verdict} when idle`);
      assert(this.#inFlight().length > 0 || this.real.sent.capacity === MIN_CAPACITY, "memory was kept");
    }
    const next = this.real.nextTimeout();
    assert(next === undefined || next > this.#now, `deadline ${next} at ${this.#now}`);
  }

  /** Compares everything that can be seen. */
  check(): void {
    const { real } = this;
    const inFlight = this.#inFlight();
    const bytes = inFlight.reduce((sum, packet) => sum + packet.size, 0);
    assert(real.sent.bytesInFlight === bytes, `${real.sent.bytesInFlight} bytes in flight, not ${bytes}`);
    assert(real.sent.ackElicitingInFlight === this.#eliciting().length, "ack-eliciting packets in flight");
    const { delivered, lost } = real.delivery;
    assert(delivered + lost - this.#lateBytes + bytes === this.#sentBytes, "bytes are conserved");
    assert(real.probeCount === this.#probeCount, `${real.probeCount} probe timeouts`);
    assert(real.oldestInFlight === inFlight[0]?.packetNumber, `oldest in flight ${real.oldestInFlight}`);
    for (const packet of inFlight) this.#compare(packet);
    this.#checkTimer();
  }

  // Naive rules

  #acknowledge(packets: readonly Packet[], delayUs: number): "ok" | "acked-unsent" {
    const ranges: number[] = [];
    for (const { packetNumber } of [...packets].reverse()) {
      if (ranges.length > 0 && ranges[ranges.length - 2] === packetNumber + 1) ranges[ranges.length - 2] = packetNumber;
      else ranges.push(packetNumber, packetNumber + 1);
    }
    return this.real.onAckReceived({ largest: ranges[1]! - 1, delayUs, ranges }, this.#instant);
  }

  #afterAck(packets: readonly Packet[], verdict: "ok" | "acked-unsent"): void {
    assert(verdict === "ok", "an honest acknowledgement was refused");
    const acked = packets.filter((packet) => packet.state === "outstanding");
    const late = packets.filter((packet) => this.real.spurious.includes(packet.packetNumber));
    for (const packet of late) {
      assert(packet.state === "lost", `${packet.packetNumber} is spurious but was not lost`);
      packet.state = "late";
      this.#lateBytes += packet.size;
    }
    for (const packet of acked) packet.state = "acked";
    // Packets that only acknowledge may be forgotten early; then their numbers do not count as acknowledged.
    const isNews = acked.some(isInFlightKind) || this.real.acked.length > 0 || late.length > 0;
    if (isNews) {
      this.#largestAcked = Math.max(this.#largestAcked, packets[packets.length - 1]!.packetNumber);
      this.#probeCount = 0;
    }
    this.#expectLists(acked.map(numberOf), isNews ? this.#naiveLosses() : [], late.map(numberOf));
    for (const packet of [...acked.filter(isInFlightKind), ...late]) this.#compare(packet);
  }

  /** Declares lost what is late by number or time, in the naive array; returns the numbers. */
  #naiveLosses(): number[] {
    const { lossDelay } = this.real;
    const lost = this.#waiting().filter((packet) => {
      const between = this.real.sent.skipped.filter((s) => s > packet.packetNumber && s < this.#largestAcked).length;
      const spread = this.#packets[this.#largestAcked - this.#first]!.sentAt - packet.sentAt;
      const isBehind = this.#largestAcked - packet.packetNumber - between >= this.real.packetThreshold;
      const isLateByNumber = isBehind && spread > this.real.reorderingSpread;
      return isLateByNumber || packet.sentAt + lossDelay <= this.#now;
    });
    for (const packet of lost) {
      packet.state = "lost";
      packet.lostAt = this.#now;
    }
    return lost.map(numberOf);
  }

  /** Notes which lost packets the real one need not remember in the input to come. */
  #forget(): void {
    const lifetime = Math.max(this.real.probeTimeout, 2 * this.real.rtt.smoothed);
    const lostBefore = this.#now - lifetime + ROUNDING;
    for (const packet of this.#packets) {
      if (packet.state === "lost" && packet.lostAt <= lostBefore) packet.mayBeForgotten = true;
    }
  }

  #checkTimer(): void {
    const next = this.real.nextTimeout();
    const [oldest] = this.#waiting();
    if (oldest !== undefined) {
      assert(
        next === oldest.sentAt + this.real.lossDelay,
        `timer at ${next} for the time threshold of ${oldest.sentAt}`,
      );
    } else if (this.#eliciting().length > 0) {
      assert(next === this.#probeDeadline, `timer at ${next}, probe timeout at ${this.#probeDeadline}`);
    } else if (next === undefined) {
      assert(this.real.sent.lostCount === 0, "lost packets are kept without a timer");
    }
  }

  #expectLists(acked: readonly number[], lost: readonly number[], late: readonly number[]): void {
    const kinds = new Map(this.#packets.map((packet) => [packet.packetNumber, isInFlightKind(packet)]));
    const ofData = (list: readonly number[]) => list.filter((each) => kinds.get(each)).join();
    assert(ofData(this.real.acked) === ofData(acked), `acked ${this.real.acked}, expected ${acked}`);
    assert(
      this.real.acked.every((each) => acked.includes(each)),
      `acked twice: ${this.real.acked}`,
    );
    assert(this.real.lost.join() === lost.join(), `lost ${this.real.lost}, expected ${lost}`);
    assert(this.real.spurious.join() === late.join(), `spurious ${this.real.spurious}, expected ${late}`);
    for (const packetNumber of this.real.lost) this.#compare(this.#packets[packetNumber - this.#first]!);
  }

  /** Compares one row of the ledger with what was sent. */
  #compare(packet: Packet): void {
    const { sent } = this.real;
    const { packetNumber, ranges } = packet;
    assert(sent.size(packetNumber) === packet.size, `size of ${packetNumber}`);
    assert(sent.sentAt(packetNumber) === packet.sentAt, `send time of ${packetNumber}`);
    assert(sent.ackLargest(packetNumber) === packet.ackLargest, `ACK of ${packetNumber}`);
    assert(sent.tokens(packetNumber).join() === packet.tokens.join(), `tokens of ${packetNumber}`);
    assert(sent.streamRangeCount(packetNumber) === ranges.length / 4, `ranges of ${packetNumber}`);
    for (let i = 0; i < ranges.length / 4; i++) {
      assert(sent.streamId(packetNumber, i) === ranges[4 * i], `stream of ${packetNumber}`);
      assert(sent.streamStart(packetNumber, i) === ranges[4 * i + 1], `start in ${packetNumber}`);
      assert(sent.streamLength(packetNumber, i) === ranges[4 * i + 2], `length in ${packetNumber}`);
      assert(sent.streamFin(packetNumber, i) === ranges[4 * i + 3], `fin in ${packetNumber}`);
    }
  }

  /** Packets that an acknowledgement of a later one has made candidates for loss. */
  #waiting(): Packet[] {
    return this.#inFlight().filter((packet) => packet.packetNumber < this.#largestAcked);
  }

  #inFlight(): Packet[] {
    return this.#packets.filter((packet) => packet.state === "outstanding" && isInFlightKind(packet));
  }

  #eliciting(): Packet[] {
    return this.#inFlight().filter((packet) => (packet.flags & ACK_ELICITING) !== 0);
  }

  get #probeDeadline(): number {
    const timeout = this.real.rtt.probeDelay(25);
    return this.#probeBaseAt + Math.min(timeout * 2 ** this.#probeCount, Math.max(timeout, MAX_PROBE_INTERVAL));
  }

  get #instant(): Instant {
    return this.#now as Instant;
  }
}

function isInFlightKind(packet: Packet): boolean {
  return (packet.flags & IN_FLIGHT) !== 0;
}

function numberOf(packet: Packet): number {
  return packet.packetNumber;
}
