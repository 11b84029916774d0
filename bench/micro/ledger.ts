/**
 * The ledger and the loss detector as a bulk sender uses them: bursts of 64 packets, acknowledged two by two.
 *
 * @module
 */
import benny from "benny";
import { NewReno } from "../../src/congestion/new-reno.ts";
import { AckTracker } from "../../src/recovery/ack-tracker.ts";
import { LossDetector } from "../../src/recovery/loss-detector.ts";
import { ACK_ELICITING, IN_FLIGHT } from "../../src/recovery/sent-packets.ts";
import type { Instant } from "../../src/util/time.ts";

const BURST = 64;
const SIZE = 1200;

/** A sender whose clock goes on by 1 ms with every burst. */
class Sender {
  readonly detector = new LossDetector<never>();
  readonly controller = new NewReno(SIZE);
  now = 0 as Instant;
  #offset = 0;

  /** Sends a burst; returns the number of its first packet. */
  send(): number {
    const { sent } = this.detector;
    const first = sent.nextPacketNumber;
    for (let i = 0; i < BURST; i++) {
      sent.begin(first + i);
      sent.addStream(0, this.#offset, SIZE, 0);
      sent.commit(SIZE, this.now, ACK_ELICITING | IN_FLIGHT);
      this.detector.onPacketSent(this.now);
      this.#offset += SIZE;
    }
    this.now = (this.now + 1) as Instant;
    return first;
  }

  /** Takes an ACK frame and looks at what it settled, as a connection does; returns something to keep. */
  acknowledge(largest: number, ranges: readonly number[]): number {
    const { detector, controller, now } = this;
    detector.onAckReceived({ largest, delayUs: 0, ranges }, now);
    if (detector.lost.length > 0) controller.onLoss(detector.lossEvent);
    controller.onAck(detector.ackEvent);
    let sum = 0;
    for (const packetNumber of detector.acked) sum += detector.sent.streamStart(packetNumber, 0);
    for (const packetNumber of detector.lost) sum += detector.sent.streamStart(packetNumber, 0);
    return sum;
  }
}

export function run() {
  const plain = new Sender();
  const lossy = new Sender();
  const deep = new Sender();
  const acks = new AckTracker({ maxAckDelay: 25, minAckDelay: 1 });
  let next = 0;
  for (let i = 0; i < 100; i++) deep.send();
  return benny.suite(
    "ledger, 64 packets",
    benny.add("send, 32 ACK frames of one range", () => {
      const first = plain.send();
      let sum = 0;
      for (let i = 1; i < BURST; i += 2) sum += plain.acknowledge(first + i, [0, first + i + 1]);
      return sum;
    }),
    benny.add("send, 32 ACK frames, every 16th packet lost", () => {
      const first = lossy.send();
      let sum = 0;
      for (let i = 1; i < BURST; i += 2) {
        // The ranges of this burst, as far as they have arrived.
        const ranges: number[] = [];
        for (let gap = i & ~15; gap >= 0; gap -= 16) ranges.push(first + gap + 1, first + Math.min(i + 1, gap + 16));
        sum += lossy.acknowledge(first + i, ranges);
      }
      return sum;
    }),
    benny.add("send, 32 ACK frames, 6,400 packets in flight", () => {
      const first = deep.send() - 100 * BURST;
      let sum = 0;
      for (let i = 1; i < BURST; i += 2) sum += deep.acknowledge(first + i, [0, first + i + 1]);
      return sum;
    }),
    benny.add("receive, 32 ACK frames", () => {
      let sum = 0;
      for (let i = 0; i < BURST; i++) {
        acks.onPacketReceived(next++, ACK_ELICITING, 0 as Instant);
        if (!acks.shouldAckNow(0 as Instant)) continue;
        sum += acks.takeAck(0 as Instant)!.largest;
        acks.onAckSent(0);
      }
      return sum;
    }),
  );
}
