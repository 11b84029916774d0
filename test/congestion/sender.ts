/**
 * A sender of full packets, one number after the other, that tells a controller what the test says became of them.
 *
 * @module
 */
import type { CongestionController, PacketRecords, RttView } from "../../src/congestion/controller.ts";
import type { Instant } from "../../src/util/time.ts";

/** Bytes of a packet. */
export const MTU = 1200;

/** What may be said about an acknowledgement. */
export interface AckFacts {
  readonly isAppLimited?: boolean;
  /** The sample of the round-trip time, in ms; 100 unless given. `undefined` for none. */
  readonly sample?: number | undefined;
  /** The smoothed round-trip time, in ms; 100 unless given. */
  readonly smoothed?: number;
  /** Its minimum, in ms; 100 unless given. */
  readonly min?: number;
  readonly bytesInFlight?: number;
  /** For how long the peer held the acknowledgement back, in ms; 0 unless given. */
  readonly held?: number;
}

/** See the module's description. */
export class Sender<Controller extends CongestionController> {
  readonly controller: Controller;
  readonly #sentAt: number[] = [];
  readonly #lostAt: number[] = [];
  readonly #ledger: PacketRecords = {
    size: () => MTU,
    sentAt: (packetNumber) => this.#sentAt[packetNumber] as Instant,
    lostAt: (packetNumber) => this.#lostAt[packetNumber] as Instant,
    isInFlightKind: () => true,
    delivered: () => 0,
    lostWhenSent: () => 0,
    inFlightWhenSent: () => 0,
    isAppLimited: () => false,
  };

  constructor(controller: Controller) {
    this.controller = controller;
  }

  /** Sends `count` packets at `now`, with `before` bytes in flight; returns their numbers. */
  send(now: number, count: number, before = MTU): number[] {
    const first = this.#sentAt.length;
    const numbers = Array.from({ length: count }, (_, i) => first + i);
    for (const packetNumber of numbers) {
      this.#sentAt.push(now);
      this.controller.onPacketSent({
        now: now as Instant,
        packetNumber,
        size: MTU,
        bytesInFlight: before + (packetNumber - first + 1) * MTU,
        isAppLimited: false,
      });
    }
    return numbers;
  }

  ack(now: number, packets: readonly number[], facts: AckFacts = {}): void {
    const { isAppLimited = false, smoothed = 100, min = 100, bytesInFlight = 0, held = 0 } = facts;
    const sample = "sample" in facts ? facts.sample : 100;
    const rtt: RttView = {
      hasSample: true,
      latest: sample ?? 100,
      adjusted: (sample ?? 100) - held,
      min,
      smoothed,
      variance: 10,
    };
    this.controller.onAck({
      now: now as Instant,
      packets,
      ledger: this.#ledger,
      bytes: packets.length * MTU,
      bytesInFlight,
      isAppLimited,
      rtt,
      rate: {
        hasData: false,
        deliveryRate: 0,
        isAppLimited: false,
        interval: 0,
        delivered: 0,
        priorDelivered: 0,
        priorDeliveredAt: 0 as Instant,
        sendElapsed: 0,
        ackElapsed: 0,
        newlyAcked: 0,
        newlyLost: 0,
        inFlightWhenSent: 0,
        lost: 0,
        lastAcked: 0,
        rtt: sample,
      },
    });
  }

  /** Sends and acknowledges `packets` packets in every `every` ms from `from` on; returns when that is done. */
  stream(
    from: number,
    { acks, every, packets }: { readonly acks: number; readonly every: number; readonly packets: number },
    facts: AckFacts = {},
  ): number {
    let now = from;
    for (let i = 0; i < acks; i++) {
      now += every;
      this.ack(now, this.send(now - every / 2, packets), facts);
    }
    return now;
  }

  lose(now: number, packets: readonly number[], { isPersistent = false, bytesInFlight = 0 } = {}): void {
    for (const packetNumber of packets) this.#lostAt[packetNumber] = now;
    this.controller.onLoss({
      now: now as Instant,
      packets,
      ledger: this.#ledger,
      bytes: packets.length * MTU,
      lost: packets.length * MTU,
      delivered: 0,
      newestSentAt: Math.max(...packets.map((each) => this.#sentAt[each]!)) as Instant,
      bytesInFlight,
      isPersistent,
    });
  }

  arriveLate(now: number, packets: readonly number[]): void {
    this.controller.onSpuriousLoss({ now: now as Instant, packets, ledger: this.#ledger });
  }

  mark(now: number, sentAt: number): void {
    this.controller.onCongestionMark({ now: now as Instant, sentAt: sentAt as Instant });
  }

  get window(): number {
    return this.controller.congestionWindow;
  }

  get threshold(): number {
    return this.controller.snapshot().slowStartThreshold;
  }

  get state(): string {
    return this.controller.snapshot().state;
  }
}
