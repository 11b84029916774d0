/**
 * A sender with credit and a receiver with a window, between them a network that delays, repeats and reorders the news.
 *
 * The sender never sends more than it heard of, so the receiver must never complain; and whatever the timing makes of the
 * window, promises hold and memory stays within its bound.
 *
 * @module
 */
import fc from "fast-check";
import { ReceiveWindow, SendCredit } from "../../src/stream/flow-control.ts";
import { assert } from "../../src/util/invariant.ts";
import type { Instant } from "../../src/util/time.ts";
import { record } from "../arbitraries.ts";
import type { FuzzTarget } from "../target.ts";

const operation = record({
  kind: fc.constantFrom("send", "send", "send", "read", "read", "grant", "hear", "hear", "grow", "overrun"),
  amount: fc.nat(3_000),
  wait: fc.oneof({ weight: 4, arbitrary: fc.nat(20) }, { weight: 1, arbitrary: fc.nat(10_000) }),
  rtt: fc.nat(200),
});

export const target: FuzzTarget = {
  name: "flow-control",
  property: () =>
    fc.property(
      fc.integer({ min: 1, max: 2_000 }),
      fc.integer({ min: 1, max: 20_000 }),
      fc.array(operation, { maxLength: 200, size: "max" }),
      (initial, maximum, operations) => {
        const window = new ReceiveWindow({ initial, maximum });
        const credit = new SendCredit(initial);
        const bound = Math.max(initial, maximum);
        const news: number[] = [];
        let now = 0;
        let blockedAt = -1;
        for (const { kind, amount, wait, rtt } of operations) {
          now += wait;
          const { limit, received, consumed } = window;
          if (kind === "send") {
            const bytes = Math.min(amount, credit.available);
            credit.use(bytes);
            assert(window.charge(bytes), `${bytes} bytes within the credit were refused`);
            window.onArrival(now as Instant, rtt);
          } else if (kind === "read") {
            window.consume(Math.min(amount, received - consumed));
          } else if (kind === "grant") {
            if (window.hasNewCredit) news.push(window.grant());
          } else if (kind === "hear" && news.length > 0) {
            const heard = news[amount % news.length]!;
            const isMore = heard > credit.limit;
            assert(credit.raise(heard) === isMore, "old news were taken for credit");
          } else if (kind === "grow") {
            window.growTo(amount * 4);
          } else if (kind === "overrun") {
            assert(!window.charge(limit - received + 1 + amount), "more than the limit was accepted");
            assert(window.received === received, "a refused charge was counted");
          }
          if (credit.available === 0) {
            assert(credit.block() === (blockedAt !== credit.limit), "each limit is reported once");
            blockedAt = credit.limit;
          }
          assert(window.limit >= limit, "a promise was taken back");
          assert(window.limit - window.consumed <= bound, "more was promised than there is memory");
          assert(window.size >= initial && window.size <= bound, `window ${window.size}`);
          assert(credit.used === window.received && credit.limit <= window.limit, "the ends disagree");
        }
        // Whatever happened, a sender whose bytes are all read can go on.
        window.consume(window.received - window.consumed);
        credit.raise(window.grant());
        assert(credit.available > 0, "deadlock");
        return true;
      },
    ),
};
