import { describe, expect, test } from "vitest";
import { HyStart } from "../../src/congestion/hystart.ts";

/** `packets` in flight; for each `perAck` of them that are acknowledged as many leave. */
class Flow {
  readonly hystart = new HyStart();
  readonly #packets: number;
  readonly #perAck: number;
  #sent = 0;
  #acked = 0;

  constructor(packets: number, perAck = 2) {
    this.#packets = packets;
    this.#perAck = perAck;
    this.#send(packets);
  }

  /** A round trip; `sample` says what the n-th acknowledgement measures. */
  round(sample: (n: number) => number | undefined): this {
    for (let n = 0; n * this.#perAck < this.#packets; n++) {
      this.#acked += this.#perAck;
      this.hystart.onAck(this.#acked - 1, sample(n));
      this.#send(this.#perAck);
    }
    return this;
  }

  #send(count: number): void {
    for (let i = 0; i < count; i++) this.hystart.onPacketSent(this.#sent++);
  }
}

/** A flow that has had two rounds with samples of `rtt` ms. */
function warm({ packets = 40, perAck = 2, rtt = 30 } = {}): Flow {
  return new Flow(packets, perAck).round(() => rtt).round(() => rtt);
}

describe("HyStart++ (CC-46, RFC 9406 §4.2)", () => {
  test.each([
    { first: 10, tolerated: 4, why: "4 ms at least" },
    { first: 80, tolerated: 10, why: "an eighth in between" },
    { first: 400, tolerated: 16, why: "16 ms at most" },
  ])("a round trip of $first ms may grow by less than $tolerated ms: $why (RFC 9406 §4.3)", ({ first, tolerated }) => {
    const below = warm({ rtt: first });
    below.round(() => first + tolerated - 0.01);
    expect(below.hystart.isConservative).toBe(false);
    const at = warm({ rtt: first });
    at.round(() => first + tolerated);
    expect(at.hystart.isConservative).toBe(true);
  });

  test("the minimum of a round counts, not single samples", () => {
    const flow = warm();
    flow.round((n) => (n === 5 ? 31 : 60));
    expect(flow.hystart.isConservative).toBe(false);
  });

  test("seven samples say nothing, eight do, however many packets each covers", () => {
    for (const perAck of [2, 5, 32]) {
      const few = warm({ packets: 7 * perAck, perAck }).round(() => 60);
      expect(few.hystart.isConservative, `7 of ${perAck}`).toBe(false);
      const enough = warm({ packets: 8 * perAck, perAck }).round(() => 60);
      expect(enough.hystart.isConservative, `8 of ${perAck}`).toBe(true);
    }
  });

  test("an acknowledgement without a sample is none", () => {
    const flow = warm();
    flow.round((n) => (n < 7 ? 60 : undefined));
    expect(flow.hystart.isConservative).toBe(false);
  });

  test("growth is all that is acknowledged, a quarter in conservative slow start; bursts are not limited (RFC 9406 §4.3)", () => {
    const flow = warm();
    expect(flow.hystart.growth(1_000_000)).toBe(1_000_000);
    flow.round(() => 60);
    expect(flow.hystart.growth(1_000_000)).toBe(250_000);
  });

  test("it ends after five rounds, the one in which it began included", () => {
    const flow = warm();
    flow.round(() => 60);
    for (let round = 2; round <= 5; round++) {
      expect(flow.hystart.isDone).toBe(false);
      flow.round(() => 60 + round);
    }
    flow.round(() => 60);
    expect(flow.hystart.isDone).toBe(true);
  });

  test("a shorter round trip than when it began resumes slow start, and the rounds are counted afresh", () => {
    const flow = warm();
    flow.round(() => 60);
    flow.round(() => 61);
    flow.round(() => 61);
    flow.round(() => 59);
    expect(flow.hystart.isConservative).toBe(false);
    flow.round(() => 90);
    expect(flow.hystart.isConservative).toBe(true);
    for (let round = 2; round <= 4; round++) flow.round(() => 90);
    expect(flow.hystart.isDone).toBe(false);
    flow.round(() => 90);
    flow.round(() => 90);
    expect(flow.hystart.isDone).toBe(true);
  });

  test("the first round has nothing to compare with", () => {
    const flow = new Flow(40).round(() => 90);
    expect(flow.hystart.isConservative).toBe(false);
    flow.round(() => 120);
    expect(flow.hystart.isConservative).toBe(true);
  });
});
